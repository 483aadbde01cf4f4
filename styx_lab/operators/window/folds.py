"""Expressions over the events of groups: each fold over the events, then what is made of the folds' values.

Law (re-chunking): Polars' own aggregates add floats in an order that changes with the number of groups and of events,
so none of them is used: a fold is one of Styx's aggregates, and everything else is row-wise, over the events or over
the groups (`flow/expression/values.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.errors import DataError
from styx_lab.flow.expression import Expression, evaluate
from styx_lab.flow.expression.folds import Fold, is_fold_column
from styx_lab.flow.expression.summary import Summary
from styx_lab.operators.window.choice import chosen, unique_counts
from styx_lab.operators.window.folding import Folding
from styx_lab.operators.window.members import Kept, Members
from styx_lab.operators.window.spread import quantile_of, spread_of

__all__ = ["Summing"]

_VALUE, _CONDITION = "value", "condition"


class Summing:
    """Reckons an expression over groups.

    Args:
        name: the name of the result.
        summary: the expression.
        kept: what is kept of each event; it grows.
        where: the step and the column, for errors.
    """

    def __init__(self, name: str, summary: Summary, kept: Kept, where: str) -> None:
        self._name = name
        self._outer = summary.outer
        self._where = where
        types = summary.types(kept.stream.readable, where=where)
        self._folds = [_Folded(fold, types, kept, where) for fold in summary.folds]

    def compute(self, members: Members) -> pl.Series:
        """The values, one for each group.

        Raises:
            DataError: when it cannot be reckoned for a group: a sum beyond 64 bits, a strict cast.
        """
        found: dict[str, pl.Series] = {}
        for fold in self._folds:
            found[fold.column] = fold.compute(members, found)
        groups = np.arange(len(members))
        made = _evaluated(pl.DataFrame(found), {self._name: self._outer}, members, groups, self._where)
        return made[self._name]


class _Folded:
    """One fold: where its values come from, and how it is reckoned."""

    def __init__(self, fold: Fold, types: Mapping[str, pl.DataType], kept: Kept, where: str) -> None:
        self.column = fold.column
        self._where = where
        wanted = {_VALUE: fold.value, _CONDITION: fold.condition}
        self._wanted = {name: each for name, each in wanted.items() if each is not None}
        self._below = sorted(name for name in fold.columns if is_fold_column(name))
        schema = {**kept.stream.readable, **{name: types[name] for name in self._below}}
        # What reads other folds must wait for them; everything else is reckoned when the event comes.
        self._columns: dict[str, str] = {}
        self._raw: list[str] = []
        if self._below:
            self._raw = [kept.column(name) for name in sorted(fold.columns) if not is_fold_column(name)]
        else:
            self._columns = {name: kept.value(each, where) for name, each in self._wanted.items()}
        dtype = None if fold.value is None else fold.value.check(schema, where=where)
        self._compute = _computed(fold, dtype, where)

    def compute(self, members: Members, found: Mapping[str, pl.Series]) -> pl.Series:
        """Its values, one for each group, by its own name."""
        if self._below:
            raw = members.frame.select(self._raw).get_columns()
            below = [found[name].gather(members.group) for name in self._below]
            frame = _evaluated(pl.DataFrame([*raw, *below]), self._wanted, members, members.group, self._where)
        else:
            frame = pl.DataFrame([members.frame[column].alias(name) for name, column in self._columns.items()])
        counts = members.counts
        if _CONDITION in frame.columns:
            true = frame[_CONDITION].fill_null(value=False)
            frame = frame.filter(true)
            counts = np.bincount(members.group[true.to_numpy()], minlength=len(members)).astype(np.int64)
        return self._compute(Members(frame, counts, members.name_row)).alias(self.column)


def _computed(fold: Fold, dtype: pl.DataType | None, where: str) -> Callable[[Members], pl.Series]:
    options = fold.options
    match fold.function:
        case "len":
            return _counts
        case "null_count":
            return lambda members: _counted(members, members.frame[_VALUE].is_null())
        case "any":
            return lambda members: _counted(members, members.frame[_VALUE].fill_null(value=False)) > 0
        case "all":
            return lambda members: _counted(members, ~members.frame[_VALUE].fill_null(value=True)) == 0
        case "n_unique":
            return partial(unique_counts, fold.text, _VALUE, True)
        case "var" | "std":
            return partial(spread_of, fold.text, _VALUE, options["ddof"], fold.function == "std", where)
        case "median":
            return partial(quantile_of, fold.text, _VALUE, 0.5, "linear", where)
        case "quantile":
            return partial(quantile_of, fold.text, _VALUE, options["q"], options["interpolation"], where)
    assert dtype is not None
    if fold.function in ("min", "max") and not dtype.is_numeric():
        return partial(_extreme, fold.text, fold.function == "max")
    return _Added(fold, dtype, where)


def _counts(members: Members) -> pl.Series:
    return pl.Series(members.counts)


def _counted(members: Members, true: pl.Series) -> pl.Series:
    return pl.Series(np.bincount(members.group[true.to_numpy()], minlength=len(members)).astype(np.int64))


def _extreme(name: str, most: bool, members: Members) -> pl.Series:
    """The least or greatest value, of texts, truths and times: of equals it does not matter which."""
    frame = pl.DataFrame([pl.Series("group", members.group), members.frame[_VALUE]]).with_row_index("row")
    frame = frame.drop_nulls(_VALUE).sort("group", _VALUE, descending=[False, most], maintain_order=True)
    group, first = np.unique(frame["group"].to_numpy(), return_index=True)
    rows: Int64s = np.full(len(members), -1, np.int64)
    rows[group] = frame["row"].to_numpy()[first]
    return chosen(name, members.frame[_VALUE], rows)


class _Added:
    """Count, sum, mean, min and max of numbers."""

    def __init__(self, fold: Fold, dtype: pl.DataType, where: str) -> None:
        self._or_null = fold.function == "sum_or_null"
        name, schema = fold.text, {_VALUE: dtype}
        if self._or_null:
            self._folding = Folding([(name, "sum", _VALUE), ("there", "count", _VALUE)], schema, where)
        else:
            self._folding = Folding([(name, fold.function, _VALUE)], schema, where)  # type: ignore[list-item]

    def __call__(self, members: Members) -> pl.Series:
        found, *rest = self._folding.compute(members)
        if not self._or_null:
            return found
        return pl.DataFrame([found, *rest]).select(pl.when(pl.col("there") > 0).then(pl.col(found.name))).to_series()


def _evaluated(
    frame: pl.DataFrame, expressions: Mapping[str, Expression], members: Members, group: Int64s, where: str
) -> pl.DataFrame:
    """The values of row-wise expressions over events, or over groups."""
    try:
        return evaluate(frame, expressions)
    except pl.exceptions.PolarsError as error:
        first, last = 0, frame.height
        # The first row that fails, by halving: the rows before `first` do not.
        while last - first > 1:
            middle = (first + last) // 2
            if _fails(frame[first:middle], expressions):
                last = middle
            else:
                first = middle
        said = str(error).splitlines()[0].partition(" for ")[0]
        raise DataError(
            f"an expression over the window's events cannot be reckoned: {said}",
            where=f"{where}, {members.name_row(int(group[first]))}",
            hint="TRY_CAST(...), .cast(..., strict=False) and null_on_oob=True give null instead",
        ) from error


def _fails(frame: pl.DataFrame, expressions: Mapping[str, Expression]) -> bool:
    try:
        evaluate(frame, expressions)
    except pl.exceptions.PolarsError:
        return True
    return False
