"""Partials: what is kept of the events of one key and pane, for each aggregate, as words in two flat arrays.

Law (order): a partial and the merge of partials are exact, so neither the order of events nor that of panes can show. A
minimum or maximum with a NaN among its values is NaN, and -0.0 is less than 0.0 (as Java's `Math.min`, which Flink
uses).

A sum of whole numbers is two words, `upper * 2^32 + lower`, which 2^31 events cannot overflow. A sum of floats is
narrow (two float words) until it needs more; then its whole word says which wide sum has it.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np

from styx_lab.core.compiled import njit_uncounted
from styx_lab.operators.window.exact_sum import add_narrow, add_wide

__all__ = [
    "DIRTY",
    "NARROW",
    "OP_COLUMNS",
    "OP_COUNT",
    "OP_REAL_MAX",
    "OP_REAL_MIN",
    "OP_REAL_SUM",
    "OP_WHOLE_MAX",
    "OP_WHOLE_MIN",
    "OP_WHOLE_SUM",
    "Array",
    "Operations",
    "Rows",
    "add_values",
    "java_max",
    "java_min",
    "merge_partial",
]

# The columns of the table of operations: the code, the place of its value, its first float word, its first whole word.
OP_COLUMNS: Final = 4
OP_COUNT, OP_REAL_SUM, OP_WHOLE_SUM, OP_REAL_MIN, OP_REAL_MAX, OP_WHOLE_MIN, OP_WHOLE_MAX = range(7)
NARROW: Final = -1
"""The word of a float sum's wide form, where it has none."""
DIRTY: Final = -2
"""The same, in a window's row: the sum has to be made again in wide form."""


Array = np.ndarray[Any, np.dtype[Any]]
"""An array of two dimensions, or of another type than int64."""


class Operations(NamedTuple):
    """What a partial is made of: a row for each operation, and the words of a new partial."""

    table: Array
    real_start: Array
    whole_start: Array


class Rows(NamedTuple):
    """The rows of a batch that windows take; of the values a row for each expression, a column for each event."""

    times: Array
    slots: Array
    orders: Array
    places: Array
    reals: Array
    wholes: Array
    valid: Array


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
def _less(left, right):  # type: ignore[no-untyped-def]
    if left == right:
        return left == 0.0 and math.copysign(1.0, left) < math.copysign(1.0, right)
    return left < right


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
def java_min(left, right):  # type: ignore[no-untyped-def]
    """The smaller of two floats as Java's `Math.min` has it: NaN if one is, and -0.0 is less than 0.0."""
    if math.isnan(left) or math.isnan(right):
        return math.nan
    return right if _less(right, left) else left


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
def java_max(left, right):  # type: ignore[no-untyped-def]
    """The greater of two floats as Java's `Math.max` has it."""
    if math.isnan(left) or math.isnan(right):
        return math.nan
    return right if _less(left, right) else left


@njit_uncounted(cache=True, nogil=True, error_model="numpy", inline="always")
def add_values(  # type: ignore[no-untyped-def]  # noqa: PLR0913 - an array taken out of a tuple costs 10 ns an event
    operations, real, whole, wide, wide_free, wide_left, entry, reals, wholes, valid, row
):
    """Add an event's values to an entry's partial; `wide_left` wide sums are free, and what remains is given back."""
    for index in range(operations.shape[0]):
        code = operations[index, 0]
        value = operations[index, 1]
        if not valid[value, row]:
            continue
        at = operations[index, 2]
        word = operations[index, 3]
        if code == OP_REAL_SUM:
            given = reals[value, row]
            place = whole[entry, word]
            if place == NARROW:
                high, low, exact = add_narrow(real[entry, at], real[entry, at + 1], given)
                if exact:
                    real[entry, at] = high
                    real[entry, at + 1] = low
                    continue
                wide_left -= 1
                place = wide_free[wide_left]
                whole[entry, word] = place
                wide[place, :] = 0
                add_wide(wide[place], real[entry, at])
                add_wide(wide[place], real[entry, at + 1])
            add_wide(wide[place], given)
        elif code == OP_COUNT:
            whole[entry, word] += 1
        elif code == OP_WHOLE_SUM:
            whole[entry, word] += wholes[value, row] >> 32
            whole[entry, word + 1] += wholes[value, row] & 0xFFFFFFFF
        elif code == OP_REAL_MIN:
            real[entry, at] = java_min(real[entry, at], reals[value, row])
        elif code == OP_REAL_MAX:
            real[entry, at] = java_max(real[entry, at], reals[value, row])
        elif code == OP_WHOLE_MIN:
            whole[entry, word] = min(whole[entry, word], wholes[value, row])
        else:
            whole[entry, word] = max(whole[entry, word], wholes[value, row])
    return wide_left


@njit_uncounted(cache=True, nogil=True, error_model="numpy", inline="always")
def merge_partial(operations, real, whole, entry, out_real, out_whole, row):  # type: ignore[no-untyped-def]
    """Merge an entry's partial into a window's row (words run down the arrays); give whether a sum became dirty."""
    dirty = False
    for index in range(operations.shape[0]):
        code = operations[index, 0]
        at = operations[index, 2]
        word = operations[index, 3]
        if code == OP_REAL_SUM:
            if out_whole[word, row] == NARROW and whole[entry, word] == NARROW:
                high, low, exact = add_narrow(out_real[at, row], out_real[at + 1, row], real[entry, at])
                if exact:
                    high, low, exact = add_narrow(high, low, real[entry, at + 1])
                if exact:
                    out_real[at, row] = high
                    out_real[at + 1, row] = low
                    continue
            out_whole[word, row] = DIRTY
            dirty = True
        elif code == OP_COUNT:
            out_whole[word, row] += whole[entry, word]
        elif code == OP_WHOLE_SUM:
            # Kept short of a carry, so that no number of panes can overflow the lower word.
            lower = out_whole[word + 1, row] + (whole[entry, word + 1] & 0xFFFFFFFF)
            out_whole[word, row] += whole[entry, word] + (whole[entry, word + 1] >> 32) + (lower >> 32)
            out_whole[word + 1, row] = lower & 0xFFFFFFFF
        elif code == OP_REAL_MIN:
            out_real[at, row] = java_min(out_real[at, row], real[entry, at])
        elif code == OP_REAL_MAX:
            out_real[at, row] = java_max(out_real[at, row], real[entry, at])
        elif code == OP_WHOLE_MIN:
            out_whole[word, row] = min(out_whole[word, row], whole[entry, word])
        else:
            out_whole[word, row] = max(out_whole[word, row], whole[entry, word])
    return dirty
