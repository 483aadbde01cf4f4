"""Random draws made of whole numbers only.

Law: the same seed gives the same draws on every machine. So there is no logarithm, power or float sum in here, whose
last bit depends on the processor and the C library: distributions are tables of integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from styx_lab.core.batch import Int64s

__all__ = ["Bools", "Draws"]

Bools = np.ndarray[tuple[int], np.dtype[np.bool_]]
"""A one-dimensional array of bool."""

_FRACTION: Final = 16


class Draws:
    """A seeded stream of draws.

    >>> Draws(7).between(0, 10, 3).tolist()
    [9, 6, 6]

    Args:
        seed: any whole number from 0 on.
    """

    def __init__(self, seed: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))

    def between(self, low: int, high: int, count: int) -> Int64s:
        """Evenly from `low` to before `high`."""
        return self._generator.integers(low, high, count, dtype=np.int64)

    def chance(self, permille: int | Int64s, count: int) -> Bools:
        """True for so many in a thousand."""
        return self.between(0, 1_000, count) < permille

    def weighted(self, weights: Sequence[int] | Int64s, count: int) -> Int64s:
        """The indices of the weights, each as often as it weighs."""
        edges = np.cumsum(np.asarray(weights, np.int64))
        return np.searchsorted(edges, self.between(0, int(edges[-1]), count), side="right").astype(np.int64)

    def table(self, values: Sequence[int], count: int) -> Int64s:
        """From a distribution whose quantiles, evenly spaced from the least to the greatest, are `values`."""
        steps = np.asarray(values, np.int64)
        place = self.between(0, (len(steps) - 1) << _FRACTION, count)
        index, part = place >> _FRACTION, place & ((1 << _FRACTION) - 1)
        drawn: Int64s = steps[index] + (((steps[index + 1] - steps[index]) * part) >> _FRACTION)
        return drawn

    def order(self, count: int) -> Int64s:
        """The numbers from 0 to `count - 1`, shuffled."""
        return np.argsort(self.between(0, 2**62, count), kind="stable").astype(np.int64)

    def some(self, among: np.ndarray[Any, Any], count: int) -> Int64s:
        """At most `count` of the given numbers, none twice, in rising order."""
        return np.sort(np.asarray(among, np.int64)[self.order(len(among))[:count]])
