"""Forests over plain batches: rows go down the trees level by level, a block of rows at a time.

Law: for a row in which nothing is missing it tells what the general walk tells, added in the same order. A row's way
depends on that row alone, so cutting a batch among threads changes nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from styx_lab.core.compiled import njit
from styx_lab.models.native.plain_kernel import make_column

__all__ = ["lay_out", "score_rows"]

Ints = npt.NDArray[np.int64]
Marks = npt.NDArray[np.uint32]
Floats = npt.NDArray[np.float64]


@njit(cache=True, nogil=True)
def lay_out(  # noqa: PLR0913 (one pass, as the compiler wants it)
    starts: npt.NDArray[np.int32],
    asked: npt.NDArray[np.int32],
    bounds: Floats,
    below: npt.NDArray[np.int32],
    above: npt.NDArray[np.int32],
    roots: Marks,
    depths: Ints,
    feature: Marks,
    bound: Floats,
    child: Marks,
    ends: npt.NDArray[np.int32],
) -> int:
    """Decisions as places: the two ways of one side by side, a tree's near each other, level by level.

    An end is a place whose way leads to itself. Gives how many places there are; -1 when there is no room for them.
    """
    room = len(ends)
    used = 0
    for tree in range(len(starts)):
        if used >= room:
            return -1
        roots[tree] = used
        ends[used] = starts[tree]
        begin = used
        used += 1
        level = used
        depth = 0
        at = begin
        while at < used:
            if at == level:
                level = used
                depth += 1
            decision = ends[at]
            if decision < 0:
                feature[at] = 0
                bound[at] = np.nan  # nothing is at or above it
                child[at] = at
            else:
                if used + 2 > room:
                    return -1
                feature[at] = asked[decision]
                bound[at] = bounds[decision]
                child[at] = used
                ends[used] = below[decision]
                ends[used + 1] = above[decision]
                ends[at] = -1
                used += 2
            at += 1
        depths[tree] = depth
    return used


@njit(cache=True, nogil=True)
def score_rows(  # noqa: PLR0913 (one pass, as the compiler wants it)
    matrix: Floats,
    source: Ints,
    first: Ints,
    steps: Ints,
    constants: Floats,
    tables: Floats,
    roots: Marks,
    depths: Ints,
    feature: Marks,
    bound: Floats,
    child: Marks,
    values: Floats,
    block: int,
    low: int,
    high: int,
    totals: Floats,
) -> bool:
    """Into `totals` (classes, rows), of the rows from `low` to `high`: the sum of the places where each row ends.

    Gives false, and leaves the rest, when a number is missing.
    """
    width, classes = len(source), values.shape[0]
    column = np.empty(block, dtype=np.float64)
    features = np.empty(block * width, dtype=np.float64)
    places = np.empty(block, dtype=np.uint32)
    for begin in range(low, high, block):
        count = min(block, high - begin)
        for each in range(width):
            make_column(
                matrix[source[each]], begin, count, first[each], first[each + 1], steps, constants, tables, column
            )
            lost = False
            for at in range(count):
                lost |= np.isnan(column[at])
                features[at * width + each] = column[at]
            if lost:
                return False
        for each in range(classes):
            for at in range(count):
                totals[each, begin + at] = 0.0
        for tree in range(len(roots)):
            root = roots[tree]
            for at in range(count):
                places[at] = root
            # Signed numbers would be looked at for whether they count from the end.
            for _ in range(depths[tree]):
                moved = np.uint32(0)
                for at in range(count):
                    place = places[at]
                    value = features[np.uint64(at * width) + np.uint64(feature[place])]
                    then = np.uint32(child[place] + np.uint32(value >= bound[place]))
                    moved |= then ^ place
                    places[at] = then
                if moved == 0:
                    break
            for each in range(classes):
                for at in range(count):
                    totals[each, begin + at] += values[each, places[at]]
    return True
