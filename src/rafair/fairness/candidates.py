"""Judge several candidate instances for each seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rafair.fairness.judging import judge
from rafair.fairness.verdict import Verdict, first_in_worst_cell

if TYPE_CHECKING:
    from rafair.models import Classifier
    from rafair.problem import BatchSize, Counterparts

__all__ = ["JudgedCandidates", "judge_candidates"]


@dataclass(frozen=True, eq=False)
class JudgedCandidates:
    """Candidates for each of n seeds, and the judge's verdict on each candidate.

    Attributes
    ----------
    candidates : Tensor, shape (c, n, d), unit space
        The c candidates of each seed: the last iterate only, all iterates, or the results of
        several attacks.
    verdicts : list of Verdict, length c
    """

    candidates: Tensor
    verdicts: list[Verdict]

    @property
    def verdict(self) -> Verdict:
        """The verdict on each seed over all its candidates; see ``Verdict.worst``."""
        return Verdict.worst(self.verdicts)

    @property
    def x(self) -> Tensor:
        """The first candidate of each seed that lies in the seed's cell, shape (n, d)."""
        index, _ = first_in_worst_cell(torch.stack([verdict.cells for verdict in self.verdicts]))
        return self.candidates[index, torch.arange(len(index), device=index.device)]


def judge_candidates(
    model: Classifier,
    candidates: Tensor,
    y: Tensor,
    counterparts: Counterparts,
    batch_size: BatchSize,
) -> JudgedCandidates:
    """Judge every candidate of every seed, equal candidates with equal labels only once.

    Parameters
    ----------
    model : Classifier
    candidates : Tensor, shape (c, n, d), unit space
    y : Tensor of int64, shape (n,)
        Ground truth of the seeds.
    counterparts : Counterparts
    batch_size : int or "auto"

    Returns
    -------
    JudgedCandidates

    Raises
    ------
    InvalidInput
        See ``judge``.
    """
    c, n, d = candidates.shape
    labelled = torch.cat([candidates.view(c * n, d), y.repeat(c)[:, None].to(candidates)], dim=1)
    distinct, place = torch.unique(labelled, dim=0, return_inverse=True)
    people, labels = distinct[:, :d].contiguous(), distinct[:, d].long()
    verdict = judge(model, people, labels, counterparts, batch_size=batch_size)
    return JudgedCandidates(candidates, [verdict.take(index) for index in place.view(c, n)])
