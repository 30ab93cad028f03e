"""skops files: scikit-learn models in a file that lists the type of every object in it."""

from __future__ import annotations

import math
import zipfile
from importlib import metadata
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from rafair.errors import InvalidInput
from rafair.models.extras import need
from rafair.models.formats.checked_trees import CHECKED, check_trees
from rafair.models.formats.harmless import HARMLESS
from rafair.models.formats.rebuilt import REBUILT, rebuild

if TYPE_CHECKING:
    from pathlib import Path

    from rafair.models.formats.permission import Permission

__all__ = ["NAME", "SUFFIXES", "read"]

NAME = "skops"
SUFFIXES: tuple[str, ...] = (".skops",)
# Older versions create objects of types that they do not list (CVE-2025-54412, CVE-2025-54413).
OLDEST = (0, 12)


def read(path: Path, permission: Permission) -> Any:
    """Return the object in a file if skops, this package or the user trusts each type in it.

    Types of ``HARMLESS`` are trusted as they are; what is of ``CHECKED`` is looked at, and what is
    of ``REBUILT`` built anew. What the user trusts is left as it is.

    Raises
    ------
    InvalidInput
        If a type is not trusted, a tree is none, or skops is too old; the message names all
        untrusted types.
    """
    skops = need("skops.io", "sklearn")
    version = metadata.version("skops")
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        raise InvalidInput(f"skops {version} is not safe; pip install -U 'skops>=0.12'")
    _check_arrays(path)
    found = sorted(skops.get_untrusted_types(file=path))
    unknown = [
        name for name in found if name not in HARMLESS.union(CHECKED, REBUILT, permission.trust)
    ]
    if unknown:
        raise InvalidInput(
            f"holds types that may not be harmless: {', '.join(unknown)}; if you know that "
            f"loading them is harmless, allow them: {' '.join(f'--trust {n}' for n in unknown)}"
        )
    model = skops.load(path, trusted=found)
    if CHECKED.intersection(found).difference(permission.trust):
        check_trees(model)
    if REBUILT.intersection(found).difference(permission.trust):
        rebuild(model)
    return model


def _check_arrays(path: Path) -> None:
    """Refuse an array whose header promises more than its member holds: NumPy reserves it first."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.filename.endswith(".npy"):
                continue
            with archive.open(member) as file:
                shape, dtype = _header(file)
            if not dtype.hasobject and math.prod(shape) * dtype.itemsize > member.file_size:
                raise InvalidInput("holds a damaged array; save the model again")


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and type of an array from the head of its file."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0
    if version != (1, 0):
        read = np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    return shape, dtype
