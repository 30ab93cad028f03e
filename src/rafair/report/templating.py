"""Page templates; every name and value is escaped, and no page refers to other files."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rafair.plots.palette import BROKEN, FAINT, INK, LINE, PROVED

__all__ = ["inline_panel", "inline_svg", "render"]

# Colours that a page has of its own for dark screens.
THEMED = {INK: "ink", FAINT: "faint", LINE: "line", PROVED: "proved", BROKEN: "broken"}
# What matplotlib calls its groups.
NAMED = re.compile(r' id="(?:figure|patch|axes|matplotlib|[xy]tick|line2d|text|legend|Fill)[^"]*"')


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("rafair.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, **values: Any) -> str:
    """Fill in a template from the folder ``templates``; an unknown name in it is an error."""
    return _environment().get_template(template).render(**values)


def inline_svg(svg: bytes) -> Markup:
    """Return an SVG of matplotlib as markup without the XML prologue."""
    text = svg.decode()
    return Markup(text[text.index("<svg") :])  # noqa: S704 - matplotlib has escaped all texts in it


def inline_panel(svg: bytes) -> Markup:
    """Return an SVG of matplotlib for a page that has colours of its own and other panels.

    Its background is left out, its colours follow the page's, and its groups lose their names,
    which other panels have too.
    """
    text = NAMED.sub("", str(inline_svg(svg)))
    for colour, name in THEMED.items():
        text = text.replace(f": {colour.lower()}", f": var(--{name})")
    text = text.replace("fill: #ffffff", "fill: none")
    return Markup(text)  # noqa: S704 - as above
