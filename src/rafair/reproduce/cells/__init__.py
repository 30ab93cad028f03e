"""The computations of a reproduction; whatever a page shows comes from one of them."""
