"""Reads the text of relations and regions as a Python expression, which is never run."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from rafair.errors import InvalidInput

__all__ = ["SHOWN", "TRUTHS", "Expression", "is_number", "read_expression"]

DEEPEST = 120
# Characters of a text that an error shows.
SHOWN = 60
TRUTHS = {"true": True, "false": False}
# A text in quotes, which stays as it is, or a column's name in back-quotes, which is group 1.
QUOTED = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`([^`]*)`""")


@dataclass(frozen=True)
class Expression:
    """A parsed text.

    Attributes
    ----------
    tree : ast.expr
    quoted : mapping of str to str
        Names in the tree that stand for a name in back-quotes.
    """

    tree: ast.expr
    quoted: Mapping[str, str]

    def name(self, part: ast.expr) -> str | None:
        """Return the name that a part of the tree is; None if it is something else."""
        return self.quoted.get(part.id, part.id) if isinstance(part, ast.Name) else None


def read_expression(
    text: str, names: Iterable[str], wrong: Callable[[str], InvalidInput]
) -> Expression:
    """Parse a text in which back-quotes enclose names with spaces or signs.

    Parameters
    ----------
    names : iterable of str
        The names of all features.
    wrong : callable
        From what is wrong with the text to the error to raise.

    Raises
    ------
    InvalidInput
        If the text is no expression, or too deep.
    """
    prefix, known = "quoted", tuple(names)
    quoted: dict[str, str] = {}
    while any(name.startswith(prefix) for name in known) or prefix in text:
        prefix += "_"

    def unquoted(match: re.Match[str]) -> str:
        if match.group(1) is None:  # a text in quotes
            return match.group()
        name = f"{prefix}{len(quoted)}"
        quoted[name] = match.group(1)
        return name

    try:
        with warnings.catch_warnings(action="ignore"):  # about unknown escapes in a text
            tree = ast.parse(QUOTED.sub(unquoted, text).strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise wrong("not an expression that can be read") from error
    if _depth(tree) > DEEPEST:
        raise wrong(f"too deep: more than {DEEPEST} parts inside one another")
    return Expression(tree, quoted)


def is_number(value: object) -> TypeGuard[int | float]:
    """Tell whether a value is a number, which true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _depth(tree: ast.AST) -> int:
    """Return how deep the tree is, without recursion."""
    deepest, level = 0, [tree]
    while level:
        deepest += 1
        level = [child for part in level for child in ast.iter_child_nodes(part)]
    return deepest
