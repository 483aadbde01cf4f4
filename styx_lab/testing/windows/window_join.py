"""Cases of window joins and co-groups."""

from __future__ import annotations

from typing import Any

import polars as pl

from styx_lab.core.events import TIME
from styx_lab.core.time import MAX_WATERMARK
from styx_lab.flow.stream import Stream
from styx_lab.testing.windows.case import Case
from styx_lab.testing.windows.family import Running, operator_of
from styx_lab.testing.windows.script import TWO, stream
from styx_lab.testing.windows.window import said_firing, said_window

__all__ = ["co_group", "window_join"]


def window_join(case: Case) -> Running:
    """A window join.

    Raises:
        FlowError: when it cannot be built.
    """
    left, right = (stream(case, side) for side in TWO)
    made = left.window_join(right, said_window(case.op["assigner"]), **said_firing(case.op))

    def results(frame: pl.DataFrame) -> list[dict[str, Any]]:
        pair = (pl.col("index").alias("left"), pl.col("index_right").alias("right"))
        return frame.select("key", *pair, _stamp(made)).to_dicts()

    return Running(operator_of(made), results, TWO)


def co_group(case: Case) -> Running:
    """A co-group.

    Raises:
        FlowError: when it cannot be built.
    """
    left, right = (stream(case, side) for side in TWO)
    made = left.co_group(right, said_window(case.op["assigner"]), **said_firing(case.op))

    def results(frame: pl.DataFrame) -> list[dict[str, Any]]:
        lists = [pl.col(name).list.eval(pl.element().struct.field("index")) for name in ("left", "right")]
        return frame.select("key", *lists, _stamp(made)).to_dicts()

    return Running(operator_of(made), results, TWO)


def _stamp(made: Stream) -> pl.Expr:
    """When a result is said to be: at its window's last ms, which for a window without an end is the end of time."""
    stamp = pl.col(TIME).to_physical() if "window_end" in made.columns else pl.lit(MAX_WATERMARK)
    return stamp.alias("ts")
