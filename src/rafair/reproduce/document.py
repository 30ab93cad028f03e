"""A page is a list of sections, and a section a list of blocks; written as HTML and Markdown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from rafair.report.tables import Table
from rafair.report.templating import inline_svg, render

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "Block",
    "Finding",
    "Grid",
    "Ground",
    "Listing",
    "Picture",
    "Section",
    "Text",
    "html",
    "markdown",
]


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str

    def markdown(self) -> str:
        """Return the paragraph, escaped."""
        return _plain(self.text)


@dataclass(frozen=True)
class Grid:
    """A table; a folded one is hidden until the reader opens it."""

    table: Table
    folded: bool = False

    def markdown(self) -> str:
        """Return the table with its title in bold above it."""
        table = self.table
        lines = [f"**{_plain(table.title)}**", "", _row(table.heads)]
        lines.append("|" + "---|" * len(table.heads))
        return "\n".join([*lines, *(_row(row) for row in table.rows)])


@dataclass(frozen=True)
class Picture:
    """A figure, which is also stored as the file ``figures/NAME.svg``."""

    name: str
    svg: bytes
    caption: str

    @property
    def inline(self) -> str:
        """The SVG as markup inside an HTML page."""
        return inline_svg(self.svg)

    def markdown(self) -> str:
        """Return an image and its caption."""
        return f"![{_plain(self.caption)}](figures/{self.name}.svg)\n\n*{_plain(self.caption)}*"


@dataclass(frozen=True)
class Listing:
    """Lines whose spaces are kept, in a fixed-width font."""

    lines: tuple[str, ...]

    def markdown(self) -> str:
        """Return a code block."""
        return "\n".join(["```", *self.lines, "```"])


@dataclass(frozen=True)
class Ground:
    """What one reading of the tables says about a conclusion."""

    reading: str
    evidence: str
    holds: bool

    @property
    def verdict(self) -> str:
        """Whether the conclusion holds, in words."""
        return f"{self.reading}: {'holds' if self.holds else 'does not hold'}"


@dataclass(frozen=True)
class Finding:
    """A conclusion of the paper, and whether it holds here, for each reading that can tell."""

    claim: str
    grounds: tuple[Ground, ...]

    def markdown(self) -> str:
        """Return the finding as a list item, with one item below it for each reading."""
        below = [f"  - *{_plain(g.verdict)}.* {_plain(g.evidence)}" for g in self.grounds]
        return "\n".join([f"- **{_plain(self.claim)}**", *below])


Block: TypeAlias = Text | Grid | Picture | Listing | Finding


@dataclass(frozen=True)
class Section:
    """One section of the page: a table or a figure with its texts.

    Attributes
    ----------
    data : dict
        The content of ``reproduction.json`` under the part's name.
    summary : Table, optional
        A short table for the terminal.
    """

    title: str
    blocks: Sequence[Block]
    data: dict[str, Any] = field(default_factory=dict)
    summary: Table | None = None


def html(title: str, lead: Sequence[str], sections: Sequence[tuple[str, Section]]) -> bytes:
    """Return one self-contained page.

    ``sections`` has pairs: the command that makes a section, and the section.
    """
    named = [(command, section, _kinds(section.blocks)) for command, section in sections]
    return render("reproduction.html.j2", title=title, lead=lead, sections=named).encode()


def _kinds(blocks: Sequence[Block]) -> list[tuple[str, Block]]:
    return [(type(block).__name__, block) for block in blocks]


def markdown(title: str, lead: Sequence[str], sections: Sequence[tuple[str, Section]]) -> bytes:
    """Return the same page as Markdown; its figures are separate files."""
    parts = [f"# {_plain(title)}", *(_plain(text) for text in lead)]
    for command, section in sections:
        parts += [f"## {_plain(section.title)}", f"`{command}`"]
        parts += [block.markdown() for block in section.blocks]
    return ("\n\n".join(parts) + "\n").encode()


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_plain(cell) for cell in cells) + " |"


def _plain(text: str) -> str:
    """Escape the characters that Markdown would read as markup."""
    for sign in ("\\", "|", "*", "_", "<", "`", "[", "]"):
        text = text.replace(sign, f"\\{sign}")
    return text
