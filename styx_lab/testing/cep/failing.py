"""The condition that fails, as a flow carries it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from styx_lab.errors import DataError

__all__ = ["throws"]


def throws(event: Mapping[str, Any], match: Mapping[str, Sequence[Mapping[str, Any]]]) -> bool:
    """Fail, whatever the event."""
    del match
    raise DataError("thrown by the condition", got=dict(event))
