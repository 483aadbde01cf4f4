"""Lists of groups of events: collect.

Law (re-chunking): a list holds the values of its own group, in the order given, whatever other groups stand beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.operators.window.members import Members

__all__ = ["collect_events", "collect_values", "lists"]


def lists(name: str, values: pl.Series, group: Int64s, groups: int) -> pl.Series:
    """One list for each group, of values that stand group after group; empty where a group has none.

    Args:
        name: the name of the result.
        values: the values.
        group: the group of each, rising.
        groups: how many groups there are.
    """
    frame = pl.DataFrame([pl.Series("group", group), values.alias("value")])
    made = frame.group_by("group", maintain_order=True).agg("value")
    found = made["value"].alias(name)
    if made.height == groups:
        return found
    place = np.full(groups, made.height, np.int64)
    place[made["group"].to_numpy()] = np.arange(made.height)
    return pl.concat([found, pl.Series(name, [[]], dtype=found.dtype)]).gather(place)


def collect_values(name: str, column: str, members: Members) -> pl.Series:
    """The values of a column, nulls too."""
    return lists(name, members.frame[column], members.group, len(members))


def collect_events(name: str, columns: Sequence[str], members: Members) -> pl.Series:
    """The events, each a struct of these columns."""
    return lists(name, members.frame.select(columns).to_struct("value"), members.group, len(members))
