"""Watermarks of a user's own, for the tests: in a module that can be imported."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any


class EverySecond:
    """Every other event says the mean of its time and the greatest before it; a bad one says nonsense."""

    def __init__(self) -> None:
        self.count = 0
        self.greatest = 0

    def on_event(self, time: int, event: Mapping[str, Any]) -> int | datetime | None:
        """See `WatermarkClass`."""
        self.count += 1
        if event["status"] == "":
            raise ValueError("no status")
        if event["tries"] == 4:
            return "soon"  # type: ignore[return-value]
        before, self.greatest = self.greatest, max(self.greatest, time)
        if self.count % 2:
            return None
        if self.count % 4:
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time - 7)
        return (before + time) // 2

    def snapshot(self) -> Any:
        """See `WatermarkClass`."""
        return [self.count, self.greatest]

    def restore(self, state: Any) -> None:
        """See `WatermarkClass`."""
        self.count, self.greatest = state


class Halved:
    """Lacks its state."""

    def on_event(self, time: int, event: Mapping[str, Any]) -> int | None:
        """See `WatermarkClass`."""
        return time
