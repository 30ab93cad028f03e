"""A page as a list of sections, each a list of blocks; written as HTML and as Markdown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from rafair.report.tables import Table
from rafair.report.templating import inline_svg, render

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Block", "Finding", "Grid", "Listing", "Picture", "Section", "Text", "html", "markdown"]


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str

    def markdown(self) -> str:
        """Return the paragraph, escaped."""
        return _plain(self.text)


@dataclass(frozen=True)
class Grid:
    """A table; a folded one opens when asked to."""

    table: Table
    folded: bool = False

    def markdown(self) -> str:
        """Return a table with its title in bold above it."""
        table = self.table
        lines = [f"**{_plain(table.title)}**", "", _row(table.heads)]
        lines.append("|" + "---|" * len(table.heads))
        return "\n".join([*lines, *(_row(row) for row in table.rows)])


@dataclass(frozen=True)
class Picture:
    """A figure of its own file, ``figures/NAME.svg``."""

    name: str
    svg: bytes
    caption: str

    @property
    def inline(self) -> str:
        """The drawing, to stand inside a page."""
        return inline_svg(self.svg)

    def markdown(self) -> str:
        """Return an image and its caption."""
        return f"![{_plain(self.caption)}](figures/{self.name}.svg)\n\n*{_plain(self.caption)}*"


@dataclass(frozen=True)
class Listing:
    """Lines whose spaces matter."""

    lines: tuple[str, ...]

    def markdown(self) -> str:
        """Return a code block."""
        return "\n".join(["```", *self.lines, "```"])


@dataclass(frozen=True)
class Finding:
    """Something the paper concludes, and whether it holds here."""

    claim: str
    evidence: str
    holds: bool

    @property
    def verdict(self) -> str:
        """In words."""
        return "holds" if self.holds else "does not hold"

    def markdown(self) -> str:
        """Return an item of a list."""
        return f"- **{_plain(self.claim)}** — *{self.verdict} here.* {_plain(self.evidence)}"


Block: TypeAlias = Text | Grid | Picture | Listing | Finding


@dataclass(frozen=True)
class Section:
    """One table or figure of the page.

    Attributes
    ----------
    data : dict
        What ``reproduction.json`` holds under the part's name.
    summary : Table, optional
        What a terminal shows of it.
    """

    title: str
    blocks: Sequence[Block]
    data: dict[str, Any] = field(default_factory=dict)
    summary: Table | None = None


def html(title: str, lead: Sequence[str], sections: Sequence[tuple[str, Section]]) -> bytes:
    """Return one self-contained page; each section comes with the command that makes it."""
    named = [(command, section, _kinds(section.blocks)) for command, section in sections]
    return render("reproduction.html.j2", title=title, lead=lead, sections=named).encode()


def _kinds(blocks: Sequence[Block]) -> list[tuple[str, Block]]:
    return [(type(block).__name__, block) for block in blocks]


def markdown(title: str, lead: Sequence[str], sections: Sequence[tuple[str, Section]]) -> bytes:
    """Return the same page as Markdown; figures are files beside it."""
    parts = [f"# {_plain(title)}", *(_plain(text) for text in lead)]
    for command, section in sections:
        parts += [f"## {_plain(section.title)}", f"`{command}`"]
        parts += [block.markdown() for block in section.blocks]
    return ("\n\n".join(parts) + "\n").encode()


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_plain(cell) for cell in cells) + " |"


def _plain(text: str) -> str:
    """Escape what Markdown would read as a sign."""
    for sign in ("\\", "|", "*", "_", "<", "`", "[", "]"):
        text = text.replace(sign, f"\\{sign}")
    return text
