"""Robust training: models that are accurate and fair under every change, with the proof.

To add a method, add a file to ``methods`` with a frozen dataclass that derives from ``Method``,
or from ``NetworkMethod`` if it trains a network by a loss.
"""

from rafair.training.base import Method, Options, Trained, fit_robust
from rafair.training.loop import NetworkMethod
from rafair.training.monotone import directions_of
from rafair.training.registry import make_method, method_classes, method_names
from rafair.training.task import Batch, Task
from rafair.training.validation import Figures

__all__ = [
    "Batch",
    "Figures",
    "Method",
    "NetworkMethod",
    "Options",
    "Task",
    "Trained",
    "directions_of",
    "fit_robust",
    "make_method",
    "method_classes",
    "method_names",
]
