"""Windows: which stretches of event time an event belongs to, as frozen data. One file a family.

Law (oracle): assignment is Flink's. A window is half-open, [start, end); starts are multiples of the size (tumbling,
cumulating) or of the slide (sliding) since the epoch, plus the offset, before the epoch as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from styx_lab.errors import FlowError
from styx_lab.flow.window.calendar import Calendar
from styx_lab.flow.window.fixed import Cumulating, Sliding, Tumbling
from styx_lab.flow.window.session import Session
from styx_lab.flow.window.whole import Counted, Global

__all__ = [
    "Calendar",
    "Counted",
    "Cumulating",
    "Global",
    "Session",
    "Sliding",
    "Tumbling",
    "Window",
    "window_from_json",
]

Window = Tumbling | Sliding | Cumulating | Session | Calendar | Global | Counted
"""Any window."""

_KINDS: Final = {kind.kind: kind for kind in (Tumbling, Sliding, Cumulating, Session, Calendar, Global, Counted)}


def window_from_json(value: Mapping[str, Any], *, where: str) -> Window:
    """The window of `to_json`'s answer.

    Raises:
        FlowError: when it is of a kind that this version does not know.
    """
    if value.get("type") not in _KINDS:
        raise FlowError("unknown window in a stored flow", where=where, got=dict(value))
    return _KINDS[value["type"]].from_json(value, where=where)
