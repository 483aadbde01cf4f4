"""What became of each event, joined to it: a column of its own, an expression over it, or a table that was kept later.

Law (point in time): a label comes from the event itself or from a row of the table that has its key, and none that
became known after the cut is used. Every event has at most one label; a table that has two for one key is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from styx_lab.core.schema import TIME_DTYPE
from styx_lab.core.time import iso_ms
from styx_lab.errors import FlowError, ModelError
from styx_lab.flow.expression import Expression, evaluate
from styx_lab.flow.table import read_rows
from styx_lab.flow.types import StreamType, unknown_columns
from styx_lab.operators.values import refused_rows

__all__ = ["Label", "LabelPlan", "Moment", "moment_ms", "plan_label"]

Value = str | pl.Expr
Label = str | pl.Expr | Mapping[str, Value] | tuple[str | Path | pl.DataFrame, str | None]
"""A column of the event; SQL text or a Polars expression over it; one of these with a name, as
`{"large": "amount > 500"}`; or a table (a frame, or a `.parquet`, `.csv` or `.jsonl` file) and the name of a column in
it, as `(chargebacks, "fraud")`; or `(frauds, None)`: whether the event is in the table."""
Moment = str | int | datetime
"""A time: ISO 8601 text (UTC where it has no offset), epoch milliseconds, or a datetime."""

_HINT: Final = "'fraud', 'amount > 500', {'large': 'amount > 500'} or (table, 'fraud')"
_NAME: Final = "label"


def moment_ms(value: Moment, *, where: str) -> int:
    """Epoch milliseconds of a moment.

    >>> moment_ms("2024-01-01", where="doc")
    1704067200000

    Raises:
        FlowError: when it is none.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        return iso_ms(value.isoformat() if isinstance(value, datetime) else value)  # type: ignore[arg-type]
    except (TypeError, ValueError, AttributeError) as error:
        raise FlowError(
            "not a time", where=where, got=value, hint="'2024-06-01T00:00:00Z', epoch milliseconds or a datetime"
        ) from error


@dataclass(frozen=True, slots=True)
class LabelPlan:
    """How events get their label; checked before a flow runs. Make one with `plan_label`.

    Attributes:
        name: the label's column.
        column: whether it is a column that the events have.
        presence: whether it is true of events that are in the table, and false of the others.
    """

    name: str
    where: str
    column: bool = False
    presence: bool = False
    _value: Expression | None = None
    _table: pl.DataFrame | None = None
    _keys: tuple[tuple[str, Expression], ...] = ()
    _not_known: int = 0

    def values(self, frame: pl.DataFrame) -> tuple[pl.Series, dict[str, int]]:
        """The label of each event, null where it has none; what else there is to count.

        Raises:
            ModelError: when no event has one.
        """
        counts: dict[str, int] = {}
        if self._table is None:
            assert self._value is not None
            column = _evaluate(frame, {self.name: self._value}).get_column(self.name)
        else:
            keys = _evaluate(frame, dict(self._keys))
            on = keys.columns
            column = keys.join(self._table, on=on, how="left", maintain_order="left").get_column(self.name)
            counts = {
                "labels": self._table.height,
                "labels_unused": self._table.join(keys, on=on, how="anti").height,
                "labels_not_known": self._not_known,
            }
        column = column.fill_nan(None) if column.dtype.is_float() else column
        if column.null_count() == len(column):
            raise ModelError(
                "no event has a label",
                where=self.where,
                got={"events": len(column), **counts},
                hint=self._example(frame),
            )
        return column, counts

    def _example(self, frame: pl.DataFrame) -> str:
        if self._table is None:
            return "the label is null in every event"
        names = [name for name, _ in self._keys]
        first = _evaluate(frame.head(1), dict(self._keys)).rows()
        there = self._table.select(names).head(1).rows()
        return f"by {', '.join(names)} the first event is {first[0]}, the table's first row {there[0] if there else ()}"


