"""The state of windows that are each kept by themselves, as flat arrays that compiled code finds its way in.

Laws: a window of a key is found by its key's slot and its end, or, of a session, through its key's list; what is let go
can be used again at once.

`windows` has a row for each open window of each key; its partials stand in `real` and `whole`, its events (where they
are kept) in a list of `nodes`. `heap` says which window has to be looked at next when the watermark moves.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from styx_lab.core.batch import Int64s
from styx_lab.core.compiled import njit
from styx_lab.operators.window.partial import Array

__all__ = ["WindowArrays", "empty", "pop", "push"]

# Columns of `windows`. The first two are those by which the hash table finds a row.
KEY, END, START, RANK, ORDER, PLACE, NTH, EVENTS, HEAD, TAIL = range(10)
COUNT, NEXT, FIRINGS, AT, GREATEST, PENDING, SIBLING, TURN = range(10, 18)
WINDOW_COLUMNS: Final = 18
# What `PENDING` says is to come: a timer at the window's last ms, one at NEXT, one at the end of its lateness.
AT_LAST, AT_NEXT, AT_CLEANUP = 1, 2, 4
# Columns of `nodes`.
NUMBER, AFTER = range(2)
NODE_COLUMNS: Final = 2
# Columns of `heap`.
TIME, TOP_RANK, WINDOW, WINDOW_TURN = range(4)
HEAP_COLUMNS: Final = 4
# Columns of `keys`, by slot.
HELD, FIRST, KNOWN = range(3)
KEY_COLUMNS: Final = 3
# Words of `control`.
FREE, NODE_FREE, HEAP, NEXT_RANK, WIDE_FREE, KEYS, CLOCK, NUMBERS = range(8)
LAST_ORDER, LAST_PLACE, AT_ROW, AT_NTH, AT_STEP, TOOK, FIRED, MEMBERS, NEEDED = range(8, 17)
CONTROL_WORDS: Final = 17
NONE: Final = -(2**63)
NEVER: Final = 2**63 - 1


class WindowArrays(NamedTuple):
    """The whole state, as flat arrays (see the columns' names above)."""

    control: Int64s
    table: Int64s
    """A window's number and 1, or 0; a power of two long, at most half full."""
    windows: Array
    real: Array
    whole: Array
    free: Int64s
    """A stack of free windows."""
    nodes: Array
    node_free: Int64s
    heap: Array
    keys: Array
    wide: Array
    wide_free: Int64s


def empty(operations_real: int, operations_whole: int, wide_words: int) -> WindowArrays:
    """No windows and no room."""
    control = np.zeros(CONTROL_WORDS, np.int64)
    control[CLOCK] = NONE
    control[LAST_ORDER] = -1
    return WindowArrays(
        control,
        table=np.zeros(0, np.int64),
        windows=np.zeros((0, WINDOW_COLUMNS), np.int64),
        real=np.zeros((0, operations_real)),
        whole=np.zeros((0, operations_whole), np.int64),
        free=np.zeros(0, np.int64),
        nodes=np.zeros((0, NODE_COLUMNS), np.int64),
        node_free=np.zeros(0, np.int64),
        heap=np.zeros((0, HEAP_COLUMNS), np.int64),
        keys=np.zeros((0, KEY_COLUMNS), np.int64),
        wide=np.zeros((0, wide_words), np.int64),
        wide_free=np.zeros(0, np.int64),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _set(heap, place, time, rank, window, turn):  # type: ignore[no-untyped-def]
    heap[place, TIME] = time
    heap[place, TOP_RANK] = rank
    heap[place, WINDOW] = window
    heap[place, WINDOW_TURN] = turn


@njit(cache=True, nogil=True, error_model="numpy")
def _move(heap, place, to):  # type: ignore[no-untyped-def]
    _set(heap, to, heap[place, TIME], heap[place, TOP_RANK], heap[place, WINDOW], heap[place, WINDOW_TURN])


@njit(cache=True, nogil=True, error_model="numpy")
def push(control, heap, windows, window, time):  # type: ignore[no-untyped-def]
    """Say that a window has to be looked at when the watermark reaches a time. There must be room."""
    place = control[HEAP]
    control[HEAP] += 1
    rank = windows[window, RANK]
    while place > 0:
        above = (place - 1) // 2
        if heap[above, TIME] < time or (heap[above, TIME] == time and heap[above, TOP_RANK] <= rank):
            break
        _move(heap, above, place)
        place = above
    _set(heap, place, time, rank, window, windows[window, TURN])
    windows[window, AT] = time


@njit(cache=True, nogil=True, error_model="numpy")
def pop(control, heap):  # type: ignore[no-untyped-def]
    """Take the first entry off the heap."""
    last = control[HEAP] - 1
    control[HEAP] = last
    time, rank, window, turn = heap[last, TIME], heap[last, TOP_RANK], heap[last, WINDOW], heap[last, WINDOW_TURN]
    place = 0
    while 2 * place + 1 < last:
        child = 2 * place + 1
        if child + 1 < last and (
            heap[child + 1, TIME] < heap[child, TIME]
            or (heap[child + 1, TIME] == heap[child, TIME] and heap[child + 1, TOP_RANK] < heap[child, TOP_RANK])
        ):
            child += 1
        if time < heap[child, TIME] or (time == heap[child, TIME] and rank <= heap[child, TOP_RANK]):
            break
        _move(heap, child, place)
        place = child
    _set(heap, place, time, rank, window, turn)
