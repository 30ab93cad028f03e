"""One file per training method; ``rafair.training.registry`` finds them."""