def plan_label(
    label: Label,
    stream: StreamType,
    *,
    where: str,
    on: str | Sequence[str] | Mapping[str, Value] | None = None,
    known_at: str | None = None,
    known_by: int | None = None,
) -> LabelPlan:
    """Check a label against the events it is for.

    Args:
        label: see `Label`.
        stream: the events.
        where: what to name in errors.
        on: of a table, the columns that say whose label a row is.
        known_at: of a table, the column that says since when a label is known.
        known_by: the cut, epoch milliseconds.

    Raises:
        FlowError, ExpressionError: when a column or part is unknown, or types do not fit.
        ModelError: when the table has two labels for one key, or none.
        InputMissingError, DataError: when the table's file cannot be read.
    """
    if isinstance(label, tuple):
        if (
            len(label) != 2
            or not isinstance(label[1], str | None)
            or not isinstance(label[0], str | Path | pl.DataFrame)
        ):
            raise FlowError("not a label", where=where, got=[type(one).__name__ for one in label], hint=_HINT)
        return _plan_table(*label, stream, where, on, known_at, known_by)
    if on is not None or known_at is not None:
        raise FlowError("on= and known_at= are for a table of labels", where=where, hint=_HINT)
    if isinstance(label, str) and (label in stream.names or label.isidentifier()):
        unknown_columns([label], stream.names, where=where)
        return LabelPlan(label, where, True, False, Expression.of(pl.col(label), where=where))
    if isinstance(label, str | pl.Expr):
        label = {_NAME: label}
    if not isinstance(label, Mapping) or len(label) != 1:
        raise FlowError("not a label", where=where, got=label, hint=_HINT)
    ((name, value),) = label.items()
    _check_free(name, stream, where)
    return LabelPlan(name, where, False, False, _expression(value, stream, where))


def _plan_table(
    rows: str | Path | pl.DataFrame,
    column: str | None,
    stream: StreamType,
    where: str,
    on: str | Sequence[str] | Mapping[str, Value] | None,
    known_at: str | None,
    known_by: int | None,
) -> LabelPlan:
    table = rows if isinstance(rows, pl.DataFrame) else read_rows(rows, where=where)
    name = _NAME if column is None else column
    given = stream.key if on is None else (on,) if isinstance(on, str) else on
    if not given:
        raise FlowError(
            "say by which columns an event finds its label",
            where=where,
            hint="on='payment_id', or on={'payment_id': 'drain.payment_id'}: a column of the table, and what it equals",
        )
    pairs = dict(given) if isinstance(given, Mapping) else {one: pl.col(one) for one in given}
    unknown_columns(
        [*pairs, *([column] if column else []), *([known_at] if known_at else [])],
        table.columns,
        where=f"{where}, its table",
    )
    if column in pairs:
        raise FlowError("a label cannot be its own key", where=where, got=name)
    _check_free(name, stream, where)
    if known_by is not None and known_at is None:
        raise FlowError(
            "known_by= needs known_at=: the table's column that says since when a label is known",
            where=where,
            hint=f"one of {', '.join(table.columns)}",
        )
    readable = stream.readable
    keys = tuple((one, _expression(value, stream, where)) for one, value in pairs.items())
    columns = [
        _like(table.get_column(one), value.check(readable, where=where), f"{where}, on {one!r}") for one, value in keys
    ]
    labels = pl.repeat(True, table.height, eager=True).alias(name) if column is None else table.get_column(name)
    kept = pl.DataFrame([*columns, labels])
    names = [one for one, _ in keys]
    not_known = 0
    if known_at is not None:
        known = _times(table.get_column(known_at), f"{where}, column {known_at!r}")
        # A label that says no time is not known yet.
        usable = known.is_not_null() if known_by is None else (known.to_physical() <= known_by).fill_null(value=False)
        not_known = kept.height - int(usable.sum())
        kept = kept.with_columns(known.alias("\0known")).filter(usable)
    kept = kept.filter(pl.all_horizontal(pl.col(names).is_not_null()))
    twice = (
        kept.group_by([*names, *(["\0known"] if known_at else [])], maintain_order=True).len().filter(pl.col("len") > 1)
    )
    if twice.height:
        raise ModelError(
            "the table has two labels for one key",
            where=f"{where}, its table",
            got=dict(zip(names, twice.row(0)[: len(names)], strict=True)),
            hint="keep one row a key, or say with known_at= which of them became known last",
        )
    if known_at is not None:
        kept = kept.sort("\0known", maintain_order=True).unique(names, keep="last", maintain_order=True).drop("\0known")
    return LabelPlan(name, where, False, column is None, None, kept, keys, not_known)


