"""The walk of rows down trees: one compiled pass over flat arrays.

Law: a row's way depends on that row alone; it ends at a node, at no prediction, or at what stopped it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from styx_lab.core.compiled import njit

__all__ = ["NOTHING", "NO_DEFAULT", "NO_SCORE", "OPERATION", "STOPPED", "UNSUPPORTED", "walk"]

OPERATION: Final = {
    "true": 0,
    "false": 1,
    "lessThan": 2,
    "lessOrEqual": 3,
    "greaterThan": 4,
    "greaterOrEqual": 5,
    "equal": 6,
    "notEqual": 7,
    "isMissing": 8,
    "isNotMissing": 9,
    "general": 10,
}
"""What a node asks."""

NOTHING, NO_DEFAULT, UNSUPPORTED, NO_SCORE, STOPPED = -1, -2, -3, -4, -10
"""Where a row ends when not at a node: without a prediction, or stopped; by an error of feature f at `STOPPED - f`,
of general predicate p at `STOPPED - features - p`."""

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.int8]


@njit(cache=True, nogil=True)
def walk(  # noqa: PLR0912, PLR0913, PLR0915 (one pass, as the compiler wants it)
    features: Floats,
    failed: npt.NDArray[np.bool_],
    general: Bytes,
    first: Ints,
    count: Ints,
    operation: Bytes,
    asked: Ints,
    threshold: Floats,
    default: Ints,
    scored: npt.NDArray[np.bool_],
    roots: Ints,
    strategy: Bytes,
    last_without_child: npt.NDArray[np.bool_],
    ends: Ints,
    levels: Ints,
) -> None:
    """Fill `ends` (rows, trees) with where each row ends in each tree, and `levels` with how often a default led on.

    `features` (rows, features) holds NaN where a value is missing, and where `failed` (empty when none is) says that it
    cannot be had. `general` (rows, predicates) holds 0, 1, 2 (unknown) or 3 (failed).
    """
    rows, trees = ends.shape
    width = features.shape[1]
    any_failed = failed.shape[0] > 0
    for row in range(rows):
        for tree in range(trees):
            node = -1
            end = NOTHING
            at = roots[tree]
            stop = at + 1
            passed = 0
            while True:
                chosen = -1
                done = False
                while at < stop:
                    what = operation[at]
                    said = 0
                    if what == 0:
                        said = 1
                    elif what >= 2 and what <= 9:
                        feature = asked[at]
                        value = features[row, feature]
                        if np.isnan(value):
                            if any_failed and failed[row, feature]:
                                end = STOPPED - feature
                                done = True
                                break
                            if what == 8:
                                said = 1
                            elif what == 9:
                                said = 0
                            else:
                                said = 2
                        elif what == 3:
                            said = 1 if value <= threshold[at] else 0
                        elif what == 4:
                            said = 1 if value > threshold[at] else 0
                        elif what == 2:
                            said = 1 if value < threshold[at] else 0
                        elif what == 5:
                            said = 1 if value >= threshold[at] else 0
                        elif what == 6:
                            said = 1 if value == threshold[at] else 0
                        elif what == 7:
                            said = 1 if value != threshold[at] else 0
                        elif what == 9:
                            said = 1
                    elif what == 10:
                        said = general[row, asked[at]]
                        if said == 3:
                            end = STOPPED - width - asked[at]
                            done = True
                            break
                    if said == 1:
                        chosen = at
                        break
                    if said == 2 and node >= 0:
                        way = strategy[tree]
                        if way == 1:  # nullPrediction
                            end = NOTHING
                            done = True
                            break
                        if way == 2:  # lastPrediction
                            end = node if scored[node] else NO_SCORE
                            done = True
                            break
                        if way == 3:  # defaultChild
                            passed += 1
                            chosen = default[node]
                            if chosen < 0:
                                end = NO_DEFAULT
                                done = True
                            break
                        if way == 4:
                            end = UNSUPPORTED
                            done = True
                            break
                    at += 1
                if done:
                    break
                if chosen < 0:
                    if node >= 0 and last_without_child[tree] and scored[node]:  # noqa: SIM108
                        end = node
                    else:
                        end = NOTHING
                    break
                node = chosen
                if count[node] == 0:
                    end = node
                    break
                at = first[node]
                stop = at + count[node]
            ends[row, tree] = end
            levels[row, tree] = passed
