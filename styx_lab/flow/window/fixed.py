"""Windows whose edges are known beforehand: tumbling, sliding, cumulating."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from styx_lab.core.time import Duration, distance_ms, distance_text, duration_ms, duration_text
from styx_lab.errors import FlowError
from styx_lab.flow.window.length import window_ms

__all__ = ["Cumulating", "Sliding", "Tumbling"]


def _settle(window: Tumbling | Sliding | Cumulating, name: str, most: str, *lengths: str) -> None:
    """Write lengths in their shortest form, and refuse an offset that is not less than `most`."""
    for length in lengths:
        given = getattr(window, length)
        object.__setattr__(window, length, duration_text(window_ms(given, where=f"{name}({length}=...)")))
    offset = distance_ms(window.offset, where=f"{name}(offset=...)")
    object.__setattr__(window, "offset", distance_text(offset))
    if abs(offset) >= duration_ms(getattr(window, most), where=name):
        raise FlowError(
            f"an offset must be less than {most!r}",
            where=f"{name}(offset=...)",
            got=window.offset,
            hint=f"{most} is {getattr(window, most)}; an offset of a whole {most} changes nothing",
        )


def _with_offset(value: dict[str, Any], offset: int) -> dict[str, Any]:
    return value | {"offset_ms": offset} if offset else value


@dataclass(frozen=True, slots=True)
class Tumbling:
    """Windows of one size, end to end: every event is in exactly one.

    >>> print(Tumbling("5m"), "|", Tumbling("1d", offset="-2h"))
    tumbling 5m | tumbling 1d offset -2h

    Args:
        size: length of a window.
        offset: moves all edges, by less than the size; `"-2h"` makes days of UTC+2. Days of a time zone with summer
            time are `Calendar("day", zone=...)`.

    Source: Flink's `TumblingEventTimeWindows`.
    """

    size: Duration
    offset: Duration = "0ms"

    kind: ClassVar[str] = "tumbling"

    def __post_init__(self) -> None:
        _settle(self, "Tumbling", "size", "size")

    @property
    def size_ms(self) -> int:
        """Length of a window, ms."""
        return duration_ms(self.size, where="Tumbling")

    @property
    def slide_ms(self) -> int:
        """Distance of two windows' starts, ms."""
        return self.size_ms

    @property
    def offset_ms(self) -> int:
        """How far starts are moved from the epoch's, ms."""
        return distance_ms(self.offset, where="Tumbling")

    def to_json(self) -> dict[str, Any]:
        """The window as JSON."""
        return _with_offset({"type": self.kind, "size_ms": self.size_ms}, self.offset_ms)

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, where: str) -> Tumbling:
        """The window of `to_json`'s answer."""
        return cls(duration_text(value["size_ms"]), distance_text(value.get("offset_ms", 0)))

    def __str__(self) -> str:
        return f"tumbling {self.size}{_offset_text(self.offset_ms)}"


@dataclass(frozen=True, slots=True)
class Sliding:
    """Windows of one size that start every `every`: an event is in size / every of them.

    >>> print(Sliding("5m", every="1m"))
    sliding 5m every 1m

    Where `every` is longer than the size, events between two windows are in none (counted as `no_window`).

    Args:
        size: length of a window.
        every: distance of two windows' starts.
        offset: moves all edges, by less than `every`.

    Source: Flink's `SlidingEventTimeWindows`.
    """

    size: Duration
    every: Duration
    offset: Duration = "0ms"

    kind: ClassVar[str] = "sliding"

    def __post_init__(self) -> None:
        _settle(self, "Sliding", "every", "size", "every")

    @property
    def size_ms(self) -> int:
        """Length of a window, ms."""
        return duration_ms(self.size, where="Sliding")

    @property
    def slide_ms(self) -> int:
        """Distance of two windows' starts, ms."""
        return duration_ms(self.every, where="Sliding")

    @property
    def offset_ms(self) -> int:
        """How far starts are moved from the epoch's, ms."""
        return distance_ms(self.offset, where="Sliding")

    def to_json(self) -> dict[str, Any]:
        """The window as JSON."""
        value = {"type": self.kind, "size_ms": self.size_ms, "slide_ms": self.slide_ms}
        return _with_offset(value, self.offset_ms)

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, where: str) -> Sliding:
        """The window of `to_json`'s answer."""
        offset = distance_text(value.get("offset_ms", 0))
        return cls(duration_text(value["size_ms"]), duration_text(value["slide_ms"]), offset)

    def __str__(self) -> str:
        return f"sliding {self.size} every {self.every}{_offset_text(self.offset_ms)}"


@dataclass(frozen=True, slots=True)
class Cumulating:
    """Windows that begin together and grow by a step up to a size: the day so far, every hour.

    >>> print(Cumulating("1d", step="1h"))
    cumulating 1d by 1h

    Args:
        size: length of the longest window; a multiple of the step.
        step: how much longer each window is than the one before.
        offset: moves all edges, by less than the size.

    Source: Flink's `CUMULATE` (`CumulativeWindowAssigner`).
    """

    size: Duration
    step: Duration
    offset: Duration = "0ms"

    kind: ClassVar[str] = "cumulating"

    def __post_init__(self) -> None:
        _settle(self, "Cumulating", "size", "size", "step")
        if self.size_ms % self.step_ms:
            raise FlowError(
                "the size of cumulating windows must be a multiple of their step",
                where="Cumulating(size=..., step=...)",
                got=f"{self.size} and {self.step}",
                hint="Cumulating('1d', step='1h')",
            )

    @property
    def size_ms(self) -> int:
        """Length of the longest window, ms."""
        return duration_ms(self.size, where="Cumulating")

    @property
    def step_ms(self) -> int:
        """Length of the shortest window, ms."""
        return duration_ms(self.step, where="Cumulating")

    @property
    def offset_ms(self) -> int:
        """How far starts are moved from the epoch's, ms."""
        return distance_ms(self.offset, where="Cumulating")

    def to_json(self) -> dict[str, Any]:
        """The window as JSON."""
        value = {"type": self.kind, "size_ms": self.size_ms, "step_ms": self.step_ms}
        return _with_offset(value, self.offset_ms)

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, where: str) -> Cumulating:
        """The window of `to_json`'s answer."""
        offset = distance_text(value.get("offset_ms", 0))
        return cls(duration_text(value["size_ms"]), duration_text(value["step_ms"]), offset)

    def __str__(self) -> str:
        return f"cumulating {self.size} by {self.step}{_offset_text(self.offset_ms)}"


def _offset_text(offset: int) -> str:
    return f" offset {distance_text(offset)}" if offset else ""
