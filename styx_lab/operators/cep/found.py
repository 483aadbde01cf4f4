"""What a matcher finds: a row of numbers for each match and each timeout, and its events.

The events are rows (part, number); those of one match stand together, in the order in which it took them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

__all__ = ["AT", "COLUMNS", "FIRST", "KIND", "LENGTH", "SLOT", "STEP", "Found", "nothing"]

COLUMNS: Final = 6
KIND, STEP, SLOT, AT, FIRST, LENGTH = range(COLUMNS)
"""The columns: 0 for a match and 1 for a timeout; the step that released it; the key's slot; the time, ms; where its
events begin; how many events it has."""


class Found(NamedTuple):
    """What came out, in order.

    Attributes:
        rows: int64 (n, 6).
        events: int64 (m, 2): part and number of each event.
    """

    rows: np.ndarray
    events: np.ndarray


def nothing() -> Found:
    """Nothing found."""
    return Found(np.empty((0, COLUMNS), np.int64), np.empty((0, 2), np.int64))
