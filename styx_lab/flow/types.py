"""The type of a stream: what kind of event it carries, with which columns, by which key.

Law: a flow's types are known when it is built; nothing about them is learnt from data.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches

import polars as pl

from styx_lab.core.events import ARRIVAL, DERIVED_COLUMNS, RAW_COLUMNS, TIME, EventKind
from styx_lab.core.schema import RESERVED_PREFIX
from styx_lab.errors import FlowError

__all__ = ["StreamType", "derived_type", "raw_type", "unknown_columns"]


@dataclass(frozen=True, slots=True)
class StreamType:
    """What flows through one port of a step.

    Attributes:
        kind: one of the four event kinds.
        columns: the event's own columns, in order, without the reserved ones.
        reserved: the reserved columns.
        key: the columns it is keyed by; empty when it is not keyed.
    """

    kind: EventKind
    columns: tuple[tuple[str, pl.DataType], ...]
    reserved: tuple[tuple[str, pl.DataType], ...]
    key: tuple[str, ...] = ()

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """All columns with their types, the event's own first."""
        return dict(self.columns + self.reserved)

    @property
    def names(self) -> list[str]:
        """The event's own columns."""
        return [name for name, _ in self.columns]

    @property
    def readable(self) -> dict[str, pl.DataType]:
        """What an expression may read: the event's own columns, its event time and its arrival time."""
        times = {name: dtype for name, dtype in self.reserved if name in (TIME, ARRIVAL)}
        return dict(self.columns) | times

    def with_columns(self, columns: Iterable[tuple[str, pl.DataType]]) -> StreamType:
        """The same with other own columns."""
        return replace(self, columns=tuple(columns))

    def need(self, names: Iterable[str], *, where: str) -> None:
        """Refuse a column that is not there, naming those that are.

        Raises:
            FlowError: for the first unknown column.
        """
        unknown_columns(names, self.names, where=where)


def unknown_columns(names: Iterable[str], known: Iterable[str], *, where: str) -> None:
    """Refuse a name that is not among the known ones.

    Raises:
        FlowError: with the near misses and all that is known.
    """
    known = list(known)
    for name in names:
        if name not in known:
            near = get_close_matches(str(name), known, n=1)
            meant = f"did you mean {near[0]!r}? " if near else ""
            raise FlowError("no such column", where=where, got=name, hint=f"{meant}the columns are {', '.join(known)}")


def raw_type(columns: Iterable[tuple[str, pl.DataType]], key: tuple[str, ...]) -> StreamType:
    """The type of decoded input."""
    return StreamType(EventKind.RAW, tuple(columns), tuple(RAW_COLUMNS.items()), key)


def derived_type(columns: Iterable[tuple[str, pl.DataType]], key: tuple[str, ...]) -> StreamType:
    """The type of what a pattern or window made."""
    columns = tuple(columns)
    names = [name for name, _ in columns]
    for name in names:
        if name.startswith(RESERVED_PREFIX):
            raise FlowError(f"names that begin with {RESERVED_PREFIX!r} are Styx's own", got=name, hint="rename it")
        if names.count(name) > 1:
            raise FlowError("two columns have the same name", got=name, hint="rename one of them")
    return StreamType(EventKind.BUSINESS, columns, tuple(DERIVED_COLUMNS.items()), key)
