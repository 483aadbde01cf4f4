"""NearestNeighborModel: the answer of the nearest of some kept rows.

Law: among rows equally near the first kept one; a missing field is left out of the distance. A tie of votes goes to the
class that more kept rows have, then to the first in the order of their texts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from styx_lab.models.native.column import Codes, Column, first_error, where_error
from styx_lab.models.native.grammar import MODEL_ATTRIBUTES, MODEL_CHILDREN, Grammar
from styx_lab.models.native.kinds.clustering_model import gather
from styx_lab.models.native.kinds.measure import GRAMMAR as MEASURES
from styx_lab.models.native.kinds.measure import Compared, Measure, read_compared, read_measure
from styx_lab.models.native.kinds.nearest_kernel import choose_nearest
from styx_lab.models.native.place import child, children, choice, integer, number, refuse, required
from styx_lab.models.native.prediction import Prediction
from styx_lab.models.native.scope import Scope
from styx_lab.models.native.setting import Setting
from styx_lab.models.native.values import column_of, parse
from styx_lab.models.summary import local_name

__all__ = ["GRAMMAR", "compile_model"]

GRAMMAR: Final[Grammar] = {
    **MEASURES,
    "NearestNeighborModel": (
        (
            f"{MODEL_ATTRIBUTES} numberOfNeighbors continuousScoringMethod categoricalScoringMethod instanceIdVariable "
            "threshold x-mathContext"
        ),
        f"{MODEL_CHILDREN} TrainingInstances ComparisonMeasure KNNInputs",
    ),
    "TrainingInstances": ("isTransformed recordCount fieldCount", "InstanceFields InlineTable"),
    "InstanceFields": ("", "InstanceField"),
    "InstanceField": ("field column", ""),
    "KNNInputs": ("", "KNNInput"),
    "KNNInput": ("field fieldWeight compareFunction", ""),
}
_NUMBERS: Final = ("average", "median", "weightedAverage")
_CLASSES: Final = ("majorityVote", "weightedMajorityVote")
_TOLD: Final = 10
_QUICK: Final = ("euclidean", "squaredEuclidean", "cityBlock")
_CHUNK: Final = 4_000_000
"""Distances that are held at a time."""

Numbers = npt.NDArray[Any]


def _table(node: Element, fields: Sequence[str]) -> dict[str, list[str | None]]:
    """The kept rows, by field."""
    block, inline = child(node, "InstanceFields"), child(node, "InlineTable")
    if block is None or inline is None:
        raise refuse(node, "TrainingInstances without InstanceFields or an InlineTable")
    columns: dict[str, str] = {}
    for each in children(block, "InstanceField"):
        name = required(each, "field")
        columns[(each.get("column") or name).rpartition(":")[2]] = name
    table: dict[str, list[str | None]] = {name: [] for name in columns.values()}
    for row in children(inline, "row"):
        values = {columns[tag]: each.text or "" for each in row if (tag := local_name(each)) in columns}
        for name, kept in table.items():
            kept.append(values.get(name))
    for name in fields:
        if name not in table:
            raise refuse(block, f"the field {name!r} is not among the kept rows")
    return table


def _numbers(node: Element, name: str, texts: Sequence[str | None], kind: Any) -> Numbers:
    if any(each is None for each in texts):
        raise refuse(node, f"a kept row has no value of the field {name!r}")
    try:
        return np.array([parse("double", each or "") for each in texts], dtype=kind)
    except ValueError as error:
        raise refuse(node, f"a kept row's value of the field {name!r} is no number", str(error)) from None


def compile_model(node: Element, setting: Setting) -> Callable[[Scope], Prediction]:
    """Compile a NearestNeighborModel."""
    if setting.function not in ("regression", "classification"):
        raise refuse(node, f"functionName={setting.function!r} is not supported here")
    if setting.target is None or len(setting.targets) != 1:
        raise refuse(node, "a NearestNeighborModel of one target is supported", list(setting.targets))
    kept, block, measured = child(node, "TrainingInstances"), child(node, "KNNInputs"), child(node, "ComparisonMeasure")
    if kept is None or block is None or measured is None:
        raise refuse(node, "a NearestNeighborModel without TrainingInstances, KNNInputs or a ComparisonMeasure")
    if child(node, "Targets") is not None:
        raise refuse(node, "Targets have no defined effect on the answer of neighbours")
    measure = read_measure(measured)
    inputs = list(children(block, "KNNInput"))
    fields = [required(each, "field") for each in inputs]
    target = setting.target.name
    identity = node.get("instanceIdVariable")
    needed = [*fields, target, *([] if identity is None else [identity])]
    table = _table(kept, needed)
    for name in fields:
        data = setting.data_fields.get(name)
        if data is not None and data.type not in ("integer", "float", "double"):
            raise refuse(block, f"a field of type {data.type} is not supported here", name)
    kind: Any = np.float32 if setting.single else np.float64
    points = np.stack([_numbers(kept, name, table[name], kind) for name in fields], axis=1)
    count = integer(node, "numberOfNeighbors")
    if not 1 <= count <= len(points):
        raise refuse(node, "numberOfNeighbors is more than there are rows, or none", count)
    ids = [str(at) for at in range(1, len(points) + 1)] if identity is None else table[identity]
    if any(each is None for each in ids):
        raise refuse(kept, "a kept row has no id")
    threshold = number(node, "threshold", 0.001)
    compared = [read_compared(each, "fieldWeight", measure) for each in inputs]
    model = _Neighbors(measure, fields, compared, points, tuple(each or "" for each in ids), count, threshold)
    if measure.similar and "weighted" in (
        node.get("continuousScoringMethod", "") + node.get("categoricalScoringMethod", "")
    ):
        raise refuse(node, "a weighted answer needs a distance, not a similarity")
    if setting.function == "regression":
        method = choice(node, "continuousScoringMethod", _NUMBERS, "average")
        return model.regression(_numbers(kept, target, table[target], kind), method)
    method = choice(node, "categoricalScoringMethod", _CLASSES, "majorityVote")
    labels = table[target]
    if any(each is None for each in labels):
        raise refuse(kept, "a kept row has no class")
    # In the order of preference where votes are equal.
    names = sorted({each or "" for each in labels}, key=lambda name: (-labels.count(name), name))
    try:
        column = column_of(setting.target.type, [parse(setting.target.type, name) for name in names])
    except ValueError as error:
        raise refuse(kept, f"a class is no {setting.target.type}", str(error)) from None
    at = np.array([names.index(each or "") for each in labels], dtype=np.int64)
    return model.classification(at, column, method)


class _Neighbors:
    """The kept rows and how rows are compared with them."""

    def __init__(
        self,
        measure: Measure,
        fields: list[str],
        compared: list[Compared],
        points: Numbers,
        ids: tuple[str, ...],
        count: int,
        threshold: float,
    ) -> None:
        self._measure = measure
        self._fields = fields
        self._compared = compared
        self._points = points
        self._ids = ids
        self._count = count
        # Outputs may ask for some that do not count.
        self._told = min(len(points), max(count, _TOLD))
        self._threshold = points.dtype.type(threshold)
        self._quick: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None = None
        plain = measure.name in _QUICK and all(each.function == "absDiff" for each in compared)
        if plain and points.dtype == np.float64:
            self._quick = np.ascontiguousarray(points.T), np.array([each.weight for each in compared], dtype=np.float64)

    def regression(self, answers: Numbers, method: str) -> Callable[[Scope], Prediction]:
        """What tells a number."""
        data_type = "float" if answers.dtype == np.float32 else "double"

        def evaluate(scope: Scope) -> Prediction:
            order, distances, errors = self._nearest(scope)
            found = answers[order[:, : self._count]]
            if method == "median":
                values = np.median(found, axis=1).astype(found.dtype)
            else:
                weights = self._weights(distances) if method == "weightedAverage" else np.ones_like(distances)
                total, whole = np.zeros(len(found), found.dtype), np.zeros(len(found), found.dtype)
                for at in range(self._count):
                    total += weights[:, at] * found[:, at]
                    whole += weights[:, at]
                with np.errstate(all="ignore"):
                    values = total / whole
            target = Column(data_type, values, None, errors)
            return Prediction(target, None, self._features(order, distances))

        return evaluate

    def classification(
        self, answers: npt.NDArray[np.int64], labels: Column, method: str
    ) -> Callable[[Scope], Prediction]:
        """What tells a class."""

        def evaluate(scope: Scope) -> Prediction:
            order, distances, errors = self._nearest(scope)
            found = answers[order[:, : self._count]]
            weights = self._weights(distances) if method == "weightedMajorityVote" else np.ones_like(distances)
            votes = np.zeros((len(found), len(labels.values)), weights.dtype)
            row = np.arange(len(found))
            for at in range(self._count):
                votes[row, found[:, at]] += weights[:, at]
            best = votes.argmax(axis=1)
            target = Column(labels.type, labels.values[best], None, errors, labels.words)
            return Prediction(target, None, self._features(order, distances))

        return evaluate

    def _weights(self, distances: Numbers) -> Numbers:
        with np.errstate(all="ignore"):
            return np.asarray(1.0 / (distances + self._threshold))

    def _nearest(self, scope: Scope) -> tuple[npt.NDArray[np.int64], Numbers, Codes | None]:
        """The nearest kept rows of each row, how far they are, and errors."""
        rows = scope.rows
        values, missing, errors = gather(self._fields, self._points.dtype.type, scope)
        order = np.zeros((rows.height, self._told), dtype=np.int64)
        distances = np.zeros((rows.height, self._told), dtype=values.dtype)
        if self._quick is not None and not missing.any():
            squared = self._measure.name != "cityBlock"
            rooted = self._measure.name == "euclidean"
            with np.errstate(all="ignore"):
                choose_nearest(values, *self._quick, squared, rooted, order, distances)
        else:
            self._sort(values, missing, order, distances)
        nothing = self._measure.unmeasured(values, missing) | np.isnan(distances).any(axis=1)
        text = rows.error("the row cannot be compared with those that are kept")
        return order, distances, first_error(errors, where_error(nothing, text))

    def _sort(
        self, values: Numbers, missing: npt.NDArray[np.bool_], order: npt.NDArray[np.int64], distances: Numbers
    ) -> None:
        """Fill `order` and `distances` from all distances, sorted."""
        weights = np.ones(len(self._fields))
        step = max(1, _CHUNK // max(1, len(self._points)))
        for start in range(0, len(values), step):
            cut = slice(start, start + step)
            table = self._measure.distances(values[cut], missing[cut], self._points, self._compared, weights)
            near = -table if self._measure.similar else table
            order[cut] = np.argsort(near, axis=1, kind="stable")[:, : self._told]
            distances[cut] = np.take_along_axis(table, order[cut], axis=1)

    def _features(self, order: npt.NDArray[np.int64], distances: Numbers) -> dict[str, Column]:
        features: dict[str, Column] = {}
        for at in range(self._told):
            features[f"entityId#{at + 1}"] = Column("string", order[:, at].astype(np.int32), None, None, self._ids)
            features[f"affinity#{at + 1}"] = Column("double", distances[:, at].astype(np.float64))
        return features
