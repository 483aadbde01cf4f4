"""`and`, `or`, `not`, and the questions after missing and valid values.

Law: `and`, `or` and `not` refuse missing arguments; all arguments are evaluated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from styx_lab.models.native.column import Column, Rows, first_error
from styx_lab.models.native.functions.function import Function, no_missing, together
from styx_lab.models.native.values import cast

__all__ = ["FUNCTIONS"]


def _combine(arguments: Sequence[Column], rows: Rows, name: str) -> Column:
    missing, _ = together(arguments)
    errors = no_missing(arguments, rows, name)
    typed = [cast(each, "boolean", rows) for each in arguments]
    errors = first_error(errors, *(each.errors for each in typed))
    values: Any = typed[0].values
    if name == "not":
        values = ~values
    for each in typed[1:]:
        values = values & each.values if name == "and" else values | each.values
    return Column("boolean", values, missing, errors)


def _asked(arguments: Sequence[Column], rows: Rows, name: str) -> Column:
    argument = arguments[0]
    missing = np.asarray(argument.gaps)
    return Column("boolean", missing if name == "isMissing" else ~missing, None, argument.errors)


def _is_valid(arguments: Sequence[Column], rows: Rows, name: str) -> Column:
    # A value that is refused as invalid never gets here; one that is missing is neither valid nor invalid.
    argument = arguments[0]
    there = ~argument.gaps
    return Column("boolean", there if name == "isValid" else np.zeros(1, dtype=np.bool_), None, argument.errors)


FUNCTIONS: Final = {
    "and": Function(_combine, 2, None),
    "or": Function(_combine, 2, None),
    "not": Function(_combine, 1, 1),
    "isMissing": Function(_asked, 1, 1),
    "isNotMissing": Function(_asked, 1, 1),
    "isValid": Function(_is_valid, 1, 1),
    "isNotValid": Function(_is_valid, 1, 1),
}
