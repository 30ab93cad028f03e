"""One file per library; each reads its models into a ``TreeTable``.

A reader has ``accepts(model)`` and ``read(model)``, which returns a ``Reading``.
"""
