"""What a condition may ask of the events that its partial match has taken so far: `matched("a").amount.sum()`.

Law: a look-back is an expression like any other, over a column with a reserved name that says all; `lookback.py` reads
it back from there. The event in question is not among those that were taken.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final, Literal, NoReturn, cast, get_args

import polars as pl

from styx_lab.errors import FlowError

__all__ = ["Fold", "FoldWord", "Matched", "MatchedField", "fold_of", "matched"]

FoldWord = Literal["sum", "mean", "min", "max", "count", "first", "last"]
_WORDS: Final = get_args(FoldWord)
_TEXT: Final = r'"(?:[^"\\]|\\.)*"'
_NAME: Final = re.compile(
    rf"_matched\((?P<part>{_TEXT})\)(?:\[(?P<column>{_TEXT})\])?\.(?P<word>[a-z]+)\(\)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Fold:
    """One look-back.

    Attributes:
        part: what the match calls the events that it looks at.
        word: what it makes of them; `sum` and `count` of none are 0, the others null. Nulls are passed over by all but
            `first` and `last`, which take just that event's value.
        column: the events' column; None of `count`.
    """

    part: str
    word: FoldWord
    column: str | None = None

    @property
    def name(self) -> str:
        """The reserved name of the column that stands for it in an expression."""
        column = "" if self.column is None else f"[{json.dumps(self.column, ensure_ascii=False)}]"
        return f"_matched({json.dumps(self.part, ensure_ascii=False)}){column}.{self.word}()"

    def __str__(self) -> str:
        return self.name[1:]


def fold_of(name: str) -> Fold | None:
    """The look-back that a column's name stands for; None where it is just a column.

    >>> fold_of(matched("a").amount.sum().meta.output_name())
    Fold(part='a', word='sum', column='amount')
    """
    found = _NAME.fullmatch(name)
    if found is None or found["word"] not in _WORDS or (found["word"] == "count") != (found["column"] is None):
        return None
    column = found["column"]
    return Fold(
        json.loads(found["part"]), cast("FoldWord", found["word"]), None if column is None else json.loads(column)
    )


@dataclass(frozen=True, slots=True)
class MatchedField:
    """A column of the events that a part has taken; say what to make of it."""

    part: str
    column: str

    def first(self) -> pl.Expr:
        """The first event's value; null where there is none."""
        return self._fold("first")

    def last(self) -> pl.Expr:
        """The last event's value; null where there is none."""
        return self._fold("last")

    def sum(self) -> pl.Expr:
        """The sum; 0 where there is nothing to add."""
        return self._fold("sum")

    def mean(self) -> pl.Expr:
        """The mean; null where there is nothing."""
        return self._fold("mean")

    def min(self) -> pl.Expr:
        """The least; null where there is nothing."""
        return self._fold("min")

    def max(self) -> pl.Expr:
        """The greatest; null where there is nothing."""
        return self._fold("max")

    def __getattr__(self, name: str) -> NoReturn:
        what = f"matched({self.part!r}).{self.column} has no {name}"
        raise AttributeError(f"{what}; it has first(), last(), sum(), mean(), min() and max()")

    def _fold(self, word: FoldWord) -> pl.Expr:
        return pl.col(Fold(self.part, word, self.column).name)

    def _not_said(self, _: object) -> NoReturn:
        raise FlowError(
            "a part may have taken several events: say which value is meant",
            where=f"matched({self.part!r}).{self.column}",
            hint=f".last(), .first(), .{'() or .'.join(('sum', 'mean', 'min', 'max'))}()",
        )

    __lt__ = __le__ = __gt__ = __ge__ = __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _not_said
    __truediv__ = __rtruediv__ = _not_said


@dataclass(frozen=True, slots=True)
class Matched:
    """The events that a part has taken so far in the same partial match; see `matched`."""

    part: str

    def count(self) -> pl.Expr:
        """How many there are; 0 where there is none."""
        return pl.col(Fold(self.part, "count").name)

    def __getitem__(self, column: str) -> MatchedField:
        if not isinstance(column, str) or not column:
            raise FlowError("not a column", where=f"matched({self.part!r})", got=column, hint="matched('a')['amount']")
        return MatchedField(self.part, column)

    def __getattr__(self, column: str) -> MatchedField:
        # Python and notebooks ask objects for names of their own, such as _repr_html_.
        if column.startswith(("__", "_repr")):
            raise AttributeError(column)
        return MatchedField(self.part, column)


def matched(part: str) -> Matched:
    """What a part of the pattern has taken so far, for use in a condition.

    >>> from styx_lab import Pattern, col, matched
    >>> more = col("amount") > 2 * matched("small").amount.sum()
    >>> print(Pattern.begin("small").where("amount < 10").one_or_more().followed_by("large").where(more))
    begin small[1 or more] where amount < 10 -> followed by large where amount > (2 * matched("small")["amount"].sum())

    There are `first`, `last`, `min`, `max`, `mean` and `sum` of a column, and `matched("a").count()`. A column whose
    name is no attribute is `matched("a")["unit price"]`. They give numbers (`first` and `last` the column's own type),
    and may be compared, added, subtracted, multiplied, divided, and joined by `&`, `|` and `~`, with each other and
    with what an expression makes of the event; `fill_null`, `is_null` and `is_not_null` tell what to do with nothing.
    For all else a condition may be a Python function.

    Args:
        part: what the match calls it.

    Time and state: it sees the events that *this* partial match has taken under that name, in order, without the event
    in question; in a group, also those of earlier rounds. Follows Flink CEP (`IterativeCondition`).

    Raises:
        FlowError: when the name is none. That the part and the column are there is checked when the flow is built.
    """
    if not isinstance(part, str) or not part:
        raise FlowError("not the name of a part", where="matched()", got=part, hint="matched('a').amount.sum()")
    return Matched(part)
