"""An expression over a window's events, from Polars to our tree, and from the tree to its folds.

A tree is that of `tree.py` with the calls of `folds.py` in it; right below one of those may stand `filter`.

Laws: only what is in the two allow-lists gets into a tree, and a tree may come from anywhere: nothing of it is run.
"""

from __future__ import annotations

import re
from typing import Any, Final

import polars as pl

from styx_lab.errors import ExpressionError
from styx_lab.flow.expression.expression import Expression
from styx_lab.flow.expression.folds import FOLDS, INTERPOLATIONS, Fold, is_fold_column
from styx_lab.flow.expression.refusal import refusal, spoken
from styx_lab.flow.expression.tree import DEPTH, Tree, TreeReader, form_of

__all__ = ["ALLOWED_FOLDS", "read_summary", "split_tree"]

ALLOWED_FOLDS: Final = "use " + ", ".join(name for name in FOLDS if name != "sum_or_null")
_ORDER: Final = re.compile(
    r"first|last|head|tail|slice|reverse|shift|diff|implode|get|gather.*|cum_.*|rolling.*|ewm_.*|arg_.*|rank|rle.*|item|"
    r"interpolate.*|sort.*|top_k.*|bottom_k.*|peak_.*|unique.*|mode|search_sorted|index_of|over|str\.join|pct_change|"
    r"fill_null.*|explode|append|set_sorted|(min|max)_by|list\.eval"
)
_OF_ORDER: Final = (
    "take first(...) and last(...) by event time, top_k(...) or collect(...) as an aggregate of its own, or custom(...)"
)
_SIMPLE: Final = {"Sum": "sum", "Mean": "mean", "Median": "median", "NUnique": "n_unique"}
_BOUNDS: Final = {"Min": "min", "Max": "max"}
_SPREADS: Final = {"Var": "var", "Std": "std"}
_TRUTHS: Final = {"Any": "any", "All": "all"}


def read_summary(expression: pl.Expr, *, where: str) -> Tree:
    """The tree of a Polars expression that was built in this process.

    Raises:
        ExpressionError: on anything that is not in the allow-lists; names it and says what to do.
    """
    return _SummaryReader(where, False).node(form_of(expression, where=where), 0)


class _SummaryReader(TreeReader):
    """Allows aggregates as well."""

    def refusal(self, form: Any) -> ExpressionError:
        name = spoken(form)
        if isinstance(form, dict) and "Filter" in form:
            return ExpressionError(
                "filter stands right before an aggregate", where=self._where, hint="col('a').filter(col('b') > 1).sum()"
            )
        if _ORDER.fullmatch(name):
            return ExpressionError(
                f"{name} goes by the order of arrival, so it cannot be used in expr(...)",
                where=self._where,
                hint=_OF_ORDER,
            )
        if isinstance(form, dict) and "Agg" in form:
            return ExpressionError(f"{name} cannot be used in expr(...)", where=self._where, hint=ALLOWED_FOLDS)
        return refusal(form, where=self._where)

    def node(self, form: Any, depth: int) -> Tree:
        found = self._fold(form)
        if found is None:
            return super().node(form, depth)
        name, inner, options = found
        of = [] if inner is None else [self._events(inner, depth + 1)]
        return {"call": name, "of": of, **({"with": options} if options else {})}

    def _events(self, form: Any, depth: int) -> Tree:
        """The value of an aggregate, perhaps of some of the events only."""
        match form:
            case {"Filter": {"input": {"Filter": _} | {"Function": {"function": "DropNulls"}}}}:
                # To Polars too: the second filter is as long as the events, and what it filters no longer is.
                raise ExpressionError(
                    "a filter stands after another one, or after drop_nulls",
                    where=self._where,
                    hint="write one filter: col('a').filter((col('b') > 1) & col('c'))",
                )
            case {"Filter": {"input": inner, "by": condition}}:
                return {"call": "filter", "of": [self._events(inner, depth + 1), self.node(condition, depth + 1)]}
            case {"Function": {"input": [inner], "function": "DropNulls"}}:
                value = self._events(inner, depth + 1)
                bare = value
                while bare.get("call") == "filter":
                    bare = bare["of"][0]
                return {"call": "filter", "of": [value, {"call": "is_not_null", "of": [bare]}]}
        return self.node(form, depth)

    def _fold(self, form: Any) -> tuple[str, Any, dict[str, Any]] | None:
        match form:
            case "Len":
                return "len", None, {}
            case {"Agg": {"Count": {"input": inner, "include_nulls": bool() as nulls}}}:
                return "len" if nulls else "count", inner, {}
            case {"Agg": dict() as which} if len(which) == 1:
                ((word, rest),) = which.items()
                if word in _SIMPLE:
                    return _SIMPLE[word], rest, {}
                if word in _BOUNDS:
                    return _BOUNDS[word], rest["input"], {}
                if word in _SPREADS and type(rest[1]) is int:
                    return _SPREADS[word], rest[0], {"ddof": rest[1]}
            case {"Function": {"input": [inner], "function": "NullCount"}}:
                return "null_count", inner, {}
            case {"Function": {"input": [inner], "function": {"Boolean": dict() as which}}}:
                ((word, rest),) = which.items()
                if word in _TRUTHS and rest == {"ignore_nulls": True}:
                    return _TRUTHS[word], inner, {}
            case {"Function": {"input": [inner, share], "function": {"Quantile": {"method": str() as method}}}}:
                q = _share(share)
                if q is not None and method.lower() in INTERPOLATIONS:
                    return "quantile", inner, {"q": q, "interpolation": method.lower()}
        return None


