"""Random search in Δ for a model that only answers: propose, ask about a few people, keep."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import torch
from torch import Tensor

from rafair.checks import check_whole
from rafair.errors import InvalidInput
from rafair.models import require_wrapped
from rafair.problem.batching import AUTO, BatchSize, all_finite, forward_rows, rows_per_call
from rafair.problem.losses import Margin
from rafair.problem.noise import Noise
from rafair.problem.validation import check_problem
from rafair.problem.walking import AttackResult, Trajectory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rafair.models import Classifier
    from rafair.problem.counterparts import Counterparts
    from rafair.problem.space import PerturbationSpace

__all__ = ["BENIGN", "TARGETS", "Draw", "Goal", "Proposal", "Search", "random_search"]

# From margins (n, p), v's own in column 0, and who exists (n, p), to what is raised above 0, (n,).
Value: TypeAlias = "Callable[[Tensor, Tensor], Tensor]"
# From where seeds are to new points, (n, d); what may not move or is not possible is mended later.
Proposal: TypeAlias = "Callable[[Draw], Tensor]"

# Rows that each seed asks about at once: fewer calls of the model, hardly fewer finds per row.
ROUND = 12
# Points that a trajectory keeps, beside the last ones.
LOOKS = 5
# Counterparts that are asked about at every point, of those that fare worst at the last look.
WATCHED = 2
# Share of the budget between two looks at everyone in I(v), and the most that one may cost.
LOOK_EVERY = 0.25
LOOK_COST = 0.1


def _largest(margins: Tensor, exist: Tensor) -> Tensor:
    return margins.masked_fill(~exist, -torch.inf).amax(dim=1)


def _smallest(margins: Tensor, exist: Tensor) -> Tensor:
    return margins.masked_fill(~exist, torch.inf).amin(dim=1)


@dataclass(frozen=True)
class Goal:
    """What a search raises above 0, and of how many counterparts it keeps watch.

    Attributes
    ----------
    value : callable
        From margins max_{j≠y} z_j − z_y of v and of some counterparts; above 0 is a wrong decision.
    top, bottom : int
        Counterparts with the largest and with the smallest margins to ask about at every point.
    of_everyone : bool
        Whether it is reached only if it is so for all of I(v), not just for the watched.
    """

    value: Value
    top: int = 0
    bottom: int = 0
    of_everyone: bool = False


# A wrong decision on somebody; on v; a wrong one beside a right one.
TARGETS: Mapping[str, Goal] = {
    "accurate_fair": Goal(_largest, top=WATCHED),
    "accurate": Goal(lambda margins, _: margins[:, 0]),
    "fair": Goal(
        lambda margins, exist: torch.minimum(_largest(margins, exist), -_smallest(margins, exist)),
        top=WATCHED // 2,
        bottom=WATCHED // 2,
    ),
}
# No wrong decision on anybody.
BENIGN = Goal(lambda margins, exist: -_largest(margins, exist), top=WATCHED, of_everyone=True)


@dataclass(frozen=True, eq=False)
class Draw:
    """What a proposal is made of.

    Attributes
    ----------
    here : Tensor, shape (n, d), unit space
        The best points so far.
    low, high : Tensor, shape (n, d)
        The bounds of Δ.
    movable : Tensor of bool, shape (d,)
    numbers : Tensor, shape (n, 3·d + 1)
        Uniform in [0, 1).
    spent : Tensor, shape (n, 1)
        Share of the budget that is gone.
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
        Rows to ask about for each seed.
    random_state : int
    batch_size : int or "auto"
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
    """Raise the goal of each seed above 0, all seeds side by side.

    A seed starts where it is. In every round it proposes some points; the best of them takes its
    place if it is no worse, so that it wanders where a model of trees is flat. A few counterparts
    are asked about at every point; at fixed shares of the budget all of I(v), or an even sample of
    it, is looked at anew. A seed that has reached its goal, or cannot pay for another round,
    leaves. The trajectory has the best points at the looks of the first seeds.

    Raises
    ------
    InvalidInput
        See ``check_problem``; also if Δ is unbounded, or ``queries`` is no positive whole number.
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
    """Where a search is; rows are updated in place."""

    here: Tensor  # (n, d)
    best: Tensor  # (n,), float64
    watched: Tensor  # (n, watched), rows of the grid
    spent: Tensor  # (n,), rows asked about
    looked: Tensor  # (n,), what was spent before the last look; −∞ at first
    sure: Tensor  # (n,), bool: ``best`` is about everyone

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
        """Return who looks at everyone, and who proposes points; the others have left."""
        reached, left = self.best > 0, asker.search.queries - self.spent
        doubtful = reached & ~self.sure & asker.search.goal.of_everyone
        late = self.spent >= self.looked + LOOK_EVERY * asker.search.queries
        look = (late & ~reached) | doubtful
        can_look = look & (left >= asker.look_cost)
        can_move = ~look & ~reached & (left >= asker.round_cost)
        return can_look.nonzero()[:, 0], can_move.nonzero()[:, 0]

    def look(self, rows: Tensor, value: Tensor, watched: Tensor, asker: _Asker) -> None:
        """Take what a look at everyone found."""
        self.best[rows], self.watched[rows], self.sure[rows] = value, watched, True
        self.looked[rows] = self.spent[rows].to(self.looked.dtype)
        self.spent[rows] += asker.look_cost

    def move(self, rows: Tensor, points: Tensor, values: Tensor, asker: _Asker) -> None:
        """Take the best of some points, (n, width, d), where it is no worse."""
        value, which = values.max(dim=1)
        better = value >= self.best[rows]
        chosen = points[torch.arange(len(rows), device=rows.device), which]
        self.here[rows] = torch.where(better[:, None], chosen, self.here[rows])
        self.best[rows] = torch.maximum(self.best[rows], value)
        self.sure[rows] &= ~better
        self.spent[rows] += asker.round_cost


@dataclass(frozen=True, eq=False)
class _Asker:
    """Asks a model about points and the people there."""

    model: Classifier
    counterparts: Counterparts
    search: Search

    @property
    def watches(self) -> int:
        """Counterparts to ask about at every point."""
        return self.search.goal.top + self.search.goal.bottom

    @property
    def width(self) -> int:
        """Points of a round."""
        return max(1, min(ROUND, self.search.queries // 2) // (1 + self.watches))

    @property
    def round_cost(self) -> int:
        """Rows of a round: v and the watched at each point."""
        return self.width * (1 + self.watches)

    @cached_property
    def everyone(self) -> Tensor:
        """Rows of the grid to look at: all, or an even sample where they cost too much."""
        m = len(self.counterparts)
        if not self.watches:
            return torch.empty(0, dtype=torch.int64, device=self.model.device)
        count = max(1, min(m, int(self.search.queries * LOOK_COST)))
        return torch.arange(count, device=self.model.device) * m // count

    @property
    def look_cost(self) -> int:
        """Rows of a look at everyone."""
        return 1 + len(self.everyone)

    def look(self, points: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the goal's value over everyone, (n,), and whom to watch, (n, watched)."""
        goal, everyone = self.search.goal, self.everyone
        margins, exist = self._margins(points, y, everyone.expand(len(points), -1))
        others = margins[:, 1:]
        largest = others.masked_fill(~exist[:, 1:], -torch.inf)
        smallest = others.masked_fill(~exist[:, 1:], torch.inf)
        picks = [
            _first(largest, goal.top, largest=True),
            _first(smallest, goal.bottom, largest=False),
        ]
        return goal.value(margins, exist), everyone[torch.cat(picks, dim=1)]

    def ask(self, points: Tensor, y: Tensor, watched: Tensor) -> Tensor:
        """Return the goal's value over v and the watched, shape (n,), float64."""
        return self.search.goal.value(*self._margins(points, y, watched))

    def _margins(self, points: Tensor, y: Tensor, who: Tensor) -> tuple[Tensor, Tensor]:
        """Return the margins of v and of these rows of the grid, and who of them exists."""
        index = torch.cat([who.new_full((len(who), 1), -1), who], dim=1)
        several = index.shape[1]
        people = self.counterparts.take(points.repeat_interleave(several, 0), index.flatten())
        size = rows_per_call(self.search.batch_size, self.model)
        scores = torch.cat([forward_rows(self.model, rows) for rows in torch.split(people, size)])
        margins = Margin().value(scores.to(torch.float64), y.repeat_interleave(several))
        exist = self.counterparts.exist(people).view_as(index).clone()
        exist[:, 0] = True
        return margins.view_as(index), exist


def _first(values: Tensor, count: int, *, largest: bool) -> Tensor:
    """Return the places of the first few, (n, count); the last one again where there are fewer."""
    order = values.argsort(dim=1, descending=largest, stable=True)
    if order.shape[1] < count:
        order = torch.cat([order, order[:, -1:].expand(-1, count - order.shape[1])], dim=1)
    return order[:, :count]
