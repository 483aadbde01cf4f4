"""Temporal joins as neutral cases."""

from __future__ import annotations

from typing import Any, Literal

import polars as pl

from styx_lab.testing.windows.case import Case
from styx_lab.testing.windows.family import Running, operator_of
from styx_lab.testing.windows.script import TWO, stream

__all__ = ["temporal_join"]


def temporal_join(case: Case) -> Running:
    """The operator of a `temporalJoin`: the right side's events are versions, `delete` ends a key."""
    how: Literal["inner", "left"] = "left" if case.op.get("leftOuter", False) else "inner"
    joined = stream(case, "l").asof_join(stream(case, "r"), delete=pl.col("delete"), how=how)
    return Running(operator_of(joined), _results, TWO)


def _results(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return frame.select("key", pl.col("index").alias("left"), pl.col("index_right").alias("right")).to_dicts()
