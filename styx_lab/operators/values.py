"""The values of a step's expressions over a batch; a row that an expression cannot take is a dead letter.

Laws: what a row gives depends on that row alone, so one bad row (a strict cast of a text that is no number, say) costs
that row and not the batch it came in; nothing is silent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch, Int64s
from styx_lab.core.events import dead_letters
from styx_lab.flow.expression import Expression
from styx_lab.flow.expression.values import evaluate

__all__ = ["Values", "condition_names", "refused_rows", "truths", "values_of"]


@dataclass(frozen=True, slots=True)
class Values:
    """What the expressions gave.

    Attributes:
        batch: the rows that all expressions could take.
        frame: their values, one row for each.
        dead: dead letters of the others, or None.
        dead_order: their orders.
        good: for each row that came, whether it is one of the batch; None where all are.
    """

    batch: Batch
    frame: pl.DataFrame
    dead: pl.DataFrame | None = None
    dead_order: Int64s = field(default_factory=lambda: np.empty(0, np.int64))
    good: np.ndarray | None = None


def values_of(step: str, batch: Batch, expressions: Mapping[str, Expression]) -> Values:
    """Evaluate expressions over a batch's rows.

    Args:
        step: the step's name, for the dead letters.
        batch: the rows.
        expressions: by the name of the column they give.
    """
    if not expressions:
        return Values(batch, pl.DataFrame())
    try:
        return Values(batch, evaluate(batch.frame, expressions))
    except pl.exceptions.PolarsError:
        refused = _refused(batch.frame, expressions, 0)
    good = np.ones(len(batch), np.bool_)
    good[list(refused)] = False
    kept = batch.keep(good)
    dead = dead_letters(step, batch.frame.filter(pl.Series(~good)), [refused[row] for row in sorted(refused)])
    return Values(kept, evaluate(kept.frame, expressions), dead, batch.order[~good], good)


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


def condition_names(conditions: Sequence[Sequence[Expression]]) -> dict[str, Expression]:
    """Names for several lists of conditions, to evaluate them at once, each once; see `truths`."""
    return {name: one for one, name in _names(conditions).items()}


def _names(conditions: Sequence[Sequence[Expression]]) -> dict[Expression, str]:
    return {one: str(place) for place, one in enumerate(dict.fromkeys(one for all_of in conditions for one in all_of))}


def truths(values: pl.DataFrame, height: int, conditions: Sequence[Sequence[Expression]]) -> list[np.ndarray]:
    """For each list of conditions and each row, whether all are true; null is false, no condition is true."""
    known: dict[Expression, np.ndarray] = {}
    for one, name in _names(conditions).items():
        column = values.get_column(name)
        known[one] = (column.fill_null(value=False) if column.null_count() else column).to_numpy()
    told = []
    for all_of in conditions:
        truth = np.ones(height, np.bool_)
        for one in all_of:
            truth &= known[one]
        told.append(truth)
    return told
