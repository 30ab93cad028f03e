"""Robust training: networks that are accurate and fair under every change, with the proof.

To add a method, add a file to ``methods`` with a frozen dataclass that derives from ``Method``.
"""

from rafair.training.base import Method
from rafair.training.loop import Options, Trained, fit_robust
from rafair.training.registry import make_method, method_classes, method_names
from rafair.training.task import Batch, Task
from rafair.training.validation import Figures

__all__ = [
    "Batch",
    "Figures",
    "Method",
    "Options",
    "Task",
    "Trained",
    "fit_robust",
    "make_method",
    "method_classes",
    "method_names",
]
