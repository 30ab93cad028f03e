"""Safetensors files with an FCNN(6), which ``rafair train`` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rafair.models.networks import load_fcnn

if TYPE_CHECKING:
    from pathlib import Path

    from rafair.models.adapters.torch_module import TorchClassifier
    from rafair.models.formats.permission import Permission
    from rafair.schema import Schema

__all__ = ["NAME", "SUFFIXES", "load", "read"]

NAME = "safetensors"
SUFFIXES: tuple[str, ...] = (".safetensors",)


def read(path: Path, permission: Permission) -> TorchClassifier:  # noqa: ARG001 - needs none
    """Return the network as a classifier, without checking it against a schema."""
    return load(path, None)


def load(path: Path, schema: Schema | None) -> TorchClassifier:
    """Return the network as a classifier; its columns and classes must fit the schema."""
    return load_fcnn(path, schema)
