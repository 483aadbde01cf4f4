"""The nearest of many kept rows: distances and choice in one pass, for the distances that nearly all models have.

Law: it gives the bits and the order that all distances, sorted, would give: among equals the first kept row, and what
is no number last.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from styx_lab.core.compiled import njit

__all__ = ["choose_nearest"]

Floats = npt.NDArray[np.float64]


@njit(cache=True, nogil=True)
def choose_nearest(
    values: Floats,
    points: Floats,
    weights: Floats,
    squared: bool,
    rooted: bool,
    order: npt.NDArray[np.int64],
    distances: Floats,
) -> None:
    """Fill `order` and `distances` (rows, how many) from `values` (rows, fields) and `points` (fields, points)."""
    fields, count = points.shape
    most = order.shape[1]
    total = np.empty(count, dtype=np.float64)
    for row in range(len(values)):
        total[:] = 0.0
        for field in range(fields):
            value = values[row, field]
            weight = weights[field]
            if squared:
                for at in range(count):
                    apart = np.abs(value - points[field, at])
                    total[at] += weight * (apart * apart)
            else:
                for at in range(count):
                    total[at] += weight * np.abs(value - points[field, at])
        if rooted:
            for at in range(count):
                total[at] = np.sqrt(total[at])
        filled = 0
        for at in range(count):
            found = total[at]
            if filled == most:
                last = distances[row, most - 1]
                if not (found < last or (np.isnan(last) and not np.isnan(found))):
                    continue
                place = most - 1
            else:
                place = filled
                filled += 1
            while place > 0:
                before = distances[row, place - 1]
                if not (found < before or (np.isnan(before) and not np.isnan(found))):
                    break
                distances[row, place] = before
                order[row, place] = order[row, place - 1]
                place -= 1
            distances[row, place] = found
            order[row, place] = at
