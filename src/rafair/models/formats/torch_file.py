"""Whole modules saved with ``torch.save`` that consist of torch's plain layers."""

from __future__ import annotations

import io
import pickle
import re
import warnings
import zipfile
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

    from rafair.models.formats.permission import Permission

__all__ = ["LAYERS", "NAME", "SUFFIXES", "read"]

NAME = "torch"
SUFFIXES: tuple[str, ...] = (".pt", ".pth", ".bin")

# Unpickling these layers cannot run code: none defines __reduce__, and none has a __setstate__ that
# does more than nn.Module's, which fills __dict__.
LAYERS: tuple[type[nn.Module], ...] = (
    nn.Sequential,
    nn.ModuleList,
    nn.ModuleDict,
    nn.Linear,
    nn.Identity,
    nn.Flatten,
    nn.Unflatten,
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.ELU,
    nn.SELU,
    nn.CELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Softplus,
    nn.Hardtanh,
    nn.Tanh,
    nn.Sigmoid,
    nn.Softmax,
    nn.LogSoftmax,
    nn.Dropout,
    nn.AlphaDropout,
    nn.BatchNorm1d,
    nn.LayerNorm,
)
REFUSED = re.compile(r"GLOBAL ([\w.]+)|type ([\w.]+)|class ([\w.]+)")


def read(path: Path, permission: Permission) -> nn.Module:
    """Return the module of a file, in evaluation mode.

    Raises
    ------
    InvalidInput
        If the file holds a type other than torch's plain layers, only weights, or TorchScript.
    """
    if _is_script(path):
        raise InvalidInput(
            "a TorchScript archive, which is not loaded; export the module with torch.export and "
            "torch.export.save to .pt2"
        )
    if permission.unsafe_pickle:
        loaded = torch.load(path, map_location="cpu", weights_only=False)
    else:
        loaded = _safely(path)
        if isinstance(loaded, nn.Module):
            for layer in loaded.modules():
                _check_layer(layer)
    if isinstance(loaded, dict):
        raise InvalidInput(
            "holds weights but not the network; save the module itself, "
            "or export it with torch.export.save to .pt2"
        )
    if not isinstance(loaded, nn.Module):
        raise InvalidInput(f"holds a {type(loaded).__name__}, not a torch module")
    return loaded.eval()


def _safely(path: Path) -> Any:
    try:
        with torch.serialization.safe_globals(list(LAYERS)), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of an unusual pickle protocol
            # A damaged length makes a file reserve as many bytes, but not bytes in memory.
            whole = io.BytesIO(path.read_bytes())
            return torch.load(whole, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = REFUSED.search(str(error).partition("\n")[2] or str(error))
        if found is None:
            # torch's message is not shown, because it recommends weights_only=False.
            raise InvalidInput(
                "no whole file of torch.save, or one of torch before 1.6; save the model again"
            ) from error
        name = next(group for group in found.groups() if group)
        raise InvalidInput(
            f"holds {name}, which is none of torch's plain layers and could run code; "
            "export the module with torch.export.save to .pt2"
        ) from error


def _check_layer(layer: nn.Module) -> None:
    """Refuse hooks and replaced methods: the file can set any attribute of an unpickled layer."""
    if type(layer) not in LAYERS:
        raise InvalidInput(f"holds a {type(layer).__name__}, none of torch's plain layers")
    for name, value in vars(layer).items():
        hooked = "hook" in name and bool(value)
        hidden = name != "training" and hasattr(nn.Module, name)
        if hooked or hidden or callable(value):
            raise InvalidInput(
                f"a {type(layer).__name__} whose {name} was replaced; save a plain network"
            )


def _is_script(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())
