"""Linear bounds of networks: a network as layers, its relaxation, and what rounding adds."""
