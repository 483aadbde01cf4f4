"""A watermark as a user would write one; the examples of `OwnWatermark` use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["Learned"]


class Learned:
    """As far behind the greatest event time as any event has been so far, less 1 ms.

    >>> learned = Learned()
    >>> [learned.on_event(time, {}) for time in (1_000, 3_000, 2_500, 5_000)]
    [999, 2999, 2499, 4499]
    """

    def __init__(self) -> None:
        self.greatest: int | None = None
        self.behind = 0

    def on_event(self, time: int, event: Mapping[str, Any]) -> int:
        """Learn from an event how far out of order they come."""
        greatest = time if self.greatest is None else max(self.greatest, time)
        self.greatest, self.behind = greatest, max(self.behind, greatest - time)
        return greatest - self.behind - 1

    def snapshot(self) -> list[int | None]:
        """Both numbers."""
        return [self.greatest, self.behind]

    def restore(self, state: Any) -> None:
        """Both numbers."""
        self.greatest, self.behind = state
