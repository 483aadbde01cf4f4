"""The values of expressions over a frame of events: the one way in which operators evaluate them.

Law (re-chunking): the values are the same, to the last bit, however the events are cut into frames. Polars breaks it in
one place: where a side of an operation has one value for all rows, it takes a short cut (a division multiplies by the
reciprocal); in a frame or chunk of one row every column looks like that. So expressions are evaluated over one chunk of
two rows at least, with every column written out, and with every choice in them written out first (see `stages.py`).
What needs no query (see `direct.py`) has no such short cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import polars as pl

from styx_lab.flow.expression.direct import NotDirect, direct
from styx_lab.flow.expression.expression import Expression

__all__ = ["evaluate", "truths"]


def evaluate(frame: pl.DataFrame, expressions: Mapping[str, Expression]) -> pl.DataFrame:
    """The values of expressions, one column each and one row for each row of the frame.

    >>> big = Expression.of("amount > 500", where="doc")
    >>> evaluate(pl.DataFrame({"amount": [700.0, None, 3.0]}), {"big": big})["big"].to_list()
    [True, None, False]

    It has no state. A constant is repeated for each row. A condition's null counts as false where it is used as one:
    `values["big"].fill_null(False)`.

    Args:
        frame: events, with the columns that the expressions were checked against.
        expressions: by the name of the column they give.

    Raises:
        polars.exceptions.PolarsError: when a strict function meets a value that it cannot take, such as a strict cast.
    """
    found = _direct_columns(frame, expressions)
    left = {name: each for name, each in expressions.items() if name not in found}
    if left:
        found |= _queried(frame, left)
    return pl.DataFrame([found[name] for name in expressions])


def truths(frame: pl.DataFrame, conditions: Iterable[Expression]) -> dict[Expression, np.ndarray]:
    """Where each condition is true, one bool for each row of the frame; null is false.

    >>> big = Expression.of("amount > 500", where="doc")
    >>> truths(pl.DataFrame({"amount": [700.0, None, 3.0]}), [big])[big].tolist()
    [True, False, False]

    It has no state.

    Args:
        frame: events, with the columns that the conditions were checked against.
        conditions: each is evaluated once.

    Raises:
        polars.exceptions.PolarsError: see `evaluate`.
    """
    told: dict[Expression, np.ndarray] = {}
    left: dict[str, Expression] = {}
    for one in conditions:
        condition = direct(one).condition
        if condition is not None:
            try:
                told[one] = condition(frame).true
                continue
            except NotDirect:
                pass
        left[str(len(left))] = one
    if left:
        for name, column in _queried(frame, left).items():
            told[left[name]] = (column.fill_null(value=False) if column.null_count() else column).to_numpy()
    return told


def _direct_columns(frame: pl.DataFrame, expressions: Mapping[str, Expression]) -> dict[str, pl.Series]:
    """The values of those that need no query."""
    found: dict[str, pl.Series] = {}
    for name, each in expressions.items():
        how = direct(each)
        try:
            if how.column is not None:
                found[name] = how.column(frame).alias(name)
            elif how.condition is not None:
                told = how.condition(frame)
                if told.null is None:
                    found[name] = pl.Series(name, told.true)
        except NotDirect:
            continue
    return found


def _queried(frame: pl.DataFrame, expressions: Mapping[str, Expression]) -> dict[str, pl.Series]:
    """The values of expressions, as Polars finds them."""
    read = frozenset().union(*(direct(each).reads for each in expressions.values())) or frame.columns[:1]
    columns = [frame.get_column(name) for name in sorted(read)]
    if frame.height == 1:
        columns = [column.gather([0, 0]) for column in columns]
    whole = pl.DataFrame(columns).rechunk()
    at_once = {name: each.stages.last for name, each in expressions.items() if not each.stages.columns}
    values = whole.with_columns(value.alias(name) for name, value in at_once.items())
    found = {name: values.get_column(name) for name in at_once}
    for name, each in expressions.items():
        if name not in at_once:
            found[name] = each.stages.over(whole, name).get_column(name)
    if frame.height == 1:
        found = {name: column[:1] for name, column in found.items()}
    return found
