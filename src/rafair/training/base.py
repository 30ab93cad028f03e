"""The contract of a training method, its options, and what it returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from rafair.checks import check_positive, check_whole
from rafair.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import nn

    from rafair.training.task import Task
    from rafair.training.validation import Figures

__all__ = ["Method", "Options", "Trained", "Watch", "fit_robust"]

# Deeper trees have more leaves than there are people to tell them apart.
DEEPEST = 6


@dataclass(frozen=True)
class Options:
    """How a model is trained, beside the method.

    Parameters
    ----------
    without_sensitive : bool
        The model reads no sensitive column: its weights in the first layer are 0, or no stump is
        about it.
    balance : float in [0, 1]
        0: the loss weighs people alike, and the epoch with the largest mean of accuracy and
        certified R-AF is kept; 1: all of these are balanced over the classes. In between they mix.
    epochs : int, optional
        By default 60; networks take more for few rows, to reach 3,000 steps.
    batch_size : int, optional
        By default 256, less for few rows, to have ten batches an epoch. Only for networks.
    learning_rate : float, optional
        Of a network: of Adam; it falls to 0 along a cosine; by default 0.002. Of stumps: what one
        adds to the logit, by default 0.1.
    random_state : int
        Of the held-back people; of networks also of the initial weights and the order of batches.
    depth : int
        1: stumps alone; more: then trees of so many tests in a row. Only for boosting.
    monotone : mapping of int to {1, -1}
        Column → 1 where the score of the second class must not fall when it rises, −1 where the
        score must not rise. Only for boosting.
    """

    without_sensitive: bool = False
    balance: float = 0.0
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    random_state: int = 0
    depth: int = 1
    monotone: Mapping[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_whole("depth", self.depth, 1, DEEPEST)
        for name in ("epochs", "batch_size"):
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name), 1)
        if self.learning_rate is not None:
            check_positive("learning_rate", self.learning_rate)


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained model.

    Attributes
    ----------
    network : Sequential or Stumps
        On the CPU, in evaluation mode; a network's weights are float32.
    figures : Figures
        Of the epoch that was kept, on the held-back people.
    epoch, epochs : int
        The epoch that was kept, counted from 1, and how many there were.
    """

    network: nn.Module
    figures: Figures
    epoch: int
    epochs: int


@dataclass(frozen=True)
class Watch:
    """What a training calls after each epoch, and where it goes on.

    Parameters
    ----------
    on_epoch : callable
        Called with the number of finished epochs, that of all epochs, and the figures of the last.
    keep : callable
        Called with what ``state`` takes to go on from there.
    state : mapping, optional
        Where to go on.
    """

    on_epoch: Callable[[int, int, Figures], None] = lambda *_: None
    keep: Callable[[dict[str, Any]], None] = lambda _: None
    state: dict[str, Any] | None = None


@dataclass(frozen=True)
class Method(ABC):
    """A way to train a model.

    Parameters
    ----------
    strength : float in [0, 1]
        κ: the loss is (1 − κ) · cross-entropy at v + κ · the method's loss over I(v) × Δ.

    Attributes
    ----------
    name : str
        As ``rafair train --method`` and ``RobustClassifier`` take it.
    compares : bool
        Whether the method is about counterparts, so that it needs a sensitive column.
    is_binary : bool
        Whether it trains for two classes only.
    is_boosted : bool
        Whether it adds stumps and trees, which have a depth and can be monotone.
    proof_time : float
        About how long the certificate of a person takes, in seconds of a core.
    """

    strength: float

    name: ClassVar[str]
    compares: ClassVar[bool] = False
    is_binary: ClassVar[bool] = False
    is_boosted: ClassVar[bool] = False
    proof_time: ClassVar[float] = 0.005

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise InvalidInput(f"strength must lie in [0, 1], not {self.strength}")

    def check(self, task: Task, options: Options) -> None:
        """Refuse a task or options that the method cannot use.

        Raises
        ------
        InvalidInput
        """
        if task.counterparts is None and (self.compares or options.without_sensitive):
            what = f"method {self.name!r}" if self.compares else "without_sensitive"
            raise InvalidInput(f"{what} needs a sensitive column; name at least one")
        if options.depth > 1 and not self.is_boosted:
            raise InvalidInput(
                f"method {self.name!r} has no trees, and no depth; use method 'boosted-stumps'"
            )
        if options.monotone and not self.is_boosted:
            raise InvalidInput(
                f"method {self.name!r} cannot keep a column monotone; use method 'boosted-stumps'"
            )
        if self.is_binary and len(task.weights) != 2:
            raise InvalidInput(
                f"method {self.name!r}: Only binary classification is supported. There are "
                f"{len(task.weights)} classes; use another method"
            )

    @abstractmethod
    def cost(self, n: int) -> float:
        """Return about how long a training on n rows takes, in seconds of a core."""

    @abstractmethod
    def fit(self, task: Task, options: Options, watch: Watch) -> Trained:
        """Train a model; see ``fit_robust``."""


def fit_robust(
    method: Method,
    task: Task,
    options: Options,
    *,
    on_epoch: Callable[[int, int, Figures], None] = lambda *_: None,
    keep: Callable[[dict[str, Any]], None] = lambda _: None,
    state: dict[str, Any] | None = None,
) -> Trained:
    """Train a model by a method; the same seed gives the same bits.

    Parameters
    ----------
    method : Method
    task : Task
    options : Options
    on_epoch, keep, state
        See ``Watch``.

    Raises
    ------
    InvalidInput
        If the method compares people and no column is sensitive, it is for two classes and there
        are more, an option has no meaning for it, or the loss is no longer finite.
    """
    method.check(task, options)
    return method.fit(task, options, Watch(on_epoch, keep, state))
