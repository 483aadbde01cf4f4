"""What a built-in function is: its arity, whether it takes missing arguments, and what it does to columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from styx_lab.models.native.column import Bools, Codes, Column, Rows, either, first_error, where_error

__all__ = ["Function", "no_missing", "together"]


@dataclass(frozen=True, slots=True)
class Function:
    """A built-in function.

    Attributes:
        call: the arguments, the batch and the function's name -> its value in each row.
        least: the fewest arguments it takes.
        most: the most; `None` for any number.
    """

    call: Callable[[Sequence[Column], Rows, str], Column]
    least: int
    most: int | None


def together(columns: Sequence[Column]) -> tuple[Bools | None, Codes | None]:
    """Where any of the arguments is missing, and the first error among them."""
    return either(*(each.missing for each in columns)), first_error(*(each.errors for each in columns))


def no_missing(columns: Sequence[Column], rows: Rows, name: str) -> Codes | None:
    """The errors of a function that refuses missing arguments, after those of the arguments themselves."""
    missing, errors = together(columns)
    if missing is None:
        return errors
    refused = where_error(np.asarray(missing), rows.error(f"function {name!r} cannot take a missing value"))
    return first_error(errors, refused)
