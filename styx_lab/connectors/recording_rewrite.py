"""A recording made of another: some of its rows, changed or as they are.

Law: what is kept stays in its order, and each decision about a partition, and each tick, stays between the same events.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from styx_lab.connectors.recording import Recording
from styx_lab.connectors.recording_writer import RecordingWriter
from styx_lab.core.schema import Schema
from styx_lab.errors import DataError

__all__ = ["Change", "refuse_input_as_output", "rewrite"]

Change = Callable[[pl.DataFrame], tuple[pl.DataFrame, "np.ndarray[Any, Any]"]]
"""Of a block of rows: as many rows, and which of them are kept."""


def rewrite(
    recording: Recording,
    to: str | Path,
    change: Change,
    *,
    truth: str,
    name: str | None = None,
    schema: Schema | None = None,
    until: int | None = None,
    check: Callable[[], None] | None = None,
) -> Recording:
    """Write what `change` makes of each block of rows to a recording of its own, and open that.

    Of what was decided before the first row that is kept, only what still holds there is kept.

    Args:
        recording: the one to read; it stays as it is.
        to: the file to write, `NAME.recording.parquet`.
        change: see `Change`.
        truth: the note on what is in the new one.
        name: what to call the source; by default the same as there.
        schema: the columns of the new payloads; by default the same as there.
        until: decisions and ticks at this time, epoch ms, or later are left out.
        check: called when all rows were seen; what it raises leaves nothing behind.

    Raises:
        DataError: when no row is kept, or `to` is the recording itself.
        OutputError: when it cannot be written.
    """
    refuse_input_as_output([recording.path], to)
    about = recording.about
    with RecordingWriter(
        to,
        name=name or about.name,
        schema=schema or recording.schema,
        time=about.time,
        key=about.key,
        partitions=about.partitions,
        truth=truth,
    ) as writer:
        begun, row = False, 0
        decisions = list(about.idle)
        for block in recording.blocks():
            rows, kept = change(block)
            places = np.flatnonzero(kept)
            if len(places) and not begun:
                begun, first = True, row + int(places[0])
                for partition, at in recording.idle_at(first):
                    if until is None or at < until:
                        writer.idle(partition, at=at)
                decisions = [one for one in decisions if one["row"] > first]
            at_place = 0
            while begun and decisions and decisions[0]["row"] <= row + block.height:
                one = decisions.pop(0)
                stop = int(np.searchsorted(places, one["row"] - row))
                writer.write_rows(rows[places[at_place:stop]])
                at_place = max(at_place, stop)
                if until is None or one["at"] < until:
                    writer.idle(one["partition"], at=one["at"])
            writer.write_rows(rows[places[at_place:]])
            row += block.height
        if check is not None:
            check()
        if not begun:
            raise DataError(
                "no event is left, so there would be nothing in the recording",
                where=str(recording.path),
                got=f"0 of {len(recording)} events",
                hint="choose more: `styx recording describe FILE` shows times and key, `head` the events",
            )
    return Recording.open(to)


def refuse_input_as_output(inputs: Sequence[Path], to: str | Path) -> None:
    """Refuse to write over what is read.

    Raises:
        DataError: when `to` is one of the inputs.
    """
    target = Path(to)
    for one in inputs:
        if target.resolve() == one.resolve() or (target.exists() and target.samefile(one)):
            raise DataError(
                "the recording to write is one of those to read", where=str(to), hint="name another file: -o NEW"
            )
