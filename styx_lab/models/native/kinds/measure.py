"""ComparisonMeasure: how far from each other, or how alike, rows and given points are.

Law: a missing number is left out, and the rest counts for more, by the weights of what is there; a row of which nothing
is there has no distance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from styx_lab.models.native.column import Bools
from styx_lab.models.native.grammar import Grammar
from styx_lab.models.native.place import choice, number, optional_number, refuse
from styx_lab.models.summary import local_name

__all__ = ["GRAMMAR", "Compared", "Measure", "read_compared", "read_measure"]

_CELLS: Final = ("c00", "c01", "c10", "c11", "d00", "d01", "d10", "d11")
_DISTANCES: Final = ("euclidean", "squaredEuclidean", "chebychev", "cityBlock", "minkowski")
_SIMILARITIES: Final = ("simpleMatching", "jaccard", "tanimoto", "binarySimilarity")
GRAMMAR: Final[Grammar] = {
    "ComparisonMeasure": ("kind compareFunction minimum maximum", " ".join((*_DISTANCES, *_SIMILARITIES))),
    "minkowski": ("p-parameter", ""),
    "binarySimilarity": (" ".join(f"{each}-parameter" for each in _CELLS), ""),
    **{name: ("", "") for name in (*_DISTANCES, *_SIMILARITIES) if name not in ("minkowski", "binarySimilarity")},
}
_FUNCTIONS: Final = ("absDiff", "gaussSim", "delta", "equal")

Numbers = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Compared:
    """How one field is compared.

    Attributes:
        function: `absDiff`, `gaussSim`, `delta` or `equal`.
        weight: what it counts.
        scale: for `gaussSim`, the distance of one half.
    """

    function: str
    weight: float
    scale: float = 1.0

    def apart(self, values: Numbers, point: Numbers) -> Numbers:
        """How far values are from a point, before the measure."""
        return np.asarray(self._apart(values, point))

    def _apart(self, values: Numbers, point: Numbers) -> Any:
        if self.function == "delta":
            return np.where(values == point, values.dtype.type(0.0), values.dtype.type(1.0))
        if self.function == "equal":
            return np.where(values == point, values.dtype.type(1.0), values.dtype.type(0.0))
        difference = values - point
        if self.function == "absDiff":
            return np.abs(difference)
        return np.exp(-math.log(2.0) * difference * difference / (self.scale * self.scale)).astype(values.dtype)


@dataclass(frozen=True, slots=True)
class Measure:
    """A compiled ComparisonMeasure.

    Attributes:
        name: of the measure.
        similar: whether more means nearer.
        function: how fields are compared that do not say it.
        power: for `minkowski`.
        cells: for measures of yes and no, what each pair counts above and below the line.
    """

    name: str
    similar: bool
    function: str
    power: float = 2.0
    cells: tuple[float, ...] = ()

    def distances(
        self,
        values: Numbers,
        missing: Bools,
        points: Numbers,
        compared: Sequence[Compared],
        weights: Numbers,
    ) -> Numbers:
        """How far each row is from each point (or how alike); see `unmeasured` for the rows it has no sense in.

        Args:
            values: (rows, fields); 0 where missing.
            missing: (rows, fields).
            points: (points, fields).
            compared: by field.
            weights: of missing values, by field.
        """
        with np.errstate(all="ignore"):
            if self.cells:
                return self._alike(values, points)
            return self._apart(values, missing, points, compared, weights)

    def unmeasured(self, values: Numbers, missing: Bools) -> Bools:
        """Rows that cannot be compared: those of which nothing is there; for yes and no, all must be there."""
        if not self.cells:
            return np.asarray(missing.all(axis=1))
        return np.asarray((missing | ((values != 0.0) & (values != 1.0))).any(axis=1))

    def _apart(
        self, values: Numbers, missing: Bools, points: Numbers, compared: Sequence[Compared], weights: Numbers
    ) -> Numbers:
        kind = values.dtype.type
        total: Numbers = np.zeros((len(values), len(points)), dtype=values.dtype)
        present = np.zeros(len(values), dtype=values.dtype)
        for at, field in enumerate(compared):
            there = ~missing[:, at]
            present += np.where(there, kind(weights[at]), kind(0.0))
            apart = field.apart(values[:, at][:, None], points[:, at][None, :])
            weight = kind(field.weight)
            if self.name in ("euclidean", "squaredEuclidean"):
                apart = apart * apart
            elif self.name == "minkowski":
                apart = np.power(apart, kind(self.power))
            apart = weight * apart
            if self.name == "chebychev":
                total = np.where(there[:, None], np.maximum(total, apart), total)
            else:
                total = np.where(there[:, None], total + apart, total)
        if missing.any():
            whole = kind(0.0)
            for each in weights:
                whole = whole + kind(each)
            adjust = whole / present
            adjust = np.where(present == 0, kind(np.nan), adjust)
            total = total * adjust[:, None]
        if self.name == "euclidean":
            return np.asarray(np.sqrt(total))
        if self.name == "minkowski":
            return np.asarray(np.power(total, kind(1.0 / self.power)))
        return total

    def _alike(self, values: Numbers, points: Numbers) -> Numbers:
        above, below = np.zeros((len(values), len(points))), np.zeros((len(values), len(points)))
        for at in range(values.shape[1]):
            mine, other = values[:, at][:, None] == 1.0, points[:, at][None, :] == 1.0
            for cell, both in enumerate((~mine & ~other, ~mine & other, mine & ~other, mine & other)):
                above += self.cells[cell] * both
                below += self.cells[cell + 4] * both
        return np.asarray(above / below)


def read_measure(node: Element) -> Measure:
    """A ComparisonMeasure."""
    found = [each for each in node if local_name(each) in (*_DISTANCES, *_SIMILARITIES)]
    if len(found) != 1:
        raise refuse(node, "a ComparisonMeasure has one measure", len(found))
    name = local_name(found[0])
    kind = choice(node, "kind", ("distance", "similarity"))
    if (kind == "distance") != (name in _DISTANCES):
        raise refuse(found[0], f"the measure is no {kind}")
    function = choice(node, "compareFunction", ("absDiff", "delta", "equal"), "absDiff")
    if name in _DISTANCES:
        power = number(found[0], "p-parameter") if name == "minkowski" else 2.0
        if not power > 0:
            raise refuse(found[0], "p-parameter is greater than 0", power)
        return Measure(name, False, function, power)
    cells: tuple[float, ...] | None = {
        "simpleMatching": (1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0),
        "jaccard": (0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0),
        "tanimoto": (1.0, 0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 1.0),
    }.get(name)
    if cells is None:
        cells = tuple(number(found[0], f"{each}-parameter") for each in _CELLS)
    return Measure(name, True, function, cells=cells)


def read_compared(node: Element, weight: str, measure: Measure) -> Compared:
    """How a ClusteringField or a KNNInput is compared; `weight` is the attribute of its weight."""
    function = choice(node, "compareFunction", _FUNCTIONS, measure.function)
    scale = optional_number(node, "similarityScale")
    if function == "gaussSim" and (scale is None or scale == 0) and not measure.similar:
        raise refuse(node, "compareFunction='gaussSim' needs a similarityScale")
    return Compared(function, number(node, weight, 1.0), scale or 1.0)
