"""What the attacks on fairness share: pairs of counterparts, rare features, the two phases.

ADF, EIDIG and DICE need no label. A global phase walks until somebody in I(v) is decided otherwise;
a local phase then varies features that matter little, to stay with such people.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from rafair.fairness.decisions import counterpart_scores, own_scores
from rafair.models import require_gradient
from rafair.problem import Noise, check_problem, gradient_rows
from rafair.problem.walking import AttackResult, Trajectory, check_result, step_vector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from rafair.models import Classifier
    from rafair.problem import BatchSize, Counterparts, Loss, PerturbationSpace

__all__ = ["Field", "choose", "choose_member", "rarely_felt", "two_phases"]

# Added to saliencies whose largest is 1, so that a feature without any has a finite chance.
LEAST_SALIENCY = 1e-6


@dataclass(frozen=True, eq=False)
class Field:
    """n seeds, their Δ and their counterparts, as these searches see them."""

    model: Classifier
    x: Tensor
    counterparts: Counterparts
    space: PerturbationSpace
    step_size: Tensor
    noise: Noise
    batch_size: BatchSize

    @classmethod
    def of(
        cls,
        who: str,
        model: Classifier,
        x: Tensor,
        y: Tensor,
        counterparts: Counterparts,
        space: PerturbationSpace,
        *,
        steps: int,
        step_size: float | Sequence[float],
        random_state: int,
        batch_size: BatchSize,
    ) -> Field:
        """Check a problem and key its noise, by the rows alone.

        Raises
        ------
        InvalidInput
            See ``check_problem``; also for a model without gradients, or a step that is no number.
        """
        require_gradient(model, who)
        check_problem(model, x, y, counterparts, space)
        vector = step_vector(steps, step_size, x)
        noise = Noise.of(x, torch.zeros_like(y), random_state)
        return cls(model, x, counterparts, space, vector, noise, batch_size)

    @property
    def n(self) -> int:
        """Number of seeds."""
        return len(self.x)

    def step(self, points: Tensor, direction: Tensor, rows: Tensor) -> Tensor:
        """Move the points of these seeds, within Δ; sensitive columns stay."""
        movable = self.space.movable(self.x)
        direction = torch.where(movable, direction, torch.zeros_like(direction)).to(points.dtype)
        return self.space.project(points + self.step_size * direction, self.x[rows])

    def pair_gradients(
        self, v: Tensor, w: Tensor, labels: tuple[Tensor, Tensor], loss: Loss
    ) -> tuple[Tensor, Tensor]:
        """Return ∇ₓ of a loss at both members of each pair, (n, d) each, float64."""
        both = gradient_rows(
            self.model, torch.cat([v, w]), torch.cat(labels), loss, self.batch_size
        )
        check_result(both.direction)
        first, second = both.full.chunk(2)
        return first, second

    def random_step(self, weight: Tensor, rows: Tensor, stream: int) -> Tensor:
        """Draw one feature of each row by its weight, and a sign: a direction, (rows, d)."""
        drawn = self.noise.uniform(stream, 2)[rows]
        feature = choose(weight, drawn[:, 0])
        sign = torch.where(drawn[:, 1:] < 0.5, -1.0, 1.0).to(torch.float64)
        return torch.zeros_like(weight).scatter(1, feature.unsqueeze(1), sign)


def choose(weight: Tensor, drawn: Tensor) -> Tensor:
    """Pick a column of each row with a chance in proportion to its weight.

    Parameters
    ----------
    weight : Tensor, shape (n, columns), not negative.
    drawn : Tensor, shape (n,), in [0, 1).
    """
    reached = weight.cumsum(dim=1)
    return (reached > (drawn * reached[:, -1]).unsqueeze(1)).int().argmax(dim=1)


def choose_member(members: Tensor, drawn: Tensor) -> Tensor:
    """Pick one of the true columns of each row, each alike; the first where none is true."""
    rank = members.cumsum(dim=1)
    wanted = (drawn * rank[:, -1]).floor().to(rank.dtype) + 1
    return (members & (rank == wanted.unsqueeze(1))).int().argmax(dim=1)


def rarely_felt(first: Tensor, second: Tensor, movable: Tensor) -> Tensor:
    """Weigh features by the reciprocal of |g| + |g'|, so that those that matter little come up.

    Returns
    -------
    Tensor, shape (n, d), float64; zero where a feature may not move.
    """
    saliency = first.abs() + second.abs()
    saliency = saliency / saliency.amax(dim=1, keepdim=True).clamp_min(torch.finfo().tiny)
    return movable / (saliency + LEAST_SALIENCY)


@dataclass(frozen=True, eq=False)
class _Look:
    """What I(v) looks like from each point."""

    own: Tensor  # (n,), f(v)
    discriminatory: Tensor  # (n,), bool
    furthest: Tensor  # (n,), row of the grid: the output furthest from v's
    dissenter: Tensor  # (n,), row of the grid: someone decided otherwise, if there is one
    dissent: Tensor  # (n,), the class predicted for them


def _look(field: Field, points: Tensor, stream: int) -> _Look:
    parts = []
    drawn = field.noise.uniform(stream, 1)[:, 0]
    for block in field.counterparts.blocks(field.n):
        people = points[block]
        scores = counterpart_scores(field.model, people, field.counterparts, field.batch_size)
        mine = own_scores(field.model, people, field.batch_size)
        own, possible = mine.argmax(dim=1), field.counterparts.valid(people)
        decided = scores.argmax(dim=2)
        dissents = (decided != own.unsqueeze(1)) & possible
        output = scores.to(torch.float64).softmax(dim=2)
        at_v = mine.to(torch.float64).softmax(dim=1).unsqueeze(1)
        excluded = field.counterparts.is_self(people) | ~possible
        furthest = (output - at_v).abs().sum(dim=2).masked_fill(excluded, -1.0).argmax(dim=1)
        furthest = furthest.masked_fill(excluded.all(dim=1), -1)
        dissenter = choose_member(dissents, drawn[block])
        dissent = decided.gather(1, dissenter.unsqueeze(1)).squeeze(1)
        parts.append(_Look(own, dissents.any(dim=1), furthest, dissenter, dissent))
    names = _Look.__dataclass_fields__
    return _Look(*(torch.cat([getattr(part, name) for part in parts]) for name in names))


@dataclass(frozen=True, eq=False)
class _Walkers:
    """Where the seeds are. ``home`` is where a seed first met discrimination."""

    x: Tensor  # (n, d)
    look: _Look
    momentum: tuple[Tensor, Tensor]  # (n, d) each, at v and at its counterpart
    found: Tensor  # (n,), bool: in the local phase
    home: Tensor  # (n, d)
    weight: Tensor  # (n, d), chances of the features in the local phase
    home_weight: Tensor  # (n, d)
    age: Tensor  # (n,), accepted local steps since the weights were made; −1 before

    @classmethod
    def at(cls, x: Tensor, look: _Look) -> _Walkers:
        nothing = torch.zeros_like(x, dtype=torch.float64)
        age = torch.full_like(look.own, -1)
        found = look.discriminatory
        return cls(x, look, (nothing, nothing), found, x, nothing, nothing, age)


def two_phases(
    field: Field, steps: int, loss: Loss, decay: float, update_interval: int
) -> AttackResult:
    """Search discrimination, then stay with it: ADF's two phases with EIDIG's two additions.

    Global phase, while everybody in I(v) is decided alike: v' is the counterpart with the output
    furthest from v's; features move by sign(g), where g and g' have equal signs, away from the
    class predicted. Local phase: one feature, drawn with ``rarely_felt``, moves up or down; a step
    that leaves discrimination goes back to where the phase began.

    Parameters
    ----------
    steps : int
        Of both phases together.
    loss : Loss
        Taken against the predicted class.
    decay : float
        Of the gradients of earlier global steps (EIDIG's momentum); 0 forgets them.
    update_interval : int
        Accepted local steps after which the chances are made anew.

    Returns
    -------
    AttackResult
        ``x_adv`` is the last discriminatory point of each seed, or else its last point.
    """
    points = [field.space.round(field.x, field.x)]
    walkers = _Walkers.at(field.x, _look(field, points[0], 0))
    n_gradients, looks = 0, 1
    for step in range(steps):
        walkers, cost = _refreshed(field, walkers, loss, update_interval)
        seeking = (~walkers.found).nonzero()[:, 0]
        staying = walkers.found.nonzero()[:, 0]
        there = walkers.x
        if len(seeking):
            walkers, direction = _global_direction(field, walkers, seeking, loss, decay)
            there = there.index_copy(0, seeking, field.step(there[seeking], direction, seeking))
            cost += 2 * len(seeking)
        if len(staying):
            direction = field.random_step(walkers.weight[staying], staying, 2 * step + 1)
            there = there.index_copy(0, staying, field.step(there[staying], direction, staying))
        points.append(field.space.round(there, field.x))
        walkers = _arrived(walkers, there, _look(field, points[-1], 2 * step + 2))
        n_gradients, looks = n_gradients + cost, looks + 1
    n_forwards = looks * field.n * (len(field.counterparts) + 1)
    x_adv = field.space.round(walkers.x, field.x)
    return AttackResult(x_adv, Trajectory(torch.stack(points)), n_gradients, n_forwards)


def _global_direction(
    field: Field, walkers: _Walkers, rows: Tensor, loss: Loss, decay: float
) -> tuple[_Walkers, Tensor]:
    here, look = walkers.x[rows], walkers.look
    labels = look.own[rows]
    others = field.counterparts.take(here, look.furthest[rows])
    gradients = field.pair_gradients(here, others, (labels, labels), loss)
    kept = [m[rows] * decay + g for m, g in zip(walkers.momentum, gradients, strict=True)]
    first, second = (m.sign() for m in kept)
    momentum = [m.index_copy(0, rows, k) for m, k in zip(walkers.momentum, kept, strict=True)]
    direction = torch.where(first == second, first, torch.zeros_like(first))
    return replace(walkers, momentum=(momentum[0], momentum[1])), direction


def _refreshed(
    field: Field, walkers: _Walkers, loss: Loss, update_interval: int
) -> tuple[_Walkers, int]:
    """Make the chances anew where they are missing or worn; say how many gradients that took."""
    due = walkers.found & ((walkers.age < 0) | (walkers.age >= update_interval))
    rows = due.nonzero()[:, 0]
    if not len(rows):
        return walkers, 0
    here = walkers.x[rows]
    others = field.counterparts.take(here, walkers.look.dissenter[rows])
    labels = walkers.look.own[rows], walkers.look.dissent[rows]
    gradients = field.pair_gradients(here, others, labels, loss)
    made = rarely_felt(*gradients, field.space.movable(field.x))
    weight = walkers.weight.index_copy(0, rows, made)
    fresh = (due & (walkers.age < 0)).unsqueeze(1)
    walkers = replace(
        walkers,
        weight=weight,
        home_weight=torch.where(fresh, weight, walkers.home_weight),
        age=walkers.age.masked_fill(due, 0),
    )
    return walkers, 2 * len(rows)


def _arrived(walkers: _Walkers, there: Tensor, look: _Look) -> _Walkers:
    """Accept a global step anyway, a local one if it still meets discrimination."""
    back = walkers.found & ~look.discriminatory
    arrives = ~walkers.found & look.discriminatory
    new_home = arrives.unsqueeze(1)
    return replace(
        walkers,
        x=torch.where(back.unsqueeze(1), walkers.home, there),
        look=look,  # of a seed that goes back, nobody asks before it has moved on
        found=walkers.found | arrives,
        home=torch.where(new_home, there, walkers.home),
        weight=torch.where(back.unsqueeze(1), walkers.home_weight, walkers.weight),
        age=torch.where(back, 0, walkers.age + (walkers.found & ~back)),
    )
