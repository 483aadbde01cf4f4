"""The values of a step's expressions over a batch; a row that an expression cannot take is a dead letter.

Laws: what a row gives depends on that row alone, so one bad row (a strict cast of a text that is no number, say) costs
that row and not the batch it came in; nothing is silent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch, Int64s
from styx_lab.core.events import dead_letters
from styx_lab.flow.expression import Expression
from styx_lab.flow.expression.values import evaluate, truths

__all__ = ["Values", "refused_rows", "values_of"]


@dataclass(frozen=True, slots=True)
class Values:
    """What the expressions gave.

    Attributes:
        batch: the rows that all expressions could take.
        frame: their values, one row for each.
        dead: dead letters of the others, or None.
        dead_order: their orders.
        good: for each row that came, whether it is one of the batch; None where all are.
        told: of each condition, where it is true; null is false.
    """

    batch: Batch
    frame: pl.DataFrame
    dead: pl.DataFrame | None = None
    dead_order: Int64s = field(default_factory=lambda: np.empty(0, np.int64))
    good: np.ndarray | None = None
    told: Mapping[Expression, np.ndarray] = field(default_factory=dict)


def values_of(
    step: str, batch: Batch, expressions: Mapping[str, Expression], conditions: Sequence[Expression] = ()
) -> Values:
    """Evaluate expressions over a batch's rows.

    Args:
        step: the step's name, for the dead letters.
        batch: the rows.
        expressions: by the name of the column they give.
        conditions: those of which it is enough to know where they are true.
    """
    try:
        return _values(batch, expressions, conditions)
    except pl.exceptions.PolarsError:
        named = {f"\0condition {place}": one for place, one in enumerate(conditions)}
        refused = _refused(batch.frame, {**expressions, **named}, 0)
    good = np.ones(len(batch), np.bool_)
    good[list(refused)] = False
    kept = batch.keep(good)
    dead = dead_letters(step, batch.frame.filter(pl.Series(~good)), [refused[row] for row in sorted(refused)])
    return replace(_values(kept, expressions, conditions), dead=dead, dead_order=batch.order[~good], good=good)


def _values(batch: Batch, expressions: Mapping[str, Expression], conditions: Sequence[Expression]) -> Values:
    frame = evaluate(batch.frame, expressions) if expressions else pl.DataFrame()
    return Values(batch, frame, told=truths(batch.frame, conditions) if conditions else {})


def refused_rows(frame: pl.DataFrame, expressions: Mapping[str, Expression]) -> dict[int, str]:
    """Why each row that the expressions cannot take cannot be taken, by its number."""
    return _refused(frame, expressions, 0)


def _refused(frame: pl.DataFrame, expressions: Mapping[str, Expression], first: int) -> dict[int, str]:
    """Why each row that cannot be evaluated cannot, by its number; found by halving."""
    try:
        evaluate(frame, expressions)
    except pl.exceptions.PolarsError as error:
        if frame.height == 1:
            # Polars goes on to list the values, of which there is just this one.
            return {first: f"not_evaluated: {str(error).splitlines()[0].partition(' for ')[0]}"}
        half = frame.height // 2
        return _refused(frame[:half], expressions, first) | _refused(frame[half:], expressions, first + half)
    return {}
