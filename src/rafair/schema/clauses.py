"""The parts of a parsed relation between columns: numbers, arithmetic and comparisons."""

from __future__ import annotations

import ast
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "ARITHMETIC",
    "COMPARISONS",
    "Arithmetic",
    "Claim",
    "Comparison",
    "Looked",
    "Not",
    "Number",
    "Reader",
    "Several",
    "Term",
    "Value",
]

# Maps a feature's unit-space column to its values: numbers in original units, codes of levels.
Reader: TypeAlias = "Callable[[int], Tensor]"

# Two numbers are equal if they differ by at most this share of the larger one (or of 1 if both are
# smaller than 1): values that were decoded from unit space carry rounding errors.
SAME = 1e-9
ARITHMETIC: Mapping[type[ast.operator], Callable[[Tensor, Tensor], Tensor]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def _close(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).abs() <= SAME * torch.maximum(a.abs(), b.abs()).clamp_min(1.0)


COMPARISONS: Mapping[type[ast.cmpop], Callable[[Tensor, Tensor], Tensor]] = {
    ast.Eq: _close,
    ast.NotEq: lambda a, b: ~_close(a, b),
    ast.LtE: lambda a, b: (a <= b) | _close(a, b),
    ast.GtE: lambda a, b: (a >= b) | _close(a, b),
    ast.Lt: lambda a, b: (a < b) & ~_close(a, b),
    ast.Gt: lambda a, b: (a > b) & ~_close(a, b),
}


class Term(Protocol):
    """A part of a relation that has a number for each person."""

    def __call__(self, read: Reader) -> Tensor:
        """Return the number for each person, float64; shapes broadcast."""
        ...


class Claim(Protocol):
    """A part of a relation that is true or false for each person.

    A comparison with an infinite number or NaN, as after a division by zero, is neither.
    """

    def __call__(self, read: Reader) -> tuple[Tensor, Tensor]:
        """Return two bool tensors: for whom the part is true, and for whom it is false."""
        ...


@dataclass(frozen=True)
class Number:
    """A constant: a number in the relation, or the code of a level."""

    value: float

    def __call__(self, read: Reader) -> Tensor:
        """Return the number for each person, float64; shapes broadcast."""
        return torch.tensor(self.value, dtype=torch.float64, device=read(0).device)


@dataclass(frozen=True)
class Value:
    """A feature's numbers in original units, or the codes of its levels."""

    place: int

    def __call__(self, read: Reader) -> Tensor:
        """Return the number for each person, float64; shapes broadcast."""
        return read(self.place)


@dataclass(frozen=True)
class Looked:
    """A feature whose levels are numbers, read as these numbers; NaN for a missing cell."""

    place: int
    levels: tuple[float, ...]

    def __call__(self, read: Reader) -> Tensor:
        """Return the number for each person, float64; shapes broadcast."""
        codes = read(self.place)
        levels = torch.tensor(self.levels, dtype=torch.float64, device=codes.device)
        return torch.where(codes.isnan(), torch.nan, levels[codes.nan_to_num().long()])


@dataclass(frozen=True)
class Arithmetic:
    """Two terms that +, -, * or / combines."""

    kind: type[ast.operator]
    left: Term
    right: Term

    def __call__(self, read: Reader) -> Tensor:
        """Return the number for each person, float64; shapes broadcast."""
        return ARITHMETIC[self.kind](self.left(read), self.right(read))


@dataclass(frozen=True)
class Comparison:
    """A comparison of two terms."""

    kind: type[ast.cmpop]
    left: Term
    right: Term

    def __call__(self, read: Reader) -> tuple[Tensor, Tensor]:
        """Return two bool tensors: for whom the part is true, and for whom it is false."""
        left, right = self.left(read), self.right(read)
        known = torch.isfinite(left) & torch.isfinite(right)
        held = COMPARISONS[self.kind](left, right)
        return known & held, known & ~held


@dataclass(frozen=True)
class Several:
    """Several parts joined by ``and`` (``every``) or by ``or``."""

    every: bool
    parts: tuple[Claim, ...]

    def __call__(self, read: Reader) -> tuple[Tensor, Tensor]:
        """Return two bool tensors: for whom the part is true, and for whom it is false."""
        true, false = self.parts[0](read)
        for part in self.parts[1:]:
            more, less = part(read)
            true = true & more if self.every else true | more
            false = false | less if self.every else false & less
        return true, false


@dataclass(frozen=True)
class Not:
    """The negation of a part."""

    part: Claim

    def __call__(self, read: Reader) -> tuple[Tensor, Tensor]:
        """Return two bool tensors: for whom the part is true, and for whom it is false."""
        true, false = self.part(read)
        return false, true
