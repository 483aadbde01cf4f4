"""An expression of a flow: SQL text or a Polars expression that gives one value for each event.

Laws: the value of a row depends on that row alone, so it cannot change with the cut into batches; an expression is
data, and loading one runs nothing; it is known before a flow runs that its columns are there and its types fit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, Final

import msgspec
import polars as pl

from styx_lab.core.events import canonical_json
from styx_lab.core.schema import dtype_to_json
from styx_lab.errors import ExpressionError, SchemaError
from styx_lab.flow.expression.sql import parse_sql, sql_stages
from styx_lab.flow.expression.stages import Stages
from styx_lab.flow.expression.tree import Tree, build_stages, build_tree, columns_of, parts_of, read_tree, tree_text

__all__ = ["Expression"]

_VERSION: Final = 1
_RESULT: Final = "\0value"
# What Polars says of types, as against a value that a strict function cannot take.
_OF_TYPES: Final = re.compile(r"not supported|cannot (perform|cast|compare)|could not evaluate")
_VALUES: Final[Mapping[type[pl.DataType], Any]] = {
    pl.Boolean: True, pl.String: "", pl.Binary: b"", pl.Date: date(2024, 1, 1), pl.Duration: timedelta(1),
    **dict.fromkeys((pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64), 1),
    pl.Float32: 1.0, pl.Float64: 1.0,
}  # fmt: skip


@dataclass(frozen=True, slots=True, repr=False)
class Expression:
    """A row-wise expression; two are equal when their JSON is.

    >>> from polars import col
    >>> Expression.of(col("amount") > 500, where="step 'big'")
    Expression(amount > 500)
    >>> Expression.of("AVG(amount) > 500", where="step 'big'")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    styx_lab.errors.ExpressionError: step 'big': AVG looks at more than one event, so it cannot be used ...

    It has no state and knows no time but the columns of the event.

    Attributes:
        text: how it is shown in drawings and messages: the SQL as written, or the tree as a person would write it.
    """

    _identity: bytes
    text: str = field(compare=False)
    _tree: Tree = field(compare=False)
    _stages: Stages = field(compare=False)

    @staticmethod
    def of(value: str | pl.Expr | Expression, *, where: str) -> Expression:
        """The expression of SQL text or of a Polars expression.

        >>> Expression.of("drain.amount > 500", where="doc").columns()
        frozenset({'drain'})

        Args:
            value: SQL text (as in WHERE), a Polars expression, or an expression already.
            where: the step to name in an error.

        Raises:
            ExpressionError: when it is not row-wise (it names the function), or no expression at all.
        """
        if isinstance(value, Expression):
            return value
        if isinstance(value, str):
            tree = parse_sql(value, where=where)
            return Expression(canonical_json({"sql": value}), value, tree, sql_stages(value))
        if isinstance(value, pl.Expr):
            return _from_tree(read_tree(value, where=where), where)
        raise ExpressionError(
            "not an expression",
            where=where,
            got=value,
            hint="a Polars expression such as col('amount') > 500, or SQL text such as 'amount > 500'",
        )

    @staticmethod
    def from_json(value: dict[str, Any], *, where: str) -> Expression:
        """The expression of `to_json`'s answer, which may come from anywhere: nothing in it is run.

        >>> Expression.from_json({"sql": "amount > 500"}, where="doc")
        Expression(amount > 500)

        Raises:
            ExpressionError: when it is damaged, hostile, or of a newer version.
        """
        match value:
            case {"sql": str() as text, **more} if not more:
                return Expression.of(text, where=where)
            case {"version": int() as version, "tree": tree, **more} if not more and type(version) is int:
                if version == _VERSION:
                    return _from_tree(tree, where)
                raise ExpressionError(
                    "a stored expression of an unknown version", where=where, got=version, hint="use the newer Styx Lab"
                )
        raise ExpressionError(
            "not a stored expression",
            where=where,
            got=value,
            hint="{'sql': ...} or {'version': 1, 'tree': ...}, as Expression.to_json() writes it",
        )

    def to_json(self) -> dict[str, Any]:
        """Our own stable JSON of it: the SQL text as written, or the tree of a Polars expression.

        >>> Expression.of("amount > 500", where="doc").to_json()
        {'sql': 'amount > 500'}
        """
        stored: dict[str, Any] = msgspec.json.decode(self._identity)
        return stored

    @property
    def stages(self) -> Stages:
        """The Polars expressions, built once; `values.evaluate` runs them so that the law holds."""
        return self._stages

    @property
    def tree(self) -> Tree:
        """Its tree; of SQL text the one that Polars makes of it, which is not stored."""
        return self._tree

    def columns(self) -> frozenset[str]:
        """The columns that it reads."""
        return frozenset(columns_of(self._tree))

    def check(self, schema: Mapping[str, pl.DataType], *, where: str, boolean: bool = False) -> pl.DataType:
        """The type of its values over events of a schema.

        >>> Expression.of("amount > 500", where="doc").check({"amount": pl.Float64()}, where="step 'big'")
        Boolean

        Args:
            schema: the columns there are, with their types.
            where: the step to name in an error.
            boolean: whether it must be true or false (a null counts as false where it is used as a condition).

        Raises:
            ExpressionError: on an unknown column or part, on types that do not fit, on a condition that is none.
        """
        self._check_columns(schema, where)
        try:
            dtype = _tried(self, tuple((name, schema[name]) for name in sorted(self.columns())))
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise self._misfit(schema, error, where) from error
        if boolean and dtype != pl.Boolean():
            raise ExpressionError(
                f"a condition must be true or false, and {self.text!r} is of type {dtype}",
                where=where,
                hint="compare it with something, such as ... > 0 or ... IS NOT NULL",
            )
        try:
            dtype_to_json(dtype)
        except SchemaError as error:
            raise ExpressionError(
                f"Styx keeps no column of type {dtype}, which {self.text!r} gives",
                where=where,
                hint="cast it: CAST(... AS DOUBLE) in SQL, .cast(pl.Float64) in Polars",
            ) from error
        return dtype

    def _check_columns(self, schema: Mapping[str, pl.DataType], where: str) -> None:
        missing = sorted(self.columns() - schema.keys())
        if not missing:
            return
        if missing[0].startswith("_matched("):
            raise ExpressionError(
                "only a condition of a pattern can look back at what a match has taken",
                where=where,
                got=missing[0][1:],
                hint="Pattern.begin('a').next('b').where(col('amount') > matched('a').amount.sum())",
            )
        near = get_close_matches(missing[0], schema, n=3)
        there = f"the columns are {', '.join(schema)}" if schema else "there are no columns"
        raise ExpressionError(
            f"unknown column in {self.text!r}",
            where=where,
            got=missing[0],
            hint=f"{' or '.join(map(repr, near))}; {there}" if near else there,
        )

    def _misfit(self, schema: Mapping[str, pl.DataType], error: BaseException, where: str) -> ExpressionError:
        """The error for what Polars says of the types, with the parts of a struct where one is unknown."""
        empty = pl.DataFrame(schema=dict(schema))
        for inner, name in parts_of(self._tree):
            try:
                dtype = empty.select(build_tree(inner, where=where).alias(_RESULT)).schema[_RESULT]
            except (ExpressionError, pl.exceptions.PolarsError):
                continue
            if not isinstance(dtype, pl.Struct):
                what = f"{tree_text(inner)!r} has no parts, it is of type {dtype}"
                return ExpressionError(what, where=where, got=f"{tree_text(inner)}.{name}", hint="use it without a dot")
            fields = [each.name for each in dtype.fields]
            if name not in fields:
                near = [repr(f"{tree_text(inner)}.{each}") for each in get_close_matches(name, fields, n=3)]
                there = f"its parts are {', '.join(fields)}"
                what = f"unknown part of {tree_text(inner)!r}"
                return ExpressionError(what, where=where, got=name, hint="; ".join([*near, there]))
        said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        types = ", ".join(f"{name} of type {schema[name]}" for name in sorted(self.columns()))
        hint = f"compare and combine values of one type, or cast one; it reads {types or 'no column'}"
        if "Datetime" in said or "datetime" in said:
            hint = "a time in SQL is TIMESTAMPTZ '2024-01-01 00:00:00Z', in Polars a datetime with tzinfo=UTC; " + hint
        return ExpressionError(f"the types in {self.text!r} do not fit: {said}", where=where, hint=hint)

    def __repr__(self) -> str:
        return f"Expression({self.text})"


@lru_cache(maxsize=4096)
def _tried(expression: Expression, columns: tuple[tuple[str, pl.DataType], ...]) -> pl.DataType:
    """The type of an expression's values over columns of some types, of which it reads all; found once.

    A flow is checked whenever a step is added to it and whenever it is run, and each try is a query.

    Raises:
        polars.exceptions.PolarsError, polars.exceptions.PanicException: where the types do not fit.
    """
    schema, stages = dict(columns), expression.stages
    nulls = _one_row(schema, _null)
    dtype = stages.over(nulls.clear(), _RESULT).schema[_RESULT]
    stages.over(nulls, _RESULT)
    # Polars finds that types do not fit when it meets a value, in some functions; nulls alone pass.
    try:
        stages.over(_one_row(schema, _some), _RESULT)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        if _OF_TYPES.search(str(error)):
            raise
    return dtype


def _one_row(schema: Mapping[str, pl.DataType], value: Callable[[pl.DataType], Any]) -> pl.DataFrame:
    row = {name: pl.Series([value(dtype)], dtype=dtype) for name, dtype in schema.items()}
    return pl.DataFrame(row or {"\0row": [None]})


def _null(dtype: pl.DataType) -> None:
    del dtype


def _some(dtype: Any) -> Any:
    """Any value of a type."""
    if isinstance(dtype, pl.List):
        return [_some(dtype.inner)]
    if isinstance(dtype, pl.Struct):
        return {each.name: _some(each.dtype) for each in dtype.fields}
    if isinstance(dtype, pl.Datetime):
        return datetime(2024, 1, 1, tzinfo=UTC if dtype.time_zone else None)
    return next((value for kind, value in _VALUES.items() if isinstance(dtype, kind)), None)


def _from_tree(tree: Tree, where: str) -> Expression:
    # Built of the tree even when the user's own is at hand, so that what runs now is what runs after loading.
    built = build_stages(tree, where=where)
    identity = canonical_json({"version": _VERSION, "tree": tree})
    kept: Tree = msgspec.json.decode(identity)["tree"]
    return Expression(identity, tree_text(kept), kept, built)
