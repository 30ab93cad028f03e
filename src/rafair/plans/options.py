"""What Python, the command line and ``plan.toml`` know of a plan's parameters.

Nothing here imports torch: the command line reads it before it knows that there is work to do.
"""

from __future__ import annotations

import functools
import inspect
import textwrap
from dataclasses import Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Option", "documented", "option", "options_of", "takes_options_of"]

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C", bound=type)

KEY = "option"
# The line of a docstring that the parameters of a plan replace.
PLACE = "    **options : the fields of ``Plan``\n"
WIDTH = 100


@dataclass(frozen=True)
class Option:
    """One parameter of a plan.

    Attributes
    ----------
    kind : str
        Its type, as a numpydoc docstring gives it.
    about : str
        What it means; may have several sentences.
    help : str
        What it means, in one line of the command line's help.
    types : tuple of type
        What ``plan.toml`` may hold for it.
    check : callable
        Refuses a name and a value that cannot be; not asked about None.
    key : str
        Its name in ``plan.toml``; by default the field's own.
    flag : str
        Its name on the command line; by default made of the key.
    word : (str, object), optional
        A text that stands for a value that is neither number nor text.
    usual : str
        How the help shows the default; by default as it is.
    by_data : bool
        Whether its default depends on data and model; None stands for that in a signature.
    identifies : bool
        Whether two runs that differ in it alone are different runs.
    """

    kind: str
    about: str
    help: str
    types: tuple[type, ...]
    check: Callable[[str, Any], None]
    key: str = ""
    flag: str = ""
    word: tuple[str, Any] | None = None
    usual: str = ""
    by_data: bool = False
    identifies: bool = True


def _fields_of(make: Callable[P, Option]) -> Callable[Concatenate[Any, P], Any]:
    def make_field(default: Any, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        return field(default=default, metadata={KEY: make(*args, **kwargs)})

    return make_field


# From a default, and what ``Option`` takes, to a dataclass field.
option = _fields_of(Option)


def options_of(plan: type) -> Mapping[str, Option]:
    """Return the options of a plan's class by the names of its fields, complete."""
    return {each.name: _completed(each) for each in fields(plan)}


def _completed(each: Field[Any]) -> Option:
    """Fill in what an option takes from its field."""
    found: Option = each.metadata[KEY]
    key = found.key or each.name
    flag = found.flag or f"--{key.replace('_', '-')}"
    usual = found.usual or str(each.default)
    return Option(**{**vars(found), "key": key, "flag": flag, "usual": usual})


def documented(plan: C) -> C:
    """Put a plan's parameters into its own docstring."""
    if plan.__doc__:
        plan.__doc__ = plan.__doc__.replace(PLACE, "".join(_entries(options_of(plan))))
    return plan


def takes_options_of(plan: type) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Give a function, for its ``**options``, the names, defaults and documentation of a plan's.

    Parameters that the function names itself stay as it has them. A keyword that neither knows
    is a ``TypeError``, as with any function.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)
        named = signature.parameters
        left = {name: o for name, o in options_of(plan).items() if name not in named}
        extended = signature.replace(parameters=_with_options(signature, plan, left))

        @functools.wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            extended.bind(*args, **kwargs)
            return function(*args, **kwargs)

        checked.__signature__ = extended  # type: ignore[attr-defined]  # read by inspect
        if checked.__doc__:
            checked.__doc__ = checked.__doc__.replace(PLACE, "".join(_entries(left)))
        return checked

    return decorate


def _with_options(
    signature: inspect.Signature, plan: type, left: Mapping[str, Option]
) -> list[inspect.Parameter]:
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    added = [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None if left[each.name].by_data else each.default,
            annotation=each.type,
        )
        for each in fields(plan)
        if each.name in left
    ]
    return [*own, *added]


def _entries(options: Mapping[str, Option]) -> Iterator[str]:
    """Yield an entry of a numpydoc section for each option."""
    for name, each in options.items():
        text = textwrap.fill(each.about, WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8)
        yield f"    {name} : {each.kind}\n{text}\n"
