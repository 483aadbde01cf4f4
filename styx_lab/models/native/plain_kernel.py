"""The passes over plain batches: columns made from the matrix by steps, and sums of them.

Law: each row's value depends on that row alone, and is reckoned in the file's order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from styx_lab.core.compiled import njit
from styx_lab.models.native.recipes import (
    ADD,
    DIVIDE,
    DIVIDE_BY,
    LOOK_UP,
    MULTIPLY,
    NARROW,
    SUBTRACT,
    SUBTRACT_FROM,
)

__all__ = ["add_terms", "make_column"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@njit(cache=True, nogil=True)
def make_column(  # noqa: PLR0912 (one pass, as the compiler wants it)
    row: Floats, begin: int, count: int, first: int, stop: int, steps: Ints, constants: Floats, tables: Floats, out: Any
) -> None:
    """Into `out`: `count` values from `begin` on, after the steps from `first` to `stop`."""
    for at in range(count):
        out[at] = row[begin + at]
    for step in range(first, stop):
        what = steps[step]
        constant = constants[step]
        if what == ADD:
            for at in range(count):
                out[at] = out[at] + constant
        elif what == SUBTRACT:
            for at in range(count):
                out[at] = out[at] - constant
        elif what == SUBTRACT_FROM:
            for at in range(count):
                out[at] = constant - out[at]
        elif what == MULTIPLY:
            for at in range(count):
                out[at] = out[at] * constant
        elif what == DIVIDE:
            for at in range(count):
                out[at] = np.divide(constant, out[at])
        elif what == DIVIDE_BY:
            for at in range(count):
                out[at] = np.divide(out[at], constant)
        elif what == NARROW:
            for at in range(count):
                out[at] = np.float64(np.float32(out[at]))
        elif what == LOOK_UP:
            table = int(constant)
            for at in range(count):
                out[at] = tables[table + int(out[at])]


@njit(cache=True, nogil=True)
def add_terms(  # noqa: PLR0913 (one pass, as the compiler wants it)
    matrix: Floats,
    source: Ints,
    first: Ints,
    steps: Ints,
    constants: Floats,
    tables: Floats,
    coefficients: Floats,
    starts: Ints,
    intercepts: Floats,
    block: int,
    totals: Floats,
) -> bool:
    """Into `totals` (sums, rows): of each its columns, from `starts` on, by their coefficients; and the intercept.

    Gives whether all of them are finite.
    """
    height = matrix.shape[1]
    finite = True
    column = np.empty(block, dtype=np.float64)
    for begin in range(0, height, block):
        count = min(block, height - begin)
        for each in range(totals.shape[0]):
            total = totals[each, begin : begin + count]
            total[:] = 0.0
            for term in range(starts[each], starts[each + 1]):
                make_column(
                    matrix[source[term]], begin, count, first[term], first[term + 1], steps, constants, tables, column
                )
                coefficient = coefficients[term]
                for at in range(count):
                    total[at] += coefficient * column[at]
            for at in range(count):
                total[at] += intercepts[each]
                finite &= np.isfinite(total[at])
    return finite
