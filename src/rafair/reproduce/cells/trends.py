"""The losses of an instance and of its counterpart while RAFair runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rafair.attacks.registry import make_attack
from rafair.problem import PairTrajectory
from rafair.reproduce.cell import SetupCell

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.reproduce.cell import Cache
    from rafair.reproduce.study import Study

__all__ = ["TrendCell", "trend_cells"]


@dataclass(frozen=True)
class TrendCell(SetupCell):
    """One mode of RAFair on the seeds of a setup, with the counterparts that step 1 chose."""

    variant: str

    @property
    def label(self) -> str:
        """The cell's name in the messages on progress."""
        return f"trend {self.variant}"

    @property
    def steps(self) -> float:
        """Approximate number of passes over all seeds × counterparts."""
        return 1.0

    def compute(self, cache: Cache) -> dict[str, Tensor]:
        """Return the losses before each step, and the share of seeds without a direction.

        ``losses`` has shape (steps, n, 2), at v and at v'; ``still`` has shape (steps,). ``rows``
        and ``y``, shape (n,), are the rows of the test split and the labels.
        """
        seeds = cache.seeds(self.setup)
        attack = make_attack(
            self.variant,
            steps=self.setup.steps,
            step_size=self.setup.step_size,
            counterpart="first",
        )
        space = self.setup.plan.space(seeds.data.schema)
        result = attack.run(seeds.model, seeds.x, seeds.y, seeds.counterparts, space)
        walk = result.trajectory
        assert isinstance(walk, PairTrajectory)  # noqa: S101 - RAFair's always is
        return {"losses": walk.losses, "still": walk.still, "rows": seeds.index, "y": seeds.y}


def trend_cells(study: Study, dataset: str, variants: tuple[str, ...]) -> list[TrendCell]:
    """Return the cells behind the figures of losses of one dataset."""
    setup = replace(study.setup(dataset), n_seeds=study.trend_seeds, steps=study.trend_steps)
    return [TrendCell(setup, variant) for variant in variants]
