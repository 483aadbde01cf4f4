"""Discretize: the bin whose interval holds a number."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element

import numpy as np

from styx_lab.models.native.column import Column
from styx_lab.models.native.fields import read_interval
from styx_lab.models.native.place import child, children, refuse, required
from styx_lab.models.native.scope import Expression, Variables
from styx_lab.models.native.transformations.library import Library
from styx_lab.models.native.values import cast, is_known_type

__all__ = ["compile_discretize"]


def compile_discretize(node: Element, library: Library, compile_it: Callable[[Element], Expression]) -> Expression:
    """Compile a Discretize."""
    name = required(node, "field")
    data_type = node.get("dataType")
    if data_type is not None and not is_known_type(data_type):
        raise refuse(node, f"dataType={data_type!r} is not supported")
    words = [required(each, "binValue") for each in children(node, "DiscretizeBin")]
    intervals = []
    for each in children(node, "DiscretizeBin"):
        interval = child(each, "Interval")
        if interval is None:
            raise refuse(each, "a DiscretizeBin without an Interval")
        intervals.append(read_interval(interval))
    default, filling = node.get("defaultValue"), node.get("mapMissingTo")
    # The last two words are for a number in no bin, and for a missing one.
    table = (*words, default or "", filling or "")

    def evaluate(variables: Variables) -> Column:
        column = cast(variables.column(name), "double", variables.rows)
        values = column.numbers
        codes = np.full(len(values), len(words), dtype=np.int32)
        for code in range(len(words) - 1, -1, -1):
            low, high, low_in, high_in = intervals[code]
            above = values >= low if low_in else values > low
            below = values <= high if high_in else values < high
            codes[above & below] = code
        missing = np.zeros(len(values), dtype=np.bool_)
        if default is None:
            missing |= codes == len(words)
        gaps = np.broadcast_to(column.gaps, missing.shape)
        codes[gaps] = len(words) + 1
        missing = np.where(gaps, filling is None, missing)
        found = Column("string", codes, missing if missing.any() else None, column.errors, table)
        return found if data_type is None else cast(found, data_type, variables.rows)

    return evaluate
