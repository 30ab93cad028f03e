"""The configuration in a Keras file: refuse unsafe layers, and translate it for Keras 3."""

from __future__ import annotations

import copy
from typing import Any

from rafair.errors import InvalidInput

__all__ = ["check_config", "modern_config"]

# These layers run Python or other frameworks' code, or read a vocabulary from a path.
REFUSED = frozenset(
    {"Lambda", "__lambda__", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer"}
    | {"StringLookup", "IntegerLookup", "IndexLookup", "TextVectorization"}
)
WIDEST = 100_000
MOST_LAYERS = 1_000
# A gigabyte in float32.
MOST_WEIGHTS = 2**28
SHAPES = ("input_shape", "batch_shape", "batch_input_shape", "shape")
# Keras 1's names of settings that have other names in Keras 2 and 3.
RENAMED = {"output_dim": "units", "bias": "use_bias", "p": "rate"}
# The only settings that matter for the outputs of these layers. Older versions write further ones,
# which Keras 3 does not know.
READ = {
    "Dense": ("name", "dtype", "units", "activation", "use_bias"),
    "Activation": ("name", "dtype", "activation"),
    "Dropout": ("name", "dtype", "rate"),
}


def check_config(config: Any) -> None:
    """Refuse a layer, function or size that no network of tabular data needs.

    Raises
    ------
    InvalidInput
        If there is one; the message names it.
    """
    if not isinstance(config, dict) or "class_name" not in config:
        raise InvalidInput("says nothing of its layers; save the model again")
    waiting: list[Any] = [config]
    units, widest = 0, 0
    while waiting:
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            _check_part(part)
            units += part.get("units", part.get("output_dim")) or 0
            widest = max(widest, units, *(_width(part, name) for name in SHAPES))
            waiting += part.values()
    if units * widest > MOST_WEIGHTS:
        raise InvalidInput(f"holds layers of {units:,} units and {widest:,} inputs; too many")


def _width(part: dict[str, Any], name: str) -> int:
    """Return the largest number of a shape; 0 if there is none."""
    found = part.get(name)
    widths = [one for one in found if isinstance(one, int)] if isinstance(found, list) else []
    widest = max(widths, default=0)
    if widest > WIDEST:
        raise InvalidInput(f"holds a shape of {widest:,} columns; {WIDEST:,} are read at most")
    return widest


def _check_part(part: dict[str, Any]) -> None:
    name = part.get("class_name")
    module, registered = part.get("module"), part.get("registered_name")
    if name is not None and (not isinstance(name, str) or name.rpartition(">")[2] in REFUSED):
        raise InvalidInput(f"holds a {name!r} layer, which could run code or open files")
    own = module in (None, "builtins") or str(module).split(".")[0] == "keras"
    known = registered in (None, name)
    if "class_name" in part and not (own and known):
        origin = module if not own else registered
        raise InvalidInput(f"holds {name!r} of {origin!r}, which is not Keras's own")
    if isinstance(part.get("vocabulary"), str):
        raise InvalidInput("refers to a file of words, which is not opened")
    units = part.get("units", part.get("output_dim"))
    if units is not None and not (isinstance(units, int) and 0 < units <= WIDEST):
        raise InvalidInput(f"holds a layer of {str(units)[:30]} units; 1 to {WIDEST:,} are read")
    if len(part.get("layers") or ()) > MOST_LAYERS:
        raise InvalidInput(f"holds more than {MOST_LAYERS:,} layers")


def modern_config(config: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration of an old model in the form that Keras 3 reads.

    Keras 1 and 2 wrote the layers of a ``Sequential`` as a list, and the shape of the input in the
    first layer under the name ``batch_input_shape``.
    """
    config = copy.deepcopy(config)
    if config["class_name"] == "Sequential" and isinstance(config["config"], list):
        config["config"] = {"name": "sequential", "layers": config["config"]}
    inner = config.get("config")
    layers = inner.get("layers") if isinstance(inner, dict) else None
    if not isinstance(inner, dict) or not isinstance(layers, list):
        return config
    old = any("batch_input_shape" in (layer.get("config") or {}) for layer in layers)
    if old:
        new = [part for layer in layers for part in _modern_layer(layer)]
        # Keras 2 also wrote an input layer, before the layer that has the shape.
        inner["layers"] = [
            layer for at, layer in enumerate(new) if at == 0 or layer["class_name"] != "InputLayer"
        ]
    return config


def _modern_layer(layer: dict[str, Any]) -> list[dict[str, Any]]:
    kind, about = layer["class_name"], dict(layer["config"])
    shape = about.pop("batch_input_shape", None)
    if kind == "InputLayer":
        kept = {"batch_shape": shape, "dtype": about.get("dtype"), "name": about.get("name")}
        return [{**layer, "config": kept}]
    if kind in READ:
        about = {RENAMED.get(key, key): value for key, value in about.items()}
        about = {key: about[key] for key in READ[kind] if key in about}
    new = {**layer, "config": about}
    if shape is None:
        return [new]
    entry = {"batch_shape": shape, "dtype": about.get("dtype"), "name": f"{about['name']}_input"}
    return [{"class_name": "InputLayer", "config": entry}, new]
