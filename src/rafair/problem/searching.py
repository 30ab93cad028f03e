"""Random search in Δ, for models that give only scores or labels.

In a round, a seed proposes new points and asks the model about v and a few counterparts there: the
watched ones. In a look, it asks about v and all of I(v) at its best point, and chooses the watched
counterparts anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from rafair.checks import check_whole
from rafair.errors import InvalidInput
from rafair.models import require_wrapped
from rafair.problem.batching import AUTO, BatchSize, all_finite, forward_rows, rows_per_call
from rafair.problem.losses import Margin
from rafair.problem.noise import Noise
from rafair.problem.trajectories import AttackResult, Trajectory
from rafair.problem.validation import check_problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from rafair.models import Classifier
    from rafair.problem.counterparts import Counterparts
    from rafair.problem.goals import Goal
    from rafair.problem.space import PerturbationSpace

__all__ = ["Draw", "Proposal", "Search", "random_search"]

# From the state of n seeds to new points, (n, d). The search then resets columns that may not move
# and rounds the points to possible ones.
Proposal: TypeAlias = "Callable[[Draw], Tensor]"

# Rows that a seed asks about in one round. More rows per round mean fewer calls of the model and
# hardly less success for the same number of rows.
ROUND = 12
# Number of points in a trajectory before the last one: the start, and those of the first looks.
LOOKS = 5
# Share of the budget between two looks, and the largest share that one look may cost.
LOOK_EVERY = 0.25
LOOK_COST = 0.1


@dataclass(frozen=True, eq=False)
class Draw:
    """The input of a proposal.

    Attributes
    ----------
    here : Tensor, shape (n, d), unit space
        The best points so far.
    low, high : Tensor, shape (n, d)
        The bounds of Δ.
    movable : Tensor of bool, shape (d,)
    numbers : Tensor, shape (n, 3·d + 1)
        Random numbers, uniform in [0, 1).
    spent : Tensor, shape (n, 1)
        Share of the budget that is spent, in [0, 1].
    """

    here: Tensor
    low: Tensor
    high: Tensor
    movable: Tensor
    numbers: Tensor
    spent: Tensor


@dataclass(frozen=True)
class Search:
    """The parameters of a random search.

    Parameters
    ----------
    goal : Goal
    propose : callable
        See ``Proposal``.
    queries : int
        Budget: the largest number of rows that each seed may ask the model about.
    random_state : int
    batch_size : int or "auto"
        Rows that go through the model at once; the result does not depend on it.
    """

    goal: Goal
    propose: Proposal
    queries: int
    random_state: int = 0
    batch_size: BatchSize = AUTO


def random_search(
    search: Search,
    model: Classifier,
    x: Tensor,
    y: Tensor,
    counterparts: Counterparts,
    space: PerturbationSpace,
) -> AttackResult:
    """Search for a point of Δ where the goal is above 0, for n seeds at once.

    In every round a seed proposes some points. The best of them replaces its current point if the
    goal there is at least as large; equal values are accepted so that the seed can cross a region
    where the model's scores are constant, as those of trees are. In a round the model is asked
    about v and the watched counterparts only. At fixed shares of the budget a look asks about all
    of I(v), or about an evenly spaced sample if I(v) is too large for the budget. A seed stops when
    it has reached its goal, or its budget does not cover its next look or round.

    Parameters
    ----------
    search : Search
    model : Classifier
        Wrapped; labels are enough.
    x : Tensor, shape (n, d), unit space
        The seeds.
    y : Tensor of int64, shape (n,)
        Ground truth.
    counterparts : Counterparts
    space : PerturbationSpace
        Δ; it must be bounded.

    Returns
    -------
    AttackResult
        The best points. The trajectory has the start, the best points at the first few turns in
        which any seed looked, and the last points.

    Raises
    ------
    InvalidInput
        See ``check_problem``; also if the model is not wrapped, Δ is unbounded, or ``queries`` is
        no positive whole number.
    """
    require_wrapped(model, "the search")
    check_whole("queries", search.queries, 1)
    low, high = check_problem(model, x, y, counterparts, space)
    if not all_finite(high - low):
        raise InvalidInput("a random search needs a bounded Δ; give it an ε or a domain")
    movable, noise = space.movable(x), Noise.of(x, y, search.random_state)
    asker = _Asker(model, counterparts, search)
    state = _Searched.start(space.round(x, x), asker.watches)
    seen, turn = [state.here.clone()], 0
    while bool(movable.any()):
        looking, proposing = state.due(asker)
        if not len(looking) + len(proposing):
            break
        if len(looking):
            value, watched = asker.look(state.here[looking], y[looking])
            state.look(looking, value, watched, asker)
            seen.append(state.here.clone())
        if len(proposing):
            width, n = asker.width, len(proposing)
            draws = Noise(noise.keys[proposing]).uniform(turn, width * (3 * x.shape[1] + 1))
            wide = proposing.repeat_interleave(width)
            spent = state.spent[wide].to(x.dtype)[:, None] / search.queries
            numbers = draws.view(len(wide), -1).to(x.dtype)
            draw = Draw(state.here[wide], low[wide], high[wide], movable, numbers, spent)
            points = torch.where(movable, search.propose(draw), x[wide])
            points = space.round(points, x[wide])
            values = asker.ask(points, y[wide], state.watched[wide])
            state.move(proposing, points.view(n, width, -1), values.view(n, width), asker)
        turn += 1
    points = torch.stack([*seen[:LOOKS], state.here])
    return AttackResult(state.here, Trajectory(points), 0, int(state.spent.sum()))


@dataclass(eq=False)
class _Searched:
    """The state of a search; its tensors are updated in place."""

    here: Tensor  # (n, d)
    best: Tensor  # (n,), float64, the goal's value at ``here``
    watched: Tensor  # (n, watched), rows of the grid
    spent: Tensor  # (n,), rows asked about
    looked: Tensor  # (n,), rows asked about before the last look; −∞ before the first
    sure: Tensor  # (n,), bool: ``best`` is from a look, not from a round

    @classmethod
    def start(cls, x: Tensor, watches: int) -> _Searched:
        like = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        return cls(
            x.clone(),
            torch.full_like(like, -torch.inf),
            torch.full((len(x), watches), -1, device=x.device),
            torch.zeros(len(x), dtype=torch.int64, device=x.device),
            torch.full_like(like, -torch.inf),
            torch.zeros(len(x), dtype=torch.bool, device=x.device),
        )

    def due(self, asker: _Asker) -> tuple[Tensor, Tensor]:
        """Return which seeds look next and which propose points; the others have stopped."""
        reached, left = self.best > 0, asker.search.queries - self.spent
        doubtful = reached & ~self.sure & asker.search.goal.of_everyone
        late = self.spent >= self.looked + LOOK_EVERY * asker.search.queries
        look = (late & ~reached) | doubtful
        can_look = look & (left >= asker.look_cost)
        can_move = ~look & ~reached & (left >= asker.round_cost)
        return can_look.nonzero()[:, 0], can_move.nonzero()[:, 0]

    def look(self, rows: Tensor, value: Tensor, watched: Tensor, asker: _Asker) -> None:
        """Store the results of a look."""
        self.best[rows], self.watched[rows], self.sure[rows] = value, watched, True
        self.looked[rows] = self.spent[rows].to(self.looked.dtype)
        self.spent[rows] += asker.look_cost

    def move(self, rows: Tensor, points: Tensor, values: Tensor, asker: _Asker) -> None:
        """Move each seed to the best of its new points, (n, width, d), unless it is worse."""
        value, which = values.max(dim=1)
        better = value >= self.best[rows]
        chosen = points[torch.arange(len(rows), device=rows.device), which]
        self.here[rows] = torch.where(better[:, None], chosen, self.here[rows])
        self.best[rows] = torch.maximum(self.best[rows], value)
        self.sure[rows] &= ~better
        self.spent[rows] += asker.round_cost


@dataclass(frozen=True, eq=False)
class _Asker:
    """Asks a model about v and some of its counterparts, at given points."""

    model: Classifier
    counterparts: Counterparts
    search: Search

    @property
    def watches(self) -> int:
        """Number of watched counterparts of each seed."""
        return self.search.goal.top + self.search.goal.bottom

    @property
    def width(self) -> int:
        """Number of points that a seed proposes in a round."""
        return max(1, min(ROUND, self.search.queries // 2) // (1 + self.watches))

    @property
    def round_cost(self) -> int:
        """Rows that a round asks about: v and the watched counterparts at each point."""
        return self.width * (1 + self.watches)

    @property
    def looks(self) -> int:
        """Number of counterparts that a look asks about."""
        affordable = max(1, int(self.search.queries * LOOK_COST))
        return min(len(self.counterparts), affordable) if self.watches else 0

    def everyone(self, points: Tensor) -> Tensor:
        """Return the rows of the grid that a look asks about, (n, looks): an even sample of I(v).

        Where I(v) has fewer members, some are asked about twice.
        """
        valid = self.counterparts.valid(points)
        order = valid.to(torch.int8).argsort(dim=1, descending=True, stable=True)
        turn = torch.arange(self.looks, device=points.device)
        return order.gather(1, turn * valid.sum(dim=1, keepdim=True) // max(self.looks, 1))

    @property
    def look_cost(self) -> int:
        """Rows that a look asks about: v and ``everyone``."""
        return 1 + self.looks

    def look(self, points: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the goal's value over v and ``everyone``, (n,), and whom to watch, (n, w)."""
        goal, everyone = self.search.goal, self.everyone(points)
        margins, exist = self._margins(points, y, everyone)
        others = margins[:, 1:]
        largest = others.masked_fill(~exist[:, 1:], -torch.inf)
        smallest = others.masked_fill(~exist[:, 1:], torch.inf)
        picks = [
            _first(largest, goal.top, largest=True),
            _first(smallest, goal.bottom, largest=False),
        ]
        return goal.value(margins, exist), everyone.gather(1, torch.cat(picks, dim=1))

    def ask(self, points: Tensor, y: Tensor, watched: Tensor) -> Tensor:
        """Return the goal's value over v and the watched counterparts, shape (n,), float64."""
        return self.search.goal.value(*self._margins(points, y, watched))

    def _margins(self, points: Tensor, y: Tensor, who: Tensor) -> tuple[Tensor, Tensor]:
        """Return the margins of v and of some rows of the grid, and which of these people exist."""
        index = torch.cat([who.new_full((len(who), 1), -1), who], dim=1)
        several = index.shape[1]
        origins = points.repeat_interleave(several, 0)
        people = self.counterparts.take(origins, index.flatten())
        size = rows_per_call(self.search.batch_size, self.model)
        scores = torch.cat([forward_rows(self.model, rows) for rows in torch.split(people, size)])
        margins = Margin().value(scores.to(torch.float64), y.repeat_interleave(several))
        exist = self.counterparts.exist(people, origins).view_as(index).clone()
        exist[:, 0] = True
        return margins.view_as(index), exist


def _first(values: Tensor, count: int, *, largest: bool) -> Tensor:
    """Return the columns of the ``count`` most extreme values of each row, (n, count).

    If a row has fewer values, its last column is repeated.
    """
    order = values.argsort(dim=1, descending=largest, stable=True)
    if order.shape[1] < count:
        order = torch.cat([order, order[:, -1:].expand(-1, count - order.shape[1])], dim=1)
    return order[:, :count]
