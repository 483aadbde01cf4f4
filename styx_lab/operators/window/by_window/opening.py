"""Windows come and go.

Law: memory is of open windows; what one held is free again when it goes.
"""

from __future__ import annotations

from styx_lab.core.compiled import njit
from styx_lab.operators.window.by_window.arrays import (
    AT,
    COUNT,
    END,
    FIRINGS,
    FIRST,
    FREE,
    GREATEST,
    HELD,
    KEY,
    KEYS,
    KNOWN,
    NEXT,
    NEXT_RANK,
    NONE,
    PENDING,
    RANK,
    SIBLING,
    START,
    TURN,
)
from styx_lab.operators.window.by_window.contents import begin, empty_out
from styx_lab.operators.window.by_window.forms import SESSION
from styx_lab.operators.window.entries import find, remove

__all__ = ["drop_window", "new_window"]


@njit(cache=True, nogil=True, error_model="numpy")
def new_window(state, operations, rule, slot, start, end):  # type: ignore[no-untyped-def]
    """A new window of a key, which has none there. There must be a free one."""
    control, windows, keys = state.control, state.windows, state.keys
    control[FREE] -= 1
    window = state.free[control[FREE]]
    line = windows[window]
    line[KEY] = slot
    line[END] = end
    line[START] = start
    line[RANK] = control[NEXT_RANK]
    control[NEXT_RANK] += 1
    line[COUNT] = 0
    line[NEXT] = NONE
    line[FIRINGS] = 0
    line[AT] = NONE
    line[GREATEST] = NONE
    line[PENDING] = 0
    line[TURN] += 1
    begin(state, operations, window)
    if rule.assign == SESSION:
        line[SIBLING] = keys[slot, FIRST] - 1
        keys[slot, FIRST] = window + 1
    else:
        state.table[find(state.table, windows, slot, end)] = window + 1
    if keys[slot, HELD] == 0:
        keys[slot, KNOWN] = 1
        control[KEYS] += 1
    keys[slot, HELD] += 1
    return window


@njit(cache=True, nogil=True, error_model="numpy")
def drop_window(state, operations, rule, window):  # type: ignore[no-untyped-def]
    """Let go of a window and all that it holds."""
    control, windows, keys = state.control, state.windows, state.keys
    empty_out(state, operations, window)
    slot = windows[window, KEY]
    if rule.assign == SESSION:
        _unlink(state, slot, window)
    else:
        remove(state.table, windows, find(state.table, windows, slot, windows[window, END]))
    windows[window, TURN] += 1
    state.free[control[FREE]] = window
    control[FREE] += 1
    keys[slot, HELD] -= 1
    if keys[slot, HELD] == 0:
        control[KEYS] -= 1


@njit(cache=True, nogil=True, error_model="numpy")
def _unlink(state, slot, window):  # type: ignore[no-untyped-def]
    """Take a session out of its key's list."""
    windows, keys = state.windows, state.keys
    other = keys[slot, FIRST] - 1
    if other == window:
        keys[slot, FIRST] = windows[window, SIBLING] + 1
        return
    while windows[other, SIBLING] != window:
        other = windows[other, SIBLING]
    windows[other, SIBLING] = windows[window, SIBLING]
