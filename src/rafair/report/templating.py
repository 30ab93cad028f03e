"""Templates of pages: every name and value escaped, no reference outside the file."""

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
    """Fill in a template of this package."""
    return _environment().get_template(template).render(**values)


def inline_svg(svg: bytes) -> Markup:
    """Drop the XML prologue; matplotlib has escaped every text inside."""
    text = svg.decode()
    return Markup(text[text.index("<svg") :])  # noqa: S704 - made by matplotlib, which escapes
