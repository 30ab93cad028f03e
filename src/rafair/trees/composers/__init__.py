"""One file per kind of model of models; each says how its members are added and mapped.

A composer has ``accepts(model)`` and ``compose(model, read)``, which returns a ``Composition``;
``read`` reads a member.
"""
