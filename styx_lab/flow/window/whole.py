"""Windows without edges in time: all of a key's events, or so many of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from styx_lab.errors import FlowError

__all__ = ["Counted", "Global"]


@dataclass(frozen=True, slots=True)
class Global:
    """One window for all events of a key; it fires when its trigger says so, and never ends.

    >>> print(Global())
    global

    It needs a trigger: `EveryEvents(100)`, `When("amount > 1000")`, `AtEndOfInput()`. No event is late for it. Its
    state stays as long as the flow runs.

    Source: Flink's `GlobalWindows`.
    """

    kind: ClassVar[str] = "global"

    def to_json(self) -> dict[str, Any]:
        """The window as JSON."""
        return {"type": self.kind}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, where: str) -> Global:
        """The window of `to_json`'s answer."""
        return cls()

    def __str__(self) -> str:
        return "global"


@dataclass(frozen=True, slots=True)
class Counted:
    """Windows of so many events of a key, in order of arrival: each in one, or sliding by a number of events.

    >>> print(Counted(100), "|", Counted(100, every=10))
    counted 100 | counted 100 every 10

    `Counted(n)` fires at every n-th event of a key, with those n; what remains at the end of input is not given out.
    `Counted(n, every=m)` fires at every m-th event, with the last n at most. No event is late. The count depends on the
    order of arrival.

    Source: Flink's `countWindow(size)` and `countWindow(size, slide)`.
    """

    size: int
    every: int | None = None

    kind: ClassVar[str] = "counted"

    def __post_init__(self) -> None:
        for name, number in (("size", self.size), ("every", self.every)):
            if number is not None and (not isinstance(number, int) or isinstance(number, bool) or number < 1):
                raise FlowError(
                    "a number of events is a whole number from 1",
                    where=f"Counted({name}=...)",
                    got=number,
                    hint="Counted(100), or Counted(100, every=10)",
                )

    def to_json(self) -> dict[str, Any]:
        """The window as JSON."""
        return {"type": self.kind, "size": self.size} | ({} if self.every is None else {"every": self.every})

    @classmethod
    def from_json(cls, value: Mapping[str, Any], *, where: str) -> Counted:
        """The window of `to_json`'s answer."""
        return cls(value["size"], value.get("every"))

    def __str__(self) -> str:
        return f"counted {self.size}" + ("" if self.every is None else f" every {self.every}")
