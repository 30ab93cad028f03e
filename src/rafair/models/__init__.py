"""The protocol for all classifiers, and the paper's baseline network."""

from rafair.models.classifier import (
    Access,
    Classifier,
    parse_device,
    require_gradient,
    require_wrapped,
)
from rafair.models.leaky import LeakyGradient
from rafair.models.loading import load_model
from rafair.models.networks import (
    epochs_for,
    fcnn,
    fit,
    load_fcnn,
    read_metadata,
    serialise_fcnn,
    train_fcnn,
)
from rafair.models.pretrained import baseline, baseline_metrics, baseline_path
from rafair.models.saving import serialise_model
from rafair.models.stumps import Stumps
from rafair.models.wrapping import adapter_names, wrap

__all__ = [
    "Access",
    "Classifier",
    "LeakyGradient",
    "Stumps",
    "adapter_names",
    "baseline",
    "baseline_metrics",
    "baseline_path",
    "epochs_for",
    "fcnn",
    "fit",
    "load_fcnn",
    "load_model",
    "parse_device",
    "read_metadata",
    "require_gradient",
    "require_wrapped",
    "serialise_fcnn",
    "serialise_model",
    "train_fcnn",
    "wrap",
]
