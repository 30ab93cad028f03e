"""Divides a region into boxes of people, by halves, where most people of the data are."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from rafair.certificates.branching import BROKEN, PROVED
from rafair.certificates.region_boxes import REASONS, BoxAnswer, spacing_of
from rafair.problem.batching import forward_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rafair.models import Classifier
    from rafair.schema import Schema

__all__ = ["Box", "Splitter", "sizes"]

# A box narrower than this in a feature is not halved there.
POINT = 1e-6
# People of a box who tell how much each feature matters there.
PROBED = 16
OPEN = BoxAnswer(0, REASONS.index("the budget was spent"), 0, torch.full((3, 1), torch.nan))


@dataclass(frozen=True, eq=False)
class Box:
    """Some people of a region: ranges of all features but the sensitive ones.

    Attributes
    ----------
    low, high : Tensor, shape (d,), float64, unit space
        Possible values; 0 in sensitive columns.
    people : Tensor of int64, shape (n,)
        The rows of the data that lie in the box.
    region : int
        Which of the regions the box is a part of.
    answer : BoxAnswer
        Undecided after no box at all where nobody has looked yet.
    is_asked : bool
        Whether the answer is known, be it that it is undecided.
    """

    low: Tensor
    high: Tensor
    people: Tensor
    region: int = 0
    answer: BoxAnswer = OPEN
    is_asked: bool = False

    @property
    def is_final(self) -> bool:
        """Whether the answer holds for every half of the box too."""
        return self.is_asked and self.answer.status == PROVED

    def answered(self, answer: BoxAnswer) -> Box:
        """Return the box with an answer."""
        return replace(self, answer=answer, is_asked=True)

    def holds(self, x: Tensor, columns: Sequence[int]) -> Tensor:
        """Tell which people, (n, d), lie in the box, (n,); only these columns are compared."""
        some = list(columns)
        value = x.to(torch.float64)[:, some]
        low, high = self.low[some] - POINT, self.high[some] + POINT
        return ((value >= low) & (value <= high)).all(dim=1)


@dataclass(frozen=True, eq=False)
class Splitter:
    """Halves boxes.

    Attributes
    ----------
    x : Tensor, shape (n, d), float64, unit space
        The people of the data.
    columns : tuple of int
        The columns that are not sensitive.
    spacing : Tensor, shape (d,), float64
    model : Classifier or None
        Says how much each feature matters; without it every feature matters by its width.
    """

    x: Tensor
    columns: tuple[int, ...]
    spacing: Tensor
    model: Classifier | None = None

    @classmethod
    def of(cls, schema: Schema, x: Tensor, model: Classifier | None = None) -> Splitter:
        """Return the splitter of a schema, for the people x, (n, d)."""
        places = enumerate(schema.features)
        columns = tuple(place for place, feature in places if not feature.sensitive)
        return cls(x.to(torch.float64), columns, spacing_of(schema), model)

    def can_split(self, box: Box) -> bool:
        """Tell whether some feature has two possible values in the box."""
        return bool((self._widths(box) > 0).any())

    def halves(self, box: Box) -> tuple[Box, Box]:
        """Halve a box along the feature that divides its people best, times its effect.

        Where that divides nobody from anybody, it is the feature with the largest effect, in the
        middle. A witness stays with the half that it lies in.
        """
        effects = self._effects(box)
        cuts, balance = self._cuts(box)
        score = balance * effects
        column = int(score.argmax()) if bool((score > 0).any()) else int(effects.argmax())
        cut = cuts[column] if bool(score[column] > 0) else self._middle(box, column)
        # Multiples of the spacing round to either side of the box's own ends.
        cut = torch.maximum(cut, box.low[column])
        start = torch.minimum(cut + self.spacing[column], box.high[column])
        high, low = box.high.clone(), box.low.clone()
        high[column], low[column] = cut, start
        below = self.x[box.people, column] <= cut + self.spacing[column] / 2
        lower = Box(box.low, high, box.people[below], box.region)
        upper = Box(low, box.high, box.people[~below], box.region)
        return self._inheriting(lower, box), self._inheriting(upper, box)

    def _inheriting(self, half: Box, box: Box) -> Box:
        answer = box.answer
        if answer.status == BROKEN and bool(half.holds(answer.pair[:1], self.columns)):
            return half.answered(replace(answer, nodes=0))
        return half

    def _widths(self, box: Box) -> Tensor:
        """Return the width of each feature, (d,); 0 where it cannot be halved."""
        width = torch.zeros_like(box.low)
        some = list(self.columns)
        width[some] = (box.high - box.low)[some]
        return torch.where(width > torch.clamp_min(self.spacing / 2, POINT), width, 0.0)

    def _effects(self, box: Box) -> Tensor:
        """Return how much each feature matters in the box, (d,); 0 where it cannot be halved.

        It is the mean change of the model's scores, over a few people of the box, when the feature
        alone goes from one end of the box to the other; where no feature changes any, the widths.
        """
        widths = self._widths(box)
        if self.model is None:
            return widths
        some = (widths > 0).nonzero()[:, 0]
        people = self.x[box.people[:PROBED]]
        people = people if len(people) else ((box.low + box.high) / 2).unsqueeze(0)
        ends = torch.stack([box.low, box.high])[:, some]
        rows = people.repeat(2, len(some), 1, 1)  # (end, feature, person, d)
        rows[:, torch.arange(len(some)), :, some] = ends.T[:, :, None].expand(-1, -1, len(people))
        scores = forward_rows(self.model, rows.flatten(0, 2)).view(*rows.shape[:3], -1)
        change = (scores[1] - scores[0]).abs().sum(dim=-1).mean(dim=-1)
        effects = torch.zeros_like(widths)
        effects[some] = change.to("cpu", effects.dtype)
        return effects if bool((effects > 0).any()) else widths

    def _cuts(self, box: Box) -> tuple[Tensor, Tensor]:
        """Return where each feature divides the people best, and the smaller share; each (d,).

        Either the lower median is the last value below the cut, or the value before it is. A
        feature without spacing is cut in the middle between two people.
        """
        values, n = self.x[box.people].sort(dim=0).values, len(box.people)
        if n < 2:
            return box.low, torch.zeros_like(box.low)
        median = values[(n - 1) // 2]
        before = torch.where(values < median - POINT, values, -torch.inf).amax(dim=0)
        best, balance = median, torch.zeros_like(median)
        for cut in (median, before):
            share = (values <= cut + POINT).double().mean(dim=0)
            smaller = torch.minimum(share, 1 - share)
            best = torch.where(smaller > balance, cut, best)
            balance = torch.maximum(balance, smaller)
        after = torch.where(values > best + POINT, values, torch.inf).amin(dim=0)
        between = torch.where(torch.isfinite(after), (best + after) / 2, best)
        unit = torch.where(self.spacing > 0, self.spacing, 1.0)
        return torch.where(self.spacing > 0, torch.round(best / unit) * unit, between), balance

    def _middle(self, box: Box, column: int) -> Tensor:
        middle, spacing = (box.low[column] + box.high[column]) / 2, self.spacing[column]
        return torch.floor(middle / spacing + POINT) * spacing if spacing > 0 else middle


def sizes(low: Tensor, high: Tensor, whole: tuple[Tensor, Tensor], splitter: Splitter) -> Tensor:
    """Return which share of a box's possible people lies in each of some boxes inside it, (b,).

    A feature without spacing counts by length, or not at all where ``whole`` has a single value.

    Parameters
    ----------
    low, high : Tensor, shape (b, d)
    whole : (Tensor, Tensor), shape (d,)
        The corners of the box around all of them.
    """
    some, spacing = list(splitter.columns), splitter.spacing
    unit = torch.where(spacing > 0, spacing, 1.0)

    def extent(low: Tensor, high: Tensor) -> Tensor:
        points = torch.round((high - low) / unit) + 1
        return torch.where(spacing > 0, points, high - low)[..., some]

    everything, part = extent(*whole), extent(low, high)
    ratio = torch.where(everything > 0, part / everything, 1.0)
    return ratio.prod(dim=-1) if math.prod(part.shape) else torch.ones(len(low))
