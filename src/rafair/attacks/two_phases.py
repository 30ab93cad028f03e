"""ADF's global and local phase, with what EIDIG adds to them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from rafair.attacks.discrimination import Problem, concatenated, draw_member, inverse_saliency
from rafair.fairness.decisions import counterpart_scores, own_scores
from rafair.problem.trajectories import AttackResult, Trajectory

if TYPE_CHECKING:
    from torch import Tensor

    from rafair.problem import Loss

__all__ = ["TwoPhases"]


@dataclass(frozen=True, eq=False)
class TwoPhases:
    """Find a discriminatory point, then look for others nearby.

    The global phase lasts as long as all of I(v) are decided alike. There v' is the counterpart
    with the output furthest from v's, and the features on which g and g' have equal signs move by
    sign(g), away from the predicted class. In the local phase one feature, drawn with
    ``inverse_saliency``, moves up or down; after a step to a point that is not discriminatory the
    search goes back to where the phase began.

    Parameters
    ----------
    loss : Loss
        Taken against the predicted class.
    decay : float
        Weight of the gradients of earlier global steps (EIDIG's momentum); 0 forgets them.
    update_interval : int
        Accepted local steps after which the features are weighed anew.

    Source: Zhang et al., ICSE 2020, Algorithms 1 and 2; Zhang, Zhang and Zhang, ISSTA 2021,
    Algorithms 1 and 2.
    """

    problem: Problem
    loss: Loss
    decay: float
    update_interval: int

    def search(self, steps: int) -> AttackResult:
        """Take so many steps, both phases together, from each seed.

        Returns
        -------
        AttackResult
            ``x_adv`` is the last discriminatory point of each seed, or else its last point.
        """
        problem, points = self.problem, [self.problem.round(self.problem.x)]
        state, n_gradients = _State.at(problem.x, _compared(problem, points[0], 0)), 0
        for step in range(steps):
            state, n_weighed = self._weighed(state)
            state, there = self._global_step(state)
            there = self._local_step(state, there, 2 * step + 1)
            points.append(problem.round(there))
            n_gradients += 2 * (n_weighed + int((~state.is_local).sum()))
            state = state.moved(there, _compared(problem, points[-1], 2 * step + 2))
        n_forwards = len(points) * problem.n * (len(problem.counterparts) + 1)
        visited = torch.stack(points)
        trajectory = Trajectory(visited, after_steps=visited[1:])
        return AttackResult(problem.round(state.x), trajectory, n_gradients, n_forwards)

    def _weighed(self, state: _State) -> tuple[_State, int]:
        """Weigh the features of seeds whose weights are missing or too old; count these seeds."""
        due = state.is_local & ((state.age < 0) | (state.age >= self.update_interval))
        rows = due.nonzero()[:, 0]
        if not len(rows):
            return state, 0
        here, outcome = state.x[rows], state.outcome
        others = self.problem.counterparts.take(here, outcome.other[rows])
        labels = outcome.label[rows], outcome.other_label[rows]
        gradients = self.problem.pair_gradients(here, others, labels, self.loss)
        new = inverse_saliency(*gradients, self.problem.movable)
        return state.with_weight(state.weight.index_copy(0, rows, new), due), len(rows)

    def _global_step(self, state: _State) -> tuple[_State, Tensor]:
        """Move the seeds in the global phase; return all points, shape (n, d)."""
        rows = (~state.is_local).nonzero()[:, 0]
        if not len(rows):
            return state, state.x
        here, label = state.x[rows], state.outcome.label[rows]
        others = self.problem.counterparts.take(here, state.outcome.furthest[rows])
        gradients = self.problem.pair_gradients(here, others, (label, label), self.loss)
        first, second = (
            before[rows] * self.decay + gradient
            for before, gradient in zip(state.momentum, gradients, strict=True)
        )
        sign = first.sign()
        direction = torch.where(sign == second.sign(), sign, torch.zeros_like(sign))
        there = self.problem.step(here, direction, rows)
        return state.with_momentum(rows, first, second), state.x.index_copy(0, rows, there)

    def _local_step(self, state: _State, points: Tensor, stream: int) -> Tensor:
        """Move one feature of the seeds in the local phase; return all points, shape (n, d)."""
        rows = state.is_local.nonzero()[:, 0]
        if not len(rows):
            return points
        direction = self.problem.random_direction(state.weight[rows], rows, stream)
        return points.index_copy(0, rows, self.problem.step(points[rows], direction, rows))


@dataclass(frozen=True, eq=False)
class _Outcome:
    """What the model decides for v, and for its counterparts in comparison."""

    label: Tensor  # (n,), f(v)
    discriminatory: Tensor  # (n,), bool: somebody in I(v) is decided otherwise
    furthest: Tensor  # (n,), row of the grid: the output furthest from v's
    other: Tensor  # (n,), row of the grid: somebody decided otherwise, if there is one
    other_label: Tensor  # (n,), the class predicted for them


def _compared(problem: Problem, points: Tensor, stream: int) -> _Outcome:
    drawn = problem.noise.uniform(stream, 1)[:, 0]
    blocks = problem.counterparts.blocks(problem.n)
    return concatenated([_compared_block(problem, points[b], drawn[b]) for b in blocks])


def _compared_block(problem: Problem, people: Tensor, drawn: Tensor) -> _Outcome:
    counterparts, batch_size = problem.counterparts, problem.batch_size
    scores = counterpart_scores(problem.model, people, counterparts, batch_size)
    own_score = own_scores(problem.model, people, batch_size)
    label, labels = own_score.argmax(dim=1), scores.argmax(dim=2)
    possible = counterparts.valid(people)
    differ = (labels != label.unsqueeze(1)) & possible
    output = scores.to(torch.float64).softmax(dim=2)
    own_output = own_score.to(torch.float64).softmax(dim=1).unsqueeze(1)
    excluded = counterparts.is_self(people) | ~possible
    distance = (output - own_output).abs().sum(dim=2).masked_fill(excluded, -1.0)
    furthest = distance.argmax(dim=1).masked_fill(excluded.all(dim=1), -1)
    other = draw_member(differ, drawn)
    other_label = labels.gather(1, other.unsqueeze(1)).squeeze(1)
    return _Outcome(label, differ.any(dim=1), furthest, other, other_label)


@dataclass(frozen=True, eq=False)
class _State:
    """Where the seeds are, and in which phase."""

    x: Tensor  # (n, d)
    outcome: _Outcome  # at x
    momentum: tuple[Tensor, Tensor]  # (n, d) each, at v and at its counterpart
    is_local: Tensor  # (n,), bool: in the local phase
    start: Tensor  # (n, d), where the local phase began
    weight: Tensor  # (n, d), of the features in the local phase
    start_weight: Tensor  # (n, d), the weights at ``start``
    age: Tensor  # (n,), accepted local steps since the features were weighed; −1 before

    @classmethod
    def at(cls, x: Tensor, outcome: _Outcome) -> _State:
        zeros, age = torch.zeros_like(x, dtype=torch.float64), torch.full_like(outcome.label, -1)
        return cls(x, outcome, (zeros, zeros), outcome.discriminatory, x, zeros, zeros, age)

    def with_momentum(self, rows: Tensor, first: Tensor, second: Tensor) -> _State:
        """Keep the momentum of these seeds, at v and at its counterpart."""
        own, other = self.momentum
        momentum = own.index_copy(0, rows, first), other.index_copy(0, rows, second)
        return replace(self, momentum=momentum)

    def with_weight(self, weight: Tensor, due: Tensor) -> _State:
        """Take new weights, computed for the seeds that were due."""
        first_time = (due & (self.age < 0)).unsqueeze(1)
        start_weight = torch.where(first_time, weight, self.start_weight)
        age = self.age.masked_fill(due, 0)
        return replace(self, weight=weight, start_weight=start_weight, age=age)

    def moved(self, there: Tensor, outcome: _Outcome) -> _State:
        """Accept every global step, and a local step to a discriminatory point."""
        back = self.is_local & ~outcome.discriminatory
        begins = ~self.is_local & outcome.discriminatory
        return replace(
            self,
            x=torch.where(back.unsqueeze(1), self.start, there),
            outcome=outcome,  # for a seed that goes back it is not read before the next step
            is_local=self.is_local | begins,
            start=torch.where(begins.unsqueeze(1), there, self.start),
            weight=torch.where(back.unsqueeze(1), self.start_weight, self.weight),
            age=torch.where(back, 0, self.age + (self.is_local & ~back)),
        )
