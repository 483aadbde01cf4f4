"""The values of expressions over a frame of events: the one way in which operators evaluate them.

Law (re-chunking): the values are the same, to the last bit, however the events are cut into frames. Polars breaks it in
one place: where a side of an operation has one value for all rows, it takes a short cut (a division multiplies by the
reciprocal); in a frame or chunk of one row every column looks like that. So expressions are evaluated over one chunk of
two rows at least, with every column written out, and with every choice in them written out first (see `stages.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from styx_lab.flow.expression.expression import Expression

__all__ = ["evaluate"]


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
    read = frozenset().union(*(each.columns() for each in expressions.values())) or frame.columns[:1]
    columns = [frame.get_column(name) for name in sorted(read)]
    if frame.height == 1:
        columns = [column.gather([0, 0]) for column in columns]
    whole = pl.DataFrame(columns).rechunk()
    direct = {name: each.stages.last for name, each in expressions.items() if not each.stages.columns}
    values = whole.with_columns(value.alias(name) for name, value in direct.items())
    found = {name: values.get_column(name) for name in direct}
    for name, each in expressions.items():
        if name not in direct:
            found[name] = each.stages.over(whole, name).get_column(name)
    if frame.height == 1:
        found = {name: column[:1] for name, column in found.items()}
    return pl.DataFrame([found[name] for name in expressions])
