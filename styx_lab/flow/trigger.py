"""Triggers: when a window gives its result, as frozen data.

Law (oracle): each fires when Flink's trigger of the same meaning does. What the default does not give (results before a
window's end, or none at its end) is asked for with one of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import polars as pl

from styx_lab.core.time import Duration, duration_ms, duration_text
from styx_lab.errors import FlowError
from styx_lab.flow.expression import Expression

__all__ = ["AtEnd", "AtEndOfInput", "Every", "EveryEvents", "Never", "Trigger", "When", "trigger_from_json"]


@dataclass(frozen=True, slots=True)
class AtEnd:
    """When the watermark reaches the window's end; with allowed lateness, again at each late event. The default.

    >>> print(AtEnd())
    at its end

    Source: Flink's `EventTimeTrigger`.
    """

    kind: ClassVar[str] = "at_end"

    def to_json(self) -> dict[str, Any]:
        """The trigger as JSON."""
        return {"type": self.kind}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, where: str) -> AtEnd:
        """The trigger of `to_json`'s answer."""
        return cls()

    def __str__(self) -> str:
        return "at its end"


@dataclass(frozen=True, slots=True)
class AtEndOfInput:
    """Once, when all input has ended: for the global window.

    >>> print(AtEndOfInput())
    at the end of input

    Source: Flink's `GlobalWindows.createWithEndOfStreamTrigger`.
    """

    kind: ClassVar[str] = "at_end_of_input"

    def to_json(self) -> dict[str, Any]:
        """The trigger as JSON."""
        return {"type": self.kind}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, where: str) -> AtEndOfInput:
        """The trigger of `to_json`'s answer."""
        return cls()

    def __str__(self) -> str:
        return "at the end of input"


@dataclass(frozen=True, slots=True)
class Never:
    """Not at all: the window collects and says nothing.

    >>> print(Never())
    never

    Source: Flink's `GlobalWindows.NeverTrigger`.
    """

    kind: ClassVar[str] = "never"

    def to_json(self) -> dict[str, Any]:
        """The trigger as JSON."""
        return {"type": self.kind}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, where: str) -> Never:
        """The trigger of `to_json`'s answer."""
        return cls()

    def __str__(self) -> str:
        return "never"


@dataclass(frozen=True, slots=True)
class Every:
    """Early, at each multiple of an interval of event time since the epoch, and at the window's end.

    >>> print(Every("1m"))
    every 1m and at its end

    A window fires again even if no event came since; the first time at the first multiple after its first event.

    Source: Flink's `ContinuousEventTimeTrigger`.
    """

    interval: Duration

    kind: ClassVar[str] = "every"

    def __post_init__(self) -> None:
        text = duration_text(duration_ms(self.interval, where="Every(interval=...)"))
        object.__setattr__(self, "interval", text)

    @property
    def interval_ms(self) -> int:
        """The interval, ms."""
        return duration_ms(self.interval, where="Every")

    def to_json(self) -> dict[str, Any]:
        """The trigger as JSON."""
        return {"type": self.kind, "interval_ms": self.interval_ms}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, where: str) -> Every:
        """The trigger of `to_json`'s answer."""
        return cls(duration_text(value["interval_ms"]))

    def __str__(self) -> str:
        return f"every {self.interval} and at its end"


@dataclass(frozen=True, slots=True)
class EveryEvents:
    """At every n-th event of a key in a window; the count depends on the order of arrival.

    >>> print(EveryEvents(10), "|", EveryEvents(10, at_end=True))
    every 10 events | every 10 events and at its end

    Args:
        count: how many events.
        at_end: whether the window fires at its end, too, as `AtEnd` does. Without it the rest says nothing.

    Source: Flink's `CountTrigger` (which has no `at_end`).
    """

    count: int
    at_end: bool = False

    kind: ClassVar[str] = "every_events"

    def __post_init__(self) -> None:
        if not isinstance(self.count, int) or isinstance(self.count, bool) or self.count < 1:
            raise FlowError(
                "a number of events is a whole number from 1", where="EveryEvents(count=...)", got=self.count
            )

    def to_json(self) -> dict[str, Any]:
        """The trigger as JSON."""
        return {"type": self.kind, "count": self.count, "at_end": self.at_end}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, where: str) -> EveryEvents:
        """The trigger of `to_json`'s answer."""
        return cls(value["count"], value["at_end"])

    def __str__(self) -> str:
        return f"every {self.count} events" + (" and at its end" if self.at_end else "")


@dataclass(frozen=True, slots=True)
class When:
    """At each event for which a condition is true; null is false.

    >>> print(When("amount > 1000"))
    when amount > 1000

    Args:
        condition: SQL text or a Polars expression over the event's columns.
        at_end: whether the window fires at its end, too, as `AtEnd` does.
    """

    condition: str | pl.Expr | Expression
    at_end: bool = False

    kind: ClassVar[str] = "when"

    def __post_init__(self) -> None:
        object.__setattr__(self, "condition", Expression.of(self.condition, where="When(condition=...)"))

    @property
    def expression(self) -> Expression:
        """The condition."""
        return self.condition  # type: ignore[return-value]  # made one in __post_init__

    def to_json(self) -> dict[str, Any]:
        """The trigger as JSON."""
        return {"type": self.kind, "condition": self.expression.to_json(), "at_end": self.at_end}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, where: str) -> When:
        """The trigger of `to_json`'s answer."""
        return cls(Expression.from_json(value["condition"], where=where), value["at_end"])

    def __str__(self) -> str:
        return f"when {self.expression.text}" + (" and at its end" if self.at_end else "")


Trigger = AtEnd | AtEndOfInput | Never | Every | EveryEvents | When
"""Any trigger."""

_KINDS: Final = {kind.kind: kind for kind in (AtEnd, AtEndOfInput, Never, Every, EveryEvents, When)}


def trigger_from_json(value: Mapping[str, Any], *, where: str) -> Trigger:
    """The trigger of `to_json`'s answer.

    Raises:
        FlowError: when it is of a kind that this version does not know.
    """
    if value.get("type") not in _KINDS:
        raise FlowError("unknown trigger in a stored flow", where=where, got=dict(value))
    return _KINDS[value["type"]].from_json(value, where=where)
