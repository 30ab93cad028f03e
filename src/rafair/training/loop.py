"""The training of a network: warm-up, validation, selection of the best epoch, checkpoints."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from rafair.errors import InvalidInput
from rafair.models.networks import HIDDEN
from rafair.problem.threads import torch_asleep
from rafair.training.base import Method, Trained
from rafair.training.network import forget, fresh_network
from rafair.training.selection import Selection
from rafair.training.task import Batch
from rafair.training.validation import validated

if TYPE_CHECKING:
    from rafair.training.base import Options, Watch
    from rafair.training.task import Task
    from rafair.training.validation import Figures

__all__ = ["NetworkMethod", "usual_batch", "usual_epochs"]

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
LARGEST_GRADIENT = 10.0


@dataclass(frozen=True)
class NetworkMethod(Method):
    """A way to train a network: (1 − κ) · cross-entropy at v + κ · ``robust_loss``.

    κ, Δ and I(v) grow to their full size during the warm-up.

    Attributes
    ----------
    hidden : tuple of int
        Widths of the hidden layers of the network, by default FCNN(6)'s.
    step_time : float
        About how long a step takes, in seconds of a core.
    """

    hidden: ClassVar[tuple[int, ...]] = HIDDEN
    step_time: ClassVar[float] = 0.005

    @abstractmethod
    def robust_loss(self, network: nn.Sequential, batch: Batch) -> Tensor:
        """Return the loss over I(v) × Δ of each person of a batch, shape (n,), in nats."""

    def renewed(
        self,
        network: nn.Sequential,  # noqa: ARG002
        task: Task,  # noqa: ARG002
        instances: Tensor,
        generator: torch.Generator,  # noqa: ARG002
    ) -> Tensor:
        """Return the instances (n, d) to learn from beside the people, anew before each epoch.

        Only methods that keep instances change them; at first they are the people themselves.
        """
        return instances

    def cost(self, n: int) -> float:
        """Return about how long a training on n rows takes, in seconds of a core."""
        batch_size = usual_batch(n)
        return self.step_time * usual_epochs(n, batch_size) * -(-n // batch_size)

    def fit(self, task: Task, options: Options, watch: Watch) -> Trained:
        """Train a network on one thread, so that the same seed gives the same bits."""
        with torch_asleep(), torch.random.fork_rng(devices=[]), torch.enable_grad():
            torch.set_flush_denormal(True)
            try:
                loop = _Loop(self, task, options)
                if watch.state is not None:
                    loop.load(watch.state)
                return loop.run(watch)
            finally:
                torch.set_flush_denormal(False)


def usual_batch(n: int) -> int:
    """Return the number of rows of a batch for n rows to learn from."""
    return min(max(n // BATCHES, SMALLEST_BATCH), LARGEST_BATCH)


def usual_epochs(n: int, batch_size: int) -> int:
    """Return the number of epochs for n rows to learn from."""
    return max(EPOCHS, -(-LEAST_STEPS // -(-n // batch_size)))


class _Loop:
    """The state of a training: network, optimiser, generator, instances and the best epoch."""

    def __init__(self, method: NetworkMethod, task: Task, options: Options) -> None:
        self.method, self.options = method, options
        self.generator = torch.Generator().manual_seed(options.random_state)
        self.people, self.held = task.parted(self.generator)
        widths = task.x.shape[1], len(task.weights), method.hidden
        self.network = fresh_network(*widths, self.generator)
        self.hidden = task.sensitive if options.without_sensitive else []
        forget(self.network, self.hidden)
        self.instances = self.people.x
        n = len(self.people)
        self.batch_size = options.batch_size or usual_batch(n)
        self.epochs = options.epochs or usual_epochs(n, self.batch_size)
        self.steps = self.epochs * -(-n // self.batch_size)
        self.optimiser = torch.optim.Adam(
            self.network.parameters(),
            lr=options.learning_rate or LEARNING_RATE,
            weight_decay=min((FEW / n) ** 2, LARGEST_PENALTY),
            foreach=True,
        )
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimiser, self.steps)
        self.epoch = 0
        self.selection = Selection(options.balance, len(task.weights), self.epochs)

    def run(self, watch: Watch) -> Trained:
        while self.epoch < self.epochs and not self.selection.is_late(self.epoch):
            figures = self._one_epoch()
            # Before that, the network has not seen all that is to be proved.
            if self.epoch >= WARM_UP * self.epochs:
                self.selection.consider(self.epoch, figures, self._weights)
            watch.on_epoch(self.epoch, self.epochs, figures)
            watch.keep(self.state())
        self.network.load_state_dict(self.selection.weights)
        network = self.network.eval().requires_grad_(requires_grad=False)
        return Trained(network, self.selection.best, self.selection.epoch, self.epoch)

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
            "selection": self.selection.state(),
            "epoch": self.epoch,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a state; see ``state``."""
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.generator.set_state(state["generator"])
        self.instances, self.epoch = state["instances"], state["epoch"]
        self.selection.load(state["selection"])
