"""The expressions of a window step over a batch, its assignment's among them.

Law (nothing silent): an event that cannot be evaluated, or whose gap is no gap, is a dead letter.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch
from styx_lab.core.events import dead_letters
from styx_lab.flow.expression import Expression
from styx_lab.operators.values import Values, values_of
from styx_lab.operators.window.by_window.rule import Assignment

__all__ = ["evaluated"]


def evaluated(step: str, batch: Batch, expressions: Mapping[str, Expression], assignment: Assignment) -> Values:
    """The values of all expressions, for each event that has them and that can be given a window."""
    values = values_of(step, batch, {**expressions, **assignment.expressions})
    refused = assignment.refused(values.frame)
    if not refused:
        return values
    good = np.ones(len(values.batch), np.bool_)
    good[list(refused)] = False
    dead = dead_letters(step, values.batch.frame.filter(pl.Series(~good)), list(refused.values()))
    order = values.batch.order[~good]
    if values.dead is not None:
        dead, order = pl.concat([values.dead, dead]), np.concatenate([values.dead_order, order])
    return Values(values.batch.keep(good), values.frame.filter(pl.Series(good)), dead, order)
