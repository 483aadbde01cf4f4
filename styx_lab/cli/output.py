"""What a command prints: JSON, tables, lines; and what it shows while it works.

Law: standard output has the answer alone, one JSON document with `--json`; all that is said on the way goes to standard
error. rich is loaded when the first thing is printed, not before.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

from styx_lab.cli.failures import printable

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "EventProgress",
    "event_progress",
    "live_line",
    "note",
    "plain",
    "print_json",
    "print_line",
    "print_table",
    "status",
]


def print_json(value: Any) -> None:
    """Print the one JSON document of a command."""
    sys.stdout.write(json.dumps(plain(value), indent=2, ensure_ascii=False) + "\n")


def plain(value: Any) -> Any:
    """A value as JSON can hold it: dataclasses as objects, NaN and infinity as null, whatever else as its text."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | bool | None) else str(value)


def print_line(text: str = "") -> None:
    """Print a line of the answer."""
    sys.stdout.write(printable(text) + "\n")


def note(text: str) -> None:
    """Say something on the way, on standard error."""
    sys.stderr.write(printable(text) + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> None:
    """Print a table; numbers stand on the right, with separators. Nothing is cut where the output is no terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = [list(row) for row in rows]
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for place, column in enumerate(columns):
        numbers = rows and all(isinstance(row[place], int | float | None) for row in rows)
        table.add_column(column, justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    # In a notebook rich would write HTML and colours into what is plain text here.
    terminal = sys.stdout.isatty()
    width = None if terminal else 10_000
    console = Console(file=sys.stdout, highlight=False, force_terminal=terminal, force_jupyter=False, width=width)
    with console.capture() as captured:
        console.print(table)
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().strip("\n").split("\n"))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1_000 else f"{value:,.0f}"
    return printable(str(value))


class EventProgress:
    """An observer that shows how far a run is; see `event_progress`."""

    def __init__(self, advance: Callable[[int], None] | None) -> None:
        self._advance = advance

    def begin(self) -> None:
        """The bar stands already."""

    def observe(self, counters: Mapping[str, Mapping[str, int]], watermark: int, newest: int) -> None:
        """Show how many events were read so far, over all sources."""
        if self._advance is not None:
            self._advance(sum(step["read"] for step in counters.values() if "read" in step))

    def finish(self) -> None:
        """The bar goes when its context ends."""

    def fail(self, error: BaseException) -> None:
        """The command says what went wrong."""


@contextmanager
def event_progress(what: str, total: int | None) -> Iterator[EventProgress]:
    """A progress bar in events on standard error, where that is a terminal; else nothing is shown.

    Args:
        what: what is done.
        total: how many events there are, where that is known.
    """
    if not sys.stderr.isatty():
        yield EventProgress(None)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("events"),
        TextColumn("{task.fields[speed]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=_stderr(), transient=True) as progress:
        task = progress.add_task(what, total=total, speed="")

        def advance(done: int) -> None:
            speed = progress.tasks[0].speed
            progress.update(task, completed=done, speed="" if speed is None else f"{speed:,.0f}/s")

        yield EventProgress(advance)


@contextmanager
def status(what: str) -> Iterator[Callable[[str], None]]:
    """Show that something is at work: a spinner on a terminal, else a line; gives a function that says what is next."""
    if not sys.stderr.isatty():
        note(what)
        yield note
        return
    from rich.text import Text

    with _stderr().status(Text(what)) as shown:

        def say(text: str) -> None:
            shown.console.print(Text(printable(text)))
            shown.update(Text(printable(text)))

        yield say


@contextmanager
def live_line(what: str) -> Iterator[Callable[[str], None]]:
    """Say what is at work, and on a terminal show one line beside it that changes, ten times a second at most."""
    if not sys.stderr.isatty():
        note(what)
        yield lambda _: None
        return
    from rich.live import Live
    from rich.text import Text

    note(what)
    with Live(Text(""), console=_stderr(), refresh_per_second=10, transient=True) as live:
        yield lambda text: live.update(Text(printable(text)))


def _stderr() -> Console:
    from rich.console import Console

    return Console(stderr=True)
