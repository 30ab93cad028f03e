"""FCNN(6), the paper's baseline network: architecture, training and file format."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from rafair.errors import InvalidInput
from rafair.models.adapters.torch_module import TorchClassifier
from rafair.models.weights import check_fit, read_weights, serialise_weights
from rafair.models.wrapping import wrap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from rafair.datasets import Dataset
    from rafair.schema import Schema

__all__ = [
    "epochs_for",
    "fcnn",
    "fit",
    "load_fcnn",
    "read_metadata",
    "serialise_fcnn",
    "train_fcnn",
]

HIDDEN = (32, 64, 128, 64, 32)
EPOCHS = 30
# A small data set gives few steps in 30 epochs. A network that stops near its random initial
# weights is as accurate, but nearly all of its neurons are unstable (active for some rows and
# inactive for others) over any box, so that no claim about it can be proved.
LEAST_STEPS = 1000
BATCH = 128
LEARNING_RATE = 1e-3
# The L2 penalty (weight decay) for n training rows is PENALTY / n, which is a prior of fixed
# strength, but at most LARGEST_PENALTY. The penalty also makes the clean IF depend little on
# rounding.
PENALTY, LARGEST_PENALTY = 30.0, 0.02
# Share of the epochs, at the end, whose weights are averaged: the weights after the last step are
# noisy, their average is not.
AVERAGED = 0.5
# Unused weights that the penalty has shrunk below this are set to zero: products with them would be
# denormal numbers.
NOTHING = 1e-12
FORMAT = "rafair-fcnn-1"


def fcnn(n_features: int, n_classes: int, hidden: Sequence[int] = HIDDEN) -> nn.Sequential:
    """Return dense layers with ReLU between them, by default six: 32-64-128-64-32-k, to logits.

    Without hidden layers it is multinomial logistic regression.
    """
    widths = (n_features, *hidden, n_classes)
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def epochs_for(n: int, *, plain: bool = False) -> int:
    """Return the number of epochs for n training rows: 30, or more to reach 1,000 steps.

    A plain network always gets 30.
    """
    return EPOCHS if plain else max(EPOCHS, -(-LEAST_STEPS // -(-n // BATCH)))


def fit(
    x: Tensor,
    y: Tensor,
    n_classes: int,
    *,
    random_state: int = 0,
    epochs: int | None = None,
    plain: bool = False,
    on_epoch: Callable[[int], None] = lambda _: None,
) -> nn.Sequential:
    """Train FCNN(6) with Adam and cross-entropy, on one thread, so that it is reproducible.

    The learning rate falls to zero along a cosine. The result is the average of the weights after
    each step in the second half of the epochs (stochastic weight averaging, Izmailov et al. 2018),
    which makes it depend little on rounding. An L2 penalty keeps the weights small. A plain network
    has none of the three.

    Parameters
    ----------
    x : Tensor, shape (n, d), unit space.
    y : Tensor of int64, shape (n,).
    epochs : int, optional
        By default ``epochs_for(n)``.
    plain : bool
        Adam with a constant learning rate and cross-entropy alone; the weights after the last step.
    on_epoch : callable
        Called with the number of finished epochs.

    Returns
    -------
    Sequential
        With float32 weights on the CPU, in evaluation mode.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    # The penalty shrinks unused weights to denormal numbers, with which a CPU is ten times slower.
    torch.set_flush_denormal(True)
    try:
        with torch.random.fork_rng(devices=[]):
            total = epochs_for(len(x), plain=plain) if epochs is None else epochs
            return _fit(x.float(), y, n_classes, random_state, total, plain, on_epoch)
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)


