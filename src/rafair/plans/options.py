"""What Python, the command line and ``plan.toml`` know of a plan's parameters.

Nothing here imports torch, because the command line reads it for every command, even for --help.
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
# The line of a docstring that is replaced by the parameters of a plan.
PLACE = "    **options : the fields of ``Plan``\n"
WIDTH = 100


@dataclass(frozen=True)
class Option:
    """One parameter of a plan.

    Attributes
    ----------
    kind : str
        Its type, in the words of numpydoc.
    about : str
        Its meaning, for docstrings; one or more sentences.
    help : str
        Its meaning, for the help of the command line; one line.
    types : tuple of type
        Types of its value in ``plan.toml``.
    check : callable
        Takes the name and a value, and refuses a value that is not possible. None is not checked
        where it is allowed.
    flag : str
        Its name on the command line; by default made from the field's.
    also : str
        A second name on the command line.
    word : (str, object), optional
        A text, and the special value that it stands for.
    usual : str
        The default, as the help shows it; by default the value itself.
    by_data : bool
        Whether the default depends on data and model; signatures show None then.
    identifies : bool
        Whether two runs that differ only in it are different runs.
    """

    kind: str
    about: str
    help: str
    types: tuple[type, ...]
    check: Callable[[str, Any], None]
    flag: str = ""
    also: str = ""
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
    """Return the options of a plan's class by the names of its fields."""
    return {each.name: _completed(each) for each in fields(plan)}


def _completed(each: Field[Any]) -> Option:
    """Fill in the parts of an option that come from its field."""
    found: Option = each.metadata[KEY]
    flag = found.flag or f"--{each.name.replace('_', '-')}"
    usual = found.usual or str(each.default)
    return Option(**{**vars(found), "flag": flag, "usual": usual})


def documented(plan: C) -> C:
    """Put a plan's parameters into its own docstring."""
    if plan.__doc__:
        plan.__doc__ = plan.__doc__.replace(PLACE, "".join(_entries(options_of(plan))))
    return plan


def takes_options_of(plan: type) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Give a function with ``**options`` the signature and documentation of a plan's options.

    Parameters that the function itself names stay unchanged. An unknown keyword is a
    ``TypeError``, as for any function.
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
            text = "".join(_entries(options_of(plan)))
            checked.__doc__ = checked.__doc__.replace(PLACE, text)
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
