"""The moment at hand: whose state is read and written, by which clock it lives, and how to take a write back.

Law: an event that fails leaves no trace: every write says how it is undone, and is, last first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from styx_lab.core.time import MAX_WATERMARK, MIN_WATERMARK
from styx_lab.errors import DataError

__all__ = ["NEVER", "NO_KEY", "Scope"]

NEVER: Final = MAX_WATERMARK + 1
"""The end of what has no time to live: after every watermark, also the one at infinity."""


class _NoKey:
    # All keyed state and all timers are found by their key, so this is asked for by whatever must not be used.
    def __hash__(self) -> int:
        raise DataError(
            "a broadcast event has no key, and so no keyed state and no timers",
            hint="write BroadcastState here; read it in on_event",
        )

    def __repr__(self) -> str:
        return "()"


NO_KEY: Final = _NoKey()
"""The key while an event of a broadcast input is taken."""


class Scope:
    """Set by the operator before each call of a user's method; read by everything that the method uses.

    Attributes:
        key: the key at hand.
        time: the time of the event or timer, epoch ms.
        now: what has reached this is over: the watermark as it was; for a timer its time, if that is later.
        watermark: what the user sees as the watermark.
        written: the time that a write counts as: the event's, or the watermark where the event is late.
        firing: the time of the timer at hand; None for an event, and for a timer of processing time.
        clock: what the user sees as the processing time.
        firing_clock: the time of the timer of processing time at hand; else None.
        broadcasting: whether the event is of a broadcast input.
        log: how to undo what was written, in order.
    """

    __slots__ = ("broadcasting", "clock", "firing", "firing_clock", "key", "log", "now", "time", "watermark", "written")

    def __init__(self) -> None:
        self.key: Any = NO_KEY
        self.time = self.now = self.watermark = self.written = self.clock = MIN_WATERMARK
        self.firing: int | None = None
        self.firing_clock: int | None = None
        self.broadcasting = False
        self.log: list[tuple[Callable[..., object], Any, Any, Any]] = []

    def undo(self) -> None:
        """Take back all that was written since the log was empty."""
        while self.log:
            undo, what, key, before = self.log.pop()
            undo(what, key, before)


def put_back(held: dict[Any, Any], key: Any, before: Any) -> None:
    """Undo a write to a dict: None means that it had no such key."""
    if before is None:
        held.pop(key, None)
    else:
        held[key] = before
