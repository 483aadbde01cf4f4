"""Session windows: as long as events of a key keep coming."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import polars as pl

from styx_lab.core.time import Duration, duration_ms, duration_text
from styx_lab.errors import ExpressionError, FlowError
from styx_lab.flow.expression import Expression
from styx_lab.flow.window.length import window_ms

__all__ = ["Session"]


@dataclass(frozen=True, slots=True)
class Session:
    """A key's events of which no two neighbours are further apart than a gap; one that bridges two sessions joins them.

    >>> print(Session("30m"), "|", Session(gap_from="patience_ms"))
    session, gap 30m | session, gap from patience_ms

    Each event opens [time, time + gap); windows of a key that overlap or touch become one, so a distance equal to the
    gap still merges. The result comes when the watermark reaches the end of the merged window.

    Args:
        gap: the gap, one for all.
        gap_from: an expression over the event instead, which gives its own gap: whole milliseconds, or a duration. An
            event whose gap is null or not positive is a dead letter (`bad_gap`).

    Source: Flink's `EventTimeSessionWindows`, and `DynamicEventTimeSessionWindows`.
    """

    gap: Duration | None = None
    gap_from: str | pl.Expr | Expression | None = None

    kind: ClassVar[str] = "session"

    def __post_init__(self) -> None:
        if (self.gap is None) == (self.gap_from is None):
            raise FlowError(
                "a session has a gap: one for all, or one from each event",
                where="Session()",
                got=f"gap={self.gap!r}, gap_from={self.gap_from!r}",
                hint="Session('30m'), or Session(gap_from='patience_ms')",
            )
        if self.gap is not None:
            object.__setattr__(self, "gap", duration_text(window_ms(self.gap, where="Session(gap=...)")))
        else:
            object.__setattr__(self, "gap_from", Expression.of(self.gap_from, where="Session(gap_from=...)"))  # type: ignore[arg-type]

    @property
    def gap_ms(self) -> int | None:
        """The gap that all events have, ms."""
        return None if self.gap is None else duration_ms(self.gap, where="Session")

    @property
    def expression(self) -> Expression | None:
        """What gives each event's gap."""
        return self.gap_from  # type: ignore[return-value]  # made one in __post_init__

    def check(self, schema: Mapping[str, pl.DataType], *, where: str) -> None:
        """Refuse a gap expression that gives no length of time.

        Raises:
            ExpressionError: when it is neither a whole number nor a duration.
        """
        if self.expression is None:
            return
        dtype = self.expression.check(schema, where=f"{where}, gap_from")
        if not (dtype.is_integer() or isinstance(dtype, pl.Duration)):
            raise ExpressionError(
                "a gap is whole milliseconds or a duration",
                where=f"{where}, gap_from",
                got=f"{self.expression.text} of type {dtype}",
                hint="CAST(... AS BIGINT)",
            )

    def to_json(self) -> dict[str, Any]:
        """The window as JSON."""
        if self.expression is not None:
            return {"type": self.kind, "gap_from": self.expression.to_json()}
        return {"type": self.kind, "gap_ms": self.gap_ms}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, where: str) -> Session:
        """The window of `to_json`'s answer."""
        if "gap_from" in value:
            return cls(gap_from=Expression.from_json(value["gap_from"], where=where))
        return cls(duration_text(value["gap_ms"]))

    def __str__(self) -> str:
        return f"session, gap {self.gap}" if self.expression is None else f"session, gap from {self.expression.text}"
