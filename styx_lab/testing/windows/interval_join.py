"""Interval joins as neutral cases."""

from __future__ import annotations

from typing import Any

import polars as pl

from styx_lab.core.events import TIME
from styx_lab.core.time import distance_text
from styx_lab.testing.windows.case import Case
from styx_lab.testing.windows.family import Running, operator_of
from styx_lab.testing.windows.script import TWO, stream

__all__ = ["interval_join"]


def interval_join(case: Case) -> Running:
    """The operator of an `intervalJoin`."""
    op = case.op
    joined = stream(case, "l").interval_join(
        stream(case, "r"),
        distance_text(op["lower"]),
        distance_text(op["upper"]),
        lower_exclusive=op.get("lowerExclusive", False),
        upper_exclusive=op.get("upperExclusive", False),
    )
    return Running(operator_of(joined), _results, TWO)


def _results(frame: pl.DataFrame) -> list[dict[str, Any]]:
    columns = {"key": "key", "left": "index", "right": "index_right"}
    found = frame.select(
        *(pl.col(name).alias(new) for new, name in columns.items()), pl.col(TIME).to_physical().alias("ts")
    )
    return found.to_dicts()
