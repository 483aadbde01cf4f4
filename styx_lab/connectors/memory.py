"""Events that are in memory already: dictionaries, payloads or a frame.

Law: what a caller in Python hands over is checked by the same rules as what is decoded from JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

import msgspec
import numpy as np
import polars as pl

from styx_lab.connectors.formats.columns import conform
from styx_lab.connectors.formats.values import WrongValue, typed_row
from styx_lab.connectors.paths import position_of
from styx_lab.core.ports import Arrivals, EncodedFormat
from styx_lab.core.schema import TIME_DTYPE, Schema
from styx_lab.errors import DataError

__all__ = ["MemorySource"]


class MemorySource:
    """Events in memory, as a source: `MemorySource([{"card": "a", "amount": 3.5}], schema)`.

    >>> source = MemorySource([{"card": "a", "amount": 3.5}], Schema({"card": "str", "amount": "float"}))
    >>> source.read(10).columns.rows()
    [('a', 3.5)]
    >>> source.read(10) is None
    True

    Args:
        events: dictionaries, a frame, or payloads (bytes of JSON objects); an iterable is taken as it is read, and
            kept so that `seek` can go back.
        schema: the columns to take, with their types.
        name: what to call it in messages.
        partition: the partition of each event; by default all are of partition 0.
        arrival: epoch ms at which each event arrived; by default not known.

    Offsets count from 0 in each partition. The position is the number of events before the next one.

    Raises:
        SchemaError: a frame lacks a column of the schema, or it is of another type.
        DataError: events are of mixed kinds, or `partition` or `arrival` is of another length.
    """

    def __init__(
        self,
        events: Iterable[Mapping[str, Any]] | Iterable[bytes] | pl.DataFrame,
        schema: Schema,
        *,
        name: str = "memory",
        partition: Sequence[int] | None = None,
        arrival: Sequence[int] | None = None,
    ) -> None:
        self.name = name
        self.format: EncodedFormat = "frame"
        self.header: tuple[str, ...] = ()
        self._schema = schema
        self._frame: pl.DataFrame | None = None
        self._more: Iterator[Any] = iter(())
        self._events: list[Any] = []
        if isinstance(events, pl.DataFrame):
            self._frame = conform(events, schema, where=name)
            self._count: int | None = events.height
        else:
            self._count = len(events) if isinstance(events, Sequence) else None
            self._more = iter(events)
            first = list(islice(self._more, 1))
            self._more = chain(first, self._more)
            if first and isinstance(first[0], bytes):
                self.format = "json"
        self._partition = None if partition is None else np.asarray(partition, np.int32)
        self._arrival = None if arrival is None else np.asarray(arrival, np.int64)
        self._offset = None if self._partition is None else _offsets(self._partition)
        for word, given in (("partition", self._partition), ("arrival", self._arrival)):
            if given is not None and len(given) != self._count:
                raise DataError(
                    f"there must be one {word} for each event", where=name, got=len(given), hint="give a list of events"
                )
        parts = (0,) if self._partition is None else np.unique(self._partition).tolist()
        self.partitions: tuple[int, ...] = tuple(parts) or (0,)
        self._next = 0

    def read(self, most: int) -> Arrivals | None:
        """The next events, at most `most`; `None` at the end."""
        first = self._next
        payloads: list[bytes] | None = None
        columns: pl.DataFrame | None = None
        broken: dict[int, str] = {}
        kept: dict[int, bytes] = {}
        if self._frame is not None:
            columns = self._frame.slice(first, most)
            count = columns.height
        else:
            self._keep(first + most)
            found = self._events[first : first + most]
            count = len(found)
            if self.format == "json":
                payloads = found
            else:
                columns, broken = self._columns(found)
                kept = {index: _as_bytes(found[index]) for index in broken}
        if not count:
            return None
        stop = self._next = first + count
        return Arrivals(
            partition=np.zeros(count, np.int32) if self._partition is None else self._partition[first:stop],
            offset=np.arange(first, stop, dtype=np.int64) if self._offset is None else self._offset[first:stop],
            arrival=None if self._arrival is None else self._arrival[first:stop],
            payloads=payloads,
            columns=columns,
            broken=broken or None,
            broken_payloads=kept or None,
        )

    def _keep(self, count: int) -> None:
        kind, word = (bytes, "payloads") if self.format == "json" else (Mapping, "dictionaries")
        for event in islice(self._more, max(count - len(self._events), 0)):
            if not isinstance(event, kind):
                raise DataError(
                    f"the events of one source must all be {word}, as the first is",
                    where=f"{self.name}, event {len(self._events)}",
                    got=type(event).__name__,
                    hint="make two sources and union them",
                )
            self._events.append(event)

    def _columns(self, events: list[Mapping[str, Any]]) -> tuple[pl.DataFrame, dict[int, str]]:
        rows: list[dict[str, Any]] = []
        broken: dict[int, str] = {}
        nothing: dict[str, Any] = dict.fromkeys(self._schema)
        for index, event in enumerate(events):
            try:
                rows.append(typed_row(self._schema, {name: _plain(value) for name, value in event.items()}))
            except WrongValue as reason:
                rows.append(nothing)
                broken[index] = str(reason)
        columns = []
        for name, dtype in self._schema.polars.items():
            values = [row[name] for row in rows]
            if dtype == TIME_DTYPE:
                columns.append(pl.Series(name, values, dtype=pl.Int64).cast(TIME_DTYPE))
            else:
                columns.append(pl.Series(name, values, dtype=dtype))
        return pl.DataFrame(columns), broken

    def position(self) -> Any:
        """The events before the next one."""
        return {"row": self._next}

    def seek(self, position: Any) -> None:
        """Go to a position."""
        (row,) = position_of(position, ("row",), where=self.name)
        if self._frame is None:
            self._keep(row)
        there = len(self._events) if self._frame is None else self._frame.height
        if row > there:
            raise DataError("there are fewer events than that", where=self.name, got=row, hint="give the same events")
        self._next = row

    def close(self) -> None:
        """Nothing is held open."""


def _as_bytes(event: Mapping[str, Any]) -> bytes:
    """What a refused event was, for its dead letter; as JSON where it can be."""
    try:
        return msgspec.json.encode(event, enc_hook=repr)
    except (TypeError, ValueError, OverflowError):
        return repr(event).encode("utf-8", "backslashreplace")


def _plain(value: Any) -> Any:
    # A number taken out of an array is not an int or bool of Python, though it looks like one.
    return value.item() if isinstance(value, (np.integer, np.floating, np.bool_)) else value


def _offsets(partition: np.ndarray[Any, np.dtype[np.int32]]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    offset = np.empty(len(partition), np.int64)
    for part in np.unique(partition):
        rows = np.flatnonzero(partition == part)
        offset[rows] = np.arange(len(rows))
    return offset
