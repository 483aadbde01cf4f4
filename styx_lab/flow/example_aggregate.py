"""An aggregate as a user would write one; the examples of `custom` use it."""

from __future__ import annotations

import math

__all__ = ["GeometricMean"]


class GeometricMean:
    """The geometric mean of positive numbers; null where there are none."""

    output = "float"

    def create(self) -> list[float]:
        """No values."""
        return []

    def add(self, acc: list[float], value: float) -> list[float]:
        """One more logarithm."""
        return [*acc, math.log(value)]

    def merge(self, acc: list[float], other: list[float]) -> list[float]:
        """All of both."""
        return acc + other

    def result(self, acc: list[float]) -> float | None:
        """The mean of the logarithms, raised."""
        return math.exp(math.fsum(acc) / len(acc)) if acc else None
