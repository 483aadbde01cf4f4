"""The forms in which Python and the compiled pass hand things to each other.

Law: all that the pass must know of a step is numbers, and all that it says is rows of numbers.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from styx_lab.operators.window.partial import Array

__all__ = ["OUT_ROWS", "Arrivals", "Fired", "Rule"]

# How windows are assigned.
FIXED, CUMULATING, GIVEN, SESSION, WHOLE = range(5)
# When they fire.
AT_END, AT_COUNT, AT_INTERVAL, AT_CONDITION, AT_NOTHING, AT_INPUT_END = range(6)
# Rows of what was fired.
OUT_KEY, OUT_START, OUT_END, OUT_ORDER, OUT_CLOCK, OUT_EVENTS, OUT_FIRING, OUT_TIME = range(8)
OUT_ROWS: Final = 8
# Verdicts on an event.
TAKEN, LATE_EVENT, NO_WINDOW = range(3)
# Answers of `run`.
DONE, OUT_FULL, MEMBERS_FULL, WIDE_FULL, WINDOWS_FULL = range(5)


class Rule(NamedTuple):
    """What a window step says, as numbers.

    Attributes:
        assign: how windows are assigned.
        size: length of a window, ms (of a cumulating one: of the longest).
        slide: distance of two windows' starts, ms (of a cumulating one: its step).
        offset: how far starts are moved, ms.
        lateness: how long after its end a window takes events, ms.
        trigger: when it fires.
        every: of how many events, where it counts.
        interval: of how many ms, where it fires every so often.
        at_end: whether it fires at its end beside.
        discarding: whether a firing empties it.
        last: how many events it holds at most; 0 for all.
        sums: how many float sums a partial has.
        keeps: whether the events themselves are kept.
    """

    assign: int
    size: int
    slide: int
    offset: int
    lateness: int
    trigger: int
    every: int
    interval: int
    at_end: bool
    discarding: bool
    last: int
    sums: int
    keeps: bool


class Arrivals(NamedTuple):
    """The rows of a batch; `values` as `partial.Rows` has them.

    Attributes:
        times, slots, orders: of each event.
        clocks: its arrival time, ms.
        sides: 0 or 1, of which input it is.
        starts, ends: its window, where windows are given; the gap in `starts` of a session.
        meets: whether it meets the trigger's condition.
        reals, wholes, valid: the values that go into partials.
    """

    times: Array
    slots: Array
    orders: Array
    clocks: Array
    sides: Array
    starts: Array
    ends: Array
    meets: Array
    reals: Array
    wholes: Array
    valid: Array


class Fired(NamedTuple):
    """Room for what fires: a column each, and its events one after the other."""

    rows: Array
    real: Array
    whole: Array
    members: Array
