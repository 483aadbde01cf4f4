"""AnomalyDetectionModel: the model inside it, and what its answer says of how strange a row is.

Law: for `iforest` the mean depth becomes 2 ** (-depth / c(sampleDataSize)) as the standard has it; for `ocsvm` and
`other` the inner answer is the answer; for `clusterMeanDist` the distance from the nearest cluster, by that cluster's
mean distance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final
from xml.etree.ElementTree import Element

import numpy as np

from styx_lab.models.native.arrays import numbers_of
from styx_lab.models.native.column import Column
from styx_lab.models.native.grammar import MODEL_ATTRIBUTES, MODEL_CHILDREN, Grammar
from styx_lab.models.native.place import child, children, choice, integer, refuse
from styx_lab.models.native.prediction import Prediction
from styx_lab.models.native.scope import Scope
from styx_lab.models.native.setting import Setting
from styx_lab.models.native.values import cast
from styx_lab.models.summary import MODEL_KINDS, local_name

__all__ = ["GRAMMAR", "compile_model"]

_MODELS: Final = (
    "ClusteringModel GeneralRegressionModel MiningModel NaiveBayesModel NearestNeighborModel NeuralNetwork "
    "RegressionModel RuleSetModel Scorecard SupportVectorMachineModel TreeModel"
)
GRAMMAR: Final[Grammar] = {
    "AnomalyDetectionModel": (
        f"{MODEL_ATTRIBUTES} algorithmType sampleDataSize",
        f"{MODEL_CHILDREN} MeanClusterDistances {_MODELS}",
    ),
    "MeanClusterDistances": ("", "Array"),
}
_EULER: Final = 0.57721566490153286060651209008240243


def compile_model(node: Element, setting: Setting) -> Callable[[Scope], Prediction]:
    """Compile an AnomalyDetectionModel."""
    if setting.function != "regression":
        raise refuse(node, f"functionName={setting.function!r} is not supported here")
    algorithm = choice(node, "algorithmType", ("iforest", "ocsvm", "clusterMeanDist", "other"))
    inner = [each for each in node if local_name(each) in MODEL_KINDS]
    if len(inner) != 1:
        raise refuse(node, "an AnomalyDetectionModel has one model in it", len(inner))
    model = setting.compile_inner(inner[0])
    means = _means(node, inner[0]) if algorithm == "clusterMeanDist" else {}
    depth = 1.0
    if algorithm == "iforest":
        size = integer(node, "sampleDataSize")
        if size < 2:
            raise refuse(node, "sampleDataSize is 2 or more", size)
        depth = 2.0 * (math.log(size - 1) + _EULER) - 2.0 * (size - 1) / size

    def evaluate(scope: Scope) -> Prediction:
        rows = scope.rows
        answer = model.answer(scope.inner(model.names))
        found = answer.prediction.target.with_errors(answer.errors())
        if algorithm == "clusterMeanDist":
            nearest = answer.prediction.features["affinity#1"].numbers
            by_word = np.array([means[word] for word in found.words])
            values: Any = nearest / by_word[found.values.astype(np.int64, copy=False)]
            return Prediction(Column("double", values, found.missing, found.errors))
        score = cast(found, "double", rows)
        if algorithm == "iforest":
            score = Column("double", np.power(2.0, -score.values / depth), score.missing, score.errors)
        return Prediction(score)

    return evaluate


def _means(node: Element, inner: Element) -> dict[str, float]:
    """The mean distance of each cluster, by its id."""
    block = child(node, "MeanClusterDistances")
    array = None if block is None else child(block, "Array")
    if array is None or local_name(inner) != "ClusteringModel":
        raise refuse(node, "algorithmType='clusterMeanDist' needs MeanClusterDistances and a ClusteringModel")
    clusters = list(children(inner, "Cluster"))
    values = numbers_of(array)
    if len(values) != len(clusters) or not all(each > 0 for each in values):
        raise refuse(array, "MeanClusterDistances has a number above 0 for each cluster", len(values))
    return {each.get("id") or str(at): values[at - 1] for at, each in enumerate(clusters, 1)}
