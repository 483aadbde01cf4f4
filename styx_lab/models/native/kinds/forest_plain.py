"""Trees over plain batches: laid out for `forest_rows`, with what their ends say.

Law: it gives the bits that `Forest.ends` and the sums over it give; trees that ask more than comparisons of numbers and
questions of one text have no plain way.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from styx_lab.models.native.kinds.decisions import Decisions, plan_decisions
from styx_lab.models.native.kinds.forest import Bound, Forest
from styx_lab.models.native.kinds.forest_kernel import OPERATION
from styx_lab.models.native.kinds.forest_rows import lay_out, score_rows
from styx_lab.models.native.plain import Matrix, Program, Resolve, truths_of
from styx_lab.models.native.threads import in_pieces

__all__ = ["PlainForest", "plan_forest", "weigh_nodes"]

_BLOCK: Final = 256
_WIDEST: Final = 1 << 17
"""Numbers of a block of rows; where there are many features, the block is smaller."""
_MOST: Final = 1 << 28


class PlainForest:
    """Trees that tell the sum of what their ends say.

    Args:
        program: the columns they ask for.
        roots: where each begins.
        depths: how many steps the longest way down takes.
        places: feature, bound and way of each place.
        values: (classes, places) what the ends say; NaN where the general walk must look.
    """

    def __init__(
        self,
        program: Program,
        roots: npt.NDArray[np.uint32],
        depths: npt.NDArray[np.int64],
        places: tuple[npt.NDArray[np.uint32], npt.NDArray[np.float64], npt.NDArray[np.uint32]],
        values: npt.NDArray[np.float64],
    ) -> None:
        self._program = program.arrays()
        self._roots = roots
        self._depths = depths
        self._places = places
        self._values = values
        self._each = [np.ascontiguousarray(values[at : at + 1]) for at in range(len(values))]
        self._work = int(depths.sum())
        self._block = max(16, min(_BLOCK, _WIDEST // max(1, len(program))))

    def sums(self, matrix: Matrix, only: int) -> npt.NDArray[np.float64] | None:
        """The sums (classes, rows), or of one class alone; `None` where a number is missing."""
        height = matrix.shape[1]
        values = self._values if only < 0 else self._each[only]
        totals = np.empty((len(values), height), dtype=np.float64)

        def make(low: int, high: int) -> bool:
            done: bool = score_rows(
                matrix, *self._program, self._roots, self._depths, *self._places, values, self._block, low, high, totals
            )
            return done

        return totals if in_pieces(height, height * self._work, self._block, make) else None


def plan_forest(forest: Forest, values: npt.NDArray[np.float64], resolve: Resolve) -> PlainForest | None:
    """The plain way of a forest.

    Args:
        forest: it.
        values: (classes, nodes) what the nodes say; NaN where they say nothing that can be read.
        resolve: what names stand for.
    """
    sources = [resolve(name) for name in forest.names]
    if any(each is None for each in sources):
        return None
    known = [each for each in sources if each is not None]
    bound = Bound(forest.predicates, forest.names, tuple(each.type for each in known))
    program = Program()
    for at in bound.used:
        program.add(known[at])
    operation, asked, threshold = bound.operation.copy(), bound.asked.copy(), bound.threshold.copy()
    general = operation == OPERATION["general"]
    for predicate in bound.general:
        said = truths_of(predicate, resolve)
        if said is None:
            return None
        program.add_table(*said)
    operation[general] = OPERATION["greaterOrEqual"]
    asked[general] += len(bound.used)
    threshold[general] = 0.5
    operation[operation == OPERATION["isMissing"]] = OPERATION["false"]
    operation[operation == OPERATION["isNotMissing"]] = OPERATION["true"]
    decisions = plan_decisions(
        forest.first, forest.count, operation, asked, threshold, forest.scored, forest.roots, forest.last
    )
    return None if decisions is None else _lay_out(decisions, program, values)


def _lay_out(decisions: Decisions, program: Program, values: npt.NDArray[np.float64]) -> PlainForest | None:
    starts, asked, bounds, below, above = decisions
    room = 2 * len(asked) + len(starts)
    if room > _MOST:
        return None
    roots, depths = np.empty(len(starts), dtype=np.uint32), np.empty(len(starts), dtype=np.int64)
    feature, child = np.empty(room, dtype=np.uint32), np.empty(room, dtype=np.uint32)
    bound, ends = np.empty(room, dtype=np.float64), np.empty(room, dtype=np.int32)
    used = lay_out(starts, asked, bounds, below, above, roots, depths, feature, bound, child, ends)
    if used < 0:
        return None
    ends = ends[:used]
    said = values[:, np.maximum(-2 - ends, 0)]
    said[:, ends >= -1] = np.nan
    places = (feature[:used].copy(), bound[:used].copy(), child[:used].copy())
    return PlainForest(program, roots, depths, places, np.ascontiguousarray(said))


def weigh_nodes(
    values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], starts: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """What the nodes of each tree say, by what the tree counts."""
    return values * np.repeat(weights, np.diff(starts))
