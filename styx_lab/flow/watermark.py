"""Watermark strategies: how a source's events say how far its event time has come, as frozen data.

Law: a strategy is a function of the events alone, in their order, a partition at a time. Whatever it is, the source's
watermark is the minimum over its partitions, moves after the event that moves it, and never goes back
(`core/watermark.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol, runtime_checkable

import polars as pl

from styx_lab.core.events import TIME
from styx_lab.core.time import Duration, duration_ms, duration_text
from styx_lab.errors import FlowError
from styx_lab.flow.carried import Carried
from styx_lab.flow.expression import Expression

__all__ = [
    "Ascending",
    "BoundedDelay",
    "OwnWatermark",
    "Punctuated",
    "Watermark",
    "WatermarkClass",
    "watermark_from_json",
]

_METHODS: Final = ("on_event", "snapshot", "restore")
_HINT: Final = "on_event(time, event), snapshot(), restore(state)"


@dataclass(frozen=True, slots=True)
class BoundedDelay:
    """Events come at most `delay` out of order: the greatest event time so far, less the delay, less 1 ms.

    >>> BoundedDelay("2s").delay_ms
    2000

    `source(..., max_delay="2s")` is its short form, and the same flow.

    Source: Flink's `forBoundedOutOfOrderness`.
    """

    delay: Duration

    def __post_init__(self) -> None:
        ms = duration_ms(self.delay, where="BoundedDelay(delay=...)", zero=True)
        object.__setattr__(self, "delay", duration_text(ms))

    @property
    def delay_ms(self) -> int:
        """The delay, ms."""
        return duration_ms(self.delay, where="BoundedDelay", zero=True)


@dataclass(frozen=True, slots=True)
class Ascending:
    """In each partition events come in order of event time: the greatest so far, less 1 ms.

    >>> Ascending().delay_ms
    0

    It is `BoundedDelay("0ms")`. An event with the same time as the one before it is not late.

    Source: Flink's `forMonotonousTimestamps`.
    """

    @property
    def delay_ms(self) -> int:
        """No delay, ms."""
        return 0


@dataclass(frozen=True, slots=True)
class Punctuated:
    """Some events say the watermark themselves: the value of an expression, where it is not null.

    >>> print(Punctuated("CASE WHEN status = 'mark' THEN ts END"))
    said by CASE WHEN status = 'mark' THEN ts END

    After an event whose value is 5,000 no event of its partition up to 5,000 ms is expected any more; the next one
    with such a time is late. A value below an earlier one changes nothing.

    Args:
        at: a column, SQL text or a Polars expression over the event's own columns and `_time`; a time, or a whole
            number of epoch ms, or null.

    Raises:
        FlowError: when it is no expression.
    """

    at: Expression

    def __init__(self, at: str | pl.Expr | Expression) -> None:
        object.__setattr__(self, "at", Expression.of(at, where="Punctuated(at=...)"))

    def check(self, schema: Mapping[str, pl.DataType], *, where: str) -> None:
        """Refuse an expression that gives no time over events of a schema.

        Raises:
            FlowError: on an unknown column or a value of another type.
        """
        dtype = self.at.check(dict(schema) | {TIME: pl.Datetime("ms", "UTC")}, where=where)
        if not (isinstance(dtype, pl.Datetime) or dtype == pl.Int64()):
            raise FlowError(
                "a watermark must be a time, or int (epoch ms)",
                where=where,
                got=f"{self.at.text} of type {dtype}",
                hint="cast it, or name another column",
            )

    def to_json(self) -> dict[str, Any]:
        """The strategy as JSON."""
        return {"type": "punctuated", "at": self.at.to_json()}

    def __str__(self) -> str:
        return f"said by {self.at.text}"


@runtime_checkable
class WatermarkClass(Protocol):
    """What a class for `OwnWatermark` looks like; one is made, without arguments, for each partition."""

    def on_event(self, time: int, event: Mapping[str, Any]) -> int | datetime | None:
        """The partition's watermark after this event (epoch ms or a time), or None where it stays.

        Args:
            time: its event time, epoch ms.
            event: its own columns.
        """

    def snapshot(self) -> Any:
        """The state as JSON; the object goes on."""

    def restore(self, state: Any) -> None:
        """Go on from a state that `snapshot` gave, perhaps in another process."""


@dataclass(frozen=True, slots=True)
class OwnWatermark:
    """A class of your own says the watermark: `OwnWatermark(MyWatermark)`.

    >>> from styx_lab.flow.example_watermark import Learned
    >>> print(OwnWatermark(Learned))
    by Learned

    The class must stand in a module that can be imported (`%%styx module NAME` makes one of a notebook's cell); the
    flow carries the source of that module with its hash, and runs what it carries. One is made for each partition,
    without arguments.

    Args:
        cls: a class as `WatermarkClass` describes. It must be deterministic: its answers may depend on the events of
            its partition alone.

    State: what its `snapshot` gives, for each partition. About a microsecond or two an event, for it is Python.

    Raises:
        FlowError: when the class lacks a method, or cannot be carried (of a notebook's cell, in a function).
    """

    code: Carried

    def __init__(self, cls: type | Carried) -> None:
        object.__setattr__(self, "code", cls if isinstance(cls, Carried) else _carried(cls))

    def to_json(self) -> dict[str, Any]:
        """The strategy as JSON: the class, with the source of its module."""
        return {"type": "own", "class": self.code.to_json()}

    def __str__(self) -> str:
        return f"by {self.code.name}"


Watermark = BoundedDelay | Ascending | Punctuated | OwnWatermark


def _carried(cls: Any) -> Carried:
    if not isinstance(cls, type):
        raise FlowError("not a class", where="OwnWatermark", got=cls, hint="give the class itself, not an object of it")
    where = f"OwnWatermark({cls.__name__})"
    for name in _METHODS:
        if not callable(getattr(cls, name, None)):
            raise FlowError(f"the class has no method {name}()", where=where, hint=_HINT)
    return Carried.of(cls, where=where)


def watermark_from_json(value: Mapping[str, Any], *, where: str) -> Punctuated | OwnWatermark:
    """The strategy of `to_json`'s answer; nothing of it is run."""
    match value:
        case {"type": "punctuated", "at": dict() as at}:
            return Punctuated(Expression.from_json(at, where=where))
        case {"type": "own", "class": dict() as code}:
            return OwnWatermark(Carried.from_json(code, where=f"{where}, watermark"))
    raise FlowError("unknown watermark strategy in a stored flow", where=where, got=dict(value))
