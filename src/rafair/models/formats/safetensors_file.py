"""Safetensors files with a network or a sum of stumps, which ``rafair train`` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rafair.models import networks, stump_files
from rafair.models.weights import read_weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rafair.models.classifier import Classifier
    from rafair.models.formats.permission import Permission
    from rafair.schema import Schema

__all__ = ["NAME", "SUFFIXES", "load", "read"]

NAME = "safetensors"
SUFFIXES: tuple[str, ...] = (".safetensors",)
LOADERS: dict[str, Callable[[Path, Schema | None], Classifier]] = {
    networks.FORMAT: networks.load_fcnn,
    stump_files.FORMAT: stump_files.load_stumps,
}


def read(path: Path, permission: Permission) -> Classifier:  # noqa: ARG001 - needs none
    """Return the model as a classifier, without checking it against a schema."""
    return load(path, None)


def load(path: Path, schema: Schema | None) -> Classifier:
    """Return the model as a classifier; its columns and classes must fit the schema."""
    about, _ = read_weights(path, tuple(LOADERS))
    return LOADERS[about["format"]](path, schema)
