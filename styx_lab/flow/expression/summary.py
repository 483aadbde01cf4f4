"""An expression over a window's events: SQL text or a Polars expression that gives one value for each window.

Laws: it is taken apart into folds (aggregates of row-wise expressions) and a row-wise expression over their values, so
each is reckoned in Styx's own way: a sum is exact, and neither the order of arrival, nor the cut, nor which windows
fire together can show. It is data, and loading one runs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import polars as pl

from styx_lab.core.events import canonical_json
from styx_lab.errors import ExpressionError
from styx_lab.flow.expression.expression import Expression
from styx_lab.flow.expression.folds import Fold, is_fold_column
from styx_lab.flow.expression.summary_sql import split_sql
from styx_lab.flow.expression.summary_tree import ALLOWED_FOLDS, read_summary, split_tree
from styx_lab.flow.expression.tree import tree_text

__all__ = ["Summary"]

_VERSION: Final = 1


@dataclass(frozen=True, slots=True, repr=False)
class Summary:
    """An expression that aggregates; two are equal when their JSON is.

    >>> Summary.of("MAX(amount) - MIN(amount)", where="doc")
    Summary(MAX(amount) - MIN(amount))
    >>> Summary.of(pl.col("amount").max() - pl.col("amount").first(), where="doc")
    Traceback (most recent call last):
        ...
    styx_lab.errors.ExpressionError: doc: first goes by the order of arrival, so it cannot be used in ...

    Attributes:
        text: how it is shown.
        folds: its aggregates, each after those that it reads.
        outer: what is made of their values; it reads the columns of the folds alone.
    """

    _identity: bytes
    text: str = field(compare=False)
    folds: tuple[Fold, ...] = field(compare=False)
    outer: Expression = field(compare=False)

    @staticmethod
    def of(value: str | pl.Expr | Summary, *, where: str) -> Summary:
        """The summary of SQL text or of a Polars expression.

        Raises:
            ExpressionError: when something in it cannot be used (it names that), or it is not one value for a window.
        """
        if isinstance(value, Summary):
            return value
        if isinstance(value, str):
            folds, outer = split_sql(value, where=where)
            return _made(canonical_json({"sql": value}), value, folds, outer, where)
        if isinstance(value, pl.Expr):
            return _from_tree(read_summary(value, where=where), where)
        raise ExpressionError(
            "not an expression",
            where=where,
            got=value,
            hint="a Polars expression such as col('amount').max(), or SQL text such as 'MAX(amount)'",
        )

    @staticmethod
    def from_json(value: Any, *, where: str) -> Summary:
        """The summary of `to_json`'s answer, which may come from anywhere: nothing in it is run.

        Raises:
            ExpressionError: when it is damaged, hostile, or of a newer version.
        """
        match value:
            case {"sql": str() as text, **more} if not more:
                return Summary.of(text, where=where)
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
            hint="{'sql': ...} or {'version': 1, 'tree': ...}, as Summary.to_json() writes it",
        )

    def to_json(self) -> dict[str, Any]:
        """Our own stable JSON of it: the SQL text as written, or the tree of a Polars expression.

        >>> Summary.of("MAX(amount)", where="doc").to_json()
        {'sql': 'MAX(amount)'}
        """
        stored: dict[str, Any] = msgspec.json.decode(self._identity)
        return stored

    def columns(self) -> frozenset[str]:
        """The columns of the events that it reads."""
        read = frozenset().union(*(fold.columns for fold in self.folds))
        return frozenset(name for name in read if not is_fold_column(name))

    def check(self, schema: Mapping[str, pl.DataType], *, where: str) -> pl.DataType:
        """The type of its value over events of a schema.

        >>> Summary.of("MAX(amount) - MIN(amount)", where="doc").check({"amount": pl.Float64()}, where="doc")
        Float64

        Raises:
            ExpressionError: on an unknown column, on types that do not fit.
        """
        return self.outer.check(self.types(schema, where=where), where=where)

    def types(self, schema: Mapping[str, pl.DataType], *, where: str) -> dict[str, pl.DataType]:
        """The types of the folds' columns.

        Raises:
            ExpressionError: as for `check`.
        """
        found: dict[str, pl.DataType] = {}
        for fold in self.folds:
            # Only what it reads: a message lists the columns there are.
            before = {name: dtype for name, dtype in found.items() if name in fold.columns}
            found[fold.column] = fold.dtype({**schema, **before}, where=where)
        return found

    def __repr__(self) -> str:
        return f"Summary({self.text})"


def _from_tree(tree: Any, where: str) -> Summary:
    folds, outer = split_tree(tree, where=where)
    identity = canonical_json({"version": _VERSION, "tree": tree})
    return _made(identity, tree_text(msgspec.json.decode(identity)["tree"]), folds, outer, where)


def _made(identity: bytes, text: str, folds: list[Fold], outer: Expression, where: str) -> Summary:
    bare = sorted(name for name in outer.columns() if not is_fold_column(name))
    if bare or not folds:
        what = f"the column {bare[0]!r} stands outside of an aggregate" if bare else "nothing in it aggregates"
        raise ExpressionError(f"{what}, so {text!r} is not one value for a window", where=where, hint=ALLOWED_FOLDS)
    return Summary(identity, text, tuple(folds), outer)
