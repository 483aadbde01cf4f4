"""What a window holds: the partials of its aggregates, and its events as a list of numbers.

Laws: events stand in order of arrival, also where two windows became one; a partial is exact, so neither the order of
events nor that of merging can show.
"""

from __future__ import annotations

from styx_lab.core.compiled import njit
from styx_lab.operators.window.by_window.arrays import (
    AFTER,
    EVENTS,
    HEAD,
    NODE_FREE,
    NUMBER,
    TAIL,
    WIDE_FREE,
)
from styx_lab.operators.window.exact_sum import add_narrow, add_wide, merge_wide, round_wide
from styx_lab.operators.window.partial import (
    NARROW,
    OP_COUNT,
    OP_REAL_MAX,
    OP_REAL_MIN,
    OP_REAL_SUM,
    OP_WHOLE_MIN,
    OP_WHOLE_SUM,
    java_max,
    java_min,
)

__all__ = ["append", "begin", "drop_first", "empty_out", "give", "join"]


@njit(cache=True, nogil=True, error_model="numpy")
def begin(state, operations, window):  # type: ignore[no-untyped-def]
    """Let a window hold nothing; what it held is not let go."""
    for word in range(len(operations.real_start)):
        state.real[window, word] = operations.real_start[word]
    for word in range(len(operations.whole_start)):
        state.whole[window, word] = operations.whole_start[word]
    state.windows[window, EVENTS] = 0
    state.windows[window, HEAD] = -1
    state.windows[window, TAIL] = -1


@njit(cache=True, nogil=True, error_model="numpy")
def empty_out(state, operations, window):  # type: ignore[no-untyped-def]
    """Let go of all that a window holds."""
    control, nodes, codes = state.control, state.nodes, operations.table
    node = state.windows[window, HEAD]
    while node >= 0:
        state.node_free[control[NODE_FREE]] = node
        control[NODE_FREE] += 1
        node = nodes[node, AFTER]
    for index in range(codes.shape[0]):
        if codes[index, 0] == OP_REAL_SUM and state.whole[window, codes[index, 3]] != NARROW:
            state.wide_free[control[WIDE_FREE]] = state.whole[window, codes[index, 3]]
            control[WIDE_FREE] += 1
    begin(state, operations, window)


@njit(cache=True, nogil=True, error_model="numpy")
def append(control, windows, nodes, node_free, window, number):  # type: ignore[no-untyped-def]
    """Put an event behind those of a window. There must be a free node."""
    control[NODE_FREE] -= 1
    node = node_free[control[NODE_FREE]]
    nodes[node, NUMBER] = number
    nodes[node, AFTER] = -1
    if windows[window, HEAD] < 0:
        windows[window, HEAD] = node
    else:
        nodes[windows[window, TAIL], AFTER] = node
    windows[window, TAIL] = node


@njit(cache=True, nogil=True, error_model="numpy")
def drop_first(state, window):  # type: ignore[no-untyped-def]
    """Let go of a window's oldest event."""
    node = state.windows[window, HEAD]
    state.windows[window, HEAD] = state.nodes[node, AFTER]
    if state.windows[window, HEAD] < 0:
        state.windows[window, TAIL] = -1
    state.windows[window, EVENTS] -= 1
    state.node_free[state.control[NODE_FREE]] = node
    state.control[NODE_FREE] += 1


@njit(cache=True, nogil=True, error_model="numpy")
def join(state, operations, window, other):  # type: ignore[no-untyped-def]
    """Add what another window holds, which then holds nothing. There must be a free wide sum for each float sum."""
    nodes, windows = state.nodes, state.windows
    left, right = windows[window, HEAD], windows[other, HEAD]
    head = tail = -1
    while left >= 0 or right >= 0:
        if right < 0 or (left >= 0 and nodes[left, NUMBER] < nodes[right, NUMBER]):
            node = left
            left = nodes[left, AFTER]
        else:
            node = right
            right = nodes[right, AFTER]
        if head < 0:
            head = node
        else:
            nodes[tail, AFTER] = node
        nodes[node, AFTER] = -1
        tail = node
    events = windows[window, EVENTS] + windows[other, EVENTS]
    _join_partials(state, operations, window, other)
    windows[other, HEAD] = -1
    empty_out(state, operations, other)
    windows[window, HEAD] = head
    windows[window, TAIL] = tail
    windows[window, EVENTS] = events


@njit(cache=True, nogil=True, error_model="numpy")
def _join_partials(state, operations, window, other):  # type: ignore[no-untyped-def]
    real, whole, codes = state.real, state.whole, operations.table
    for index in range(codes.shape[0]):
        code, at, word = codes[index, 0], codes[index, 2], codes[index, 3]
        if code == OP_REAL_SUM:
            _join_sums(state, window, other, at, word)
        elif code == OP_COUNT:
            whole[window, word] += whole[other, word]
        elif code == OP_WHOLE_SUM:
            whole[window, word] += whole[other, word]
            whole[window, word + 1] += whole[other, word + 1]
        elif code == OP_REAL_MIN:
            real[window, at] = java_min(real[window, at], real[other, at])
        elif code == OP_REAL_MAX:
            real[window, at] = java_max(real[window, at], real[other, at])
        elif code == OP_WHOLE_MIN:
            whole[window, word] = min(whole[window, word], whole[other, word])
        else:
            whole[window, word] = max(whole[window, word], whole[other, word])


@njit(cache=True, nogil=True, error_model="numpy")
def _join_sums(state, window, other, at, word):  # type: ignore[no-untyped-def]
    real, whole, wide = state.real, state.whole, state.wide
    if whole[window, word] == NARROW and whole[other, word] == NARROW:
        high, low, exact = add_narrow(real[window, at], real[window, at + 1], real[other, at])
        if exact:
            high, low, exact = add_narrow(high, low, real[other, at + 1])
        if exact:
            real[window, at] = high
            real[window, at + 1] = low
            return
    if whole[window, word] == NARROW:
        state.control[WIDE_FREE] -= 1
        place = state.wide_free[state.control[WIDE_FREE]]
        whole[window, word] = place
        wide[place, :] = 0
        add_wide(wide[place], real[window, at])
        add_wide(wide[place], real[window, at + 1])
    if whole[other, word] == NARROW:
        add_wide(wide[whole[window, word]], real[other, at])
        add_wide(wide[whole[window, word]], real[other, at + 1])
    else:
        merge_wide(wide[whole[window, word]], wide[whole[other, word]])


@njit(cache=True, nogil=True, error_model="numpy")
def give(state, operations, window, out, row):  # type: ignore[no-untyped-def]
    """Write a window's partials into a row of results; the window keeps them."""
    codes = operations.table
    for word in range(len(operations.real_start)):
        out.real[word, row] = state.real[window, word]
    for word in range(len(operations.whole_start)):
        out.whole[word, row] = state.whole[window, word]
    for index in range(codes.shape[0]):
        code, at, word = codes[index, 0], codes[index, 2], codes[index, 3]
        if code == OP_REAL_SUM:
            if state.whole[window, word] == NARROW:
                out.real[at, row] = state.real[window, at] + state.real[window, at + 1]
            else:
                out.real[at, row] = round_wide(state.wide[state.whole[window, word]].copy())
        elif code == OP_WHOLE_SUM:
            # Kept short of a carry, as the pane kernel gives it.
            out.whole[word, row] += out.whole[word + 1, row] >> 32
            out.whole[word + 1, row] &= 0xFFFFFFFF
