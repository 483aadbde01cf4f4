"""Writing a recording.

Law: under its name there is a whole recording or none: rows wait beside it, the file is made under another name,
synced, and renamed. A writer that is killed leaves only a hidden folder, which `salvage` makes a recording of.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import polars as pl

from styx_lab.connectors.parquet_rows import BLOCK
from styx_lab.connectors.recording_about import IDLE_FORMAT, METADATA_KEY, RECORDING_FORMAT, TICK_FORMAT, About
from styx_lab.connectors.recording_content import NUMBERS, RECORDING_COLUMNS, ContentHash
from styx_lab.connectors.recording_seal import seal
from styx_lab.core.events import SOURCE_TIMESTAMP
from styx_lab.core.ports import TICK
from styx_lab.core.schema import Schema
from styx_lab.errors import DataError, OutputError

__all__ = ["BEGUN", "LOCK", "Headers", "RecordingWriter", "hidden_prefix"]

Headers = Sequence[tuple[str, bytes | None]]
"""The headers of one event, in order; a name may come twice."""
_SUFFIX: Final = ".recording.parquet"
BEGUN: Final = "about.json"
"""In the hidden folder of a writer: what the recording says about itself so far."""
LOCK: Final = "lock"
"""In the hidden folder of a writer: held as long as it lives."""


def hidden_prefix(path: Path) -> str:
    """How the names of the hidden folders begin that writers of a file have."""
    return f".{path.name}."


class RecordingWriter:
    """Writes events, in order of arrival, to `NAME.recording.parquet`.

    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "small.recording.parquet"
    >>> with RecordingWriter(path, name="small", schema=Schema({"a": "int"})) as writer:
    ...     writer.write([b'{"a": 1}'], partition=[0], offset=[0], arrival=[1_700_000_000_000])
    >>> path.exists()
    True

    Args:
        path: the file to write; one that is there is replaced when this one is whole.
        name: what the recorded source is called.
        schema: the columns of the payloads.
        time: the column with the event time, or `SOURCE_TIMESTAMP`.
        key: the key's columns.
        partitions: those known before the first event; by default those that occur.
        truth: a note on what is known to be in it.

    Leaving the `with` block makes the file visible; an exception in it leaves nothing. About 65,000 events are held in
    memory, the others wait in a hidden folder beside the file.

    Raises:
        OutputError: the disk is full, the folder is not there or may not be written.
        DataError: the path does not end with `.recording.parquet`, or rows do not fit the form.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        name: str,
        schema: Schema,
        time: str | None = None,
        key: Sequence[str] = (),
        partitions: Sequence[int] | None = None,
        truth: str | None = None,
    ) -> None:
        self.path = Path(path)
        if not self.path.name.endswith(_SUFFIX):
            raise DataError("a recording has another suffix", where=str(path), hint=f"name it NAME{_SUFFIX}")
        for column in [*([time] if time and time != SOURCE_TIMESTAMP else []), *key]:
            if column not in schema:
                raise DataError(
                    f"the schema has no column {column!r}",
                    where=str(path),
                    got=list(schema),
                    hint="correct time or key",
                )
        self._name, self._schema, self._time, self._key = name, schema, time, list(key)
        self._partitions = None if partitions is None else {int(part) for part in partitions}
        self._truth = truth
        self._idle: list[dict[str, Any]] = []
        self._decided: list[dict[str, Any]] = []
        self._seen: set[int] = set()
        self._events = 0
        self._first: int | None = None
        self._last: int | None = None
        self._hash = ContentHash()
        self._waiting: list[pl.DataFrame] = []
        self._parts: list[Path] = []
        with self._output():
            self._folder = Path(tempfile.mkdtemp(prefix=hidden_prefix(self.path), dir=self.path.parent))
            self._lock = (self._folder / LOCK).open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            (self._folder / BEGUN).write_text(self._about().to_text())
        self._open = True

    @property
    def kept(self) -> int:
        """How many events are in files: so many a salvage finds when this process is killed now."""
        return self._events - sum(frame.height for frame in self._waiting)

    def write(
        self,
        payloads: Sequence[bytes | None],
        *,
        partition: Sequence[int] | np.ndarray[Any, Any],
        offset: Sequence[int] | np.ndarray[Any, Any],
        arrival: Sequence[int] | np.ndarray[Any, Any],
        timestamp: Sequence[int] | np.ndarray[Any, Any] | None = None,
        keys: Sequence[bytes | None] | None = None,
        headers: Sequence[Headers] | None = None,
    ) -> None:
        """Take events, in order of arrival; all arguments have one entry an event.

        Args:
            payloads: the undecoded bytes; `None` is a tombstone.
            partition, offset: where each stood in its source.
            arrival: epoch ms at which each arrived.
            timestamp: epoch ms that the source itself gave; -1, the default, is none.
            keys: the source's own key.
            headers: the source's own headers.
        """
        count = len(payloads)
        columns: dict[str, Any] = {
            "partition": partition,
            "offset": offset,
            "timestamp": np.full(count, -1, np.int64) if timestamp is None else timestamp,
            "arrival": arrival,
            "key": [None] * count if keys is None else keys,
            "headers": () if headers is None else headers,
            "payload": payloads,
        }
        try:
            columns["headers"] = _headers(columns["headers"], count)
            for number in NUMBERS:
                columns[number] = _ints(number, columns[number])
            series = [pl.Series(name, columns[name], dtype=dtype) for name, dtype in RECORDING_COLUMNS.items()]
            rows = pl.DataFrame(series)
        except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError) as error:
            raise DataError(
                "these are no events of a recording",
                where=str(self.path),
                got=str(error),
                hint="give one entry an event in each argument: ints, and bytes",
            ) from error
        self.write_rows(rows)

    def idle(self, partition: int, *, at: int) -> None:
        """Take the decision that a partition was idle, after the events so far and before the next one.

        Args:
            partition: which.
            at: when it was decided, epoch ms.
        """
        if not self._open:
            raise OutputError("this writer is closed", where=str(self.path), hint="make another")
        self._idle.append({"row": self._events, "partition": int(partition), "at": int(at)})

    def tick(self, at: int) -> None:
        """Take a tick of the clock, after the events so far and before the next one.

        Args:
            at: processing time, epoch ms.
        """
        self.idle(TICK, at=at)

    @property
    def _format(self) -> int:
        if any(one["partition"] == TICK for one in self._idle):
            return TICK_FORMAT
        return IDLE_FORMAT if self._idle else RECORDING_FORMAT

    def write_rows(self, rows: pl.DataFrame) -> None:
        """Take events as rows of `RECORDING_COLUMNS`, in order of arrival."""
        if not self._open:
            raise OutputError("this writer is closed", where=str(self.path), hint="make another")
        if dict(rows.schema) != RECORDING_COLUMNS or any(rows[name].null_count() for name in NUMBERS):
            raise DataError(
                "these are no rows of a recording",
                where=str(self.path),
                got=dict(rows.schema),
                hint=f"{RECORDING_COLUMNS}, and no nulls in {', '.join(NUMBERS)}",
            )
        if not rows.height:
            return
        rows = rows.with_columns(pl.col("headers").fill_null([]))
        self._hash.update(rows)
        if self._first is None:
            self._first = int(rows["arrival"][0])
        self._last = int(rows["arrival"][-1])
        self._events += rows.height
        self._seen |= set(rows["partition"].unique().to_list())
        self._waiting.append(rows)
        if sum(frame.height for frame in self._waiting) >= BLOCK:
            self._spill()

    def flush(self) -> None:
        """Write what is in memory beside the file, so that it survives this process being killed (see `salvage`)."""
        if self._open and any(frame.height for frame in self._waiting):
            self._spill()

    def _spill(self) -> None:
        part = self._folder / f"{len(self._parts):06d}.arrow"
        with self._output():
            partial = part.with_suffix(".partial")
            pl.concat(self._waiting).write_ipc(partial, compression="lz4")
            partial.replace(part)
            if len(self._decided) < len(self._idle):
                self._decided = list(self._idle)
                (self._folder / BEGUN).write_text(self._about().to_text())
        self._parts.append(part)
        self._waiting = []

    def close(self) -> None:
        """Make the recording visible, durably; may be called twice."""
        if not self._open:
            return
        made = self._folder / self.path.name
        with self._output():
            self._waiting.append(pl.DataFrame(schema=RECORDING_COLUMNS))
            rows = pl.concat(
                [*(pl.scan_ipc(part, glob=False) for part in self._parts), *(frame.lazy() for frame in self._waiting)]
            )
            rows.sink_parquet(
                made,
                compression="zstd",
                # Readers go by row numbers alone; what nothing checks should not be there to be wrong.
                statistics=False,
                row_group_size=BLOCK,
                metadata={METADATA_KEY: self._about().to_text()},
            )
            seal(made)
            _sync(made)
            made.replace(self.path)
            _sync(self.path.parent)
        self.abort()

    def abort(self) -> None:
        """Drop what was written; nothing becomes visible. May be called twice, and after `close`."""
        self._open = False
        self._waiting, self._parts = [], []
        self._lock.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _about(self) -> About:
        return About(
            name=self._name,
            schema=self._schema.to_json(),
            time=self._time,
            key=self._key,
            partitions=sorted(self._seen | (self._partitions or set())),
            events=self._events,
            first_arrival=self._first,
            last_arrival=self._last,
            content_sha256=self._hash.hexdigest(),
            idle=self._idle,
            truth=self._truth,
            format=self._format,
        )

    @contextmanager
    def _output(self) -> Iterator[None]:
        try:
            yield
        except (OSError, pl.exceptions.PolarsError) as error:
            if hasattr(self, "_folder"):
                self.abort()
            raise OutputError(
                "the recording cannot be written",
                where=str(self.path),
                got=str(error).partition("\n")[0],
                hint="free some space, or name a folder that is there and may be written",
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()


def _ints(name: str, values: Sequence[int] | np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    found = np.asarray(values)
    # Polars would cut what is behind the point.
    if found.size and found.dtype.kind not in "iu":
        raise TypeError(f"{name} must be whole numbers, not {found.dtype}")
    return found


def _headers(headers: Sequence[Headers], count: int) -> pl.Series:
    """The column of headers: a list for each event."""
    dtype = RECORDING_COLUMNS["headers"]
    none = pl.Series("headers", [[]], dtype=dtype)
    counts = np.fromiter(map(len, headers), np.int64, len(headers))
    if not counts.any():
        return none.new_from_index(0, count)
    flat = [header for of_one in headers for header in of_one]
    for name, value in flat:
        # Polars would make text of numbers and numbers of text.
        if not isinstance(name, str) or not isinstance(value, bytes | None):
            raise TypeError(f"a header is a text and bytes, not {name!r}, {value!r}")
    names = pl.Series("key", [name for name, _ in flat], dtype=pl.String)
    values = pl.Series("value", [value for _, value in flat], dtype=pl.Binary)
    # A list of structs made of Python's own lists costs 20 us an event; grouped, 0.5.
    rows = pl.DataFrame(
        {"row": np.repeat(np.arange(len(headers)), counts), "headers": pl.struct(names, values, eager=True)}
    )
    lists = rows.group_by("row", maintain_order=True).agg("headers")
    every = pl.DataFrame({"row": np.arange(len(headers))}).join(lists, on="row", how="left", maintain_order="left")
    return every["headers"].cast(dtype)  # what has none is null here: see write_rows


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
