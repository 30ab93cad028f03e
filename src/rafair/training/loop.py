"""The training loop: warm-up, validation, selection of the best epoch, checkpoints."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from rafair.checks import check_positive, check_whole
from rafair.errors import InvalidInput
from rafair.problem.threads import torch_asleep
from rafair.training.network import forget, fresh_network
from rafair.training.task import Batch
from rafair.training.validation import Figures, validated

if TYPE_CHECKING:
    from collections.abc import Callable

    from rafair.training.base import Method
    from rafair.training.task import Task

__all__ = ["Options", "Trained", "fit_robust"]

LEARNING_RATE = 2e-3
# A batch is about this share of the rows, within bounds: few rows need more steps an epoch.
BATCHES, SMALLEST_BATCH, LARGEST_BATCH = 10, 16, 256
EPOCHS, LEAST_STEPS = 60, 3000
# The L2 penalty (weight decay) for n rows is (FEW / n)², but at most LARGEST_PENALTY: without it a
# network learns few rows by heart, and little about other people can be proved; from some thousand
# rows on it only makes networks constant (measured).
FEW, LARGEST_PENALTY = 45.0, 0.005
# Share of the steps during which Δ, I(v) and κ grow to their full size.
WARM_UP = 0.5
# Share of the epochs without a better one after which training stops.
PATIENCE = 0.3
LARGEST_GRADIENT = 10.0
# People who are kept from training to choose the epoch: this share, and at most so many.
HELD_BACK, MOST_HELD_BACK = 0.1, 1000


@dataclass(frozen=True)
class Options:
    """How a network is trained, beside the method.

    Parameters
    ----------
    without_sensitive : bool
        The first layer's weights of the sensitive columns are 0, so that the network reads none.
    balance : float in [0, 1]
        0: the loss weighs people alike, and the epoch with the largest mean of accuracy and
        certified R-AF is kept; 1: all of these are balanced over the classes. In between they mix.
    epochs : int, optional
        By default 60, more for few rows, to reach 3,000 steps.
    batch_size : int, optional
        By default 256, less for few rows, to have ten batches an epoch.
    learning_rate : float
        Of Adam; it falls to 0 along a cosine.
    random_state : int
        Of the initial weights, the held-back people and the order of the batches.
    """

    without_sensitive: bool = False
    balance: float = 0.0
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float = LEARNING_RATE
    random_state: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name), 1)
        check_positive("learning_rate", self.learning_rate)

    def batch_of(self, n: int) -> int:
        """Return the number of rows of a batch for n rows to learn from."""
        return self.batch_size or min(max(n // BATCHES, SMALLEST_BATCH), LARGEST_BATCH)

    def epochs_of(self, n: int) -> int:
        """Return the number of epochs for n rows to learn from."""
        return self.epochs or max(EPOCHS, -(-LEAST_STEPS // -(-n // self.batch_of(n))))


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network.

    Attributes
    ----------
    network : Sequential
        float32 weights on the CPU, in evaluation mode.
    figures : Figures
        Of the epoch that was kept, on the held-back people.
    epoch, epochs : int
        The epoch that was kept, counted from 1, and how many there were.
    """

    network: nn.Sequential
    figures: Figures
    epoch: int
    epochs: int


def fit_robust(
    method: Method,
    task: Task,
    options: Options,
    *,
    on_epoch: Callable[[int, int, Figures], None] = lambda *_: None,
    keep: Callable[[dict[str, Any]], None] = lambda _: None,
    state: dict[str, Any] | None = None,
) -> Trained:
    """Train a network by a method, on one thread, so that the same seed gives the same bits.

    Parameters
    ----------
    method : Method
    task : Task
    options : Options
    on_epoch : callable
        Called with the number of finished epochs, that of all epochs, and the figures of the last.
    keep : callable
        Called after each epoch with what ``state`` takes to go on from there.
    state : mapping, optional
        Where to go on.

    Raises
    ------
    InvalidInput
        If the method compares people and no column is sensitive, or the loss is no longer finite.
    """
    if task.counterparts is None and (method.compares or options.without_sensitive):
        what = f"method {method.name!r}" if method.compares else "without_sensitive"
        raise InvalidInput(f"{what} needs a sensitive column; name at least one")
    with torch_asleep(), torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.set_flush_denormal(True)
        try:
            loop = _Loop(method, task, options)
            if state is not None:
                loop.load(state)
            return loop.run(on_epoch, keep)
        finally:
            torch.set_flush_denormal(False)


