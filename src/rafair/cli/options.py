"""Options that several verbs share, alone or in groups that reach the verb as one value."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeAlias, TypeVar, get_type_hints

import typer

from rafair.cli.parsing import check_guard, check_reading, distances, engine, names, number_or
from rafair.cli.sources import ModelChoice
from rafair.cli.subjects import Asked, TableChoice
from rafair.plans import Plan
from rafair.plans.options import Option, options_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rafair.engine import Engine

__all__ = [
    "MISSING",
    "Device",
    "EngineGroup",
    "ModelGroup",
    "PlanGroup",
    "Quiet",
    "Sensitive",
    "Subject",
    "SubjectGroup",
    "Within",
    "taking",
]

MISSING = "For empty cells: median, mean, most_frequent, keep or level."
F = TypeVar("F", bound="Callable[..., Any]")

Subject: TypeAlias = Annotated[
    str, typer.Argument(help="adult, bank, compas or credit, or a plan (plan.toml).")
]
Sensitive: TypeAlias = Annotated[
    str | None, typer.Option(metavar="A,B", help="Sensitive columns [default: the data's].")
]
Within: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN=NUMBER",
        help="A sensitive number whose counterparts stay this near, as age=10; repeatable.",
    ),
]
Device: TypeAlias = Annotated[str, typer.Option(help="auto, cpu, cuda, ...")]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]


class Group(Protocol):
    """Options that a command receives together as one value."""

    def parameters(self) -> Iterator[inspect.Parameter]:
        """Yield the options in the form that typer reads."""
        ...

    def value(self, given: Mapping[str, Any]) -> Any:
        """Return the value for the command, from the options by name.

        Raises
        ------
        InvalidInput
            If the text of an option has no meaning.
        """
        ...


def taking(**groups: Group) -> Callable[[F], F]:
    """Let a command take groups: typer sees every option, the command one value per group.

    Parameters
    ----------
    groups
        The groups by the names of the command's parameters.
    """

    def decorate(command: F) -> F:
        names = {name: [p.name for p in group.parameters()] for name, group in groups.items()}

        def flat(**given: Any) -> Any:
            taken = {
                name: groups[name].value({option: given.pop(option) for option in options})
                for name, options in names.items()
            }
            return command(**given, **taken)

        flat.__doc__ = command.__doc__
        flat.__annotations__ = {}
        flat.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # typer reads it
            list(_flattened(command, groups))
        )
        return flat  # type: ignore[return-value]  # typer is the only caller

    return decorate


def _flattened(
    command: Callable[..., Any], groups: Mapping[str, Group]
) -> Iterator[inspect.Parameter]:
    # The annotation of a group may name a type that only the type checker imports.
    own = {name: hint for name, hint in command.__annotations__.items() if name not in groups}
    hints = get_type_hints(
        SimpleNamespace(__annotations__=own), command.__globals__, include_extras=True
    )
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name in groups:
            yield from groups[parameter.name].parameters()
        else:
            keyword = parameter.KEYWORD_ONLY
            yield parameter.replace(kind=keyword, annotation=hints[parameter.name])


def _parameter(name: str, kind: Any, default: Any, *flags: str, **more: Any) -> inspect.Parameter:
    annotation = Annotated[kind, typer.Option(*flags, **more)]
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, keyword, default=default, annotation=annotation)


class ModelGroup:
    """The model file, and how to read it: a ``ModelChoice``."""

    def parameters(self) -> Iterator[inspect.Parameter]:
        """Yield the options."""
        suffixes = ".safetensors .onnx .keras .h5 .pt .pt2 .skops .ubj .json .txt"
        text = str | None
        yield _parameter("model", Path | None, None, help=f"Model file: {suffixes}")
        yield _parameter(
            "inputs",
            text,
            None,
            "--inputs",
            "--model-inputs",
            help="What the model reads: unit, original or frame [default: auto].",
        )
        yield _parameter(
            "output",
            text,
            None,
            "--output",
            "--model-output",
            help="What the model returns: logits or probabilities [default: auto].",
        )
        yield _parameter(
            "trust",
            list[str] | None,
            None,
            metavar="TYPE",
            help="Trust this type inside a .skops file; repeatable.",
        )
        yield _parameter(
            "unsafe_pickle",
            bool,
            False,
            "--unsafe-pickle",
            help="Load a pickle, which may run any code it holds.",
        )
        yield _parameter(
            "guard",
            text,
            None,
            metavar="RULE",
            help="Ask it behind a guard over I(v): mean, majority or own-or-abstain.",
        )

    def value(self, given: Mapping[str, Any]) -> ModelChoice:
        """Return the choice."""
        path, inputs, output, trust, unsafe_pickle, guard = given.values()
        check_reading(inputs, output)
        check_guard(guard)
        return ModelChoice(path, inputs, output, tuple(trust or ()), unsafe_pickle, guard)


class SubjectGroup:
    """What a command is about: an ``Asked``."""

    def parameters(self) -> Iterator[inspect.Parameter]:
        """Yield the argument and the options."""
        about = "adult, bank, compas or credit, or a plan (plan.toml); none with --test."
        keyword = inspect.Parameter.KEYWORD_ONLY
        argument = Annotated[str | None, typer.Argument(help=about)]
        yield inspect.Parameter("subject", keyword, default=None, annotation=argument)
        yield inspect.Parameter("sensitive", keyword, default=None, annotation=Sensitive)
        yield inspect.Parameter("within", keyword, default=None, annotation=Within)
        for name, kind, meta, text in (
            ("test", Path, None, "Without a plan: table of test rows, .csv or .parquet."),
            ("train", Path, None, "The rows the model was trained on, for ranges and levels."),
            ("label", str, None, "Column with the ground truth."),
            ("positive", str, None, "The label's value to call positive [default: the last]."),
            ("missing", str, "RULE", MISSING),
        ):
            yield _parameter(name, kind | None, None, help=text, metavar=meta)

    def value(self, given: Mapping[str, Any]) -> Asked:
        """Return the subject."""
        subject, sensitive, within, *tables = given.values()
        near = distances("--within", within or [])
        return Asked(subject, TableChoice(*tables), names("--sensitive", sensitive), near)


class EngineGroup:
    """Where work is computed: an ``Engine``."""

    def parameters(self) -> Iterator[inspect.Parameter]:
        """Yield the options."""
        yield _parameter(
            "jobs",
            str | None,
            None,
            metavar="N|all",
            help="Workers at once [default: 1; all with --backend ray].",
        )
        yield _parameter(
            "backend",
            str,
            "processes",
            "--backend",
            "--engine",
            metavar="NAME",
            help="What workers are: processes or ray.",
        )
        yield _parameter(
            "address",
            str | None,
            None,
            help="A Ray cluster: auto, HOST:PORT or ray://HOST:PORT [default: one here].",
        )

    def value(self, given: Mapping[str, Any]) -> Engine:
        """Return the engine."""
        return engine(given["jobs"], given["backend"], given["address"])


class PlanGroup:
    """Parameters of a plan: a mapping with those that were given, by the names of its fields.

    Parameters
    ----------
    names : str
        Fields of ``Plan``; without any, all of them.
    usual : str, optional
        The default that the help shows for each.
    """

    def __init__(self, *names: str, usual: str | None = None) -> None:
        known = options_of(Plan)
        self._options = {name: known[name] for name in names or known}
        self._usual = usual

    def parameters(self) -> Iterator[inspect.Parameter]:
        """Yield the options."""
        for name, option in self._options.items():
            yield _parameter(
                name,
                _type_of(option),
                None,
                *_flags_of(option),
                help=f"{option.help} [default: {self._usual or option.usual}].",
                metavar=f"N|{option.word[0]}" if option.word else None,
            )

    def value(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return what was given."""
        return {
            name: _value_of(self._options[name], text)
            for name, text in given.items()
            if text is not None
        }


def _flags_of(option: Option) -> tuple[str, ...]:
    """Return the option's names; a switch has one more, which turns it off."""
    off = f"/--no-{option.flag.removeprefix('--')}" if bool in option.types else ""
    return (f"{option.flag}{off}", *filter(None, [option.also]))


def _type_of(option: Option) -> Any:
    """Return the type that typer reads; None means that the option was not given."""
    if bool in option.types:
        return bool | None
    if list in option.types:
        return list[str] | None
    if option.word is not None:
        return str | None
    return option.types[-1] | None


def _value_of(option: Option, text: Any) -> Any:
    """Return the value of an option's text.

    Raises
    ------
    InvalidInput
        If the text is neither a number nor the option's word.
    """
    if option.word is None:
        return text
    word, value = option.word
    return value if text == word else number_or(word, option.flag, text)
