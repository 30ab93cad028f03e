"""Shows whoever waits how far long work is: a bar in a terminal or a notebook, else lines."""

from __future__ import annotations

import contextlib
import importlib
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING, Any, Protocol

from rafair.display import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rafair.engine.progress import Progress

__all__ = ["Pace", "progress_bar"]

# Work that is done by then needs no bar, in seconds.
PATIENCE = 2.0
# Where nothing can be overwritten, a line is written that often, in seconds.
BETWEEN_LINES = 10.0


@contextlib.contextmanager
def progress_bar(
    show: bool | None = None, *, unit: str | None = None, after: float = PATIENCE
) -> Iterator[Progress]:
    """Show how far the work inside a ``with`` block is, on standard error or in the notebook.

    Parameters
    ----------
    show : bool, optional
        None: a bar in a notebook, or where standard error is a terminal; nothing elsewhere. True:
        elsewhere too, as a line every 10 s. False: nothing anywhere.
    unit : str, optional
        What is counted, for a rate.
    after : float
        Seconds before anything is shown.

    Yields
    ------
    Progress
        To be called with what is being done, how much of it is done, and how much there is.
    """
    make = _display(show)
    if make is None:
        yield lambda _what, _done, _total: None
        return
    waiting = _Waiting(make, unit, time.time() + after)
    try:
        yield waiting.report
    finally:
        waiting.close()


def _display(show: bool | None) -> type[_Display] | None:
    """Return the way to show progress where this process runs; None for none."""
    if show is False:
        return None
    if _in_notebook():
        return _Cell
    if sys.stderr.isatty():
        return _Bar
    return _Lines if show else None


def _in_notebook() -> bool:
    loaded = sys.modules.get("IPython")
    return loaded is not None and hasattr(loaded.get_ipython(), "kernel")


@dataclass(frozen=True)
class Pace:
    """When this process started a phase of the work, and how much was done before."""

    total: int
    before: int
    start: float

    def shown(self, done: int, now: float, unit: str | None) -> tuple[str, str]:
        """Return the rate and the expected end as text; empty while they are not known.

        Work of an earlier process is not counted in the rate.
        """
        new, seconds = done - self.before, now - self.start
        if new <= 0 or seconds <= 0:
            return "", ""
        rate = new / seconds
        end = datetime.fromtimestamp(now + (self.total - done) / rate)
        today = end.date() == datetime.fromtimestamp(now).date()
        digits = 0 if rate >= 100 else 1 if rate >= 1 else 3
        speed = f"{rate:,.{digits}f} {unit}/s" if unit else ""
        return speed, f"ends {end:%H:%M:%S}" if today else f"ends {end:%d %b %H:%M}"


class _Display(Protocol):
    """A place where progress is shown."""

    def show(self, what: str, done: int, total: int, rate: str, end: str) -> None: ...

    def close(self) -> None: ...


class _Waiting:
    """Passes reports on to a display, which it makes when the work takes long."""

    def __init__(self, make: type[_Display], unit: str | None, begin: float) -> None:
        self._make, self._unit, self._begin = make, unit, begin
        self._display: _Display | None = None
        self._pace, self._last = Pace(0, 0, 0.0), 0

    def report(self, what: str, done: int, total: int) -> None:
        now = time.time()
        if total != self._pace.total or done < self._last:
            self._pace = Pace(total, done, now)
        self._last = done
        if now < self._begin:
            return
        if self._display is None:
            self._display = self._make()
        rate, end = self._pace.shown(done, now, self._unit)
        self._display.show(printable(what), done, total, rate, end)

    def close(self) -> None:
        if self._display is not None:
            self._display.close()


class _Bar:
    """A bar in a terminal, removed at the end: share, rate, elapsed time and expected end."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[end]}"),
        )
        console = Console(stderr=True)
        self._bar = Progress(*columns, console=console, transient=True, expand=True)
        self._task = self._bar.add_task("", total=None, rate="", end="")
        self._bar.start()

    def show(self, what: str, done: int, total: int, rate: str, end: str) -> None:
        self._bar.update(
            self._task, description=what, completed=done, total=total, rate=rate, end=end
        )

    def close(self) -> None:
        self._bar.stop()


class _Cell:
    """A bar in the output of a notebook's cell, emptied at the end."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, what: str, done: int, total: int, rate: str, end: str) -> None:
        facts = "  ".join(filter(None, (f"{done:,} of {total:,}", rate, end)))
        bar = f'<progress value="{done}" max="{max(total, 1)}"></progress>'
        self._put(f"<div>{escape(what)} {bar} {escape(facts)}</div>")

    def close(self) -> None:
        self._put("")

    def _put(self, html: str) -> None:
        notebook: Any = importlib.import_module("IPython.display")
        content = notebook.HTML(html)
        if self._handle is None:
            self._handle = notebook.display(content, display_id=True)
        else:
            self._handle.update(content)


class _Lines:
    """A line of text from time to time."""

    def __init__(self) -> None:
        self._next = 0.0

    def show(self, what: str, done: int, total: int, rate: str, end: str) -> None:
        if time.time() < self._next:
            return
        self._next = time.time() + BETWEEN_LINES
        facts = ", ".join(filter(None, (f"{what}: {done:,} of {total:,}", rate, end)))
        print(facts, file=sys.stderr, flush=True)

    def close(self) -> None:
        pass
