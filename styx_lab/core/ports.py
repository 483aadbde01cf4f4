"""The six small protocols behind which everything outside stands: source, sink, store, scorer, lookup, observer.

A flow holds names and specs of these; an engine opens them at run time. `styx_lab.testing` has a contract for each, so
that somebody else's implementation can be tried in one line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, runtime_checkable

import numpy as np
import polars as pl

__all__ = [
    "ERROR_KIND",
    "TICK",
    "Arrivals",
    "EncodedFormat",
    "Lookup",
    "ModelRecord",
    "Observer",
    "Scorer",
    "Scores",
    "Sink",
    "Source",
    "Store",
    "is_live",
]


EncodedFormat = Literal["json", "csv", "frame"]
"""What a source hands out: JSON payloads, lines of CSV text, or columns that are typed already."""


TICK: Final = -1
"""The partition of a decision that is of none: the clock has come to the time of its arrival."""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Input as it came, in order of arrival: where each event stood, when it came, and its payload or its columns.

    Exactly one of `payloads` (bytes, still to be decoded) and `columns` (a frame that is decoded already, with the
    names of the schema) is given. All arrays have one entry an event.

    Attributes:
        partition: int32, the partition each event came from.
        offset: int64, its offset in that partition.
        arrival: int64, epoch ms at which it arrived; `None` when the source did not record it.
        timestamp: int64, epoch ms that the source itself gave (Kafka's), -1 for none; `None` when it has none at all.
        payloads: the undecoded bytes.
        columns: the decoded frame.
        broken: reasons for events that could not even be parted into columns (index -> reason); `columns` holds
            nulls there.
        broken_payloads: what those events were, as bytes, for the dead letters.
        idle: whether each entry is no event but the decision that its partition is idle from here on (its offset is
            -1, its payload empty or its columns null); of the partition `TICK` it is a tick of the clock, to the
            entry's arrival. `None` where all are events.
        keys: the source's own key of each event (Kafka's); `None` where it was not asked for, or has none.
        headers: the source's own headers of each event, in order; a name may come twice.
    """

    partition: np.ndarray
    offset: np.ndarray
    arrival: np.ndarray | None = None
    timestamp: np.ndarray | None = None
    payloads: Sequence[bytes] | None = None
    columns: pl.DataFrame | None = None
    broken: Mapping[int, str] | None = None
    broken_payloads: Mapping[int, bytes] | None = None
    idle: np.ndarray | None = None
    keys: Sequence[bytes | None] | None = None
    headers: Sequence[Sequence[tuple[str, bytes | None]]] | None = None

    def __len__(self) -> int:
        return len(self.offset)


@runtime_checkable
class Source(Protocol):
    """A replayable sequence of events, read from a position on.

    One that is read live, and now and then has nothing, says so by a further attribute `live = True` (see `is_live`);
    it gives every event the time of its arrival, so that an event far in the future can be told.
    """

    @property
    def name(self) -> str:
        """What to call it in messages: the path, the topic."""

    @property
    def partitions(self) -> tuple[int, ...]:
        """The partitions known before the first event; each holds the watermark until it has had one."""

    @property
    def format(self) -> EncodedFormat:
        """How it hands events out: JSON payloads, lines of CSV, or columns."""

    @property
    def header(self) -> tuple[str, ...]:
        """The columns of a line of CSV; empty for other formats."""

    def read(self, most: int) -> Arrivals | None:
        """The next events, at most `most`; an empty batch when none are there now; `None` at the end of input."""

    def position(self) -> Any:
        """Where the next `read` begins, as JSON."""

    def seek(self, position: Any) -> None:
        """Go back (or on) to a position that `position()` gave, perhaps in another process."""

    def close(self) -> None:
        """Let go of files and connections; may be called twice."""


def is_live(source: Source) -> bool:
    """Whether a source is read live: only there can a partition be idle, rather than not yet read."""
    return bool(getattr(source, "live", False))


@runtime_checkable
class Sink(Protocol):
    """Where one named output goes. Nothing is visible to a reader before `commit`."""

    def write(self, frame: pl.DataFrame) -> None:
        """Take rows, in order."""

    def commit(self) -> None:
        """Make all rows written so far visible, durably."""

    def close(self) -> None:
        """Let go of files and connections; what was not committed is dropped."""


