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

__all__ = ["Outcome"]


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
    """

    x: Tensor
    feasible: Tensor
    verdict: Verdict
    explanation: Explanation
    alone: tuple[Verdict, ...] = ()

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
        return {**own, **vars(self.verdict), **vars(self.explanation), **alone}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], attributes: int) -> Outcome:
        """Rebuild an outcome from ``tensors``, with so many sensitive attributes."""

        def verdict(prefix: str) -> Verdict:
            names = Verdict.__dataclass_fields__
            return Verdict(**{name: tensors[prefix + name] for name in names})

        names = Explanation.__dataclass_fields__
        explanation = Explanation(**{name: tensors[name] for name in names})
        alone = tuple(verdict(f"alone.{place}.") for place in range(attributes))
        return cls(tensors["x"], tensors["feasible"], verdict(""), explanation, alone)
