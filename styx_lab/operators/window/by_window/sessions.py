"""Sessions that become one.

Law (oracle): what overlaps or touches merges; counts are added, of two next fire times the smaller is kept.
"""

from __future__ import annotations

from styx_lab.core.compiled import njit
from styx_lab.operators.window.by_window.arrays import (
    AT_LAST,
    AT_NEXT,
    COUNT,
    END,
    EVENTS,
    FIRINGS,
    FIRST,
    GREATEST,
    NEXT,
    NONE,
    PENDING,
    RANK,
    SIBLING,
    START,
)
from styx_lab.operators.window.by_window.contents import join
from styx_lab.operators.window.by_window.forms import AT_END
from styx_lab.operators.window.by_window.opening import drop_window
from styx_lab.operators.window.by_window.triggers import last_ms

__all__ = ["absorb", "stretch", "touching"]


@njit(cache=True, nogil=True, error_model="numpy")
def touching(windows, first, start, end):  # type: ignore[no-untyped-def]
    """The sessions that [start, end) touches: how many, the first of them, the bounds and events of all together."""
    low, high = start, end
    kept = -1
    count = 0
    events = 0
    other = first
    while other >= 0:
        if windows[other, START] <= end and start <= windows[other, END]:
            count += 1
            events += windows[other, EVENTS]
            low = min(low, windows[other, START])
            high = max(high, windows[other, END])
            if kept < 0 or windows[other, RANK] < windows[kept, RANK]:
                kept = other
        other = windows[other, SIBLING]
    return count, kept, low, high, events


@njit(cache=True, nogil=True, error_model="numpy")
def absorb(state, operations, rule, kept, slot, start, end):  # type: ignore[no-untyped-def]
    """Let a session take in the others that [start, end) touches."""
    windows = state.windows
    line = windows[kept]
    other = state.keys[slot, FIRST] - 1
    while other >= 0:
        following = windows[other, SIBLING]
        if other != kept and windows[other, START] <= end and start <= windows[other, END]:
            join(state, operations, kept, other)
            line[COUNT] += windows[other, COUNT]
            line[FIRINGS] = max(line[FIRINGS], windows[other, FIRINGS])
            line[GREATEST] = max(line[GREATEST], windows[other, GREATEST])
            if windows[other, NEXT] != NONE and (line[NEXT] == NONE or windows[other, NEXT] < line[NEXT]):
                line[NEXT] = windows[other, NEXT]
            drop_window(state, operations, rule, other)
        other = following


@njit(cache=True, nogil=True, error_model="numpy")
def stretch(windows, window, rule, low, high, mark):  # type: ignore[no-untyped-def]
    """Give a session other bounds, and its trigger what a merge gives it."""
    line = windows[window]
    line[START] = low
    line[END] = high
    line[PENDING] = 0
    if (rule.trigger == AT_END or rule.at_end) and last_ms(high) > mark:
        line[PENDING] |= AT_LAST
    if line[NEXT] != NONE:
        line[PENDING] |= AT_NEXT
