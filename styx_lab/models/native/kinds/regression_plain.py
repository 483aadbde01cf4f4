"""Linear sums over plain batches: all terms of all sums in one pass.

Law: it gives the bits that the sums give one by one: the terms in the file's order, the intercept last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from styx_lab.models.native.plain import Matrix, Program, Resolve
from styx_lab.models.native.plain_kernel import add_terms

if TYPE_CHECKING:
    from styx_lab.models.native.kinds.regression_model import RegressionSum

__all__ = ["plan_sums"]

_BLOCK: Final = 512


def plan_sums(
    sums: Sequence[RegressionSum], resolve: Resolve
) -> Callable[[Matrix], npt.NDArray[np.float64] | None] | None:
    """The plain way of some sums: the matrix -> (sums, rows); `None` there when a sum is no finite number."""
    program = Program()
    coefficients: list[float] = []
    starts = [0]
    for each in sums:
        if each.single or each.terms or not _plan(each, resolve, program, coefficients):
            return None
        starts.append(len(program))
    columns = program.arrays()
    weights = np.array(coefficients, dtype=np.float64)
    begins = np.array(starts, dtype=np.int64)
    intercepts = np.array([each.intercept for each in sums], dtype=np.float64)

    def tell(matrix: Matrix) -> npt.NDArray[np.float64] | None:
        totals = np.empty((len(sums), matrix.shape[1]), dtype=np.float64)
        # What was missing on the way, or no number, is so in the sum.
        return totals if add_terms(matrix, *columns, weights, begins, intercepts, _BLOCK, totals) else None

    return tell


def _plan(each: RegressionSum, resolve: Resolve, program: Program, coefficients: list[float]) -> bool:
    for name, coefficient, exponent in each.numeric:
        source = resolve(name)
        if source is None or source.type == "string" or exponent != 1.0 or not np.isfinite(coefficient):
            return False
        program.add(source)
        coefficients.append(float(coefficient))
    at = 0
    while at < len(each.categorical):
        name = each.categorical[at][0]
        source = resolve(name)
        if source is None or source.type != "string":
            return False
        # Of the terms of one text at most one is not zero, and to add zero changes nothing.
        table: dict[str, float] = {}
        while at < len(each.categorical) and each.categorical[at][0] == name and each.categorical[at][1] not in table:
            table[each.categorical[at][1]] = float(each.categorical[at][2])
            at += 1
        if not np.isfinite(list(table.values())).all():
            return False
        program.add_table(source, [table.get(word, 0.0) for word in source.words])
        coefficients.append(1.0)
    return True
