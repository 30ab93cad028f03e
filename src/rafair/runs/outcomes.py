"""What became of the seeds of an audit under one attack, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rafair.analysis import Explanation
from rafair.fairness import Verdict, first_in_worst_cell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rafair.fairness import Rates

__all__ = ["Outcome", "Pool"]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of n seeds under one attack, or none: a row of the result tables.

    Attributes
    ----------
    x : Tensor, shape (n, d), unit space
        The instance that stands for each seed.
    feasible : Tensor of bool, shape (n,)
        Whether it is a possible person inside Δ.
    verdict : Verdict
        Over all of I(v).
    explanation : Explanation
    alone : tuple of Verdict
        Along each sensitive attribute alone, in the schema's order.
    dissent : tuple of Tensor, shapes (n,) or (n, t), float64
        Of the counted instances, the share of counterparts that are decided otherwise: over all of
        I(v), then along each attribute of ``alone``. Where several instances stand for a seed, the
        largest share.
    pool : Pool, optional
        All instances of each seed, where every one of them counts (``select="pooled"``); ``alone``
        is then about them.
    """

    x: Tensor
    feasible: Tensor
    verdict: Verdict
    explanation: Explanation
    alone: tuple[Verdict, ...] = ()
    pool: Pool | None = None
    dissent: tuple[Tensor, ...] = ()

    @property
    def counted(self) -> Verdict:
        """The verdict on the instances that rates count."""
        return self.verdict if self.pool is None else self.pool.verdict

    def rates(self, *, robust: bool = False, along: int | None = None) -> Rates:
        """Return the rates of the counted instances.

        Parameters
        ----------
        robust : bool
            See ``Verdict.rates``.
        along : int, optional
            Number of the sensitive attribute that varies alone; by default all vary.
        """
        verdict, place = (self.counted, 0) if along is None else (self.alone[along], along + 1)
        return verdict.rates(robust=robust, dissent=self.dissent[place])

    def changed_from(self, clean: Outcome) -> int:
        """Count the seeds of which a counted instance is in another cell than the seed."""
        cells = self.counted.cells.view(len(self.x), -1)
        return int((cells != clean.verdict.cells[:, None]).any(dim=1).sum())

    @classmethod
    def worst(cls, several: Sequence[Outcome]) -> Outcome:
        """Return the outcome of a family: a seed is as bad as under the worst of its variants."""
        cells = torch.stack([outcome.verdict.cells for outcome in several])
        index, _ = first_in_worst_cell(cells)
        seed = torch.arange(len(index))

        def chosen(tensors: Sequence[Tensor]) -> Tensor:
            return torch.stack(list(tensors))[index, seed]

        explained = [vars(outcome.explanation) for outcome in several]
        return cls(
            chosen([outcome.x for outcome in several]),
            chosen([outcome.feasible for outcome in several]),
            Verdict.worst([outcome.verdict for outcome in several]),
            Explanation(**{n: chosen([each[n] for each in explained]) for n in explained[0]}),
            tuple(map(Verdict.worst, zip(*(outcome.alone for outcome in several), strict=True))),
            Pool.worst([outcome.pool for outcome in several if outcome.pool is not None]),
            tuple(
                torch.stack(shares).amax(dim=0)
                for shares in zip(*(outcome.dissent for outcome in several), strict=True)
            ),
        )

    def cpu(self) -> Outcome:
        """Return the same in main memory."""
        numbers = {name: tensor.cpu() for name, tensor in self.tensors().items()}
        return Outcome.from_tensors(numbers, len(self.alone))

    def tensors(self) -> dict[str, Tensor]:
        """Return all numbers by name; ``from_tensors`` reads them."""
        alone = {
            f"alone.{place}.{name}": tensor
            for place, verdict in enumerate(self.alone)
            for name, tensor in vars(verdict).items()
        }
        own = {"x": self.x, "feasible": self.feasible}
        own |= {f"dissent.{place}": shares for place, shares in enumerate(self.dissent)}
        pool = {} if self.pool is None else self.pool.tensors()
        return {**own, **vars(self.verdict), **vars(self.explanation), **alone, **pool}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], attributes: int) -> Outcome:
        """Rebuild an outcome from ``tensors``, with so many sensitive attributes."""
        names = Explanation.__dataclass_fields__
        explanation = Explanation(**{name: tensors[name] for name in names})
        alone = tuple(_verdict(tensors, f"alone.{place}.") for place in range(attributes))
        verdict, pool = _verdict(tensors, ""), Pool.from_tensors(tensors)
        dissent = tuple(tensors[f"dissent.{place}"] for place in range(attributes + 1))
        own = tensors["x"], tensors["feasible"]
        return cls(*own, verdict, explanation, alone, pool, dissent)


@dataclass(frozen=True, eq=False)
class Pool:
    """Several instances of each of n seeds, which all count.

    Attributes
    ----------
    points : Tensor, shape (n, t, d), unit space
        For each seed t instances.
    verdict : Verdict, shape (n, t)
        Over all of I(v).
    """

    points: Tensor
    verdict: Verdict

    @classmethod
    def worst(cls, several: Sequence[Pool]) -> Pool | None:
        """Return the pool of a family: of its variants' t-th instances the worst; None of none."""
        if not several:
            return None
        index, _ = first_in_worst_cell(torch.stack([pool.verdict.cells for pool in several]))
        stacked = torch.stack([pool.points for pool in several])
        points = torch.take_along_dim(stacked, index[None, ..., None], dim=0)[0]
        return cls(points, Verdict.worst([pool.verdict for pool in several]))

    def tensors(self) -> dict[str, Tensor]:
        """Return all numbers by name; ``from_tensors`` reads them."""
        verdict = {f"pool.{name}": tensor for name, tensor in vars(self.verdict).items()}
        return {"pool.points": self.points, **verdict}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Pool | None:
        """Rebuild a pool from ``tensors``; None where they hold none."""
        if "pool.points" not in tensors:
            return None
        return cls(tensors["pool.points"], _verdict(tensors, "pool."))


def _verdict(tensors: Mapping[str, Tensor], prefix: str) -> Verdict:
    return Verdict(**{name: tensors[prefix + name] for name in Verdict.__dataclass_fields__})
