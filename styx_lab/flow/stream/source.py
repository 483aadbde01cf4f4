"""Where a stream begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from styx_lab.core.operator import OUT
from styx_lab.core.schema import Schema
from styx_lab.core.time import Duration, duration_ms
from styx_lab.flow.event_time import TimeForm, TimeUnit
from styx_lab.flow.steps import Port, SourceStep
from styx_lab.flow.stream.columns import names_of
from styx_lab.flow.stream.names import checked_name
from styx_lab.flow.stream.stream import Stream

__all__ = ["source"]


def source(
    name: str,
    *,
    schema: Schema | Mapping[str, str | type],
    time: str,
    key: str | Sequence[str] = (),
    max_delay: Duration = "0ms",
    max_future: Duration = "1d",
    time_unit: TimeUnit = "ms",
    time_zone: str | None = None,
    time_format: str | None = None,
) -> Stream:
    """Where a flow's events come in: a stream of RawEvents.

    >>> payments = source("payments", schema={"ts": "int", "card_id": "str", "amount": "float"},
    ...                   time="ts", key="card_id", max_delay="2s")
    >>> payments.columns
    {'ts': Int64, 'card_id': String, 'amount': Float64}

    Args:
        name: what the source is called; a file, recording or topic is put behind it when the flow runs.
        schema: the event's columns and types (see `Schema`).
        time: the column with the event time: `int` (epoch, in `time_unit`), `float` (epoch seconds), `str` (ISO 8601)
            or `datetime`; or `styx.SOURCE_TIMESTAMP`: the time that the source itself gave (Kafka's).
        key: the column or columns that say which events belong together.
        max_delay: how far out of order events may come. A partition's watermark is the greatest event time seen, less
            this, less 1 ms.
        max_future: an event whose time is more than this after its arrival becomes a dead letter. What comes without
            arrival times (a file that has none, `emit()` without `arrival=`) cannot be checked so.
        time_unit: of an `int` time: `s`, `ms`, `us` or `ns` since 1970 (floored to ms); of a `float` it must be `s`
            (the nearest ms).
        time_zone: where text without an offset was written, such as `Europe/Berlin`; UTC by default. A time that the
            clocks there skipped is a dead letter; of one that they showed twice the earlier instant is taken.
        time_format: how text is written when it is not ISO 8601, in the signs of Polars' `strptime`.

    An event without a usable time becomes a dead letter: `no_time` (null, or no timestamp), `bad_time` (no such text,
    NaN, not in the years 1 to 9999, skipped by the clocks of the zone), `far_future`.

    Time: computes the watermark, per partition, as the minimum over partitions. State: the greatest time of each.

    Raises:
        FlowError: on an unknown column, a time column of the wrong type, a key that cannot be one, an unknown time
            zone or unit, a format that does not say the day.
    """
    where = f"source {name!r}"
    step = SourceStep(
        checked_name(name, "source"),
        (),
        schema if isinstance(schema, Schema) else Schema(schema),
        time,
        names_of(key),
        duration_ms(max_delay, where=f"{where}, max_delay", zero=True),
        duration_ms(max_future, where=f"{where}, max_future"),
        TimeForm(time_unit, time_zone, time_format),
    )
    return Stream((step,), Port(step.name), step.infer([])[OUT])
