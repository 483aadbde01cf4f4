"""What stands behind a flow's `lookup` steps for one run: objects, or texts that say what to open.

Law: the columns of a table and their types are those that the flow's steps say, so a text need not repeat them. What is
made here is closed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

import polars as pl

from styx_lab.connectors import SqliteLookup
from styx_lab.core.ports import Lookup
from styx_lab.core.schema import Schema
from styx_lab.errors import FlowError, RunError
from styx_lab.flow.flow import Flow
from styx_lab.flow.steps import LookupJoin
from styx_lab.workbench.flow_files import find_named

__all__ = ["Lookups", "lasting", "opened_lookups"]

Lookups = Mapping[str, Lookup | str]
"""By the names that the flow's `lookup` steps use: an object, or a text, `sqlite:FILE?table=TABLE` (the lookup's name
where no table is named) or `package.module:attribute`, `path/to/file.py:attribute`."""

_SQLITE: Final = "sqlite:"
_HINT: Final = "sqlite:FILE?table=TABLE, package.module:attribute or path/to/file.py:attribute"
_TYPES: Final = Schema({word: word for word in ("str", "int", "float", "bool", "datetime")})
_WORDS: Final = {dtype: word for word, dtype in _TYPES.polars.items()}


@contextmanager
def opened_lookups(flow: Flow, given: Lookups | None) -> Iterator[dict[str, Lookup]]:
    """The lookups of a run; those made for it are open as long as it lasts.

    Raises:
        RunError: when the flow looks up in nothing of a name, or a text names no lookup.
        InputMissingError, DataError, NotFoundError, FlowError: when what a text names is not there, or fails.
    """
    steps = [step for step in flow.steps if isinstance(step, LookupJoin)]
    names = list(dict.fromkeys(step.lookup for step in steps))
    found: dict[str, Lookup] = {}
    mine: list[Lookup] = []
    try:
        for name, one in (given or {}).items():
            if isinstance(one, str):
                # An object too many does no harm; a text too many is a slip of the pen.
                if name not in names:
                    raise RunError(
                        "the flow looks up in nothing of that name",
                        where=f"flow {flow.name!r}",
                        got=name,
                        hint=", ".join(names) or "it has no lookup step",
                    )
                found[name], made = _open(flow, name, one)
                mine += [found[name]] if made else []
            else:
                found[name] = one
        yield found
    finally:
        for one in mine:
            one.close()


def lasting(text: str) -> str:
    """The text with the file's whole path, so that it means the same from another folder.

    >>> lasting("my.lookups:customers")
    'my.lookups:customers'
    """
    if text.startswith(_SQLITE):
        file, mark, rest = text.removeprefix(_SQLITE).partition("?")
        return f"{_SQLITE}{Path(file).resolve()}{mark}{rest}"
    place, _, attribute = text.rpartition(":")
    return f"{Path(place).resolve()}:{attribute}" if place.endswith(".py") else text


def _open(flow: Flow, name: str, text: str) -> tuple[Lookup, bool]:
    """What a text names, and whether it was made for this."""
    where = f"lookup {name!r}"
    if text.startswith(_SQLITE):
        return _sqlite(flow, name, text.removeprefix(_SQLITE), where), True
    scheme, colon, _ = text.partition("://")
    if colon or ":" not in text:
        raise RunError("this does not say what to look up in", where=where, got=scheme if colon else text, hint=_HINT)
    found = find_named(
        text,
        what="lookup",
        is_one=_is_lookup,
        hint=_HINT,
        make="make one there: name = SqliteLookup(...), or a class of yours with find, schema, name and close",
    )
    return found.value, found.made


def _is_lookup(value: Any) -> bool:
    return isinstance(value, Lookup) and not isinstance(value, type)


def _sqlite(flow: Flow, name: str, text: str, where: str) -> SqliteLookup:
    file, _, rest = text.partition("?")
    options = dict(parse_qsl(rest, keep_blank_values=True))
    table, timeout = options.pop("table", name), options.pop("timeout", "5")
    try:
        seconds = float(timeout)
    except ValueError:
        seconds = -1
    if not file or not table or options or not 0 <= seconds < float("inf"):
        raise RunError(
            "this does not say a table of a SQLite file",
            where=where,
            got=f"{_SQLITE}{text}",
            hint="sqlite:FILE?table=TABLE, perhaps with &timeout=SECONDS",
        )
    return SqliteLookup(file, table, _columns(flow, name), timeout=seconds)


def _columns(flow: Flow, name: str) -> dict[str, str | type]:
    """The columns by which the flow's steps find there, and those that they want, with the words of their types."""
    types = flow.types()
    found: dict[str, str | type] = {}
    for step in flow.steps:
        if not isinstance(step, LookupJoin) or step.lookup != name:
            continue
        known: dict[str, pl.DataType] = dict(types[step.inputs[0]].columns)
        for column in step.on:
            if known[column] not in _WORDS:
                raise FlowError(
                    "a table has no column of that type",
                    where=f"{step.where}, column {column!r}",
                    got=str(known[column]),
                    hint="with_columns() one of int, float, str, bool or datetime",
                )
            found[column] = _WORDS[known[column]]
        found |= step.columns
    return found
