"""The kept rows of one side of a join, with the columns that the result will have and what names each row for ever.

Law: the origin of a joined row is the canonical JSON `[step, key, left event's origin, right event's origin]`; a side
that has none is null.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.core.events import OFFSET, ORIGIN, PARTITION, SOURCE, canonical_json
from styx_lab.core.texts import Runs, join_runs, json_parts, text_runs
from styx_lab.flow.steps.joined import right_names
from styx_lab.flow.types import StreamType
from styx_lab.operators.rows import EventRows

__all__ = ["NUMBER", "TEXT", "JoinedRows", "beginnings", "key_columns", "left_rows", "right_rows"]

TEXT: Final = "_text"
"""The column with a row's part of the origin: `[step,key,left origin,` on the left side, `right origin]` else."""
NUMBER: Final = "_number"


class JoinedRows:
    """Rows of one side, in order of their numbers.

    Args:
        names: the columns of the side's events that are kept, each with its name in the result.
        stream: the type of the side's events.
        key: the columns of the result's key; they are kept, too.
        step: the step's name, for the left side: an origin begins with it.
    """

    def __init__(
        self, names: dict[str, str], stream: StreamType, key: tuple[str, ...], step: str | None = None
    ) -> None:
        self._step = step
        self._key = stream.key
        self._names = dict(zip(stream.key, key, strict=True)) | names
        known = dict(stream.columns)
        self.schema: dict[str, pl.DataType] = {new: known[name] for name, new in self._names.items()} | {
            TEXT: pl.String()
        }
        """The columns of a kept row."""
        self.clear()

    def clear(self) -> None:
        """Forget all rows."""
        self._rows = EventRows(self.schema)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, frame: pl.DataFrame, numbers: Int64s) -> None:
        """Keep events; their numbers are greater than all before."""
        if frame.height:
            columns = [frame[name].alias(new) for name, new in self._names.items()]
            texts = _right_texts(frame) if self._step is None else _left_texts(frame, self._step, self._key)
            self._rows.add(pl.DataFrame([*columns, texts]), numbers)

    def find(self, numbers: Int64s, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The rows of these numbers, in that order, with all columns or with some; all rows are kept."""
        return self._rows.find(numbers, columns)

    @property
    def worth_sweeping(self) -> bool:
        """Whether there are so many more rows than after the last sweep that `keep` is due."""
        return self._rows.worth_sweeping

    def keep(self, numbers: Int64s) -> None:
        """Forget all rows but these."""
        self._rows.keep(numbers)

    def put_back(self, table: pl.DataFrame) -> None:
        """Rows of a snapshot, in order of their column `_number`."""
        self._rows.add(table.select(list(self.schema)), table[NUMBER].to_numpy())


def left_rows(step: str, left: StreamType) -> JoinedRows:
    """Room for the left side's rows."""
    return JoinedRows({name: name for name in left.names if name not in left.key}, left, left.key, step)


def right_rows(left: StreamType, right: StreamType, suffix: str) -> JoinedRows:
    """Room for the right side's rows, with their names in the result."""
    return JoinedRows(right_names(left, right, suffix), right, left.key)


def key_columns(frame: pl.DataFrame, stream: StreamType, key: tuple[str, ...]) -> pl.DataFrame:
    """The key of a side's events, with the result's names."""
    return pl.DataFrame([frame[name].alias(new) for name, new in zip(stream.key, key, strict=True)])


def _left_texts(frame: pl.DataFrame, step: str, key: Sequence[str]) -> pl.Series:
    return join_runs([*beginnings(frame, step, key), *_origin(frame), ","], frame.height).alias(TEXT)


def _right_texts(frame: pl.DataFrame) -> pl.Series:
    return join_runs([*_origin(frame), "]"], frame.height).alias(TEXT)


def beginnings(frame: pl.DataFrame, step: str, key: Sequence[str]) -> list[Runs | str]:
    """The beginning of each row's origin, `[step,key,`, as parts of a text."""
    return [f"[{canonical_json(step).decode()},[", *json_parts([frame[name] for name in key]), "],"]


def _origin(frame: pl.DataFrame) -> list[Runs | str]:
    """What identifies an event for ever (see `core.events.origins`), as parts of a text."""
    if ORIGIN in frame.columns:
        return [text_runs(frame[ORIGIN])]
    return ["[", *json_parts([frame[name] for name in (SOURCE, PARTITION, OFFSET)]), "]"]
