"""The parameters of a reproduction, and the setup of each dataset."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rafair.checks import check_whole
from rafair.datasets import benchmark_names
from rafair.errors import InvalidInput
from rafair.plans import Plan

if TYPE_CHECKING:
    from rafair.problem.space import Setting

__all__ = ["SHIPPED", "Setup", "Study", "Training"]


@dataclass(frozen=True)
class Training:
    """How a network FCNN(6) was trained: ``random_state`` and ``plain`` of ``train_fcnn``."""

    random_state: int = 0
    plain: bool = False


# The training of the networks that the package contains.
SHIPPED = Training()


@dataclass(frozen=True)
class Setup:
    """The seeds of one dataset, their Δ and their counterparts.

    ε is ``steps * step_size``. ``counterparts`` is how many combinations of sensitive values are
    sampled; None means all. ``training`` says which network is attacked.
    """

    dataset: str
    n_seeds: int
    random_state: int
    steps: int
    step_size: float
    setting: Setting = "paper"
    counterparts: int | None = None
    training: Training = SHIPPED

    @property
    def plan(self) -> Plan:
        """The plan of an audit with these parameters."""
        return Plan(
            n_seeds=self.n_seeds,
            random_state=self.random_state,
            steps=self.steps,
            step_size=self.step_size,
            setting=self.setting,
            counterparts=self.counterparts,
        )

    def reaching(self, epsilon: float) -> Setup:
        """Return the setup with step size ε / ``steps``, so that its ε is ``epsilon``."""
        return replace(self, step_size=epsilon / self.steps)


@dataclass(frozen=True)
class Study:
    """The parameters of a reproduction; the defaults are the paper's.

    Parameters
    ----------
    datasets : tuple of str
    n_seeds : int
        k-means seeds per dataset in tables.
    random_state : int
    steps, step_size : int, float
        Iterations and step size p in tables.
    trend_seeds, trend_steps : int
        Seeds and iterations in figures of losses.
    trainings : int
        Networks that are trained of each kind, to see how far results depend on the training.

    Raises
    ------
    InvalidInput
        If a dataset is unknown or named twice, or a number is out of range.
    """

    datasets: tuple[str, ...] = ("credit", "bank", "adult", "compas")
    n_seeds: int = 200
    random_state: int = 0
    steps: int = 20
    step_size: float = 0.01
    trend_seeds: int = 100
    trend_steps: int = 50
    trainings: int = 3

    def __post_init__(self) -> None:
        if not self.datasets:
            raise InvalidInput("no dataset given; name at least one")
        if len(set(self.datasets)) < len(self.datasets):
            raise InvalidInput("a dataset is named twice")
        for name in self.datasets:
            if name not in benchmark_names():
                raise InvalidInput(
                    f"unknown dataset {name!r}; use one of {', '.join(benchmark_names())}"
                )
            _ = self.setup(name).plan
        for name in ("n_seeds", "steps", "trend_seeds", "trainings"):
            check_whole(name, getattr(self, name), 1)
        check_whole("trend_steps", self.trend_steps, 2)

    @property
    def radius(self) -> float:
        """The ε of the tables."""
        return self.steps * self.step_size

    def setup(self, dataset: str) -> Setup:
        """Return the paper's setting on one dataset."""
        return Setup(dataset, self.n_seeds, self.random_state, self.steps, self.step_size)
