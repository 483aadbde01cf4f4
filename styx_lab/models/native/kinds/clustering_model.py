"""ClusteringModel: the nearest of some centres.

Law: among equals the first in the file; a missing field is left out of the distance, as MissingValueWeights says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from styx_lab.models.native.arrays import numbers_of
from styx_lab.models.native.column import Codes, Column, Rows, first_error, where_error
from styx_lab.models.native.grammar import MODEL_ATTRIBUTES, MODEL_CHILDREN, Grammar
from styx_lab.models.native.kinds.measure import GRAMMAR as MEASURES
from styx_lab.models.native.kinds.measure import Compared, Measure, read_compared, read_measure
from styx_lab.models.native.place import child, children, choice, refuse, required, switch
from styx_lab.models.native.prediction import Prediction
from styx_lab.models.native.scope import Scope
from styx_lab.models.native.setting import Setting
from styx_lab.models.native.values import cast

__all__ = ["GRAMMAR", "compile_model", "gather"]

GRAMMAR: Final[Grammar] = {
    **MEASURES,
    "ClusteringModel": (
        f"{MODEL_ATTRIBUTES} modelClass numberOfClusters x-mathContext",
        f"{MODEL_CHILDREN} ComparisonMeasure ClusteringField MissingValueWeights Cluster",
    ),
    "ClusteringField": ("field isCenterField fieldWeight similarityScale compareFunction", ""),
    "MissingValueWeights": ("", "Array"),
    "Cluster": ("id name size", "KohonenMap Array Partition Covariances"),
    "KohonenMap": ("*", ""),
    "Covariances": ("", "Matrix"),
}


def gather(
    names: Sequence[str], kind: Any, scope: Scope
) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_], Codes | None]:
    """Some fields as numbers: their values (0 where missing), which are missing, and errors."""
    rows = scope.rows
    values = np.zeros((rows.height, len(names)), dtype=kind)
    missing = np.zeros((rows.height, len(names)), dtype=np.bool_)
    errors: Codes | None = None
    for at, name in enumerate(names):
        column = cast(scope.column(name), "float" if kind is np.float32 else "double", rows)
        missing[:, at] = column.gaps
        values[:, at] = np.where(column.gaps, 0.0, column.values)
        errors = first_error(errors, column.errors)
    return values, missing, errors


def compile_model(node: Element, setting: Setting) -> Callable[[Scope], Prediction]:
    """Compile a ClusteringModel."""
    if setting.function != "clustering":
        raise refuse(node, f"functionName={setting.function!r} is not supported here")
    choice(node, "modelClass", ("centerBased",))
    measured = child(node, "ComparisonMeasure")
    clusters = list(children(node, "Cluster"))
    if measured is None or not clusters:
        raise refuse(node, "a ClusteringModel without a ComparisonMeasure or a Cluster")
    measure = read_measure(measured)
    fields = list(children(node, "ClusteringField"))
    for each in fields:
        if not switch(each, "isCenterField", default=True):
            raise refuse(each, "isCenterField='false' is not supported")
    kind: Any = np.float32 if setting.single else np.float64
    points = []
    for each in clusters:
        array = child(each, "Array")
        if array is None:
            raise refuse(each, "a Cluster without an Array")
        points.append(numbers_of(array))
        if len(points[-1]) != len(fields):
            raise refuse(array, "a centre has a number for each field", len(points[-1]))
    weights = np.ones(len(fields))
    block = child(node, "MissingValueWeights")
    if block is not None:
        array = child(block, "Array")
        weights = np.array([] if array is None else numbers_of(array))
        if len(weights) != len(fields):
            raise refuse(block, "MissingValueWeights has a number for each field", len(weights))
    ids = tuple(each.get("id") or str(at) for at, each in enumerate(clusters, 1))
    if len(set(ids)) < len(ids):
        raise refuse(node, "two clusters have the same id")
    return _Clusters(
        measure,
        [required(each, "field") for each in fields],
        [read_compared(each, "fieldWeight", measure) for each in fields],
        np.array(points, dtype=kind),
        weights,
        ids,
        [each.get("name") for each in clusters],
    )


class _Clusters:
    """A compiled ClusteringModel."""

    def __init__(
        self,
        measure: Measure,
        fields: list[str],
        compared: list[Compared],
        points: npt.NDArray[Any],
        weights: npt.NDArray[Any],
        ids: tuple[str, ...],
        names: list[str | None],
    ) -> None:
        self._measure = measure
        self._fields = fields
        self._compared = compared
        self._points = points
        self._weights = weights
        self._ids = ids
        self._names = names

    def __call__(self, scope: Scope) -> Prediction:
        """Evaluate it."""
        rows = scope.rows
        values, missing, errors = gather(self._fields, self._points.dtype.type, scope)
        table = self._measure.distances(values, missing, self._points, self._compared, self._weights)
        nothing = self._measure.unmeasured(values, missing) | np.isnan(table).any(axis=1)
        errors = first_error(errors, where_error(nothing, rows.error("the row cannot be compared with the clusters")))
        far = np.where(np.isnan(table), np.inf, -table if self._measure.similar else table)
        order = np.argsort(far, axis=1, kind="stable").astype(np.int32)
        target = Column("string", order[:, 0], None, errors, self._ids)
        return Prediction(target, None, self._features(order, table, rows))

    def _features(self, order: Codes, table: npt.NDArray[Any], rows: Rows) -> dict[str, Column]:
        features: dict[str, Column] = {}
        every = np.arange(rows.height)
        for at, name in enumerate(self._ids):
            features[f"affinity({name})"] = Column("double", table[:, at].astype(np.float64))
            features[f"entityId#{at + 1}"] = Column("string", order[:, at], None, None, self._ids)
            nearest = table[every, order[:, at]].astype(np.float64)
            features[f"affinity#{at + 1}"] = Column("double", nearest)
        unnamed = np.array([each is None for each in self._names])[order[:, 0]]
        names = tuple(each or "" for each in self._names)
        features["display#1"] = Column("string", order[:, 0], unnamed if unnamed.any() else None, None, names)
        return features
