"""The data and the model that a command is asked to work on."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from rafair.datasets import Dataset
    from rafair.models import Classifier

__all__ = ["load_model", "open_data", "reopen"]


def open_data(name: str, sensitive: list[str] | None = None) -> Dataset:
    """Return a benchmark, with other sensitive columns where some are named."""
    from rafair.datasets import load_dataset

    data = load_dataset(name)
    return data if sensitive is None else data.with_sensitive(sensitive)


def load_model(path: Path | None, data: Dataset, device: str) -> tuple[Classifier, dict[str, Any]]:
    """Return a model on a device, and how to find it again."""
    from rafair.models import baseline_path, load_fcnn, parse_device

    place = parse_device(device)
    path = path or baseline_path(data.name)
    model: Classifier = load_fcnn(path, data.schema).to(place)
    is_baseline = path == baseline_path(data.name)
    where = "baseline" if is_baseline else str(path.resolve())
    return model, {"path": where, "file_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def reopen(manifest: dict[str, Any], model: Path | None, device: str) -> tuple[Classifier, Dataset]:
    """Return what a run audited.

    Raises
    ------
    InvalidInput
        If the run does not say where its model lies and none is given.
    """
    data = open_data(manifest["dataset"]["name"], manifest["schema"]["sensitive"])
    known = manifest["model"].get("path")
    if model is None and known is None:
        raise InvalidInput("the run does not say where its model lies; give it with --model")
    if model is None and known != "baseline":
        model = Path(known)
    return load_model(model, data, device)[0], data
