"""Keras networks: ``.keras`` archives, and HDF5 files of Keras 1 to 3."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
import tempfile
import zipfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rafair.errors import InvalidInput
from rafair.models.extras import need
from rafair.models.formats.keras_config import check_config, modern_config

if TYPE_CHECKING:
    from rafair.models.formats.permission import Permission

__all__ = ["NAME", "SUFFIXES", "read"]

NAME = "Keras"
SUFFIXES: tuple[str, ...] = (".keras", ".h5", ".hdf5")
MEMBERS = ("config.json", "metadata.json", "model.weights.h5")
# Older versions ignore safe_mode for HDF5 files (CVE-2025-9905).
OLDEST = (3, 11, 3)
MOST_NODES = 100_000


def read(path: Path, permission: Permission) -> Any:  # noqa: ARG001 - no effect on Keras files
    """Return the Keras model of a file, with torch as its backend.

    Raises
    ------
    InvalidInput
        If the file holds a layer that could run code or open files, or refers to other files; or if
        Keras is missing, too old or uses another backend.
    """
    if path.suffix.lower() == ".keras":
        _check_archive(path)
        return _keras().saving.load_model(path, compile=False, safe_mode=True)
    config, changed = _legacy_config(path)
    keras = _keras()
    if not changed:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    with tempfile.TemporaryDirectory() as folder:
        renewed = Path(folder) / "model.h5"
        shutil.copyfile(path, renewed)
        with need("h5py", "keras").File(renewed, "r+") as file:
            file.attrs["model_config"] = json.dumps(config)
        return keras.saving.load_model(renewed, compile=False, safe_mode=True)


def _keras() -> Any:
    """Import Keras with torch as its backend."""
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "torch"
    try:
        version = metadata.version("keras")
    except metadata.PackageNotFoundError:
        version = ""
    numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
    if version and numbers < OLDEST:
        raise InvalidInput(
            f"Keras {version} runs code that a file may hold; pip install -U 'keras>=3.11.3'"
        )
    keras = need("keras", "keras")
    if keras.backend.backend() != "torch":
        raise InvalidInput(
            f"Keras was imported with the backend {keras.backend.backend()}; "
            "set KERAS_BACKEND=torch in the environment before importing it"
        )
    return keras


def _check_archive(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        foreign = [name for name in names if name not in MEMBERS]
        if foreign:
            raise InvalidInput(f"holds {foreign[0]}, which is no part of a network; save it again")
        if "config.json" not in names:
            raise InvalidInput("a .keras archive without config.json; save the model again")
        check_config(json.loads(archive.read("config.json")))
        if "model.weights.h5" in names:
            weights = io.BytesIO(archive.read("model.weights.h5"))
            with need("h5py", "keras").File(weights, "r") as file:
                _check_links(file)


def _legacy_config(path: Path) -> tuple[Any, bool]:
    """Return an HDF5 file's configuration for Keras 3, and whether it differs from the file's."""
    with need("h5py", "keras").File(path, "r") as file:
        _check_links(file)
        if "model_config" not in file.attrs:
            raise InvalidInput(
                "holds weights but not the network; save it with model.save('model.keras')"
            )
        text = file.attrs["model_config"]
    original = json.loads(text)
    check_config(original)
    config = modern_config(original)
    return config, config != original


def _check_links(file: Any) -> None:
    """Refuse data in other files: HDF5 would open any file that the user can read."""
    h5py = need("h5py", "keras")
    waiting, seen = [file], 0
    while waiting:
        group = waiting.pop()
        for name in group:
            seen += 1
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink) or seen > MOST_NODES:
                raise InvalidInput(f"its part {name!r} is a link, maybe elsewhere; save it again")
            part = group[name]
            if isinstance(part, h5py.Group):
                waiting.append(part)
            elif part.external or part.is_virtual:
                raise InvalidInput(f"keeps {name!r} in another file, which is not opened")
