"""An expression over a window's events, from SQL text: the aggregates are taken out of the text.

Law: what is inside an aggregate and what is around them is SQL text again, and goes the way of every other SQL text
(`sql.py`): Polars never sees an aggregate, so it cannot choose how one is reckoned.
"""

from __future__ import annotations

import re
from typing import Any, Final

from styx_lab.errors import ExpressionError
from styx_lab.flow.expression.expression import Expression
from styx_lab.flow.expression.folds import Fold
from styx_lab.flow.expression.sql import AGGREGATES, WORD

__all__ = ["split_sql"]

_FOLDS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "COUNT": ("count", {}),
    "SUM": ("sum_or_null", {}),
    "AVG": ("mean", {}),
    "MEAN": ("mean", {}),
    "MIN": ("min", {}),
    "MAX": ("max", {}),
    "MEDIAN": ("median", {}),
    "STDDEV": ("std", {"ddof": 1}),
    "STDDEV_SAMP": ("std", {"ddof": 1}),
    "STDEV": ("std", {"ddof": 1}),
    "STDDEV_POP": ("std", {"ddof": 0}),
    "VARIANCE": ("var", {"ddof": 1}),
    "VAR": ("var", {"ddof": 1}),
    "VAR_SAMP": ("var", {"ddof": 1}),
    "VAR_POP": ("var", {"ddof": 0}),
    "QUANTILE_CONT": ("quantile", {}),
}
_HINT: Final = f"use {', '.join(_FOLDS)}, with DISTINCT in COUNT alone, and FILTER (WHERE ...)"


def split_sql(text: str, *, where: str) -> tuple[list[Fold], Expression]:
    """The folds of a SQL text, and what is made of their values.

    Raises:
        ExpressionError: on text that is no SQL expression, or not one value for a window.
    """
    return _SqlSplitter(text, where).split()


class _SqlSplitter:
    def __init__(self, text: str, where: str) -> None:
        if "\0" in text:
            raise ExpressionError("the text holds a character that no SQL has", where=where, got=text)
        self._text = text
        self._where = where
        self._tokens = [found for found in WORD.finditer(text) if found.lastgroup != "space"]
        self._folds: list[Fold] = []

    def split(self) -> tuple[list[Fold], Expression]:
        outer, at, place = "", 0, 0
        while place < len(self._tokens):
            word = self._word(place)
            if word not in AGGREGATES | _FOLDS.keys() or not self._called(place):
                place += 1
                continue
            if word not in _FOLDS:
                raise ExpressionError(f"{word} cannot be used in expr(...)", where=self._where, hint=_HINT)
            start = self._tokens[place].start()
            place = self._take(place)
            outer += f'{self._text[at:start]}"{self._folds[-1].column}"'
            at = self._tokens[place - 1].end()
        return self._folds, Expression.of(outer + self._text[at:], where=self._where)

    def _word(self, place: int) -> str:
        token = self._tokens[place] if place < len(self._tokens) else None
        return token.group().upper() if token is not None and token.lastgroup == "name" else ""

    def _sign(self, place: int) -> str:
        return self._tokens[place].group() if place < len(self._tokens) else ""

    def _called(self, place: int) -> bool:
        return self._sign(place + 1) == "(" and (place == 0 or self._sign(place - 1) != ".")

    def _end(self, place: int) -> int:
        """The place of the bracket that closes the one at a place."""
        depth = 0
        for at in range(place, len(self._tokens)):
            depth += {"(": 1, ")": -1}.get(self._sign(at), 0)
            if depth == 0:
                return at
        raise ExpressionError("a bracket is not closed", where=self._where, got=self._text)

    def _between(self, first: int, last: int) -> str:
        """The text between two brackets."""
        return self._text[self._tokens[first].end() : self._tokens[last].start()]

    def _take(self, place: int) -> int:
        """Take an aggregate out; gives the place after it."""
        word, end = self._word(place), self._end(place + 1)
        function, options = _FOLDS[word]
        for inside in range(place + 2, end):
            if self._word(inside) in AGGREGATES | _FOLDS.keys() and self._called(inside):
                raise ExpressionError(
                    f"{self._word(inside)} stands inside {word}", where=self._where, hint="write it in Polars"
                )
        inner, condition = self._between(place + 1, end), ""
        if self._word(place + 2) == "DISTINCT":
            if word != "COUNT":
                raise ExpressionError(f"DISTINCT in {word}", where=self._where, hint=_HINT)
            inner = inner.strip()[len("DISTINCT") :]
            function, condition = "n_unique", f"({inner}) IS NOT NULL"
        if word == "QUANTILE_CONT":
            inner, options = self._quantile(inner, place + 1, end)
        after = end + 1
        if self._word(after) == "FILTER":
            close = self._end(after + 1) if self._sign(after + 1) == "(" else 0
            if self._word(after + 2) != "WHERE":
                raise ExpressionError("FILTER needs (WHERE ...)", where=self._where, got=self._text)
            chosen = self._text[self._tokens[after + 2].end() : self._tokens[close].start()]
            condition = f"({chosen}) AND {condition}" if condition else chosen
            after = close + 1
        elif self._word(after) in ("OVER", "WITHIN"):
            raise ExpressionError(f"{self._word(after)} cannot be used in expr(...)", where=self._where, hint=_HINT)
        value = None
        if word == "COUNT" and inner.strip() == "*":
            function = "len"
        else:
            value = Expression.of(inner.strip(), where=self._where)
        kept = Expression.of(condition, where=self._where) if condition else None
        self._folds.append(Fold(function, value, kept, options, len(self._folds)))
        return after

    def _quantile(self, inner: str, first: int, last: int) -> tuple[str, dict[str, Any]]:
        depth, comma = 0, None
        for at in range(first + 1, last):
            depth += {"(": 1, ")": -1}.get(self._sign(at), 0)
            if depth == 0 and self._sign(at) == ",":
                comma = at
        share = "" if comma is None else self._between(comma, last).strip()
        if comma is None or not re.fullmatch(r"[01]|[01]?\.\d+", share) or not 0 <= float(share) <= 1:
            raise ExpressionError(
                "QUANTILE_CONT takes a value and a share between 0 and 1",
                where=self._where,
                got=inner,
                hint="QUANTILE_CONT(amount, 0.95)",
            )
        return self._between(first, comma), {"q": float(share), "interpolation": "linear"}
