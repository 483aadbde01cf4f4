"""When a window fires, and when it has to be looked at next.

Law (oracle): each trigger does at an event, and at a time, what Flink's does.
"""

from __future__ import annotations

from styx_lab.core.compiled import njit
from styx_lab.operators.window.by_window.arrays import (
    AT,
    AT_CLEANUP,
    AT_LAST,
    AT_NEXT,
    COUNT,
    END,
    NEVER,
    NEXT,
    NONE,
    PENDING,
    push,
)
from styx_lab.operators.window.by_window.forms import (
    AT_CONDITION,
    AT_COUNT,
    AT_END,
    AT_INPUT_END,
    AT_INTERVAL,
    AT_NOTHING,
)

__all__ = ["cleanup_ms", "last_ms", "on_event", "on_time", "schedule"]


@njit(cache=True, nogil=True, error_model="numpy")
def cleanup_ms(end, rule):  # type: ignore[no-untyped-def]
    """When a window's state goes, ms; NEVER for the global one, and where the sum would overflow."""
    if end == NEVER or end - 1 > NEVER - rule.lateness:
        return NEVER
    return end - 1 + rule.lateness


@njit(cache=True, nogil=True, error_model="numpy")
def last_ms(end):  # type: ignore[no-untyped-def]
    """A window's last ms; of the global window the end of time."""
    return NEVER if end == NEVER else end - 1


@njit(cache=True, nogil=True, error_model="numpy")
def schedule(control, heap, windows, rule, window):  # type: ignore[no-untyped-def]
    """See to it that the heap has the time at which a window has to be looked at next."""
    pending = windows[window, PENDING]
    if pending == 0:
        return
    due = NEVER
    if pending & AT_LAST:
        due = last_ms(windows[window, END])
    if pending & AT_NEXT:
        due = min(due, windows[window, NEXT])
    if pending & AT_CLEANUP:
        due = min(due, cleanup_ms(windows[window, END], rule))
    if windows[window, AT] == NONE or due < windows[window, AT]:
        push(control, heap, windows, window, due)


@njit(cache=True, nogil=True, error_model="numpy")
def _next_fire(time, end, rule):  # type: ignore[no-untyped-def]
    return min(time + rule.interval, last_ms(end))


@njit(cache=True, nogil=True, error_model="numpy")
def on_event(windows, window, rule, time, mark, meets):  # type: ignore[no-untyped-def]
    """Let the trigger see an event of a window; gives whether it fires now."""
    last = last_ms(windows[window, END])
    if rule.trigger == AT_COUNT:
        windows[window, COUNT] += 1
        fires = windows[window, COUNT] >= rule.every
        if fires:
            windows[window, COUNT] = 0
        return _at_end(windows, window, rule, last, mark) or fires
    if rule.trigger == AT_CONDITION:
        return _at_end(windows, window, rule, last, mark) or meets
    if rule.trigger == AT_NOTHING:
        return False
    if last <= mark:
        return rule.trigger != AT_INPUT_END
    windows[window, PENDING] |= AT_LAST
    if rule.trigger == AT_INTERVAL and windows[window, NEXT] == NONE:
        # Java's % goes toward nought, so a time before 1970 waits up to an interval longer.
        rest = time % rule.interval
        if rest != 0 and time < 0:
            rest -= rule.interval
        windows[window, NEXT] = _next_fire(time - rest, windows[window, END], rule)
        windows[window, PENDING] |= AT_NEXT
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def _at_end(windows, window, rule, last, mark):  # type: ignore[no-untyped-def]
    """Of a trigger that fires at the end beside: whether the end has come."""
    if not rule.at_end:
        return False
    if last > mark:
        windows[window, PENDING] |= AT_LAST
    return last <= mark


@njit(cache=True, nogil=True, error_model="numpy")
def on_time(line, rule, time):  # type: ignore[no-untyped-def]
    """Let the trigger see that a time has come; gives whether it fires."""
    last = last_ms(line[END])
    if time == last:
        line[PENDING] &= ~AT_LAST
        if line[NEXT] == time:
            line[PENDING] &= ~AT_NEXT
        return rule.at_end or rule.trigger == AT_END or rule.trigger == AT_INTERVAL or rule.trigger == AT_INPUT_END
    if rule.trigger == AT_INTERVAL and line[PENDING] & AT_NEXT and line[NEXT] == time:
        line[NEXT] = _next_fire(time, line[END], rule)
        return True
    return False
