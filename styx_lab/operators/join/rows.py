"""The kept rows of one side of a join, with the columns that the result will have and what names each row for ever.

Law: the origin of a joined row is the canonical JSON `[step, key, left event's origin, right event's origin]`; a side
that has none is null.
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.core.events import OFFSET, ORIGIN, PARTITION, SOURCE, canonical_json
from styx_lab.core.keys import KeyIndex
from styx_lab.flow.steps.joined import right_names
from styx_lab.flow.types import StreamType
from styx_lab.operators.rows import EventRows

__all__ = ["NUMBER", "TEXT", "Beginnings", "JoinedRows", "beginning", "key_columns", "left_rows", "right_rows"]

TEXT: Final = "_text"
"""The column with a row's part of the origin: `[step,key,left origin,` on the left side, `right origin]` else."""
NUMBER: Final = "_number"


class JoinedRows:
    """Rows of one side, in order of their numbers.

    Args:
        names: the columns of the side's events that are kept, each with its name in the result.
        stream: the type of the side's events.
        key: the columns of the result's key; they are kept, too.
    """

    def __init__(self, names: dict[str, str], stream: StreamType, key: tuple[str, ...]) -> None:
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

    def add(self, frame: pl.DataFrame, numbers: Int64s, beginnings: pl.Series | None = None) -> None:
        """Keep events; their numbers are greater than all before.

        Args:
            frame: the events.
            numbers: of each event.
            beginnings: on the left side, the beginning of each row's origin.
        """
        if frame.height:
            columns = [frame[name].alias(new) for name, new in self._names.items()]
            self._rows.add(pl.DataFrame([*columns, _texts(frame, beginnings)]), numbers)

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


def left_rows(left: StreamType) -> JoinedRows:
    """Room for the left side's rows."""
    return JoinedRows({name: name for name in left.names if name not in left.key}, left, left.key)


def right_rows(left: StreamType, right: StreamType, suffix: str) -> JoinedRows:
    """Room for the right side's rows, with their names in the result."""
    return JoinedRows(right_names(left, right, suffix), right, left.key)


def key_columns(frame: pl.DataFrame, stream: StreamType, key: tuple[str, ...]) -> pl.DataFrame:
    """The key of a side's events, with the result's names."""
    return pl.DataFrame([frame[name].alias(new) for name, new in zip(stream.key, key, strict=True)])


def _texts(frame: pl.DataFrame, beginnings: pl.Series | None) -> pl.Series:
    """A side's part of the origin; what identifies an event for ever is said in `core.events.origins`."""
    comma, end = pl.lit(","), pl.lit("]")
    if ORIGIN in frame.columns:
        parts = [pl.col(ORIGIN)]
    else:
        sources = frame[SOURCE].unique().to_list()
        texts = [f"[{canonical_json(name).decode()}," for name in sources]
        source = pl.lit(texts[0]) if len(sources) == 1 else pl.col(SOURCE).replace_strict(sources, texts)
        parts = [source, pl.col(PARTITION).cast(pl.String), comma, pl.col(OFFSET).cast(pl.String), end]
    parts = [*parts, end] if beginnings is None else [pl.lit(beginnings), *parts, comma]
    return frame.select(pl.concat_str(parts).alias(TEXT)).to_series()


class Beginnings:
    """The beginning of a joined row's origin, `[step,key,`, by the slot of its key.

    Args:
        step: the name of the step.
        index: the slots of the keys.
    """

    def __init__(self, step: str, index: KeyIndex) -> None:
        self._step = step
        self._index = index
        self._texts: list[str | None] = []

    def of(self, slots: Int64s) -> pl.Series:
        """The beginning for each slot."""
        known = self._texts
        if self._index.capacity > len(known):
            known += [None] * (self._index.capacity - len(known))
        places = slots.tolist()
        found = [known[slot] for slot in places]
        if None in found:
            for place, slot in enumerate(places):
                if known[slot] is None:
                    known[slot] = beginning(self._step, self._index.keys[slot])
                found[place] = known[slot]
        return pl.Series(found, dtype=pl.String)

    def forget(self, slots: Int64s) -> None:
        """These slots will be other keys."""
        for slot in slots.tolist():
            if slot < len(self._texts):
                self._texts[slot] = None


def beginning(step: str, key: Any) -> str:
    """The beginning of an origin, for a key's value or tuple of values."""
    return canonical_json([step, key if isinstance(key, tuple) else (key,)]).decode()[:-1] + ","
