"""Several recordings of one schema as one, by arrival.

Law: the events of each stay in their order, and its decisions between the same events; two partitions never become one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.connectors.recording import Recording
from styx_lab.connectors.recording_rewrite import refuse_input_as_output
from styx_lab.connectors.recording_writer import RecordingWriter
from styx_lab.core.ports import TICK
from styx_lab.errors import DataError

__all__ = ["merge_recordings"]

_AT_ONCE: Final = 65_536


def merge_recordings(
    recordings: Sequence[Recording | str | Path], to: str | Path, *, name: str | None = None
) -> Recording:
    """Write the events of several recordings, by arrival, to one, and open that.

    Args:
        recordings: two or more, or their files, of one schema, event time and key; they stay as they are.
        to: the file to write, `NAME.recording.parquet`.
        name: what to call the source; by default the name of the first.

    Where no two recordings have a partition of the same number, numbers stay; else all partitions are numbered anew
    from 0, in the order of the recordings and of their partitions, which the note tells. Of events that arrived at the
    same time those of the recording named first come first; one that arrived before its forerunner in its own
    recording stays behind it. A partition holds the watermark back until its recording begins, and when it ended.

    Raises:
        DataError: there are fewer than two, one comes twice, they differ, or `to` is one of them.
        OutputError: when it cannot be written.
    """
    found = [one if isinstance(one, Recording) else Recording.open(one) for one in recordings]
    _check_alike(found)
    refuse_input_as_output([one.path for one in found], to)
    first = found[0].about
    numbers = _numbers(found)
    order, starts = _order(found)
    note = "; ".join(
        f"{one.about.name} {one.about.content_sha256} (partitions {_said(renamed)})"
        for one, renamed in zip(found, numbers, strict=True)
    )
    earlier = "; ".join(dict.fromkeys(one.about.truth for one in found if one.about.truth))
    with RecordingWriter(
        to,
        name=name or first.name,
        schema=found[0].schema,
        time=first.time,
        key=first.key,
        partitions=sorted({new for renamed in numbers for new in renamed.values()}),
        truth=(f"{earlier}; " if earlier else "") + f"merged by arrival from {note}",
    ) as writer:
        rows_read, decided = [0] * len(found), [0] * len(found)
        for begin in range(0, len(order), _AT_ONCE):
            chunk = order[begin : begin + _AT_ONCE]
            which = np.searchsorted(starts, chunk, side="right") - 1
            _write(writer, found, numbers, which, rows_read, decided)
    return Recording.open(to)


def _write(
    writer: RecordingWriter,
    found: Sequence[Recording],
    numbers: Sequence[dict[int, int]],
    which: np.ndarray[Any, Any],
    rows_read: list[int],
    decided: list[int],
) -> None:
    """Write the next events and decisions; `which` says for each of them the recording that it is from."""
    parts: list[pl.DataFrame] = []
    places: list[np.ndarray[Any, Any]] = []
    said: list[tuple[int, int, int]] = []
    for index, recording in enumerate(found):
        mine = np.flatnonzero(which == index)
        if not len(mine):
            continue
        taken, row = np.ones(len(mine), bool), rows_read[index]
        # Its own next steps in their own order: a decision stands before the event of its row number.
        for step, place in enumerate(mine.tolist()):
            idle = recording.about.idle
            if decided[index] < len(idle) and idle[decided[index]]["row"] <= row:
                one = idle[decided[index]]
                decided[index] += 1
                taken[step] = False
                said.append((place, numbers[index].get(one["partition"], TICK), one["at"]))
            else:
                row += 1
        if row > rows_read[index]:
            rows = pl.concat(list(recording.blocks(rows_read[index], row)))
            renamed = rows["partition"].replace_strict(numbers[index], return_dtype=pl.Int32)
            parts.append(rows.with_columns(renamed))
            places.append(mine[taken])
            rows_read[index] = row
    if parts:
        at = np.concatenate(places)
        in_order = np.argsort(at)
        rows, at = pl.concat(parts)[in_order], at[in_order]
    else:
        rows, at = pl.DataFrame(), np.zeros(0, np.int64)
    written = 0
    for place, partition, when in sorted(said, key=lambda one: one[0]):
        stop = int(np.searchsorted(at, place))
        if stop > written:
            writer.write_rows(rows[written:stop])
            written = stop
        writer.idle(partition, at=when)
    if written < len(at):
        writer.write_rows(rows[written:])


def _order(found: Sequence[Recording]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """All events and decisions, numbered through the recordings, in the merged order; and where each one begins."""
    keys: list[np.ndarray[Any, Any]] = []
    for recording in found:
        arrivals = np.concatenate([rows["arrival"].to_numpy() for rows in recording.blocks()])
        idle = recording.about.idle
        steps = np.insert(arrivals, [one["row"] for one in idle], [one["at"] for one in idle])
        # What came after another stays after it, whatever its time says.
        keys.append(np.maximum.accumulate(steps))
    starts = np.cumsum([0, *(len(one) for one in keys[:-1])])
    return np.argsort(np.concatenate(keys), kind="stable"), starts


def _numbers(found: Sequence[Recording]) -> list[dict[int, int]]:
    """The new number of each partition, for each recording."""
    every = [partition for one in found for partition in one.about.partitions]
    if len(set(every)) == len(every):
        return [{partition: partition for partition in one.about.partitions} for one in found]
    numbers = iter(range(len(every)))
    return [{partition: next(numbers) for partition in one.about.partitions} for one in found]


def _said(renamed: dict[int, int]) -> str:
    return ", ".join(str(old) if old == new else f"{old} is {new}" for old, new in renamed.items())


def _check_alike(found: Sequence[Recording]) -> None:
    hint = "name two or more recordings of one schema, event time and key"
    if len(found) < 2:
        raise DataError("one recording alone cannot be merged", where="merge", got=len(found), hint=hint)
    first = found[0]
    if len({one.path.resolve() for one in found}) < len(found):
        raise DataError("a recording is named twice", where="merge", got=[str(one.path) for one in found], hint=hint)
    for one in found[1:]:
        for what in ("schema", "time", "key", "encoding"):
            mine, theirs = getattr(first.about, what), getattr(one.about, what)
            if mine != theirs:
                raise DataError(
                    f"the recordings differ in {what}: {first.path} has {mine!r}",
                    where=str(one.path),
                    got=theirs,
                    hint=hint,
                )