def _check_free(name: str, stream: StreamType, where: str) -> None:
    if not isinstance(name, str) or name in stream.names or not name or name.startswith("_"):
        raise FlowError(
            "the label's name must be new among the event's columns, and not begin with '_'",
            where=where,
            got=name,
            hint="name another: {'label': 'SQL'}, or rename the table's column",
        )


def _expression(value: Any, stream: StreamType, where: str) -> Expression:
    found = (
        Expression.of(pl.col(value) if value in stream.names else value, where=where)
        if isinstance(value, str)
        else Expression.of(value, where=where)
    )
    found.check(stream.readable, where=where)
    return found


def _evaluate(frame: pl.DataFrame, expressions: Mapping[str, Expression]) -> pl.DataFrame:
    """The values; null in a row that an expression cannot take, as one that has no answer."""
    try:
        return evaluate(frame, expressions)
    except pl.exceptions.PolarsError:
        refused = refused_rows(frame, expressions)
    rows = pl.Series([index for index in range(frame.height) if index not in refused], dtype=pl.UInt32)
    values = evaluate(frame[rows], expressions).with_columns(rows.alias("\0row"))
    every = pl.DataFrame({"\0row": pl.int_range(frame.height, eager=True, dtype=pl.UInt32)})
    return every.join(values, on="\0row", how="left", maintain_order="left").drop("\0row")


def _like(column: pl.Series, wanted: pl.DataType, where: str) -> pl.Series:
    """A column of a table in the type of what it is compared with."""
    if column.dtype == wanted:
        return column
    if column.dtype.is_integer() and wanted.is_integer():
        return column.cast(wanted, strict=False)  # what does not fit equals nothing
    if isinstance(column.dtype, pl.Categorical | pl.Enum) and wanted == pl.String():
        return column.cast(pl.String)
    if wanted == TIME_DTYPE and (isinstance(column.dtype, pl.Datetime | pl.Date) or column.dtype == pl.String()):
        return _times(column, where)
    raise FlowError(
        "the table's column is of another type than what it is compared with",
        where=where,
        got=f"{column.dtype}; the event's is {wanted}",
        hint="cast one of them",
    )


def _times(column: pl.Series, where: str) -> pl.Series:
    """A column of times, in milliseconds, UTC."""
    dtype = column.dtype
    if isinstance(dtype, pl.Datetime):
        column = column.dt.replace_time_zone("UTC") if dtype.time_zone is None else column.dt.convert_time_zone("UTC")
        return column.dt.cast_time_unit("ms")
    if isinstance(dtype, pl.Date) or dtype.is_integer():
        return column.cast(pl.Datetime("ms")).dt.replace_time_zone("UTC")
    if dtype == pl.String():
        try:
            found = [None if text is None else iso_ms(text) for text in column.to_list()]
        except ValueError as error:
            raise FlowError("a text that is no time", where=where, got=str(error), hint="ISO 8601 text") from error
        return pl.Series(column.name, found, pl.Int64).cast(pl.Datetime("ms")).dt.replace_time_zone("UTC")
    raise FlowError("not a column of times", where=where, got=str(dtype), hint="datetimes, ISO 8601 text or epoch ms")
