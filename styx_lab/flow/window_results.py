"""What a step over the results of windows needs of its input.

Law: it is known when the flow is built that there are windows, and how far apart they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from styx_lab.core.schema import TIME_DTYPE
from styx_lab.errors import FlowError
from styx_lab.flow.types import StreamType

__all__ = ["WINDOW_COLUMNS", "added", "need_windows"]

WINDOW_COLUMNS: Final = ("window_start", "window_end")
"""The columns of a window's result that say which window it is of."""


def need_windows(stream: StreamType, *, where: str) -> None:
    """Refuse a stream whose events are not of a window.

    Raises:
        FlowError: when it has no `window_start` and `window_end`, or they are no times.
    """
    known = dict(stream.columns)
    for name in WINDOW_COLUMNS:
        if known.get(name) != TIME_DTYPE:
            raise FlowError(
                "this step takes the results of windows",
                where=where,
                got=f"column {name!r} is {known[name]}" if name in known else f"no column {name!r}",
                hint=f"put window(...) before it, and keep {' and '.join(WINDOW_COLUMNS)}",
            )


def added(stream: StreamType, columns: Mapping[str, pl.DataType], *, where: str) -> StreamType:
    """The stream with more columns of its own.

    Raises:
        FlowError: when it has one of that name already.
    """
    names: Sequence[str] = stream.names
    for name in columns:
        if name in names:
            raise FlowError(
                "the event has a column of that name already",
                where=where,
                got=name,
                hint=f"rename it before: select(..., other={name!r})",
            )
    return stream.with_columns([*stream.columns, *columns.items()])
