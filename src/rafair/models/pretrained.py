"""The pretrained FCNN(6) of each benchmark."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rafair.errors import InvalidInput
from rafair.models.networks import load_fcnn, read_metadata

if TYPE_CHECKING:
    from rafair.models.adapters.torch_module import TorchClassifier

__all__ = ["baseline", "baseline_metrics", "baseline_path"]


def baseline_path(name: str) -> Path:
    """Return the path of the weights for a benchmark; the file may not exist."""
    return Path(str(resources.files("rafair.models") / "baselines" / f"{name}.safetensors"))


def baseline(name: str) -> TorchClassifier:
    """Return the pretrained FCNN(6) of a benchmark.

    Parameters
    ----------
    name : {"adult", "bank", "compas", "credit"}

    Raises
    ------
    InvalidInput
        If the package contains no baseline of this name.
    """
    path = baseline_path(name)
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in path.parent.glob("*.safetensors")))
        raise InvalidInput(f"no baseline for {name!r}; there is one for {known}")
    return load_fcnn(path)


def baseline_metrics(name: str) -> dict[str, Any]:
    """Return the metrics that ``rafair train`` measured on the whole test split."""
    metrics: dict[str, Any] = read_metadata(baseline_path(name))["metrics"]
    return metrics
