"""Where a stream begins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from styx_lab.core.operator import OUT
from styx_lab.core.schema import Schema
from styx_lab.core.time import Duration, duration_ms
from styx_lab.errors import FlowError
from styx_lab.flow.event_time import TimeForm, TimeUnit
from styx_lab.flow.steps import Port, SourceStep
from styx_lab.flow.stream.columns import names_of
from styx_lab.flow.stream.names import checked_name
from styx_lab.flow.stream.stream import Stream
from styx_lab.flow.watermark import Ascending, BoundedDelay, OwnWatermark, Punctuated, Watermark

__all__ = ["source"]


def source(  # noqa: PLR0913 -- what a source is has many sides; all but one or two have a default
    name: str,
    *,
    schema: Schema | Mapping[str, str | type],
    time: str,
    key: str | Sequence[str] = (),
    max_delay: Duration | None = None,
    max_future: Duration = "1d",
    time_unit: TimeUnit = "ms",
    time_zone: str | None = None,
    time_format: str | None = None,
    watermark: Watermark | None = None,
    idle_after: Duration | None = None,
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
        max_delay: how far out of order events may come; nought by default. A partition's watermark is the greatest
            event time seen, less this, less 1 ms.
        max_future: an event whose time is more than this after its arrival becomes a dead letter. What comes without
            arrival times (a file that has none, `emit()` without `arrival=`) cannot be checked so.
        time_unit: of an `int` time: `s`, `ms`, `us` or `ns` since 1970 (floored to ms); of a `float` it must be `s`
            (the nearest ms).
        time_zone: where text without an offset was written, such as `Europe/Berlin`; UTC by default. A time that the
            clocks there skipped is a dead letter; of one that they showed twice the earlier instant is taken.
        time_format: how text is written when it is not ISO 8601, in the signs of Polars' `strptime`.
        watermark: another strategy than a greatest delay: `Ascending()`, `Punctuated(...)`, `OwnWatermark(...)`.
        idle_after: a partition of a live source from which nothing comes for so long does not hold the watermark until
            its next event. By default every partition holds it for ever. A file is never idle; what a recording says
            of it is repeated.

    An event without a usable time becomes a dead letter: `no_time` (null, or no timestamp), `bad_time` (no such text,
    NaN, not in the years 100 to 9899, skipped by the clocks of the zone), `far_future`; so does one that says a
    watermark that is none (`bad_watermark`).

    Time: computes the watermark, per partition, as the minimum over partitions. State: the greatest time of each, and
    what a watermark of your own keeps.

    Raises:
        FlowError: on an unknown column, a time column of the wrong type, a key that cannot be one, an unknown time
            zone or unit, a format that does not say the day, a watermark that is none.
    """
    where = f"source {name!r}"
    strategy, delay_ms = _strategy(watermark, max_delay, where)
    step = SourceStep(
        checked_name(name, "source"),
        (),
        schema if isinstance(schema, Schema) else Schema(schema),
        time,
        names_of(key),
        delay_ms,
        duration_ms(max_future, where=f"{where}, max_future"),
        TimeForm(time_unit, time_zone, time_format),
        strategy,
        None if idle_after is None else duration_ms(idle_after, where=f"{where}, idle_after"),
    )
    return Stream((step,), Port(step.name), step.infer([])[OUT])


def _strategy(
    watermark: Watermark | None, max_delay: Duration | None, where: str
) -> tuple[Punctuated | OwnWatermark | None, int]:
    """The strategy where it is none of a greatest delay, and the delay, ms: one flow has one form."""
    if watermark is None:
        given = "0ms" if max_delay is None else max_delay
        return None, duration_ms(given, where=f"{where}, max_delay", zero=True)
    if max_delay is not None:
        raise FlowError(
            "max_delay is a watermark strategy itself: say one of the two",
            where=f"{where}, watermark",
            got=watermark,
            hint="leave max_delay= out, or watermark=",
        )
    if isinstance(watermark, BoundedDelay | Ascending):
        return None, watermark.delay_ms
    if not isinstance(watermark, Punctuated | OwnWatermark):
        raise FlowError(
            "not a watermark strategy",
            where=f"{where}, watermark",
            got=watermark,
            hint="BoundedDelay('2s'), Ascending(), Punctuated('column'), OwnWatermark(MyClass)",
        )
    return watermark, 0
