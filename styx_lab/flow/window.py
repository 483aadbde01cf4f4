"""Windows: which stretches of event time an event belongs to, as frozen data.

Law (oracle): assignment is Flink's. A window is half-open, [start, end); starts are multiples of the size (tumbling)
or of the slide (sliding) since the epoch, before it as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from styx_lab.core.time import Duration, duration_ms, duration_text
from styx_lab.errors import FlowError

__all__ = ["Sliding", "Tumbling", "Window", "window_from_json"]


@dataclass(frozen=True, slots=True)
class Tumbling:
    """Windows of one size, end to end: every event is in exactly one.

    >>> print(Tumbling("5m"))
    tumbling 5m
    """

    size: Duration

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", duration_text(duration_ms(self.size, where="Tumbling(size=...)")))

    @property
    def size_ms(self) -> int:
        """Length of a window, ms."""
        return duration_ms(self.size, where="Tumbling")

    @property
    def slide_ms(self) -> int:
        """Distance of two windows' starts, ms."""
        return self.size_ms

    def to_json(self) -> dict[str, Any]:
        """The window as JSON."""
        return {"type": "tumbling", "size_ms": self.size_ms}

    def __str__(self) -> str:
        return f"tumbling {self.size}"


@dataclass(frozen=True, slots=True)
class Sliding:
    """Windows of one size that start every `every`: an event is in size / every of them.

    >>> print(Sliding("5m", every="1m"))
    sliding 5m every 1m

    Where `every` is longer than the size, events between two windows are in none (counted as `no_window`).
    """

    size: Duration
    every: Duration

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", duration_text(duration_ms(self.size, where="Sliding(size=...)")))
        object.__setattr__(self, "every", duration_text(duration_ms(self.every, where="Sliding(every=...)")))

    @property
    def size_ms(self) -> int:
        """Length of a window, ms."""
        return duration_ms(self.size, where="Sliding")

    @property
    def slide_ms(self) -> int:
        """Distance of two windows' starts, ms."""
        return duration_ms(self.every, where="Sliding")

    def to_json(self) -> dict[str, Any]:
        """The window as JSON."""
        return {"type": "sliding", "size_ms": self.size_ms, "slide_ms": self.slide_ms}

    def __str__(self) -> str:
        return f"sliding {self.size} every {self.every}"


Window = Tumbling | Sliding


def window_from_json(value: Mapping[str, Any], *, where: str) -> Window:
    """The window of `to_json`'s answer."""
    match value:
        case {"type": "tumbling", "size_ms": size}:
            return Tumbling(duration_text(size))
        case {"type": "sliding", "size_ms": size, "slide_ms": slide}:
            return Sliding(duration_text(size), duration_text(slide))
    raise FlowError("unknown window in a stored flow", where=where, got=dict(value))