ERROR_KIND: Final = pl.Enum(["missing", "invalid", "failed"])
"""Why a row has no score: an input that the model makes use of is not there; the model cannot take a value; or else its
evaluation failed or gave no valid target. A value that cannot be taken goes before one that is not there."""


@dataclass(frozen=True, slots=True)
class Scores:
    """A scorer's answer to one batch: a value and an error for each row, exactly one of them null.

    Attributes:
        values: the score of each row.
        errors: why a row has none, in words.
        outputs: the further columns that were asked for, in that order; null where the row has an error.
        kinds: of the errors, of the type `ERROR_KIND`; null where the row has none. `None` where the scorer cannot
            tell: then all of them are `failed`.
    """

    values: pl.Series
    errors: pl.Series
    outputs: pl.DataFrame = field(default_factory=pl.DataFrame)
    kinds: pl.Series | None = None


@runtime_checkable
class Scorer(Protocol):
    """A model that gives each row one number (or label), and further columns on demand."""

    @property
    def name(self) -> str:
        """The model with its version, as `fraud@3`."""

    @property
    def inputs(self) -> Mapping[str, pl.DataType]:
        """The columns it needs, with their types."""

    @property
    def output(self) -> pl.DataType:
        """The type of the score."""

    @property
    def outputs(self) -> Mapping[str, pl.DataType]:
        """The further columns it can give, with their types: its target's name, `probability(CLASS)`, its outputs."""

    def score(self, frame: pl.DataFrame, outputs: Sequence[str] = ()) -> Scores:
        """Score each row of a frame that has at least the input columns; row order is kept, no state is.

        Args:
            frame: the rows.
            outputs: names of `outputs` to give as well; another name is a ModelError that tells what there is.
        """

    def close(self) -> None:
        """Let go of what it holds; may be called twice."""


@runtime_checkable
class Lookup(Protocol):
    """Something outside the flow that knows a key's columns, and may change while the flow runs."""

    @property
    def name(self) -> str:
        """What to call it in messages: the path and table."""

    @property
    def schema(self) -> Mapping[str, pl.DataType]:
        """The columns that it can find by and those that it can find, with their types."""

    def find(self, keys: pl.DataFrame) -> pl.DataFrame:
        """What it knows now of some keys.

        Args:
            keys: one or more columns of `schema`; each row once, no nulls.

        Returns:
            All columns of `schema`, one row for each key that it knows, in any order; a key it does not know has none.
            It may raise anything: then it has no answer for these keys.
        """

    def close(self) -> None:
        """Let go of files and connections; may be called twice."""


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A model as the store keeps it."""

    name: str
    version: int
    pmml: bytes
    sha256: str
    created: str
    meta: Mapping[str, Any]


@runtime_checkable
class Store(Protocol):
    """Where models, rules, config, bundles and jobs are kept. References are `name`, `name@version`, `name@alias`."""

    def put_model(self, name: str, pmml: bytes, *, meta: Mapping[str, Any] | None = None) -> ModelRecord:
        """Keep a new version (numbered from 1); the same bytes as the newest version give that one back."""

    def get_model(self, reference: str) -> ModelRecord:
        """A model by `name` (the newest), `name@3` or `name@champion`; NotFoundError names what there is instead."""

    def put_bundle(self, name: str, data: bytes, *, meta: Mapping[str, Any] | None = None) -> int:
        """Keep a packed bundle; gives its version."""

    def get_bundle(self, reference: str) -> tuple[int, bytes]:
        """A packed bundle and its version, by reference."""


@runtime_checkable
class Observer(Protocol):
    """Is told what a run does; every method must return soon and must not raise.

    One that also wants what steps say of their columns (null rates, drift) has a further method,
    `take_figures(figures)`: it is given a function before each `observe`, to call there, whose answer is
    step -> column -> figure -> number, text or None.
    """

    def begin(self) -> None:
        """A run begins."""

    def observe(self, counters: Mapping[str, Mapping[str, int]], watermark: int, newest: int) -> None:
        """After each slice: the counters per step, the flow's watermark and the greatest event time seen (epoch ms)."""

    def finish(self) -> None:
        """The run ended as it should."""

    def fail(self, error: BaseException) -> None:
        """The run ended with an error."""
