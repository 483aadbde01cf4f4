"""What a join of two streams keeps: its keys, the rows of both sides' events, and where each stands.

Law (crash anywhere): all of it is in the tables of a snapshot, a row for each kept event, parted by key group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch, Int64s
from styx_lab.core.events import ARRIVAL, DETECTED, ORIGIN, TIME
from styx_lab.core.keys import KeyIndex
from styx_lab.core.schema import TIME_DTYPE
from styx_lab.core.state import GROUP
from styx_lab.core.texts import join_runs, text_runs
from styx_lab.flow.steps.joined import joined_type
from styx_lab.flow.types import StreamType
from styx_lab.operators.join.lists import KEPT, LIVE, NODE_LIST, NODE_NUMBER, Kept
from styx_lab.operators.join.rows import (
    NUMBER,
    TEXT,
    JoinedRows,
    beginnings,
    key_columns,
    left_rows,
    right_rows,
)
from styx_lab.operators.join.sides import Sides

__all__ = ["JoinMemory", "of_sides"]

_IDLE_KEYS: Final = 1_024
_IDLE_SHARE: Final = 8
"""Keys are released when there are more than so many, and more than so many times those that have events."""
_TABLES: Final = ("left", "right")


class JoinMemory:
    """The keys and events of a join.

    Attributes:
        keys: the slots of the keys; a left and a right event with equal keys have one slot.
        rows: the rows of each side.
        kept: where each event stands.
        next_number: how many events were taken so far; an event's number is its place among them.

    Args:
        step: the step's name.
        types: of both sides.
        suffix: put behind a right column's name that the left side has, too.
    """

    def __init__(self, step: str, types: tuple[StreamType, StreamType], suffix: str) -> None:
        left, right = types
        self._step = step
        self._types = types
        self.schema = joined_type(left, right, suffix, where=f"step {step!r}").schema
        self._key_schema = {name: self.schema[name] for name in left.key}
        self.rows: tuple[JoinedRows, JoinedRows] = (left_rows(step, left), right_rows(left, right, suffix))
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.keys = KeyIndex(list(self._key_schema))
        self.kept = Kept.empty()
        for rows in self.rows:
            rows.clear()
        self.next_number = 0

    def take(self, sides: Sides, inputs: Sequence[Batch]) -> tuple[Int64s, Int64s]:
        """Keep the rows of a slice; gives the slot and the number of each event, in the order of the sequence."""
        numbers = np.arange(self.next_number, self.next_number + len(sides))
        self.next_number += len(sides)
        if not len(sides):
            return numbers, numbers
        keys = [
            key_columns(batch.frame, stream, self._types[0].key)
            for batch, stream in zip(inputs, self._types, strict=True)
        ]
        slots = self.keys.slots(pl.concat(keys))
        for side, (rows, batch) in enumerate(zip(self.rows, inputs, strict=True)):
            rows.add(batch.frame, numbers[sides.side == side])
        self.kept = self.kept.with_room(len(sides), self.keys.capacity)
        return slots[sides.at], numbers

    def pairs(self, lefts: Int64s, rights: Int64s, times: Int64s, clocks: Int64s) -> pl.DataFrame:
        """Results with both sides: the events' numbers, the results' times, when the flow could know of them."""
        # The key is the same on both sides.
        others = [name for name in self.rows[1].schema if name not in self._key_schema]
        left, right = self.rows[0].find(lefts), self.rows[1].find(rights, others)
        origin = join_runs([text_runs(left[TEXT]), text_runs(right[TEXT])], len(lefts))
        return self._made([*right.get_columns(), *left.get_columns()], origin, times, clocks)

    def alone(self, side: int, numbers: Int64s, times: Int64s, clocks: Int64s) -> pl.DataFrame:
        """Results with one side and nulls for the other."""
        found = self.rows[side].find(numbers)
        if side:
            beginning = beginnings(found, self._step, list(self._key_schema))
            origin = join_runs([*beginning, "null,", text_runs(found[TEXT])], len(numbers))
        else:
            origin = join_runs([text_runs(found[TEXT]), "null]"], len(numbers))
        nulls: list[pl.Series] = [
            pl.repeat(None, len(numbers), dtype=self.schema[name], eager=True).alias(name)
            for name in self.rows[1 - side].schema
            if name != TEXT and name not in self._key_schema
        ]
        return self._made([*found.get_columns(), *nulls], origin, times, clocks)

    def _made(self, found: Sequence[pl.Series], origin: pl.Series, times: Int64s, clocks: Int64s) -> pl.DataFrame:
        columns = {column.name: column for column in found}
        arrival = pl.Series(ARRIVAL, clocks).cast(TIME_DTYPE)
        columns |= {TIME: pl.Series(TIME, times).cast(TIME_DTYPE), ARRIVAL: arrival}
        columns |= {DETECTED: arrival.alias(DETECTED), ORIGIN: origin.alias(ORIGIN)}
        return pl.DataFrame([columns[name] for name in self.schema])

    def nothing(self) -> pl.DataFrame:
        """No results."""
        return pl.DataFrame(schema=self.schema)

    def sweep(self) -> None:
        """Let go of rows and keys that no kept event has, once they are many."""
        for side, rows in enumerate(self.rows):
            if rows.worth_sweeping:
                rows.keep(self.kept.side(side)[:, NODE_NUMBER])
        if len(self.keys) > _IDLE_KEYS + _IDLE_SHARE * int(self.kept.counts[LIVE]):
            self.keys.release(self.kept.idle(self.keys.living))

    def size(self) -> Mapping[str, int]:
        """The keys that have events, and the events."""
        return {"keys": int(self.kept.counts[LIVE]), "events": int(self.kept.counts[KEPT])}

    def tables(self, fields: Mapping[str, int]) -> dict[str, pl.DataFrame]:
        """A table for each side: a row for each event, with these fields of its node by the name of a column."""
        tables = {}
        for side, (name, rows) in enumerate(zip(_TABLES, self.rows, strict=True)):
            nodes = self.kept.side(side)
            columns = [pl.Series(new, nodes[:, field], pl.Int64) for new, field in fields.items()]
            numbers = pl.Series(NUMBER, nodes[:, NODE_NUMBER], pl.Int64)
            group = pl.Series(GROUP, self.keys.groups[nodes[:, NODE_LIST] // 2], pl.UInt8)
            tables[name] = rows.find(nodes[:, NODE_NUMBER]).with_columns(numbers, *columns, group)
        return tables

    def put_back(
        self, tables: Mapping[str, pl.DataFrame], fields: Mapping[str, int]
    ) -> list[tuple[Int64s, Int64s, list[Int64s]]]:
        """Rows of a snapshot; gives for each side the list and the number of each event, and the fields."""
        found = []
        for side, (name, rows) in enumerate(zip(_TABLES, self.rows, strict=True)):
            table = tables[name].sort(NUMBER)
            rows.put_back(table)
            lists = 2 * self.keys.slots(table) + side
            self.kept = self.kept.with_room(table.height, self.keys.capacity)
            columns = [np.array(table[new].to_numpy(), np.int64) for new in (NUMBER, *fields)]
            found.append((lists, columns[0], columns[1:]))
        return found


def of_sides(sides: Sides, columns: Sequence[pl.Series]) -> Int64s:
    """One column of each side as one array, in the order of the sequence; writable and in one piece, for a kernel."""
    return np.concatenate([column.to_numpy() for column in columns])[sides.at].astype(np.int64)
