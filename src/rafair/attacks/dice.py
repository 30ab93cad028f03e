"""DICE: a search that measures discrimination by clusters of the outputs over I(v)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch

from rafair.attacks.base import Aim
from rafair.attacks.discrimination import (
    DiscriminationSearch,
    Problem,
    concatenated,
    draw_member,
    inverse_saliency,
)
from rafair.checks import check_whole
from rafair.errors import InvalidInput
from rafair.fairness.decisions import counterpart_scores, own_scores, predict
from rafair.problem.losses import CrossEntropy
from rafair.problem.trajectories import AttackResult, Trajectory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

__all__ = ["DICE"]


@dataclass(frozen=True)
class DICE(DiscriminationSearch):
    """Information-theoretic search for discrimination.

    The outputs over I(v), the probability of the class predicted for v, fall into bins of width
    ``epsilon``. Bins that are not empty are clusters. The logarithm of their number measures how
    much the output depends on the sensitive attributes (QID).

    A global phase takes two members of the largest cluster and moves the features on which their
    gradients have equal signs, up the loss against the predicted class; where there is no such
    feature it moves a random one. A local phase takes a pair from the lowest and the highest
    cluster and moves one feature at a time, more often one that matters little to the pair. It
    keeps a step that does not bring the lowest and the highest cluster closer.

    Cost: 2 gradients and m + 3 forward rows per seed and step.

    Parameters
    ----------
    max_iter : int
        Iterations of the global phase, out of ``steps``.
    epsilon : float
        Width of a bin of outputs.
    step_size, steps, random_state, batch_size : see ``DiscriminationSearch``.

    Source: Monjezi, Trivedi, Tan and Tizpaz-Niari, ICSE 2023, section IV and Algorithm 1. There
    every global step has a local search of its own. Here one local search follows the last global
    step, so that a seed has ``steps`` iterations, as with the other attacks.
    """

    max_iter: int = 10
    epsilon: float = 0.025

    family: ClassVar[str] = "dice"
    aim: ClassVar[Aim] = "fairness"
    year: ClassVar[int] = 2023
    gradients: ClassVar[bool] = True
    variants: ClassVar[Mapping[str, Mapping[str, object]]] = {"dice": {}}

    def __post_init__(self) -> None:
        check_whole("max_iter", self.max_iter, 0)
        if not 0 < self.epsilon <= 1:
            raise InvalidInput(f"epsilon must lie in (0, 1], not {self.epsilon!r}")

    def search(self, problem: Problem) -> AttackResult:
        """Take the steps of the global phase, then those of the local phase."""
        everyone = torch.arange(problem.n, device=problem.x.device)
        here, points = problem.x, [problem.round(problem.x)]
        clusters = _clusters(problem, points[0], self.epsilon, stream=0)
        for step in range(self.steps):
            is_global, stream = step < self.max_iter, 3 * step + 1
            choose_direction = _global_direction if is_global else _local_direction
            direction = choose_direction(problem, here, clusters, everyone, stream)
            there = problem.step(here, direction, everyone)
            points.append(problem.round(there))
            reached = _clusters(problem, points[-1], self.epsilon, stream + 1)
            kept = (reached.spread >= clusters.spread) | is_global
            here = torch.where(kept.unsqueeze(1), there, here)
            clusters = clusters.where(kept, reached)
        n_forwards = (self.steps + 1) * (len(problem.counterparts) + 1) + 2 * self.steps
        visited = torch.stack(points)
        return AttackResult(
            problem.round(here),
            Trajectory(visited, after_steps=visited[1:]),
            problem.n * 2 * self.steps,
            problem.n * n_forwards,
        )


@dataclass(frozen=True, eq=False)
class _Clusters:
    """How the outputs over I(v) of n people cluster."""

    largest: Tensor  # (n, 2), rows of the grid: two members of the largest cluster
    outer: Tensor  # (n, 2), rows of the grid: a member of the lowest, one of the highest cluster
    spread: Tensor  # (n,), from the lowest to the highest cluster, in bins

    def where(self, chosen: Tensor, other: _Clusters) -> _Clusters:
        """Take the other clusters for the chosen seeds."""
        wide = chosen.unsqueeze(1)
        return _Clusters(
            torch.where(wide, other.largest, self.largest),
            torch.where(wide, other.outer, self.outer),
            torch.where(chosen, other.spread, self.spread),
        )


def _clusters(problem: Problem, points: Tensor, width: float, stream: int) -> _Clusters:
    drawn = problem.noise.uniform(stream, 4)
    blocks = problem.counterparts.blocks(problem.n)
    return concatenated([_clusters_block(problem, points[b], width, drawn[b]) for b in blocks])


def _clusters_block(problem: Problem, people: Tensor, width: float, drawn: Tensor) -> _Clusters:
    possible, n_bins = problem.counterparts.valid(people), int(1 / width) + 1
    bins = (_outputs(problem, people) / width).long().clamp_max(n_bins - 1)
    sizes = torch.zeros(len(people), n_bins, dtype=torch.int64, device=people.device)
    sizes = sizes.scatter_add(1, bins, possible.long())
    largest, occupied = sizes.argmax(dim=1), (sizes > 0).int()
    lowest, highest = occupied.argmax(dim=1), n_bins - 1 - occupied.flip(1).argmax(dim=1)
    members = [
        draw_member((bins == cluster.unsqueeze(1)) & possible, drawn[:, column])
        for column, cluster in enumerate((largest, largest, lowest, highest))
    ]
    pairs = torch.stack(members[:2], dim=1), torch.stack(members[2:], dim=1)
    return _Clusters(*pairs, highest - lowest)


def _outputs(problem: Problem, people: Tensor) -> Tensor:
    """Return the probability over I(v) of the class predicted for v, shape (n, m), float64."""
    label = own_scores(problem.model, people, problem.batch_size).argmax(dim=1)
    scores = counterpart_scores(problem.model, people, problem.counterparts, problem.batch_size)
    output = scores.to(torch.float64).softmax(dim=2)
    return output.gather(2, label[:, None, None].expand(-1, output.shape[1], 1))[:, :, 0]


def _gradients(problem: Problem, here: Tensor, members: Tensor) -> tuple[Tensor, Tensor]:
    """Differentiate at a pair of members the loss against the class predicted for each."""
    v, w = (problem.counterparts.take(here, member) for member in members.unbind(1))
    first, second = predict(problem.model, torch.cat([v, w]), problem.batch_size).chunk(2)
    return problem.pair_gradients(v, w, (first, second), CrossEntropy())


def _global_direction(
    problem: Problem, here: Tensor, clusters: _Clusters, rows: Tensor, stream: int
) -> Tensor:
    """Return the signs on which the gradients agree, or else one random feature.

    A gradient that is zero for every feature agrees with any other.
    """
    movable = problem.movable
    first, second = (g.sign() * movable for g in _gradients(problem, here, clusters.largest))
    first = torch.where((first == 0).all(dim=1, keepdim=True), second, first)
    second = torch.where((second == 0).all(dim=1, keepdim=True), first, second)
    direction = torch.where(first == second, first, torch.zeros_like(first))
    weight = movable.to(torch.float64).expand_as(direction)
    random = problem.random_direction(weight, rows, stream)
    return torch.where((direction == 0).all(dim=1, keepdim=True), random, direction)


def _local_direction(
    problem: Problem, here: Tensor, clusters: _Clusters, rows: Tensor, stream: int
) -> Tensor:
    """Return one feature, more often one that matters little to the outer clusters."""
    gradients = _gradients(problem, here, clusters.outer)
    weight = inverse_saliency(*gradients, problem.movable)
    return problem.random_direction(weight, rows, stream)
