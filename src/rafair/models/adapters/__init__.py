"""One file per kind of model: ``accepts`` tells whether a model is of it, ``adapt`` wraps it."""
