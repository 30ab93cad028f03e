"""Files of the models that robust training makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rafair.models.networks import serialise_fcnn
from rafair.models.stump_files import serialise_stumps
from rafair.models.stumps import Stumps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import nn

    from rafair.schema import Schema

__all__ = ["serialise_model"]


def serialise_model(module: nn.Module, schema: Schema, metrics: Mapping[str, float]) -> bytes:
    """Return the bytes of a ``.safetensors`` file, which ``load_model`` reads."""
    if isinstance(module, Stumps):
        return serialise_stumps(module, schema, metrics)
    return serialise_fcnn(module, schema, metrics)