def _share(form: Any) -> float | None:
    """A constant between 0 and 1."""
    match form:
        case {"Literal": {"Dyn": {"Float": float() | int() as q}}} if 0 <= q <= 1:
            return float(q)
        case {"Literal": {"Dyn": {"Int": 0 | 1 as q}}}:
            return float(q)
    return None


def split_tree(tree: Any, *, where: str) -> tuple[list[Fold], Expression]:
    """The folds of a tree, each after those that it reads, and what is made of their values.

    Raises:
        ExpressionError: when it is no tree of this version, or not one value for a window.
    """
    splitter = _Splitter(where)
    outer = splitter.expression(splitter.outside(tree, 0))
    return splitter.folds, outer


class _Splitter:
    """Takes the folds out of a tree; the rest is checked when it is made an expression."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._known: list[tuple[Tree, Fold]] = []

    @property
    def folds(self) -> list[Fold]:
        return [fold for _, fold in self._known]

    def expression(self, tree: Any) -> Expression:
        return Expression.from_json({"version": 1, "tree": tree}, where=self._where)

    def outside(self, tree: Any, depth: int) -> Any:
        """The tree with a column in place of each fold."""
        if depth > DEPTH:
            raise self._bad("it is nested too deeply", None)
        match tree:
            case {"column": str() as name} if is_fold_column(name):
                raise self._bad("not the name of a column", name)
            case {"call": str() as name, "of": list() as of, **more} if name in FOLDS:
                return {"column": self._fold(name, of, dict(more), depth + 1)}
            case {"call": _, "of": list() as of}:
                return {**tree, "of": [self.outside(each, depth + 1) for each in of]}
        return tree

    def _fold(self, name: str, of: list[Any], more: dict[Any, Any], depth: int) -> str:
        options = more.get("with", {})
        if more.keys() - {"with"} or not _fits(name, options) or (len(of) != 1 and not (name == "len" and not of)):
            raise self._bad("wrong arguments", name)
        value, conditions = (of[0], []) if of else (None, [])
        while isinstance(value, dict) and value.get("call") == "filter":
            match value:
                case {"call": "filter", "of": [inner, condition], **rest} if not rest:
                    conditions.append(self.outside(condition, depth))
                    value = inner
                case _:
                    raise self._bad("wrong arguments", "filter")
        inside = None if value is None else self.outside(value, depth)
        for each in reversed(conditions[:-1]):
            conditions[-1] = {"call": "and", "of": [conditions[-1], each]}
        wanted = {"name": name, "value": inside, "condition": conditions[-1] if conditions else None, "with": options}
        known = next((fold.column for key, fold in self._known if key == wanted), None)
        if known is not None:
            return known
        expression = None if inside is None else self.expression(inside)
        if expression is not None and all(map(is_fold_column, expression.columns())):
            raise ExpressionError(
                f"{name} stands over {expression.text!r}, which is one value and not one for each event",
                where=self._where,
                hint="leave it out; len() counts events",
            )
        condition = self.expression(conditions[-1]) if conditions else None
        self._known.append((wanted, Fold(name, expression, condition, options, len(self._known))))
        return self._known[-1][1].column

    def _bad(self, what: str, got: Any) -> ExpressionError:
        return ExpressionError(
            f"a stored expression cannot be read: {what}",
            where=self._where,
            got=got,
            hint="it was changed, or written by a newer Styx Lab; write the expression again",
        )


def _fits(name: str, options: Any) -> bool:
    if not isinstance(options, dict) or options.keys() != set(FOLDS[name]):
        return False
    match options:
        case {"ddof": ddof}:
            return type(ddof) is int and ddof >= 0
        case {"q": q, "interpolation": interpolation}:
            return type(q) is float and 0 <= q <= 1 and interpolation in INTERPOLATIONS
    return True
