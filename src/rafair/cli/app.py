"""The entry point: runs a command and turns every foreseeable failure into one line."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import warnings
from typing import Annotated, Never

import typer

from rafair import __version__
from rafair.cli import commands
from rafair.errors import Interrupted, RafairError

__all__ = ["build_app", "main"]

DONE, BAD_INPUT, INTERRUPTED = 0, 2, 130
# Characters of an error line, and how many of them are its end.
LONGEST, TAIL = 500, 150
STOPPED = "interrupted; nothing was written"
# Typer has its own copy of click since 0.20; this is the base class of usage errors in both.
UsageProblem: type[Exception] = typer.BadParameter.__mro__[2]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rafair {__version__}")
        raise typer.Exit


def _options(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback prints
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Handle options without a command; without a command, print the help."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def build_app() -> typer.Typer:
    """Return the command line with every verb in ``rafair.cli.commands``."""
    app = typer.Typer(
        name="rafair",
        help="Audit, attack and repair the robust accurate fairness of tabular classifiers.",
        callback=_options,
        invoke_without_command=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for module in pkgutil.iter_modules(commands.__path__, f"{commands.__name__}."):
        command = importlib.import_module(module.name).command
        app.command(module.name.rpartition(".")[2])(command)
    return app


def main(arguments: list[str] | None = None) -> Never:
    """Run the command line and exit.

    Exit codes: 0 done, 1 a gate failed, 2 bad input or usage, 3 inconclusive, 130 interrupted.
    """
    warnings.filterwarnings("ignore")  # deprecations inside libraries do not concern the user
    sys.exit(_run(arguments))


def _run(arguments: list[str] | None) -> int:
    typed = sys.argv[1:] if arguments is None else arguments
    try:
        command = typer.main.get_command(build_app())
        code = command.main(list(typed), "rafair", standalone_mode=False, obj=tuple(typed))
    except Interrupted as error:
        return _complain(str(error), INTERRUPTED, error)
    except RafairError as error:
        return _complain(str(error), BAD_INPUT, error)
    except UsageProblem as error:
        return _complain(error.format_message())  # type: ignore[attr-defined]
    except (KeyboardInterrupt, typer.Abort):
        return _complain(STOPPED, INTERRUPTED)
    except SystemExit:  # typer exits by itself only when standard output has been closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except MemoryError as error:
        advice = "use fewer --n-seeds, --counterparts or a smaller --batch-size"
        return _complain(f"out of memory; {advice}", BAD_INPUT, error)
    except OSError as error:
        what = f"{error.filename or 'standard output'}: {error.strerror or error}"
        return _complain(what, BAD_INPUT, error)
    if code == INTERRUPTED:  # newer releases of typer return this after Ctrl-C
        return _complain(STOPPED, INTERRUPTED)
    return code if isinstance(code, int) else DONE


def _complain(text: str, code: int = BAD_INPUT, error: BaseException | None = None) -> int:
    """Print an error in one line, then one line for each of its notes, which say what to do."""
    line = _printable(text)
    if len(line) > LONGEST:  # a cell or a name can be very long
        line = f"{line[: LONGEST - TAIL]} … {line[-TAIL:]}"
    print(f"error: {line}", file=sys.stderr)
    for note in getattr(error, "__notes__", ()):
        print(_printable(note), file=sys.stderr)
    return code


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
