"""Conditions as a user gives them: SQL text, a Polars expression, a function, or a condition already.

Law: nothing of a user's is run to look at it; what a condition may be is known when it is said.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FunctionType
from typing import Any, Final

import polars as pl

from styx_lab.errors import ExpressionError, FlowError
from styx_lab.flow.carried import Carried
from styx_lab.flow.expression import Expression
from styx_lab.flow.pattern.conditions import Both, Call, Condition, Either, Negated, Where
from styx_lab.flow.pattern.lookback import Lookback, fold_dtype, folds_of, shown

__all__ = ["ConditionLike", "both", "check_condition", "condition_of", "condition_text", "either", "leaves"]

ConditionLike = (
    str
    | pl.Expr
    | Expression
    | Condition
    | Callable[[Mapping[str, Any], Mapping[str, Sequence[Mapping[str, Any]]]], bool]
)
"""What a condition may be given as: SQL text, a Polars expression, or a function `(event, match) -> bool`."""

_HINT: Final = "'amount > 500', col('amount') > 500, or a function (event, match) -> bool"
_ARGUMENTS: Final = 2


def condition_of(value: ConditionLike, *, where: str) -> Condition:
    """The condition that is meant.

    Raises:
        FlowError: when it is none, or a function that a flow cannot carry.
    """
    if isinstance(value, Where | Call | Both | Either | Negated):
        return value
    if isinstance(value, str | pl.Expr | Expression):
        expression = Expression.of(value, where=where)
        # What cannot be asked of a partial match is refused where it is said.
        Lookback.of(expression, where=where)
        return Where(expression)
    if isinstance(value, FunctionType):
        return Call(_carried(value, where))
    if callable(value):
        raise FlowError(
            "only a plain function can be a condition", where=where, got=type(value).__name__, hint="def a function"
        )
    raise ExpressionError("not a condition", where=where, got=value, hint=_HINT)


def _carried(function: FunctionType, where: str) -> Carried:
    name = function.__qualname__
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise FlowError("a condition must return true or false at once", where=where, got=name, hint="a plain def")
    code = Carried.of(function, where=where)
    try:
        inspect.signature(function).bind(*range(_ARGUMENTS))
    except TypeError as error:
        raise FlowError(
            "a condition takes the event and the match so far",
            where=where,
            got=f"{name}{inspect.signature(function)}",
            hint=f"def {name}(event, match)",
        ) from error
    return code


def both(first: Condition | None, second: Condition) -> Condition:
    """Both conditions; the second where there was none."""
    if first is None:
        return second
    return Both((*first.of, second) if isinstance(first, Both) else (first, second))


def either(first: Condition | None, second: Condition) -> Condition:
    """One of two conditions; the second where there was none."""
    if first is None:
        return second
    return Either((*first.of, second) if isinstance(first, Either) else (first, second))


def leaves(condition: Condition | None) -> Iterator[Where | Call]:
    """The expressions and functions of a condition, in order."""
    match condition:
        case Where() | Call():
            yield condition
        case Both() | Either():
            for one in condition.of:
                yield from leaves(one)
        case Negated():
            yield from leaves(condition.of)


def check_condition(
    condition: Condition | None, schema: Mapping[str, pl.DataType], parts: Sequence[str], *, where: str
) -> None:
    """Try a condition against the events' columns and the pattern's parts.

    Args:
        condition: it; None means any event.
        schema: the columns of an event.
        parts: what the pattern's parts are called in a match.
        where: what to name in an error.

    Raises:
        ExpressionError: on an unknown column, on types that do not fit, on what is not true or false.
        FlowError: on a look-back at a part that the pattern does not have.
    """
    for leaf in leaves(condition):
        if isinstance(leaf, Where):
            folds = folds_of(leaf.expression)
            for fold in folds:
                if fold.part not in parts:
                    raise FlowError(
                        f"{fold} looks back at a part that the pattern does not have",
                        where=where,
                        got=fold.part,
                        hint=f"one of {', '.join(parts)}",
                    )
            known = {fold.name: fold_dtype(fold, schema, where=where) for fold in folds}
            leaf.expression.check({**schema, **known}, where=where, boolean=True)
            if folds:
                Lookback.of(leaf.expression, where=where).input_dtypes(schema, where=where)


def condition_text(condition: Condition, *, inside: bool = False) -> str:
    """A condition as a person would write it, on one line."""
    match condition:
        case Where():
            return shown(condition.expression)
        case Call():
            return f"{condition.function.name}(event, match)"
        case Negated():
            return f"not {_bracketed(condition.of)}"
        case Both(of=()):
            return "true"
        case Either(of=()):
            return "false"
    word = " and " if isinstance(condition, Both) else " or "
    text = word.join(_bracketed(one) if isinstance(one, Both | Either) else condition_text(one) for one in condition.of)
    return f"({text})" if inside else text


def _bracketed(condition: Condition) -> str:
    text = condition_text(condition, inside=True)
    return text if text.startswith("(") or isinstance(condition, Call) else f"({text})"
