"""One module per kind of model: ``accepts`` recognises a model of this kind, ``adapt`` wraps it."""
