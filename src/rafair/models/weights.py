"""Safetensors files of ``rafair train``: weights, and what they are, as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise

from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor, nn

    from rafair.schema import Schema

__all__ = ["check_fit", "read_weights", "serialise_weights"]

KEY = "rafair"


def serialise_weights(
    module: nn.Module, about: Mapping[str, Any], schema: Schema, metrics: Mapping[str, float]
) -> bytes:
    """Return the bytes of a file; ``about`` holds the format and what else its reader needs."""
    whole = {
        **about,
        "features": list(schema.names),
        "classes": list(schema.classes),
        "metrics": dict(metrics),
    }
    # A single key, because safetensors writes several keys in an order that varies between calls.
    return serialise(module.state_dict(), {KEY: json.dumps(whole, sort_keys=True)})


def read_weights(path: Path, formats: Sequence[str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return what a file says of itself, and its tensors.

    Raises
    ------
    InvalidInput
        If the file does not exist, or is of none of these formats, or a weight is NaN or infinite.
    """
    if not path.is_file():
        raise InvalidInput(f"{path}: no such model file")
    try:
        with safe_open(str(path), framework="pt") as file:
            about = _about((file.metadata() or {}).get(KEY, "{}"))
            if about.get("format") not in formats:
                known = " or ".join(formats)
                raise InvalidInput(f"{path}: not written by rafair train (format {known})")
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise InvalidInput(f"{path}: not a model file in safetensors format") from error
    if not all(weight.isfinite().all() for weight in weights.values()):
        raise InvalidInput(f"{path}: a weight is NaN or infinite")
    return about, weights


def check_fit(path: Path, about: Mapping[str, Any], schema: Schema | None) -> None:
    """Refuse a model that was trained on other columns or classes than those of a schema.

    Raises
    ------
    InvalidInput
    """
    expected = {} if schema is None else {"features": schema.names, "classes": schema.classes}
    for key, value in expected.items():
        if about[key] != list(value):
            raise InvalidInput(f"{path}: trained with other {key} than the data's")


def _about(text: str) -> dict[str, Any]:
    """Return what a file says of itself; nothing if a part is missing or of another type."""
    try:
        about = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(about, dict):
        return {}
    expected = {"features": list, "classes": list, "metrics": dict}
    whole = all(isinstance(about.get(key), kind) for key, kind in expected.items())
    hidden = about.get("hidden", [])
    whole &= isinstance(hidden, list) and all(isinstance(n, int) and n > 0 for n in hidden)
    return about if whole else {}
