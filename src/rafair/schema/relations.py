"""Relations between columns: parsed from text, checked against a schema, never run as code."""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rafair.errors import InvalidInput
from rafair.schema.clauses import (
    ARITHMETIC,
    COMPARISONS,
    Arithmetic,
    Claim,
    Comparison,
    Looked,
    Not,
    Number,
    Reader,
    Several,
    Term,
    Value,
)
from rafair.schema.expressions import SHOWN, TRUTHS, is_number, read_expression

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from rafair.schema.feature import Feature, Level

__all__ = ["Relation", "parse_relation"]

MAX_LENGTH = 1_000


@dataclass(frozen=True)
class Relation:
    """A condition that every possible person meets.

    Attributes
    ----------
    text : str
        The relation as the user wrote it.
    places : tuple of int
        Unit-space columns of the features that the relation names.
    claim : Claim
        The parsed relation.
    gaps : tuple of Term
        The features among them that may be missing; each is NaN where it is.
    """

    text: str
    places: tuple[int, ...]
    claim: Claim
    gaps: tuple[Term, ...] = ()

    def holds(self, read: Reader) -> Tensor:
        """Tell which people meet the relation.

        Parameters
        ----------
        read : callable
            Takes a feature's unit-space column and returns its values: numbers in original units,
            codes for features with levels. The shapes of the values must broadcast.

        Returns
        -------
        Tensor of bool
            False also where the relation is neither true nor false after a division by zero; true
            where it is neither because a cell is missing: nothing is known to break it.
        """
        true, false = self.claim(read)
        for gap in self.gaps:
            true = true | (gap(read).isnan() & ~false)
        return true


def parse_relation(text: str, features: Sequence[Feature]) -> Relation:
    """Parse a relation such as ``installment * duration >= credit_amount``.

    A relation consists of numbers, ``+ - * /``, comparisons, ``in [...]``, ``and``, ``or``,
    ``not``, texts in quotes and names of features; back-quotes enclose a name with spaces or signs.
    Levels are compared with levels, and ordinal ones also by their order; levels that are numbers
    can be used as numbers too.

    Raises
    ------
    InvalidInput
        If the text is no such expression, names no column, or names an unknown feature or level.
    """
    if not isinstance(text, str):
        raise InvalidInput(f"a relation must be a text, not a {type(text).__name__}")
    if not text.strip():
        raise InvalidInput(f"relation {text!r} must be a text such as 'age >= 18'")
    if len(text) > MAX_LENGTH:
        raise InvalidInput(f"relation {text[:40]!r}… is longer than {MAX_LENGTH} characters")
    reading = _Reading(text, features)
    try:
        claim = reading.truth(reading.expression.tree)
    except (RecursionError, OverflowError) as error:
        raise reading.wrong("too deep, or a number too large") from error
    if not reading.places:
        raise InvalidInput(f"relation {text!r} speaks of no column")
    places = tuple(sorted(reading.places))
    gaps = tuple(
        _looked(place, features[place]) for place in places if _may_be_nan(features[place])
    )
    return Relation(text, places, claim, gaps)


def _may_be_nan(feature: Feature) -> bool:
    return feature.has_gaps or (feature.missing == "level" and _numeric(feature.levels))


def _looked(place: int, feature: Feature) -> Term:
    """Return a feature read as numbers: those of its range, or its levels if they are numbers."""
    if not feature.has_levels or not _numeric(feature.levels):
        return Value(place)
    levels = [float(level) for level in feature.levels if is_number(level)]
    return Looked(place, (*levels, *[math.nan] * (len(feature.domain) - len(levels))))


