"""Recordings: a source's events as they came, to be replayed for ever.

Law: a recording replays the same events from the same places in the same order, and a changed byte is found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.connectors.formats.decode import decode
from styx_lab.connectors.parquet_rows import ParquetRows, is_parquet, parquet_metadata
from styx_lab.connectors.paths import position_of, readable_file
from styx_lab.connectors.recording_about import METADATA_KEY, About
from styx_lab.connectors.recording_content import RECORDING_COLUMNS, ContentHash
from styx_lab.connectors.recording_seal import check_seal, footer_has
from styx_lab.connectors.recording_writer import RecordingWriter
from styx_lab.core.events import ARRIVAL, OFFSET, PARTITION, SOURCE
from styx_lab.core.ports import Arrivals, EncodedFormat
from styx_lab.core.schema import TIME_DTYPE, Schema
from styx_lab.errors import DataError

__all__ = ["Recording", "RecordingSource", "is_recording"]


def is_recording(path: str | Path) -> bool:
    """Whether a file is a recording (and not some other Parquet file).

    Raises:
        InputMissingError, DataError: there is no such file, or it cannot be read.
    """
    file = readable_file(path)
    return is_parquet(file) and footer_has(file, METADATA_KEY)


class Recording:
    """A recording that was written by `RecordingWriter`: `Recording.open("payments.recording.parquet")`.

    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "payments.recording.parquet"
    >>> with RecordingWriter(path, name="payments", schema=Schema({"amount": "float"})) as writer:
    ...     writer.write([b'{"amount": 3.5}', b'{"amount": 9}'], partition=[0, 0], offset=[0, 1], arrival=[5, 6])
    >>> recording = Recording.open(path)
    >>> recording.describe()["events"]
    2
    >>> recording.frame()["amount"].to_list()
    [3.5, 9.0]
    """

    def __init__(self, path: Path, about: About, rows: ParquetRows) -> None:
        self.path = path
        self.about = about
        self._rows = rows

    @classmethod
    def open(cls, path: str | Path, *, check: bool = True) -> Recording:
        """Open a recording for reading.

        Args:
            path: the file.
            check: hash the whole file first, so that a changed byte is found now (about a second a gigabyte).

        Raises:
            InputMissingError: there is no such file.
            DataError: it is no recording, was changed, is damaged, of a newer form, or has no events.
        """
        file = readable_file(path)
        if not is_recording(file):
            raise DataError(
                "this is not a recording", where=str(path), hint="record one, or name its .recording.parquet"
            )
        if check:
            check_seal(file)
        about = About.from_text(parquet_metadata(file).get(METADATA_KEY, ""), where=str(path))
        if not about.events:
            raise DataError("the recording has no events", where=str(path), hint="record again, for longer")
        rows = ParquetRows(file, columns=list(RECORDING_COLUMNS), check=lambda found: _check(found, str(path)))
        if len(rows) != about.events:
            raise DataError(
                f"the recording is damaged: it says that it has {about.events} events",
                where=str(path),
                got=len(rows),
                hint="take it again from where it came",
            )
        return cls(file, about, rows)

    @property
    def schema(self) -> Schema:
        """The columns of the payloads."""
        return self.about.to_schema()

    def __len__(self) -> int:
        return self.about.events

    def describe(self) -> dict[str, Any]:
        """What the recording says about itself, as JSON: name, schema, time, key, partitions, events, times, hash."""
        return {**asdict(self.about), "path": str(self.path), "bytes": self.path.stat().st_size}

    def verify(self) -> None:
        """Hash the file, then read every event and compare with the content hash and the description.

        Raises:
            DataError: when a byte of the file, or what its events say, differs.
        """
        check_seal(self.path)
        content = ContentHash()
        first: int | None = None
        last: int | None = None
        for rows in self.blocks():
            content.update(rows)
            first = int(rows["arrival"][0]) if first is None else first
            last = int(rows["arrival"][-1])
        found = content.hexdigest()
        if found != self.about.content_sha256 or (first, last) != (self.about.first_arrival, self.about.last_arrival):
            raise DataError(
                f"the recording was changed: its content hash should be {self.about.content_sha256}",
                where=str(self.path),
                got=found,
                hint="take it again from where it came",
            )

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[pl.DataFrame]:
        """The rows from `start` to before `stop`, as `RECORDING_COLUMNS`, in slices that fit in memory."""
        return self._rows.blocks(start, stop)

    def frame(self, start: int = 0, stop: int | None = None) -> pl.DataFrame:
        """The events from row `start` to before `stop` that can be decoded: the schema's columns, and `_arrival`,
        `_source`, `_partition`, `_offset`; in order of arrival. It is held in memory.
        """
        frames = [self.decoded(rows)[0] for rows in self.blocks(start, stop)]
        return pl.concat(frames) if frames else self.decoded(pl.DataFrame(schema=RECORDING_COLUMNS))[0]

    def decoded(self, rows: pl.DataFrame) -> tuple[pl.DataFrame, np.ndarray[Any, Any]]:
        """Those of some rows of `blocks` that can be decoded, as `frame` has them, and which rows they are."""
        found = decode(_arrivals(rows), self.schema)
        kept = rows[found.good]
        frame = found.frame.with_columns(
            kept["arrival"].cast(TIME_DTYPE).alias(ARRIVAL),
            pl.lit(self.about.name, pl.String()).alias(SOURCE),
            kept["partition"].alias(PARTITION),
            kept["offset"].alias(OFFSET),
        )
        return frame, found.good

    def head(self, count: int = 10) -> pl.DataFrame:
        """The first rows as they were recorded, for people to look at: times as times, key and payload as text."""
        rows = next(self.blocks(0, count), pl.DataFrame(schema=RECORDING_COLUMNS))
        stamp = pl.when(pl.col("timestamp") >= 0).then(pl.col("timestamp")).cast(TIME_DTYPE)
        return rows.with_columns(
            stamp.alias("timestamp"), pl.col("arrival").cast(TIME_DTYPE), _text(rows["key"]), _text(rows["payload"])
        )

    def cut(self, start: int, stop: int, to: str | Path, *, name: str | None = None) -> Recording:
        """Write the rows from `start` to before `stop` to a recording of their own, and open that.

        Args:
            start, stop: row numbers, from 0.
            to: the file to write, `NAME.recording.parquet`.
            name: what to call the source; by default the same as here.

        Raises:
            DataError: there are no such rows.
            OutputError: it cannot be written.
        """
        if not 0 <= start < stop <= len(self):
            raise DataError(
                f"there are {len(self)} events",
                where=str(self.path),
                got=(start, stop),
                hint="0 <= start < stop <= events",
            )
        about = self.about
        with RecordingWriter(
            to,
            name=name or about.name,
            schema=self.schema,
            time=about.time,
            key=about.key,
            partitions=about.partitions,
            truth=about.truth,
        ) as writer:
            for partition, at in self.idle_at(start):
                writer.idle(partition, at=at)
            row = start
            for decision in [one for one in about.idle if start < one["row"] <= stop]:
                for rows in self.blocks(row, decision["row"]):
                    writer.write_rows(rows)
                row = decision["row"]
                writer.idle(decision["partition"], at=decision["at"])
            for rows in self.blocks(row, stop):
                writer.write_rows(rows)
        return Recording.open(to)

    def idle_at(self, row: int) -> list[tuple[int, int]]:
        """The partitions that are idle before an event, and when that was decided."""
        found: dict[int, tuple[int, int]] = {}
        for decision in self.about.idle:
            if decision["row"] <= row:
                found[decision["partition"]] = (decision["row"], decision["at"])
        # An event since then has brought its partition back.
        for since in sorted({since for since, _ in found.values()}):
            for rows in self.blocks(since, row):
                for partition in rows["partition"].unique().to_list():
                    if partition in found and found[partition][0] == since:
                        del found[partition]
        return [(partition, at) for partition, (_, at) in found.items()]


class RecordingSource:
    """A recording, as a source: `RecordingSource("payments.recording.parquet")`.

    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "payments.recording.parquet"
    >>> with RecordingWriter(path, name="payments", schema=Schema({"amount": "float"})) as writer:
    ...     writer.write([b'{"amount": 3.5}', b'{"amount": 9}'], partition=[0, 0], offset=[0, 1], arrival=[5, 6])
    >>> source = RecordingSource(path)
    >>> arrivals = source.read(1)
    >>> arrivals.payloads, arrivals.arrival.tolist()
    ([b'{"amount": 3.5}'], [5])

    Args:
        path: the recording.
        check: see `Recording.open`.

    Partitions, offsets, both times and the order are those of the recorded source. A block of rows is held at a time.
    The position is the number of rows before the next one. A tombstone (a null payload) is broken, with that reason.
    A decision that a partition was idle comes where it was made.

    Raises:
        InputMissingError, DataError: see `Recording.open`.
    """

    format: Final[EncodedFormat] = "json"
    header: Final[tuple[str, ...]] = ()

    def __init__(self, path: str | Path, *, check: bool = True) -> None:
        self.recording = Recording.open(path, check=check)
        self.schema = self.recording.schema
        self.name = str(path)
        self.partitions: tuple[int, ...] = tuple(self.recording.about.partitions)
        self._rows = self.recording._rows
        self._idle = self.recording.about.idle
        self._next = 0
        self._decided = 0

    def read(self, most: int) -> Arrivals | None:
        """The next events, at most `most`, or the next decision that a partition was idle; `None` at the end."""
        if self._decided < len(self._idle):
            decision = self._idle[self._decided]
            if decision["row"] <= self._next:
                self._decided += 1
                return _decided(decision)
            most = min(most, decision["row"] - self._next)
        rows = self._rows.slice(self._next, most)
        if not rows.height:
            return None
        self._next += rows.height
        return _arrivals(rows)

    def position(self) -> Any:
        """The rows, and where there are any the decisions, before the next one."""
        return {"row": self._next} | ({"idle": self._decided} if self._idle else {})

    def seek(self, position: Any) -> None:
        """Go to a position."""
        decided = 0
        if self._idle:
            row, decided = position_of(position, ("row", "idle"), where=self.name)
        else:
            (row,) = position_of(position, ("row",), where=self.name)
        if row > len(self._rows):
            raise DataError(
                "there are fewer events than that", where=self.name, got=row, hint="name the same recording"
            )
        self._next, self._decided = row, decided

    def close(self) -> None:
        """Let go of the block."""
        self._rows.close()


def _arrivals(rows: pl.DataFrame) -> Arrivals:
    payload = rows["payload"]
    return Arrivals(
        partition=rows["partition"].to_numpy(),
        offset=rows["offset"].to_numpy(),
        arrival=rows["arrival"].to_numpy(),
        timestamp=rows["timestamp"].to_numpy(),
        payloads=payload.fill_null(b"").to_list(),
        broken=dict.fromkeys(payload.is_null().arg_true(), "tombstone") or None,
    )


def _decided(decision: dict[str, Any]) -> Arrivals:
    return Arrivals(
        np.array([decision["partition"]], np.int32),
        np.array([-1], np.int64),
        np.array([decision["at"]], np.int64),
        np.array([-1], np.int64),
        payloads=[b""],
        idle=np.array([True]),
    )


def _text(column: pl.Series) -> pl.Series:
    shown = [None if value is None else value.decode(errors="replace") for value in column.to_list()]
    return pl.Series(column.name, shown, dtype=pl.String)


def _check(found: pl.Schema, where: str) -> None:
    if dict(found) != RECORDING_COLUMNS:
        raise DataError(
            "the columns are not those of a recording", where=where, got=dict(found), hint="record it again"
        )
