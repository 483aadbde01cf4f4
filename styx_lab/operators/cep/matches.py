"""Matches and timeouts as rows: key, a column for each part, times, and the origin that identifies it for ever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch, Int64s
from styx_lab.core.events import ARRIVAL, DETECTED, ORIGIN, TIME, canonical_json, origins
from styx_lab.core.keys import KeyIndex
from styx_lab.core.schema import TIME_DTYPE
from styx_lab.operators.cep.found import AT, FIRST, KIND, LENGTH, SLOT, STEP
from styx_lab.operators.rows import EventRows

__all__ = ["Layout", "frame_of"]


@dataclass(frozen=True, slots=True)
class Layout:
    """What a match looks like.

    Attributes:
        step: the step's name.
        parts: for each column of a part, whether it is a list; in the order of the columns.
        numbers: the number of each part in the matcher, by column.
        fields: the columns of an event in a part.
    """

    step: str
    parts: Mapping[str, bool]
    numbers: Mapping[str, int]
    fields: tuple[str, ...]


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
    owner = np.repeat(np.arange(len(found)), lengths)
    places = np.repeat(first, lengths) + np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    taken = events[places]
    frame = rows.find(taken[:, 1])
    made = keys.frame(found[:, SLOT], dict(schema))
    columns: list[pl.Series] = []
    texts: dict[str, list[str | None]] = {}
    said = _texts(frame)
    for name, many in layout.parts.items():
        of_part = np.flatnonzero(taken[:, 0] == layout.numbers[name])
        columns.append(_part(name, many, layout.fields, frame, of_part, owner[of_part], len(found), schema[name]))
        texts[name] = _joined(said, of_part, owner[of_part], len(found))
    clock = batch.steps.clock[found[:, STEP]]
    return made.with_columns(
        *columns,
        pl.Series(TIME, found[:, AT]).cast(TIME_DTYPE),
        pl.Series(ARRIVAL, clock).cast(TIME_DTYPE),
        pl.Series(DETECTED, clock).cast(TIME_DTYPE),
        pl.Series(ORIGIN, _origins(layout.step, keys.texts(found[:, SLOT]), texts, found), pl.String),
    )


def _part(
    name: str,
    many: bool,
    fields: Sequence[str],
    frame: pl.DataFrame,
    of_part: Int64s,
    owner: Int64s,
    count: int,
    dtype: pl.DataType,
) -> pl.Series:
    """A part's column: a struct of the event, or of lists; null where the match has none of it."""
    chosen = frame.select(fields)[of_part] if len(of_part) != frame.height else frame.select(fields)
    if many:
        grouped = chosen.with_columns(pl.Series("\0owner", owner)).group_by("\0owner", maintain_order=True).agg(fields)
        owner = grouped["\0owner"].to_numpy()
        chosen = grouped.select(fields)
    struct = chosen.select(pl.struct(fields).alias(name)).to_series()
    if len(owner) == count:
        return struct.cast(dtype)
    # A null stands behind the others, for those that have none.
    index = np.full(count, len(owner), np.int64)
    index[owner] = np.arange(len(owner))
    return struct.extend_constant(None, 1).gather(index).cast(dtype)


def _texts(frame: pl.DataFrame) -> list[str]:
    """The JSON of what identifies each event."""
    places = origins(frame)
    return [canonical_json(place).decode() for place in places]


def _joined(said: Sequence[str], of_part: Int64s, owner: Int64s, count: int) -> list[str | None]:
    joined: list[str | None] = [None] * count
    for place, row in zip(of_part.tolist(), owner.tolist(), strict=True):
        before = joined[row]
        joined[row] = said[place] if before is None else f"{before},{said[place]}"
    return joined


def _origins(step: str, keys: Sequence[bytes], texts: Mapping[str, list[str | None]], found: np.ndarray) -> list[str]:
    """Canonical JSON `[step, key, {part: [event, ...]}]`; where a step has several alike, their number behind it.

    A timeout has `"timed_out"` and its time in between: the same events may also be a match, or time out once more.
    """
    head = canonical_json(step).decode()
    names = [(canonical_json(name).decode(), texts[name]) for name in sorted(texts)]
    made = []
    seen: dict[str, int] = {}
    at = -1
    turns, kinds, times = found[:, STEP].tolist(), found[:, KIND].tolist(), found[:, AT].tolist()
    for row, (key, turn) in enumerate(zip(keys, turns, strict=True)):
        inner = ",".join(f"{name}:[{said[row]}]" for name, said in names if said[row] is not None)
        text = f"[{head},{key.decode()},{{{inner}}}"
        if kinds[row]:
            text += f',"timed_out",{times[row]}'
        if turn != at:
            seen, at = {}, turn
        again = seen.get(text, 0)
        seen[text] = again + 1
        made.append(f"{text},{again}]" if again else f"{text}]")
    return made
