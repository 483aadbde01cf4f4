"""PMML's built-in functions over columns: one table, filled by a file for each family.

Law: a function gives for a row what the reference evaluator gives; where that refuses, the row's value is an error.
"""

from __future__ import annotations

from typing import Final

from styx_lab.models.native.functions import arithmetic, comparison, dates, logic, maths, text
from styx_lab.models.native.functions.function import Function

__all__ = ["FUNCTIONS", "Function"]

FUNCTIONS: Final[dict[str, Function]] = {
    **arithmetic.FUNCTIONS,
    **comparison.FUNCTIONS,
    **dates.FUNCTIONS,
    **logic.FUNCTIONS,
    **maths.FUNCTIONS,
    **text.FUNCTIONS,
}
"""The functions by name; `if` is not among them: what it does not choose is not evaluated."""
