"""Trees of plain comparisons as decisions: a comparison, where to go on when it holds, and where when not.

Law: for rows in which nothing is missing it ends where the general walk ends; the others take the general walk. Each
node's children become a chain of decisions, and every comparison becomes `value < bound`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from styx_lab.core.compiled import njit
from styx_lab.models.native.kinds.forest_kernel import OPERATION

__all__ = ["BLOCK", "Decisions", "decide", "plan_decisions"]

BLOCK: Final = 64
"""Rows that are taken together."""
_TRUE, _FALSE = OPERATION["true"], OPERATION["false"]
_LESS, _AT_MOST = OPERATION["lessThan"], OPERATION["lessOrEqual"]
_MORE, _AT_LEAST = OPERATION["greaterThan"], OPERATION["greaterOrEqual"]

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

Decisions = tuple[Ints, Ints, Floats, Ints, Ints]
"""Where each tree starts; and for each decision the feature, the bound, and where to go when below it and when not. A
place below 0 is an end: `-1` without a prediction, `-2 - node` at a node."""


def plan_decisions(
    first: Ints,
    count: Ints,
    operation: npt.NDArray[np.int8],
    asked: Ints,
    threshold: Floats,
    scored: npt.NDArray[np.bool_],
    roots: Ints,
    last_without_child: npt.NDArray[np.bool_],
) -> Decisions | None:
    """The decisions of trees; `None` when they ask for more than comparisons of numbers."""
    comparing = (operation >= _LESS) & (operation <= _AT_LEAST)
    if not bool((comparing | (operation == _TRUE) | (operation == _FALSE)).all()):
        return None
    # No bound is above infinity; but no number is either, so nothing need be asked.
    unbounded = threshold == np.inf
    operation = np.where(unbounded & (operation == _AT_MOST), np.int8(_TRUE), operation)
    operation = np.where(unbounded & (operation == _MORE), np.int8(_FALSE), operation)
    # The decision that a node is tried by has the node's number; places are put right at the end.
    size = len(operation)
    features, bounds = asked.copy(), threshold.copy()
    more = (operation == _AT_MOST) | (operation == _MORE)
    bounds[more] = np.nextafter(threshold[more], np.inf)
    inside = np.where(count > 0, first, -2 - np.arange(size))  # where a row goes on that is at a node
    otherwise = np.full(size, -1, dtype=np.int64)
    for tree, root in enumerate(roots.tolist()):
        stop = int(roots[tree + 1]) if tree + 1 < len(roots) else size
        for node in range(root, stop):
            if count[node]:
                begin, end = int(first[node]), int(first[node]) + int(count[node])
                otherwise[begin : end - 1] = np.arange(begin + 1, end)
                otherwise[end - 1] = -2 - node if last_without_child[tree] and scored[node] else -1
    upward = (operation == _MORE) | (operation == _AT_LEAST)
    below = np.where(upward, otherwise, inside)
    above = np.where(upward, inside, otherwise)
    starts = _follow(roots.astype(np.int64), operation, inside, otherwise)
    below, above = (_follow(each, operation, inside, otherwise) for each in (below, above))
    narrow = [each.astype(np.int32) for each in (starts, features, below, above)]
    return narrow[0], narrow[1], bounds, narrow[2], narrow[3]


def _follow(
    places: npt.NDArray[np.int64],
    operation: npt.NDArray[np.int8],
    inside: npt.NDArray[np.int64],
    otherwise: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Places with those skipped where nothing is asked."""
    places = places.copy()
    while True:
        at = np.maximum(places, 0)
        sure = (places >= 0) & (operation[at] == _TRUE)
        never = (places >= 0) & (operation[at] == _FALSE)
        if not (sure.any() or never.any()):
            return places
        places = np.where(sure, inside[at], np.where(never, otherwise[at], places))


@njit(cache=True, nogil=True)
def decide(
    features: Floats, starts: Ints, asked: Ints, bounds: Floats, below: Ints, above: Ints, block: int, ends: Ints
) -> None:
    """Fill `ends` (rows, trees): the node a row ends at, or -1. Rows are taken in blocks, so that a tree stays near."""
    rows, trees = ends.shape
    for begin in range(0, rows, block):
        stop = min(begin + block, rows)
        for tree in range(trees):
            start = starts[tree]
            for row in range(begin, stop):
                at = start
                while at >= 0:
                    at = below[at] if features[row, asked[at]] < bounds[at] else above[at]
                ends[row, tree] = -1 if at == -1 else -2 - at
