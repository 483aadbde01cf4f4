"""The four kinds of event, their reserved columns, and the bytes that stand for them.

RawEvent -> BusinessEvent -> RichBusinessEvent -> Notification. `docs/events.md` describes every column.

Law: the same event has the same bytes, on every engine and for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

import msgspec
import polars as pl

from styx_lab.core.schema import TIME_DTYPE
from styx_lab.core.time import ms_iso

__all__ = [
    "ARRIVAL",
    "DEAD_SCHEMA",
    "DERIVED_COLUMNS",
    "DETECTED",
    "NOTIFICATION_SCHEMA",
    "OFFSET",
    "ORIGIN",
    "PARTITION",
    "RAW_COLUMNS",
    "SOURCE",
    "SOURCE_TIMESTAMP",
    "TIME",
    "EventKind",
    "canonical_json",
    "canonical_lines",
    "dead_letters",
    "identity",
    "origins",
]


class EventKind(StrEnum):
    """What a stream carries; the words of the domain, used in the API, the docs and the monitor."""

    RAW = "RawEvent"
    BUSINESS = "BusinessEvent"
    RICH = "RichBusinessEvent"
    NOTIFICATION = "Notification"


TIME: Final = "_time"
"""Event time. Of a match: its last event's time. Of a window: its end less 1 ms."""
ARRIVAL: Final = "_arrival"
"""When the flow first could know of the event: the arrival time of it, or of the event that caused it."""
SOURCE: Final = "_source"
PARTITION: Final = "_partition"
OFFSET: Final = "_offset"
ORIGIN: Final = "_origin"
"""What a derived event was made from: the key with the positions of its parts, or with its window and firing."""
DETECTED: Final = "_detected"
SOURCE_TIMESTAMP: Final = "_timestamp"
"""In place of a column, as `source(time=...)`: the time that the source itself gave (Kafka's) is the event time."""

RAW_COLUMNS: Final[dict[str, pl.DataType]] = {
    TIME: TIME_DTYPE,
    ARRIVAL: TIME_DTYPE,
    SOURCE: pl.String(),
    PARTITION: pl.Int32(),
    OFFSET: pl.Int64(),
}
DERIVED_COLUMNS: Final[dict[str, pl.DataType]] = {
    TIME: TIME_DTYPE,
    ARRIVAL: TIME_DTYPE,
    DETECTED: TIME_DTYPE,
    ORIGIN: pl.String(),
}
NOTIFICATION_SCHEMA: Final[dict[str, pl.DataType]] = {
    "id": pl.String(),
    "flow": pl.String(),
    "step": pl.String(),
    "key": pl.String(),
    "message": pl.String(),
    "event": pl.String(),
    "times": pl.Struct({"event": TIME_DTYPE, "detected": TIME_DTYPE, "notified": TIME_DTYPE}),
}
DEAD_SCHEMA: Final[dict[str, pl.DataType]] = {
    "step": pl.String(),
    "reason": pl.String(),
    "detail": pl.String(),
    "source": pl.String(),
    "partition": pl.Int32(),
    "offset": pl.Int64(),
    "arrival": TIME_DTYPE,
    "payload": pl.Binary(),
}

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_encoder: Final = msgspec.json.Encoder(order="sorted")


def canonical_json(value: Any) -> bytes:
    r"""The one form of a JSON value: keys sorted, no spaces, UTF-8, shortest numbers, times as ISO 8601 text in ms.

    >>> canonical_json({"b": 1.50, "a": ["é", None]})
    b'{"a":["\xc3\xa9",null],"b":1.5}'
    """
    return _encoder.encode(_with_texts(value))


def _with_texts(value: Any) -> Any:
    if isinstance(value, datetime):
        moment = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return ms_iso((moment - _EPOCH) // timedelta(milliseconds=1))
    if isinstance(value, list | tuple):
        return [_with_texts(one) for one in value]
    if isinstance(value, dict):
        return {name: _with_texts(one) for name, one in value.items()}
    return value


def canonical_lines(frame: pl.DataFrame) -> list[bytes]:
    """One canonical JSON object a row; times as ISO 8601 text with milliseconds and `Z`.

    >>> canonical_lines(pl.DataFrame({"b": [1.0], "a": ["x"]}))
    [b'{"a":"x","b":1.0}']
    """
    ready = frame.select(_json_ready(pl.col(name), dtype).alias(name) for name, dtype in frame.schema.items())
    return [_encoder.encode(row) for row in ready.iter_rows(named=True)]


def _json_ready(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.Datetime):
        # A zone-less or finer time is brought to milliseconds, UTC, as every time of an event is.
        utc = value.dt.replace_time_zone("UTC") if dtype.time_zone is None else value.dt.convert_time_zone("UTC")
        return utc.dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
    if isinstance(dtype, pl.Struct):
        fields = [_json_ready(value.struct.field(f.name), f.dtype).alias(f.name) for f in dtype.fields]  # type: ignore[arg-type]
        return pl.when(value.is_not_null()).then(pl.struct(fields)) if fields else value
    if isinstance(dtype, pl.List) and _has_time(dtype):
        return value.list.eval(_json_ready(pl.element(), dtype.inner))  # type: ignore[arg-type]
    return value


def _has_time(dtype: Any) -> bool:
    if isinstance(dtype, pl.List):
        return _has_time(dtype.inner)
    if isinstance(dtype, pl.Struct):
        return any(_has_time(field.dtype) for field in dtype.fields)
    return isinstance(dtype, pl.Datetime)


def identity(*parts: Any) -> str:
    """A deterministic id: the first 32 hexadecimal digits of the SHA-256 of the parts' canonical JSON.

    >>> identity("card-fraud", "block", [1, 2])
    '0df961677aa2adc99f9aba54bd1435ba'
    """
    return sha256(canonical_json(parts)).hexdigest()[:32]


def origins(frame: pl.DataFrame) -> list[Any]:
    """What identifies each row for ever: `[source, partition, offset]` of a raw event, the origin of a derived one."""
    if ORIGIN not in frame.columns:
        return [list(row) for row in frame.select(SOURCE, PARTITION, OFFSET).iter_rows()]
    column = frame[ORIGIN]
    if column.dtype == pl.String:
        return [msgspec.Raw(text.encode()) for text in column.to_list()]
    return column.to_list()


def dead_letters(
    step: str, frame: pl.DataFrame, reasons: Sequence[str], payloads: Sequence[bytes] | None = None
) -> pl.DataFrame:
    """Dead letters of rows that a step could not take, each with its reason and its bytes.

    Args:
        step: the step that refused them.
        frame: the rows, raw or derived.
        reasons: one a row, `word` or `word: detail`; the word is stable and can be counted.
        payloads: the bytes as they came, where they are known; else the row's canonical JSON.
    """
    words = [reason.partition(": ") for reason in reasons]
    raw = SOURCE in frame.columns
    return pl.DataFrame(
        {
            "step": [step] * frame.height,
            "reason": [word for word, _, _ in words],
            "detail": [detail for _, _, detail in words],
            "source": frame[SOURCE] if raw else [None] * frame.height,
            "partition": frame[PARTITION] if raw else [None] * frame.height,
            "offset": frame[OFFSET] if raw else [None] * frame.height,
            "arrival": frame[ARRIVAL],
            "payload": payloads if payloads is not None else canonical_lines(frame),
        },
        schema=DEAD_SCHEMA,
    )
