"""Page templates; every name and value is escaped, and no page refers to other files."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

__all__ = ["inline_svg", "render"]


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