def _fit(
    x: Tensor,
    y: Tensor,
    n_classes: int,
    random_state: int,
    epochs: int,
    plain: bool,
    on_epoch: Callable[[int], None],
) -> nn.Sequential:
    generator = torch.Generator().manual_seed(random_state)
    module = fcnn(x.shape[1], n_classes)
    for parameter in module.parameters():
        _initialise(parameter, generator)
    average = torch.optim.swa_utils.AveragedModel(module)
    penalty = 0.0 if plain else min(PENALTY / len(x), LARGEST_PENALTY)
    optimiser = torch.optim.Adam(
        module.parameters(), lr=LEARNING_RATE, weight_decay=penalty, foreach=True
    )
    batches = -(-len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * batches)
    for epoch in range(epochs):
        order = torch.randperm(len(x), generator=generator)
        for rows in torch.split(order, BATCH):
            optimiser.zero_grad()
            functional.cross_entropy(module(x[rows]), y[rows]).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            if plain:
                continue
            schedule.step()
            if epoch >= epochs * (1 - AVERAGED):
                average.update_parameters(module)
        on_epoch(epoch + 1)
    if not plain:
        module.load_state_dict(average.module.state_dict())
    with torch.no_grad():
        for parameter in module.parameters():
            parameter[parameter.abs() < NOTHING] = 0.0
    return module.eval().requires_grad_(requires_grad=False)


def _initialise(parameter: Tensor, generator: torch.Generator) -> None:
    with torch.no_grad():
        if parameter.ndim == 1:
            parameter.zero_()
        else:
            nn.init.kaiming_uniform_(parameter, nonlinearity="relu", generator=generator)


def train_fcnn(
    data: Dataset,
    *,
    random_state: int = 0,
    epochs: int | None = None,
    plain: bool = False,
    on_epoch: Callable[[int], None] = lambda _: None,
) -> TorchClassifier:
    """Train the paper's baseline network on the train split of a dataset.

    Parameters
    ----------
    data : Dataset
    random_state : int
        Seeds the initial weights and the order of the batches.
    epochs : int, optional
        By default ``epochs_for`` of the number of rows in the split.
    plain : bool
        Without L2 penalty, falling learning rate and averaged weights; see ``fit``.
    on_epoch : callable
        Called with the number of finished epochs.

    Returns
    -------
    TorchClassifier
        FCNN(6) in float32 on the CPU, reading unit space.

    Raises
    ------
    InvalidInput
        If ``epochs`` is below 1.
    """
    if epochs is not None and epochs < 1:
        raise InvalidInput(f"epochs must be 1 or more, not {epochs}")
    module = fit(
        data.train.x,
        data.train.y,
        len(data.schema.classes),
        random_state=random_state,
        epochs=epochs,
        plain=plain,
        on_epoch=on_epoch,
    )
    return _wrapped(module, data.schema)


def _wrapped(module: nn.Module, schema: Schema | None) -> TorchClassifier:
    model = wrap(module, schema, output="logits")
    assert isinstance(model, TorchClassifier)  # noqa: S101 - for the type checker
    return model


def serialise_fcnn(module: nn.Module, schema: Schema, metrics: Mapping[str, float]) -> bytes:
    """Return the bytes of a ``.safetensors`` file: weights, feature names, classes, metrics."""
    dense = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
    hidden = [layer.out_features for layer in dense[:-1]]
    widths = {} if tuple(hidden) == HIDDEN else {"hidden": hidden}
    return serialise_weights(module, {**widths, "format": FORMAT}, schema, metrics)


def read_metadata(path: Path) -> dict[str, Any]:
    """Return the feature names, classes and metrics that ``serialise_fcnn`` wrote.

    Raises
    ------
    InvalidInput
        If the file does not exist or is no FCNN of this package.
    """
    about, _ = read_weights(path, (FORMAT,))
    return {key: about[key] for key in ("features", "classes", "metrics")}


def load_fcnn(path: Path, schema: Schema | None = None) -> TorchClassifier:
    """Read an FCNN(6) written by ``rafair train``; a safetensors file cannot run code.

    Parameters
    ----------
    path : Path
    schema : Schema, optional
        If given, a network that was trained on other columns or classes is refused.

    Raises
    ------
    InvalidInput
        If the file does not exist or is no FCNN of this package, the network was trained on other
        columns or classes, or a weight is NaN or infinite.
    """
    about, weights = read_weights(path, (FORMAT,))
    check_fit(path, about, schema)
    module = fcnn(len(about["features"]), len(about["classes"]), about.get("hidden", HIDDEN))
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise InvalidInput(f"{path}: its weights do not fit FCNN(6)") from error
    return _wrapped(module.eval().requires_grad_(requires_grad=False), schema)