class _Reading:
    """The parser of one relation; it also collects the features that the relation names."""

    def __init__(self, text: str, features: Sequence[Feature]) -> None:
        self.text = text
        self.features = features
        self.names = {feature.name: place for place, feature in enumerate(features)}
        self.expression = read_expression(text, self.names, self.wrong)
        self.places: set[int] = set()

    def wrong(self, why: str) -> InvalidInput:
        text = self.text if len(self.text) <= SHOWN else f"{self.text[:SHOWN]}…"
        return InvalidInput(f"relation {text!r}: {why}")

    def truth(self, part: ast.expr) -> Claim:
        """Parse a part that is true or false."""
        if isinstance(part, ast.BoolOp):
            parts = tuple(self.truth(value) for value in part.values)
            return Several(every=isinstance(part.op, ast.And), parts=parts)
        if isinstance(part, ast.UnaryOp) and isinstance(part.op, ast.Not):
            return Not(self.truth(part.operand))
        if isinstance(part, ast.Compare):
            sides = [part.left, *part.comparators]
            pairs = zip(sides[:-1], part.ops, sides[1:], strict=True)
            parts = tuple(self._compared(*pair) for pair in pairs)
            return Several(every=True, parts=parts)
        raise self.wrong("it must compare something, as in 'age >= 18'")

    def _compared(self, left: ast.expr, sign: ast.cmpop, right: ast.expr) -> Claim:
        if isinstance(sign, ast.In | ast.NotIn):
            if not isinstance(right, ast.List | ast.Tuple | ast.Set) or not right.elts:
                raise self.wrong("after 'in' comes a list, as in 'sex in [\"female\", \"male\"]'")
            parts = tuple(self._compared(left, ast.Eq(), level) for level in right.elts)
            among = Several(every=False, parts=parts)
            return among if isinstance(sign, ast.In) else Not(among)
        if type(sign) not in COMPARISONS:
            raise self.wrong("use one of <, <=, >, >=, ==, !=, in")
        if pair := self._levels(left, sign, right):
            return Comparison(type(sign), *pair)
        if pair := self._levels(right, sign, left):
            return Comparison(type(sign), *reversed(pair))
        return Comparison(type(sign), self.number(left), self.number(right))

    def _levels(self, side: ast.expr, sign: ast.cmpop, other: ast.expr) -> tuple[Term, Term] | None:
        """Parse the comparison of a feature with a level or with a feature of the same levels.

        Returns None if ``side`` is no feature with levels, or the levels compare as numbers.
        """
        place = self._place(side)
        if place is None or not self.features[place].has_levels:
            return None
        feature, second = self.features[place], self._place(other)
        if second is not None:
            if self.features[second].levels != feature.levels:
                return None
            there: Term = Value(second)
        else:
            code = self._code(feature, other)
            if code is None:
                return None
            there = Number(float(code))
        if feature.kind == "categorical" and not isinstance(sign, ast.Eq | ast.NotEq):
            if _numeric(feature.levels):
                return None
            raise self.wrong(f"the levels of {feature.name!r} have no order; use == or !=")
        return Value(place), there

    def _code(self, feature: Feature, part: ast.expr) -> int | None:
        """Return the code of a level, or None if the part may be a number."""
        if isinstance(part, ast.Name) and part.id in TRUTHS:
            level: object = TRUTHS[part.id]
        elif isinstance(part, ast.Constant):
            level = part.value
        else:
            return None
        if level in feature.domain:
            return feature.domain.index(level)
        if is_number(level) and _numeric(feature.levels):
            return None
        known = ", ".join(map(repr, feature.domain[:8]))
        raise self.wrong(f"{level!r} is no level of {feature.name!r}; its levels are {known}")

    def number(self, part: ast.expr) -> Term:
        """Parse a part that is a number."""
        if isinstance(part, ast.Constant) and is_number(part.value):
            if not math.isfinite(part.value):
                raise self.wrong("a number too large")
            return Number(float(part.value))
        if isinstance(part, ast.UnaryOp) and isinstance(part.op, ast.USub | ast.UAdd):
            sign = -1.0 if isinstance(part.op, ast.USub) else 1.0
            return Arithmetic(ast.Mult, Number(sign), self.number(part.operand))
        if isinstance(part, ast.BinOp) and type(part.op) in ARITHMETIC:
            return Arithmetic(type(part.op), self.number(part.left), self.number(part.right))
        place = self._place(part)
        if place is None:
            raise self.wrong("only numbers, columns, + - * / and comparisons can be used")
        feature = self.features[place]
        if not feature.has_levels:
            return Value(place)
        if not _numeric(feature.levels):
            raise self.wrong(f"column {feature.name!r} holds text; compare it with its levels")
        return _looked(place, feature)

    def _place(self, part: ast.expr) -> int | None:
        name = self.expression.name(part)
        if name is None or (name in TRUTHS and name not in self.names):
            return None
        if name not in self.names:
            raise self.wrong(f"there is no feature {name!r}")
        self.places.add(self.names[name])
        return self.names[name]


def _numeric(levels: Sequence[Level]) -> bool:
    return all(is_number(level) for level in levels)
