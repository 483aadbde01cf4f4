"""The families of operators that cases can be of, by the operator's type. A new one has a row here."""

from __future__ import annotations

from typing import Final

from styx_lab.testing.windows.family import Family
from styx_lab.testing.windows.interval_join import interval_join
from styx_lab.testing.windows.temporal_join import temporal_join
from styx_lab.testing.windows.window import window
from styx_lab.testing.windows.window_join import co_group, window_join

__all__ = ["FAMILIES"]

FAMILIES: Final[dict[str, Family]] = {
    "window": window,
    "windowJoin": window_join,
    "coGroup": co_group,
    "intervalJoin": interval_join,
    "temporalJoin": temporal_join,
}
"""What makes the operator of a case, by its type."""
