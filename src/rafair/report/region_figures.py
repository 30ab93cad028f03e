"""The figure of a certified region: how much each answer covers, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rafair.plots.drawing import axes_of, new_figure, style, svg
from rafair.plots.palette import BROKEN, PROVED, UNDECIDED
from rafair.runs.regions import ANSWERS, of_regions

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rafair.runs import RegionResult
    from rafair.schema import Feature, Schema

__all__ = ["draw_regions"]

Floats = npt.NDArray[np.float64]

COLOURS = {"fair": PROVED, "unfair": BROKEN, "undecided": UNDECIDED}
# The maps: an answer, its title, and its sequence of colours.
MAPS = (("fair", "fair everywhere", "Blues"), ("unfair", "with somebody unfair", "Oranges"))
# Levels that an axis names, and the characters of each.
LEVELS, LETTERS = 20, 14


def draw_regions(result: RegionResult, schema: Schema) -> dict[str, bytes]:
    """Return the figures of a certified region as SVG, by the path in its run directory.

    ``regions`` has a bar for the share of the region, and one for the share of the data's people,
    that each answer covers. ``map``, drawn where two features are divided, shows the share of
    the region in boxes of an answer over two features: those along which the share that is fair
    everywhere varies most.
    """
    with style():
        found = {"figures/regions.svg": svg(_bars(result.metrics["regions"]))}
        sides = _sides(result.boxes, schema)
        if len(sides) == 2:
            found["figures/map.svg"] = svg(_maps(result.boxes, *sides))
    return found


def _bars(found: dict[str, Any]) -> Figure:
    shares = {of_regions(found): found["share"]}
    if found["people"] is not None:
        shares[f"of the {found['people']['n']:,} people"] = found["people"]
    figure = new_figure(6.2, 1.1 + 0.4 * len(shares))
    (axes,) = axes_of(figure, 1)
    for place, share in enumerate(shares.values()):
        start = 0.0
        for answer, name in ANSWERS.items():
            width, first = share[answer], place == 0
            label = f"{name}" if first else None
            axes.barh(place, width, 0.6, left=start, color=COLOURS[answer], label=label)
            if width >= 0.07:
                text: dict[str, Any] = {"ha": "center", "va": "center", "color": "white"}
                axes.text(start + width / 2, place, f"{width:.3f}", fontsize=9, **text)
            start += width
    axes.set(xlim=(0, 1), ylim=(len(shares) - 0.5, -0.5), xlabel="share in boxes of each answer")
    axes.set_yticks(range(len(shares)), list(shares))
    axes.legend(frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    return figure


@dataclass(frozen=True, eq=False)
class _Side:
    """A feature along which boxes are divided.

    Attributes
    ----------
    edges : ndarray, shape (c + 1,)
        Where boxes begin or end, in original units or codes.
    covers : ndarray of float, shape (c, boxes)
        1 where a box covers the cell between two edges.
    extent : ndarray, shape (boxes,)
    """

    feature: Feature
    edges: Floats
    covers: Floats
    extent: Floats

    @classmethod
    def of(cls, feature: Feature, boxes: pd.DataFrame) -> _Side:
        """Return the side of a feature; its edges lie between two possible values."""
        half = feature.spacing * feature.span / 2
        low = _numbers(feature, boxes[f"low_{feature.name}"]) - half
        high = _numbers(feature, boxes[f"high_{feature.name}"]) + half
        edges = np.unique(np.concatenate([low, high]))
        middle = (edges[:-1, None] + edges[1:, None]) / 2
        covers = ((middle >= low) & (middle <= high)).astype(np.float64)
        return cls(feature, edges, covers, np.where(high > low, high - low, 1.0))

    def variation(self, share: Floats, fair: Floats) -> float:
        """Return the variance, along this feature, of the share that is fair everywhere."""
        weight = self.covers * (share / self.extent)
        whole = weight.sum(axis=1)
        rate = np.divide((weight * fair).sum(axis=1), whole, where=whole > 0, out=0 * whole)
        size = whole * np.diff(self.edges)
        if size.sum() == 0:
            return 0.0
        return float(np.average((rate - np.average(rate, weights=size)) ** 2, weights=size))


def _numbers(feature: Feature, values: pd.Series) -> Floats:
    if feature.has_levels:
        return values.map(list(feature.domain).index).to_numpy(dtype=np.float64)
    return values.to_numpy(dtype=np.float64)


def _sides(boxes: pd.DataFrame, schema: Schema) -> list[_Side]:
    """Return the two features along which the answers vary most, of those that are divided."""
    free = [feature for feature in schema.features if not feature.sensitive]
    divided = [side for side in (_Side.of(each, boxes) for each in free) if len(side.edges) > 2]
    share = boxes["share"].to_numpy(dtype=np.float64)
    fair: Floats = np.asarray(boxes["status"] == "fair", dtype=np.float64)
    divided.sort(key=lambda side: (-side.variation(share, fair), -len(side.edges)))
    return divided[:2]


def _maps(boxes: pd.DataFrame, across: _Side, up: _Side) -> Figure:
    figure = new_figure(9.4, 4.2)
    density = boxes["share"].to_numpy(dtype=np.float64) / across.extent / up.extent
    whole = (up.covers * density) @ across.covers.T
    for axes, (answer, title, colours) in zip(axes_of(figure, 2), MAPS, strict=True):
        part = density * np.asarray(boxes["status"] == answer, dtype=np.float64)
        rate = np.full_like(whole, np.nan)
        np.divide((up.covers * part) @ across.covers.T, whole, where=whole > 0, out=rate)
        # Without edges of their own colour, viewers show seams between neighbouring cells.
        drawn = axes.pcolormesh(
            across.edges, up.edges, rate, cmap=colours, vmin=0, vmax=1, edgecolors="face"
        )
        axes.set_title(f"share in boxes {title}", fontsize=10)
        _named(axes, across.feature, up.feature)
        figure.colorbar(drawn, ax=axes, shrink=0.8)
    return figure


def _named(axes: Axes, across: Feature, up: Feature) -> None:
    """Name both axes, and the levels of features that have them."""
    axes.set_xlabel(_title(across), parse_math=False)
    axes.set_ylabel(_title(up), parse_math=False)
    for feature, axis, turned in ((across, axes.xaxis, 90), (up, axes.yaxis, 0)):
        if feature.has_levels and len(feature.domain) <= LEVELS:
            names = [str(level)[:LETTERS] for level in feature.domain]
            small: dict[str, Any] = {"fontsize": 8, "parse_math": False, "rotation": turned}
            axis.set_ticks(list(range(len(names))), names, **small)


def _title(feature: Feature) -> str:
    return f"{feature.name}, {feature.unit}" if feature.unit else feature.name
