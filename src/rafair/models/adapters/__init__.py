"""One file per kind of model: ``accepts(model)`` says whether it is of that kind, ``adapt`` wraps it."""
