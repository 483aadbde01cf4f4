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

    def find(self, numbers: Int64s) -> pl.DataFrame:
        """The rows of these numbers, in that order; all are kept."""
        return self._rows.find(numbers)

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
    return frame.select(pl.concat_str([*_beginning(frame, step, key), *_origin(frame), _COMMA]).alias(TEXT)).to_series()


def _right_texts(frame: pl.DataFrame) -> pl.Series:
    return frame.select(pl.concat_str([*_origin(frame), _END]).alias(TEXT)).to_series()


def beginnings(frame: pl.DataFrame, step: str, key: Sequence[str]) -> pl.Series:
    """The beginning of each row's origin, `[step,key,`."""
    return frame.select(pl.concat_str(_beginning(frame, step, key)).alias(TEXT)).to_series()


def _beginning(frame: pl.DataFrame, step: str, key: Sequence[str]) -> list[pl.Expr]:
    texts = [one for name in key for one in (_COMMA, *_json_text(frame[name]))]
    return [pl.lit(f"[{canonical_json(step).decode()},["), *texts[1:], pl.lit("],")]


def _origin(frame: pl.DataFrame) -> list[pl.Expr]:
    """What identifies an event for ever (see `core.events.origins`), as parts of a text."""
    if ORIGIN in frame.columns:
        return [pl.col(ORIGIN)]
    numbers = [pl.col(PARTITION).cast(pl.String), _COMMA, pl.col(OFFSET).cast(pl.String)]
    return [pl.lit("["), *_json_text(frame[SOURCE]), _COMMA, *numbers, _END]


def _json_text(column: pl.Series) -> list[pl.Expr]:
    """A column's values as canonical JSON, as parts of a text; made once a value, unless they need no looking at."""
    value = pl.col(column.name)
    if column.dtype == pl.Int64:
        return [value.cast(pl.String)]
    if column.dtype == pl.String and not column.str.contains(_ESCAPED).any():
        return [pl.lit('"'), value, pl.lit('"')]
    values = column.unique()
    return [value.replace_strict(values, [canonical_json(one).decode() for one in values.to_list()])]


_COMMA: Final = pl.lit(",")
_END: Final = pl.lit("]")
_ESCAPED: Final = r"""["\\\x00-\x1f]"""
"""What a text may have that JSON writes otherwise."""
