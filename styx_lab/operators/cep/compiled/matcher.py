"""The partial matches of all keys, and the passes over events that change them.

Laws: what comes out depends on events and watermarks alone, not on how they were cut (re-chunking); the state goes into
tables parted by key group, and back (crash anywhere).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.core.keys import KeyIndex
from styx_lab.core.state import GROUP
from styx_lab.errors import DataError
from styx_lab.operators.cep.compiled import kernel, layout, memory
from styx_lab.operators.cep.compiled.program import Events
from styx_lab.operators.cep.compiled.tables import Compiled
from styx_lab.operators.cep.found import FIRST, Found
from styx_lab.operators.cep.limit import key_text, too_many

__all__ = ["Ask", "Matcher"]

_SIZES: Final = 48
_ASKED: Final = 512

Ask = Callable[[int, int, int, list[tuple[int, int]]], bool | None]
"""Asks a function (by number) about an event (by its number) at a step, given what was taken: (part, number) in order.

None where it failed and the event is to be left out.
"""


@dataclass(slots=True)
class Matcher:
    """Runs a compiled pattern; the state is flat arrays (see `kernel`).

    Attributes:
        compiled: the pattern.
        where: the step, for errors.
    """

    compiled: Compiled
    where: str
    slots: np.ndarray
    pool: np.ndarray
    free: np.ndarray
    nodes: np.ndarray
    node_floats: np.ndarray
    node_ints: np.ndarray
    node_nulls: np.ndarray
    timers: np.ndarray
    touched: np.ndarray
    scalars: np.ndarray
    answers: np.ndarray
    answered: np.ndarray

    @classmethod
    def empty(cls, compiled: Compiled, where: str) -> Matcher:
        """A matcher that has seen nothing."""
        exact = sum(read.kind != "float" for read in compiled.fields)
        functions = len(compiled.functions)
        scalars = np.zeros(layout.SCALARS, np.int64)
        scalars[layout.NODE_FREE] = -1
        scalars[layout.ROUND] = 1
        return cls(
            compiled, where,
            slots=np.zeros((64, 9), np.int64),
            pool=np.zeros((64, 5), np.int64),
            free=np.full(_SIZES, -1, np.int64),
            nodes=np.zeros((64, 6), np.int64),
            node_floats=np.zeros((64, len(compiled.fields) - exact), np.float64),
            node_ints=np.zeros((64, exact), np.int64),
            node_nulls=np.zeros((64, len(compiled.fields)), np.bool_),
            timers=np.zeros((64, 2), np.int64),
            touched=np.zeros((64, 1), np.int64),
            scalars=scalars,
            answers=np.zeros((65, functions), np.int64),
            answered=np.zeros((65, functions), np.int64),
        )  # fmt: skip

    def __len__(self) -> int:
        return int(self.scalars[layout.LIVING])

    @property
    def dropped(self) -> int:
        """How many partial matches were dropped so far, because a key had too many."""
        return int(self.scalars[layout.DROPPED])

    def run(self, events: Events, can_start: np.ndarray, marks: Int64s, keys: KeyIndex, ask: Ask) -> Found:
        """Take events in order of time, and the watermark steps that release them.

        Args:
            events: the events that the last step releases, in order.
            can_start: bool, which of them a match can start with.
            marks: the steps.
            keys: the keys of the slots.
            ask: asks the users' functions.

        Raises:
            DataError: when a key has too many partial matches, or a match misses what the skip strategy goes to.
        """
        self._slots_for(keys.capacity)
        compiled, scalars = self.compiled, self.scalars
        scalars[[layout.EVENT, layout.STEP_AT, layout.TOUCHES]] = 0
        skipped = -1
        parts: list[Found] = []
        while True:
            scalars[[layout.OUT, layout.OUT_EVENTS]] = 0
            asked = np.zeros((_ASKED, 3), np.int64)
            (
                status, self.pool, self.nodes, self.node_floats, self.node_ints, self.node_nulls, self.timers,
                self.touched, self.answers, self.answered, out, out_events,
            ) = kernel.run(
                compiled.tables, compiled.code, events, marks, can_start, self.slots, self.pool, self.free,
                self.nodes, self.node_floats, self.node_ints, self.node_nulls, self.timers, self.touched, scalars,
                self.answers, self.answered, asked, skipped,
            )  # fmt: skip
            parts.append(Found(out[: scalars[layout.OUT]], out_events[: scalars[layout.OUT_EVENTS]]))
            if status == layout.DONE:
                return _joined(parts)
            event = int(scalars[layout.EVENT])
            if status != layout.ASKS:
                raise self._failed(int(status), keys)
            skipped = self._answer(asked, event, int(events.numbers[event]), ask)

    def _answer(self, asked: np.ndarray, event: int, number: int, ask: Ask) -> int:
        """Ask what must be known; the event is to be left out where a function fails on it."""
        for function, node, _ in asked[: asked[0, 2]].tolist():
            if self.answered[node + 1, function] == number + 1:
                continue  # asked by two partial matches that share what they took
            told = ask(function, number, int(self.scalars[layout.STEP_AT]), self.taken(node))
            if told is None:
                return event
            self.answers[node + 1, function] = told
            self.answered[node + 1, function] = number + 1
        return -1

    def taken(self, node: int) -> list[tuple[int, int]]:
        """The events up to a node: part and number of each, in order."""
        found = []
        while node >= 0:
            found.append((int(self.nodes[node, layout.PART]), int(self.nodes[node, layout.NUMBER])))
            node = int(self.nodes[node, layout.PARENT])
        return found[::-1]

    def _failed(self, status: int, keys: KeyIndex) -> DataError:
        slot = int(self.scalars[layout.AT_SLOT])
        if status == layout.TOO_MANY:
            return too_many(keys, slot, int(self.compiled.tables.rules[layout.MOST]), where=self.where)
        what = (
            "a match has no event of the part to skip to"
            if status == layout.MISSED
            else "a match begins with the event to skip to, which would find it for ever"
        )
        return DataError(
            f"{what}, and throw_on_miss was said",
            where=self.where,
            got=f"key {key_text(keys, slot)}",
            hint="leave throw_on_miss out: then nothing is skipped",
        )

    def is_due(self, mark: int) -> bool:
        """Whether a key has a timer that a watermark reaches."""
        head = self.scalars[layout.TIMER_HEAD]
        return bool(head < self.scalars[layout.TIMER_TAIL] and self.timers[head, 0] <= mark)

    @property
    def timers_set(self) -> int:
        """How many timers there are."""
        return int(self.scalars[layout.TIMER_TAIL] - self.scalars[layout.TIMER_HEAD])

    @property
    def taken_events(self) -> int:
        """How many events partial and held back matches have; one that several share is counted once at least."""
        return int(self.scalars[layout.NODES])

    def living_nodes(self) -> Int64s:
        """The nodes in use."""
        nodes = self.nodes[: self.scalars[layout.NODE_USED]]
        return np.flatnonzero(nodes[:, layout.USES] > 0)

    def living_slots(self) -> Int64s:
        """The slots that have partial or held back matches, or timers."""
        busy = np.flatnonzero((self.slots[:, layout.QUEUED] > 0) | (self.slots[:, layout.HOLDS] > 0))
        timers = self.timers[self.scalars[layout.TIMER_HEAD] : self.scalars[layout.TIMER_TAIL], 1]
        return np.union1d(busy, timers)

    def forget(self, slots: Int64s) -> None:
        """Slots that may be given to other keys."""
        self.slots[slots[slots < len(self.slots)]] = 0

    def _rows(self, count: int, first: int) -> tuple[Int64s, Int64s]:
        """The slots and pool rows of all segments: of `count` and `first`, QUEUED and QUEUE or HOLDS and HELD."""
        slots = np.flatnonzero(self.slots[:, count] > 0)
        counts = self.slots[slots, count]
        starts = np.repeat(self.slots[slots, first], counts)
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.repeat(slots, counts), starts + within

    def snapshot(self, keys: KeyIndex, schema: Mapping[str, pl.DataType]) -> dict[str, pl.DataFrame]:
        """The state as tables; nodes are numbered anew, by the order of their events."""
        groups = keys.groups

        def keyed(slots: Int64s, columns: dict[str, np.ndarray]) -> pl.DataFrame:
            return keys.frame(slots, dict(schema)).with_columns(
                *(pl.Series(name, values, pl.Int64) for name, values in columns.items()),
                pl.Series(GROUP, groups[slots], pl.UInt8),
            )

        owner = np.zeros(max(int(self.scalars[layout.NODE_USED]), 1), np.int64)
        tables = {}
        for name, count, first in (("partials", layout.QUEUED, layout.QUEUE), ("held", layout.HOLDS, layout.HELD)):
            slots, rows = self._rows(count, first)
            pool = self.pool[rows]
            owner[pool[pool[:, layout.NODE] >= 0, layout.NODE]] = slots[pool[:, layout.NODE] >= 0]
            tables[name] = (slots, pool)
        living = self.living_nodes()
        # A parent stands before its children: it took an earlier event.
        living = living[np.lexsort((living, self.nodes[living, layout.DEPTH], self.nodes[living, layout.SEQUENCE]))]
        for node in living[::-1].tolist():
            parent = self.nodes[node, layout.PARENT]
            if parent >= 0:
                owner[parent] = owner[node]
        place = np.full(len(owner) + 1, -1, np.int64)
        place[living] = np.arange(len(living))
        nodes = self.nodes[living]
        made = {
            "nodes": keyed(
                owner[living],
                {
                    "_node": np.arange(len(living)),
                    "_parent": place[nodes[:, layout.PARENT]],
                    "_number": nodes[:, layout.NUMBER],
                    "_part": nodes[:, layout.PART],
                    "_sequence": nodes[:, layout.SEQUENCE],
                },
            )
        }
        for name, (slots, pool) in tables.items():
            columns = {
                "_place": _places(slots),
                "_id": pool[:, layout.ID],
                "_state": pool[:, layout.STATE],
                "_node": place[pool[:, layout.NODE]],
                "_start": pool[:, layout.START],
                "_last": pool[:, layout.LAST],
            }
            made[name] = keyed(slots, columns)
        timers = self.timers[self.scalars[layout.TIMER_HEAD] : self.scalars[layout.TIMER_TAIL]]
        made["timers"] = keyed(timers[:, 1], {"_at": timers[:, 0], "_turn": np.arange(len(timers))})
        return made

    def meta(self) -> dict[str, int]:
        """What belongs to no key."""
        return {"next_id": int(self.scalars[layout.NEXT_ID]), "dropped": self.dropped}

    def restore(
        self,
        tables: Mapping[str, pl.DataFrame],
        meta: Mapping[str, Any],
        keys: KeyIndex,
        reads: Callable[[Int64s], Any],
    ) -> None:
        """Put the state of `snapshot` into an empty matcher.

        Args:
            tables, meta: the state.
            keys: gives the slots.
            reads: the floats, whole numbers and nulls of events by number: what look-backs read.
        """
        scalars = self.scalars
        scalars[layout.NEXT_ID], scalars[layout.DROPPED] = meta["next_id"], meta["dropped"]
        saved = tables["nodes"].sort("_node")
        count = saved.height
        room = max(64, 2 * count)
        self.nodes = np.zeros((room, 6), np.int64)
        names = saved["_node"].to_numpy()
        place = np.full(int(names.max()) + 2 if count else 1, -1, np.int64)
        place[names] = np.arange(count)
        parents = place[saved["_parent"].to_numpy()]
        columns = {layout.PARENT: parents}
        for column, name in ((layout.NUMBER, "_number"), (layout.PART, "_part"), (layout.SEQUENCE, "_sequence")):
            columns[column] = saved[name].to_numpy()
        for column, values in columns.items():
            self.nodes[:count, column] = values
        depth = np.ones(count, np.int64)
        for node, parent in enumerate(parents.tolist()):
            if parent >= 0:
                depth[node] = depth[parent] + 1
        self.nodes[:count, layout.DEPTH] = depth
        np.add.at(self.nodes[:, layout.USES], parents[parents >= 0], 1)
        scalars[[layout.NODE_USED, layout.NODES]] = count
        scalars[layout.DEEPEST] = depth.max(initial=0)
        for name in ("node_floats", "node_ints", "node_nulls"):
            old = getattr(self, name)
            setattr(self, name, np.zeros((room, old.shape[1]), old.dtype))
        self.answers = np.zeros((room + 1, self.answers.shape[1]), np.int64)
        self.answered = np.zeros((room + 1, self.answered.shape[1]), np.int64)
        if self.compiled.fields:
            self.node_floats[:count], self.node_ints[:count], self.node_nulls[:count] = reads(columns[layout.NUMBER])
        for name, column in (("partials", layout.QUEUE), ("held", layout.HELD)):
            self._put_back(tables[name], column, place, keys)
        timers = tables["timers"].sort("_at", "_turn", maintain_order=True)
        slots = keys.slots(timers)
        self.timers = np.zeros((max(64, 2 * timers.height), 2), np.int64)
        self.timers[: timers.height, 0], self.timers[: timers.height, 1] = timers["_at"].to_numpy(), slots
        scalars[layout.TIMER_TAIL] = timers.height
        self._slots_for(keys.capacity)

    def _slots_for(self, capacity: int) -> None:
        if capacity > len(self.slots):
            slots = np.zeros((max(capacity, 2 * len(self.slots)), 9), np.int64)
            slots[: len(self.slots)] = self.slots
            self.slots = slots

    def _put_back(self, table: pl.DataFrame, column: int, place: Int64s, keys: KeyIndex) -> None:
        slots = keys.slots(table)
        self._slots_for(keys.capacity)
        order = np.lexsort((table["_place"].to_numpy(), slots))
        slots = slots[order]
        names = table["_node"].to_numpy()[order]
        rows = np.column_stack(
            [
                table["_id"].to_numpy()[order],
                table["_state"].to_numpy()[order],
                place[names],
                table["_start"].to_numpy()[order],
                table["_last"].to_numpy()[order],
            ]
        ).astype(np.int64)
        used = rows[:, layout.NODE]
        np.add.at(self.nodes[:, layout.USES], used[used >= 0], 1)
        self.pool = memory.put_back(rows, slots, column, self.slots, self.pool, self.free, self.scalars)
        if column == layout.QUEUE:
            self.scalars[layout.LIVING] = int((used >= 0).sum())


def _places(slots: Int64s) -> Int64s:
    """The place of each row among those of its slot, which stand together."""
    first = np.concatenate([np.zeros(1, np.int64), np.flatnonzero(np.diff(slots)) + 1])[: len(slots)]
    counts = np.diff(np.concatenate([first, np.array([len(slots)], np.int64)]))
    return np.array(np.arange(len(slots)) - np.repeat(first, counts), np.int64)


def _joined(parts: list[Found]) -> Found:
    if len(parts) == 1:
        return parts[0]
    offset, rows = 0, []
    for part in parts:
        moved = part.rows.copy()
        moved[:, FIRST] += offset
        rows.append(moved)
        offset += len(part.events)
    return Found(np.concatenate(rows), np.concatenate([part.events for part in parts]))
