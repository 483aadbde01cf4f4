"""Matches and timeouts as rows: key, a column for each part, times, and the origin that identifies it for ever."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch, Int64s
from styx_lab.core.events import ARRIVAL, DETECTED, ORIGIN, TIME, canonical_json
from styx_lab.core.keys import KeyIndex
from styx_lab.core.pick import pick_of
from styx_lab.core.schema import TIME_DTYPE
from styx_lab.core.texts import Runs, byte_runs, join_bytes, join_runs, origin_parts, runs_column
from styx_lab.operators.cep.found import AT, FIRST, KIND, LENGTH, SLOT, STEP
from styx_lab.operators.rows import EventRows

__all__ = ["Layout", "frame_of", "with_computed"]


@dataclass(frozen=True)
class Layout:
    """What a match looks like.

    Attributes:
        step: the step's name.
        parts: for each column of a part, whether it is a list; in the order of the columns.
        numbers: the number of each part in the matcher, by column.
        fields: the columns of an event in a part.
        exact: the parts whose columns were found to be of the types that are wanted, as they are.
    """

    step: str
    parts: Mapping[str, bool]
    numbers: Mapping[str, int]
    fields: tuple[str, ...]
    exact: set[str] = field(default_factory=set)

    @cached_property
    def marks(self) -> tuple[Int64s, Runs, Runs]:
        """Of each part its place among their names, by number; what stands before an event, by kind; and behind it."""
        names = sorted(self.parts)
        rank = np.zeros(max(self.numbers.values()) + 1, np.int64)
        rank[[self.numbers[name] for name in names]] = np.arange(len(names))
        openings = [f"{canonical_json(name).decode()}:[" for name in names]
        before = byte_runs([text.encode() for text in (",", *openings, *(f",{opening}" for opening in openings))])
        return rank, before, byte_runs([b"", b"]"])


def frame_of(
    layout: Layout,
    schema: Mapping[str, pl.DataType],
    found: np.ndarray,
    events: np.ndarray,
    rows: EventRows,
    keys: KeyIndex,
    batch: Batch,
) -> pl.DataFrame:
    """The rows of what the matcher found, with the reserved columns.

    Args:
        layout: the parts.
        schema: the columns of the result; those that are of no part and not reserved are made later.
        found: as `Found.rows`, some of them.
        events: as `Found.events`, all.
        rows: where the events' rows are.
        keys: the keys.
        batch: the batch whose steps released them.
    """
    first, lengths = found[:, FIRST], found[:, LENGTH]
    ends = np.cumsum(lengths)
    owner = np.repeat(np.arange(len(found)), lengths)
    places = np.repeat(first - ends + lengths, lengths) + np.arange(len(owner))
    numbers = events[places, 0]
    # The events of a part stand together, those of one match in their order.
    by_part = np.argsort(numbers, kind="stable")
    owner, numbers = owner[by_part], numbers[by_part]
    taken = rows.find(events[places[by_part], 1])
    structs = pl.DataFrame([taken.get_column(name) for name in layout.fields]).to_struct("part")
    columns = []
    for name, many in layout.parts.items():
        first, last = numbers.searchsorted([layout.numbers[name], layout.numbers[name] + 1]).tolist()
        of_part, whose = structs.slice(first, last - first), owner[first:last]
        column = _lists(of_part, whose, len(found)) if many else _spread(of_part, whose, len(found))
        if name not in layout.exact:
            # To ask for the type of a struct makes an object a field.
            if column.dtype == schema[name]:
                layout.exact.add(name)
            else:
                column = column.cast(schema[name])
        columns.append(column.alias(name))
    key, key_json = keys.frame_and_json(found[:, SLOT], dict(schema))
    inner = _inner(layout, taken, numbers, owner, len(found))
    # The same events may also be a match, or time out once more: a timeout has its time beside them.
    timed_out = [byte_runs([b',"timed_out",%d' % at for at in found[:, AT].tolist()])] if found[:1, KIND].any() else []
    again = _again(inner, found)
    head = canonical_json(layout.step).decode()
    origin = join_runs([f"[{head},[", *key_json, "],{", inner, "}", *timed_out, *again, "]"], len(found))
    clock = pl.Series(batch.steps.clock[found[:, STEP]]).cast(TIME_DTYPE)
    times = [
        pl.Series(TIME, found[:, AT]).cast(TIME_DTYPE),
        clock.alias(ARRIVAL),
        clock.alias(DETECTED),
        origin.alias(ORIGIN),
    ]
    return pl.DataFrame([*key.get_columns(), *columns, *times])


def with_computed(frame: pl.DataFrame, computed: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
    """The columns of these names, of `computed` where it has one.

    Args:
        frame: the matches.
        computed: columns that the flow asks for, a row for each match.
        names: of the result.
    """
    known = {column.name: column for column in (*frame.get_columns(), *computed.get_columns())}
    return pl.DataFrame([known[name] for name in names])


def _lists(structs: pl.Series, owner: Int64s, count: int) -> pl.Series:
    """The column of a part that takes several events: a struct of lists; null where the match has none of it."""
    taken = structs.struct.unnest()
    fields = taken.columns
    grouped = taken.with_columns(pl.Series("\0owner", owner)).group_by("\0owner", maintain_order=True).agg(fields)
    struct = grouped.select(pl.struct(fields)).to_series()
    return _spread(struct, grouped["\0owner"].to_numpy(), count)


def _spread(struct: pl.Series, owner: Int64s, count: int) -> pl.Series:
    """A column of one value for each match; null where the match has none."""
    if len(owner) == count:
        return struct
    # A match that has none of it gets the null behind the last.
    index = np.full(count, len(struct), np.int64)
    index[owner] = np.arange(len(owner))
    return pick_of(struct.extend_constant(None, 1), index)


def _inner(layout: Layout, taken: pl.DataFrame, numbers: Int64s, owner: Int64s, count: int) -> Runs:
    """Of each match `part:[event, ...]` for each of its parts, in order of their names, with commas between them."""
    rank, before, after = layout.marks
    part = rank[numbers]
    order = np.lexsort((part, owner))
    part, of = part[order], owner[order]
    fresh = np.ones(len(order), np.bool_)
    fresh[1:] = of[1:] != of[:-1]
    begins = fresh.copy()
    begins[1:] |= part[1:] != part[:-1]
    ends = np.ones(len(order), np.bool_)
    ends[:-1] = begins[1:]
    kind = np.where(begins, 1 + part + len(layout.parts) * ~fresh, 0)
    places = [one if isinstance(one, str) else one.take(order) for one in origin_parts(taken)]
    said = join_bytes([before.take(kind), *places, after.take(ends.astype(np.int64))], len(order))
    # The events of a match stand one behind the other, so its text is there.
    total = np.zeros(len(order) + 1, np.int64)
    np.cumsum(said.lengths, out=total[1:])
    stop = np.cumsum(np.bincount(of, minlength=count))
    start = np.zeros(count, np.int64)
    start[1:] = stop[:-1]
    return Runs(said.data, total[start], total[stop] - total[start])


def _again(inner: Runs, found: np.ndarray) -> list[Runs]:
    """Where a step has several rows alike, `,n` behind the second and later ones; nothing where none has."""
    steps, slots = found[:, STEP], found[:, SLOT]
    # Most often a key has one match at a time.
    order = np.lexsort((slots, steps))
    if not ((np.diff(slots[order]) == 0) & (np.diff(steps[order]) == 0)).any():
        return []
    # Of matches the time says nothing more: those alike are made of the same events.
    times = np.where(found[:, KIND] == 1, found[:, AT], 0)
    alike = pl.DataFrame({"step": steps, "slot": slots, "at": times, "inner": runs_column(inner)})
    again = alike.select(pl.int_range(pl.len()).over("step", "slot", "at", "inner")).to_series().to_numpy()
    if not again.any():
        return []
    return [byte_runs([b",%d" % number if number else b"" for number in again.tolist()])]
