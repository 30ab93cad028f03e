"""The parts of a relation between columns: a small language of numbers and comparisons."""

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

# From a feature's place to its values: numbers in original units, codes for levels.
Reader: TypeAlias = "Callable[[int], Tensor]"

# Two sides are equal where they differ by rounding only: a share of the larger one.
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
    """A part of a relation that is a number for each person."""

    def __call__(self, read: Reader) -> Tensor:
        """Return its value for each person."""
        ...


class Claim(Protocol):
    """A part that is true or false of each person, or neither: a division by zero is neither."""

    def __call__(self, read: Reader) -> tuple[Tensor, Tensor]:
        """Return whom it is true of, and whom it is false of."""
        ...


@dataclass(frozen=True)
class Number:
    """A number."""

    value: float

    def __call__(self, read: Reader) -> Tensor:
        """Return its value for each person."""
        return torch.tensor(self.value, dtype=torch.float64, device=read(0).device)


@dataclass(frozen=True)
class Value:
    """A feature's numbers or codes."""

    place: int

    def __call__(self, read: Reader) -> Tensor:
        """Return its value for each person."""
        return read(self.place)


@dataclass(frozen=True)
class Looked:
    """The numbers that a feature's levels are."""

    place: int
    levels: tuple[float, ...]

    def __call__(self, read: Reader) -> Tensor:
        """Return its value for each person."""
        codes = read(self.place)
        levels = torch.tensor(self.levels, dtype=torch.float64, device=codes.device)
        return levels[codes.long()]


@dataclass(frozen=True)
class Arithmetic:
    """Two terms with a sign between them."""

    kind: type[ast.operator]
    left: Term
    right: Term

    def __call__(self, read: Reader) -> Tensor:
        """Return its value for each person."""
        return ARITHMETIC[self.kind](self.left(read), self.right(read))


@dataclass(frozen=True)
class Comparison:
    """Two terms compared."""

    kind: type[ast.cmpop]
    left: Term
    right: Term

    def __call__(self, read: Reader) -> tuple[Tensor, Tensor]:
        """Return whom it is true of, and whom it is false of."""
        left, right = self.left(read), self.right(read)
        known = torch.isfinite(left) & torch.isfinite(right)
        held = COMPARISONS[self.kind](left, right)
        return known & held, known & ~held


@dataclass(frozen=True)
class Several:
    """All of some parts, or any of them."""

    every: bool
    parts: tuple[Claim, ...]

    def __call__(self, read: Reader) -> tuple[Tensor, Tensor]:
        """Return whom it is true of, and whom it is false of."""
        true, false = self.parts[0](read)
        for part in self.parts[1:]:
            more, less = part(read)
            true = true & more if self.every else true | more
            false = false | less if self.every else false & less
        return true, false


@dataclass(frozen=True)
class Not:
    """The opposite."""

    part: Claim

    def __call__(self, read: Reader) -> tuple[Tensor, Tensor]:
        """Return whom it is true of, and whom it is false of."""
        true, false = self.part(read)
        return false, true
