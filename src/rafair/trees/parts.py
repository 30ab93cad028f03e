"""Monotone maps between sums of trees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy.special import expit

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from rafair.kernels.parts import Parts

__all__ = [
    "BINARY_PLACES",
    "Affine",
    "Logistic",
    "Logit",
    "Map",
    "Part",
    "Step",
    "Table",
    "evaluated",
    "kernel_parts",
]

# Numbers of this many binary places are added without rounding, for any number of trees.
BINARY_PLACES = 12


@dataclass(frozen=True)
class Affine:
    """factor · t + offset."""

    factor: float
    offset: float

    def __call__(self, t: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the values at t."""
        return self.factor * t + self.offset

    @property
    def steepest(self) -> float:
        """The largest slope; infinite if it falls."""
        return self.factor if self.factor >= 0 else np.inf


@dataclass(frozen=True)
class Logistic:
    """1 / (1 + exp(−t))."""

    def __call__(self, t: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the values at t."""
        found: npt.NDArray[np.float64] = expit(t)
        return found

    @property
    def steepest(self) -> float:
        """The largest slope."""
        return 0.25


@dataclass(frozen=True)
class Logit:
    """log((t + least) / (1 − t + least)) of a probability t."""

    least: float

    def __call__(self, t: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the values at t, of which those outside of [0, 1] count as the nearest end."""
        t = np.clip(t, 0.0, 1.0)
        found: npt.NDArray[np.float64] = np.log((t + self.least) / (1 - t + self.least))
        return found

    @property
    def steepest(self) -> float:
        """It is as steep as ``least`` is small."""
        return np.inf


@dataclass(frozen=True, eq=False)
class Table:
    """Lines between points, constant before the first and after the last.

    Attributes
    ----------
    xs, ys : array of float64, shape (points,)
        Both increasing, the former strictly.
    """

    xs: npt.NDArray[np.float64]
    ys: npt.NDArray[np.float64]

    def __call__(self, t: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the values at t."""
        return np.interp(t, self.xs, self.ys)

    @property
    def steepest(self) -> float:
        """The largest slope."""
        return float((np.diff(self.ys) / np.diff(self.xs)).max(initial=0.0))


@dataclass(frozen=True)
class Step:
    """1 where t is positive, else 0."""

    def __call__(self, t: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the values at t."""
        return (t > 0).astype(np.float64)

    @property
    def steepest(self) -> float:
        """It jumps."""
        return np.inf


Map: TypeAlias = Affine | Logistic | Logit | Table | Step


@dataclass(frozen=True, eq=False)
class Part:
    """A sum, and what is done to it before it is added to a later part.

    Attributes
    ----------
    parent : int
        −1 for the last part.
    base : float
        What trees and parts are added to.
    maps : tuple of Map
    slack : float
        How much the model's own sum may differ before it is mapped.
    """

    parent: int = -1
    base: float = 0.0
    maps: tuple[Map, ...] = ()
    slack: float = 0.0

    def mapped(self, t: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return what is added to the later part for sums t."""
        for one in self.maps:
            t = one(t)
        return t

    def steepest(self) -> float:
        """Return the largest slope of all maps; infinite where one falls or jumps."""
        found = 1.0
        for one in self.maps:
            found = found * one.steepest if one.steepest > 0 else 0.0
        return found

    @property
    def direction(self) -> float:
        """Whether what is added rises with the sum, 1, or falls, −1."""
        factors = [one.factor for one in self.maps if isinstance(one, Affine)]
        return float(np.prod(np.sign(factors)))

    @property
    def is_whole(self) -> bool:
        """Whether a jump, and numbers with few binary places, make what is added."""
        steps = [place for place, one in enumerate(self.maps) if isinstance(one, Step)]
        if not steps:
            return False
        after = [one for one in self.maps[steps[-1] + 1 :] if isinstance(one, Affine)]
        numbers = [n * 2.0**BINARY_PLACES for one in after for n in (one.factor, one.offset)]
        return all(number == round(number) for number in numbers)

    def reach(self) -> float:
        """Return the largest size of what is added to the later part."""
        return float(np.abs(self.mapped(np.array([-FAR, FAR]))).max())


# Maps of two infinities would be NaN where a factor is 0.
FAR = 1e300


def evaluated(
    parts: Sequence[Part], sums: npt.NDArray[np.float64], base: float
) -> npt.NDArray[np.float64]:
    """Return the margin for what the trees add to each part, (n, parts).

    Parameters
    ----------
    base : float
        Of the last part.
    """
    sums = sums.copy()
    for place, part in enumerate(parts[:-1]):
        sums[:, part.parent] += part.mapped(sums[:, place] + part.base)
    total: npt.NDArray[np.float64] = sums[:, -1] + base
    return total


def kernel_parts(parts: Sequence[Part], base: float, sign: float) -> Parts:
    """Return the parts as kernels read them; ``base`` is that of the last part, with its sign."""
    from rafair.kernels import parts as kernel

    kinds = {Affine: kernel.AFFINE, Logistic: kernel.LOGISTIC, Table: kernel.TABLE}
    kinds |= {Step: kernel.STEP, Logit: kernel.LOGIT}
    kind, one, two, first = [], [], [], [0]
    xs, ys = np.zeros(0), np.zeros(0)
    for part in parts:
        for each in part.maps:
            kind.append(kinds[type(each)])
            pair = (each.factor, each.offset) if isinstance(each, Affine) else (0.0, 0.0)
            if isinstance(each, Logit):
                pair = (each.least, 0.0)
            if isinstance(each, Table):
                pair = (float(len(xs)), float(len(xs) + len(each.xs)))
                xs, ys = np.append(xs, each.xs), np.append(ys, each.ys)
            one.append(pair[0])
            two.append(pair[1])
        first.append(len(kind))
    bases = [*(sign * part.base for part in parts[:-1]), base]
    return kernel.Parts(
        np.array([part.parent for part in parts], np.int32),
        np.array(bases, np.float64),
        np.array([part.slack for part in parts], np.float64),
        np.array([part.steepest() for part in parts], np.float64),
        np.array(first, np.int32),
        np.array(kind, np.int32),
        np.array(one, np.float64),
        np.array(two, np.float64),
        xs,
        ys,
        sign,
    )
