"""The options that commands share, so that a word means the same everywhere.

Law: a value that cannot be meant is refused here, before anything is opened.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

__all__ = [
    "Amount",
    "Folder",
    "debug_option",
    "epilog",
    "event_total",
    "input_option",
    "inputs_of",
    "json_option",
    "lookup_option",
    "lookups_of",
    "store_option",
]

Folder = click.Path(path_type=Path, file_okay=False)


class Amount(click.ParamType[float]):
    """A number greater than nought (or nought itself, where that is allowed) that is finite."""

    name = "number"

    def __init__(self, *, zero: bool = False) -> None:
        self._zero = zero

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number."""
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or number < 0 or (number == 0 and not self._zero):
            self.fail(f"{value!r} is not a number {'of nought or more' if self._zero else 'above nought'}.", param, ctx)
        return number


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print the answer (or the error) as one JSON document."
)
# `main` looks for it itself, so that it counts for errors in the options too.
debug_option = click.option("--debug", is_flag=True, expose_value=False, help="Show where in Styx an error came from.")
store_option = click.option(
    "--store",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PATH",
    help="The store's file; else store.db in the folder STYX_HOME names, else .styx/store.db.",
)
input_option = click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="[SOURCE=]FILE",
    help="A recording, .jsonl, .csv or .parquet; with the source's name where the flow has several (repeat it).",
)
lookup_option = click.option(
    "--lookup",
    "lookups",
    multiple=True,
    metavar="NAME=WHERE",
    help="What a lookup step of that name asks: sqlite:FILE?table=TABLE (the table of that name where none is said), "
    "package.module:attribute or path/to/file.py:attribute (repeat it).",
)


def epilog(*examples: str, when: str = "", exits: str = "") -> str:
    """The end of a command's help: examples that run as they stand, and the exit codes that it can have.

    >>> epilog("styx jobs", exits="0").splitlines()[1:]
    ['Example', '  styx jobs', '', 'Exit codes: 0']

    Args:
        examples: the command lines.
        when: what must be there first.
        exits: what the exit codes mean.
    """
    lines = ["\b", "Example" + (f" ({when})" if when else ""), *(f"  {example}" for example in examples)]
    return "\n".join(lines) + (f"\n\nExit codes: {exits}" if exits else "")


def inputs_of(given: Sequence[str]) -> str | dict[str, str] | None:
    """What `--input` says: one file, or files by source; None where it was not given.

    >>> inputs_of(["payments=june.jsonl", "logins=logins.jsonl"])
    {'payments': 'june.jsonl', 'logins': 'logins.jsonl'}
    """
    if not given:
        return None
    named: dict[str, str] = {}
    for one in given:
        source, equals, file = one.partition("=")
        if not equals or not source.isidentifier() or not file or Path(one).exists():
            if len(given) > 1:
                raise click.BadParameter(
                    f"{one!r} does not say which source it is for: SOURCE={one}", param_hint="'--input'"
                )
            return one
        if source in named:
            raise click.BadParameter(f"source {source!r} has two inputs", param_hint="'--input'")
        named[source] = file
    return named


def lookups_of(given: Sequence[str]) -> dict[str, str]:
    """What `--lookup` says: where to look up, by name.

    >>> lookups_of(["limits=sqlite:cards.db?table=limits", "customers=my_lookups:customers"])
    {'limits': 'sqlite:cards.db?table=limits', 'customers': 'my_lookups:customers'}
    """
    found: dict[str, str] = {}
    for one in given:
        name, _, where = one.partition("=")
        if not name or not where or ":" in name:
            raise click.BadParameter(
                f"{one!r} does not say NAME=WHERE: limits=sqlite:cards.db?table=limits", param_hint="'--lookup'"
            )
        if name in found:
            raise click.BadParameter(f"lookup {name!r} is said twice", param_hint="'--lookup'")
        found[name] = where
    return found


def event_total(inputs: str | dict[str, str] | None, limit: int | None = None) -> int | None:
    """How many events the inputs hold, where all of them say so (recordings do)."""
    from styx_lab.connectors import Recording
    from styx_lab.connectors.recording import is_recording

    paths = [inputs] if isinstance(inputs, str) else list((inputs or {}).values())
    # What is wrong with a file is said when it is opened to be read; here it only has no size.
    if not paths or not all(
        Path(path).is_file() and Path(path).stat().st_size and is_recording(path) for path in paths
    ):
        return None
    total = sum(len(Recording.open(path, check=False)) for path in paths)
    return total if limit is None else min(total, limit)
