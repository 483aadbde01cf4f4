"""NormContinuous: a number along straight lines between points; beyond the outer ones as `outliers` says."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from styx_lab.models.native.column import Column, either
from styx_lab.models.native.place import children, choice, number, optional_number, refuse, required
from styx_lab.models.native.scope import Expression, Variables
from styx_lab.models.native.transformations.library import Library
from styx_lab.models.native.values import cast

__all__ = ["compile_norm_continuous", "interpolate"]


def interpolate(
    values: npt.NDArray[np.float64], points: npt.NDArray[np.float64], results: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Along the lines between points; beyond the outer ones their lines go on."""
    at = np.clip(np.searchsorted(points, values, side="left"), 1, len(points) - 1)
    x1, x2, y1, y2 = points[at - 1], points[at], results[at - 1], results[at]
    with np.errstate(all="ignore"):
        return y1 + (values - x1) / (x2 - x1) * (y2 - y1)


def compile_norm_continuous(node: Element, library: Library, compile_it: Callable[[Element], Expression]) -> Expression:
    """Compile a NormContinuous."""
    name = required(node, "field")
    outliers = choice(node, "outliers", ("asIs", "asMissingValues", "asExtremeValues"), "asIs")
    filling = optional_number(node, "mapMissingTo")
    lines = [(number(each, "orig"), number(each, "norm")) for each in children(node, "LinearNorm")]
    points = np.array([point for point, _ in lines], dtype=np.float64)
    results = np.array([result for _, result in lines], dtype=np.float64)
    if len(points) < 2 or not bool(np.all(np.diff(points) > 0)):
        raise refuse(node, "NormContinuous needs two points or more, in rising order")

    def evaluate(variables: Variables) -> Column:
        column = cast(variables.column(name), "double", variables.rows)
        values = column.numbers
        found = interpolate(values, points, results)
        missing = column.missing
        low, high = values < points[0], values > points[-1]
        if outliers == "asExtremeValues":
            found = np.where(low, results[0], np.where(high, results[-1], found))
        elif outliers == "asMissingValues":
            missing = either(missing, low | high)
        if filling is not None and column.missing is not None:
            found = np.where(column.missing, filling, found)
            missing = None if missing is column.missing else missing & ~column.missing if missing is not None else None
        return Column("double", found, missing, column.errors)

    return evaluate