class _Loop:
    """The state of a training: network, optimiser, generator, instances and the best epoch."""

    def __init__(self, method: Method, task: Task, options: Options) -> None:
        self.method, self.options = method, options
        self.generator = torch.Generator().manual_seed(options.random_state)
        order = torch.randperm(len(task), generator=self.generator)
        n_held = min(MOST_HELD_BACK, math.ceil(HELD_BACK * len(task)))
        self.people = task.take(order[n_held:]) if len(task) > n_held else task
        self.held = task.take(order[:n_held])
        widths = task.x.shape[1], len(task.weights), method.hidden
        self.network = fresh_network(*widths, self.generator)
        self.hidden = task.sensitive if options.without_sensitive else []
        forget(self.network, self.hidden)
        self.instances = self.people.x
        n = len(self.people)
        self.batch_size, self.epochs = options.batch_of(n), options.epochs_of(n)
        self.steps = self.epochs * -(-n // self.batch_size)
        self.optimiser = torch.optim.Adam(
            self.network.parameters(),
            lr=options.learning_rate,
            weight_decay=min((FEW / n) ** 2, LARGEST_PENALTY),
            foreach=True,
        )
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimiser, self.steps)
        self.epoch, self.best_epoch = 0, 0
        self.best = Figures.none()
        self.kept = self._weights()

    def run(
        self, on_epoch: Callable[[int, int, Figures], None], keep: Callable[[dict[str, Any]], None]
    ) -> Trained:
        while self.epoch < self.epochs and not self._is_late():
            figures = self._one_epoch()
            # Before that, the network has not seen all that is to be proved.
            is_warm = self.epoch >= WARM_UP * self.epochs
            if is_warm and self._rank(figures) >= self._rank(self.best):
                self.best, self.best_epoch, self.kept = figures, self.epoch, self._weights()
            on_epoch(self.epoch, self.epochs, figures)
            keep(self.state())
        self.network.load_state_dict(self.kept)
        network = self.network.eval().requires_grad_(requires_grad=False)
        return Trained(network, self.best, self.best_epoch, self.epoch)

    def _rank(self, figures: Figures) -> tuple[bool, float]:
        return figures.rank(self.options.balance, len(self.people.weights))

    def _is_late(self) -> bool:
        return bool(self.best_epoch) and self.epoch - self.best_epoch > PATIENCE * self.epochs

    def _one_epoch(self) -> Figures:
        self.network.requires_grad_(requires_grad=True)
        order = torch.randperm(len(self.people), generator=self.generator)
        self.instances = self.method.renewed(
            self.network, self.people, self.instances, self.generator
        )
        losses = [self._step(rows) for rows in torch.split(order, self.batch_size)]
        self.epoch += 1
        loss = math.fsum(losses) / len(losses)
        if not math.isfinite(loss):
            raise InvalidInput(
                f"the loss is no longer finite in epoch {self.epoch}; use a smaller learning_rate"
            )
        return validated(self.network, self.held, loss)

    def _step(self, rows: Tensor) -> float:
        done = self.schedule.last_epoch / (WARM_UP * self.steps)
        people = self.people.take(rows)
        batch = Batch(people, self.instances[rows], min(1.0, done), self.generator)
        strength = self.method.strength * batch.reach
        losses = functional.cross_entropy(self.network(batch.x), batch.y, reduction="none")
        if strength:
            robust = self.method.robust_loss(self.network, batch)
            losses = torch.lerp(losses, robust, strength)
        loss = (people.weights[batch.y] * losses).mean()
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
        self.optimiser.step()
        self.schedule.step()
        forget(self.network, self.hidden)
        return float(loss.detach())

    def _weights(self) -> dict[str, Tensor]:
        return {name: tensor.clone() for name, tensor in self.network.state_dict().items()}

    def state(self) -> dict[str, Any]:
        """Return all that changes from epoch to epoch."""
        return {
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "generator": self.generator.get_state(),
            "instances": self.instances,
            "kept": self.kept,
            "best": vars(self.best),
            "best_epoch": self.best_epoch,
            "epoch": self.epoch,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a state; see ``state``."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.generator.set_state(state["generator"])
        self.instances, self.kept = state["instances"], state["kept"]
        self.best, self.best_epoch = Figures(**state["best"]), state["best_epoch"]
        self.epoch = state["epoch"]
