"""Values of one field for all rows of a batch: an array, which of them are missing, and which cannot be had and why.

Law: an error of a value is no error of its row until something needs that value, as in the reference evaluator; so
errors travel with their column and are told only where the column is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = [
    "NUMERIC",
    "Bools",
    "Codes",
    "Column",
    "Rows",
    "either",
    "first_error",
    "pick",
    "where_error",
]

Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int32]

NUMERIC: Final = ("integer", "float", "double")
"""Types that arithmetic takes, from narrow to wide."""


class Rows:
    """A batch in evaluation: how many rows it has, and the texts of their errors (0 stands for none)."""

    def __init__(self, height: int) -> None:
        self.height = height
        self.texts: list[str] = [""]
        self.kinds: list[str | None] = [None]
        self.made: dict[object, Any] = {}
        self._known: dict[str, int] = {}

    def error(self, text: str, kind: str = "failed") -> int:
        """The number of an error's text, which is of one kind (see `core.ports.ERROR_KIND`)."""
        number = self._known.get(text)
        if number is None:
            number = self._known[text] = len(self.texts)
            self.texts.append(text)
            self.kinds.append(kind)
        return number


@dataclass(frozen=True, slots=True)
class Column:
    """One field's values; arrays are of the batch's height, or of length 1 for what is the same in every row.

    Attributes:
        type: PMML's dataType: `double`, `float`, `integer`, `boolean`, `string`, `date`, ...
        values: float64, float32, int64, bool; for text int32 codes into `words`; for times int64.
        missing: where there is no value; `None` for nowhere.
        errors: where a value cannot be had, the number of its text in `Rows`; `None` for nowhere.
        words: the texts that codes stand for.
    """

    type: str
    values: npt.NDArray[Any]
    missing: Bools | None = None
    errors: Codes | None = None
    words: tuple[str, ...] = ()

    @property
    def numbers(self) -> npt.NDArray[np.float64]:
        """The values as float64, without a copy where they are."""
        return self.values.astype(np.float64, copy=False)

    @property
    def gaps(self) -> Bools:
        """Where a value is missing, as an array in any case."""
        return np.zeros(1, dtype=np.bool_) if self.missing is None else self.missing

    def with_errors(self, errors: Codes | None) -> Column:
        """The same values with further errors, which come first."""
        return self if errors is None else replace(self, errors=first_error(errors, self.errors))

    def full(self, height: int) -> Column:
        """The column with arrays of the batch's height."""
        return replace(
            self,
            values=_full(self.values, height),
            missing=None if self.missing is None else _full(self.missing, height),
            errors=None if self.errors is None else _full(self.errors, height),
        )

    @staticmethod
    def nothing(data_type: str = "double") -> Column:
        """A column of missing values."""
        kind: dict[str, Any] = {"double": np.float64, "float": np.float32, "boolean": np.bool_, "string": np.int32}
        values: npt.NDArray[Any] = np.zeros(1, dtype=kind.get(data_type, np.int64))
        return Column(data_type, values, np.ones(1, dtype=np.bool_), None, ("",) if data_type == "string" else ())

    @staticmethod
    def failed(error: int, data_type: str = "double") -> Column:
        """A column that cannot be had in any row."""
        nothing = Column.nothing(data_type)
        return replace(nothing, errors=np.array([error], dtype=np.int32))


def _full(values: Any, height: int) -> Any:
    return values if len(values) == height else np.broadcast_to(values, (height,))


def first_error(*errors: Codes | None) -> Codes | None:
    """For each row the first error of several, in their order."""
    found: Codes | None = None
    for each in errors:
        if each is None:
            continue
        found = each if found is None else np.where(found != 0, found, each)
    return found


def where_error(where: Bools, error: int) -> Codes | None:
    """One error in some rows; `None` where there are none."""
    return np.where(where, np.int32(error), np.int32(0)) if where.any() else None


def either(*masks: Bools | None) -> Bools | None:
    """Where any of several masks is set."""
    found: Bools | None = None
    for each in masks:
        if each is not None:
            found = each if found is None else found | each
    return found


def pick(condition: Bools, yes: Column, no: Column) -> Column:
    """Row by row one of two columns of the same type."""
    errors = None
    if yes.errors is not None or no.errors is not None:
        zero = np.zeros(1, dtype=np.int32)
        errors = np.where(
            condition, zero if yes.errors is None else yes.errors, zero if no.errors is None else no.errors
        )
    missing = None
    if yes.missing is not None or no.missing is not None:
        missing = np.where(condition, yes.gaps, no.gaps)
    if yes.type != "string":
        return Column(yes.type, np.where(condition, yes.values, no.values), missing, errors)
    words, (left, right) = merge_words((yes, no))
    return Column("string", np.where(condition, left, right), missing, errors, words)


def merge_words(columns: Sequence[Column]) -> tuple[tuple[str, ...], list[Codes]]:
    """Codes of several text columns over one list of words."""
    if len({column.words for column in columns}) == 1:
        return columns[0].words, [column.values.astype(np.int32, copy=False) for column in columns]
    known: dict[str, int] = {}
    codes = []
    for column in columns:
        table = np.array([known.setdefault(word, len(known)) for word in column.words] or [0], dtype=np.int32)
        codes.append(table[column.values.astype(np.int32, copy=False)])
    return tuple(known) or ("",), codes
