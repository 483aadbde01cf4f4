"""AnomalyDetectionModel: what the standard makes of the answer of the model inside; reckoned by hand."""

from __future__ import annotations

import math

import pytest

from styx_lab.errors import ModelError
from styx_lab.models.native import load

from .small import answer, pmml

FIELDS = '<DataField name="x" optype="continuous" dataType="double"/>'
SCHEMA = '<MiningSchema><MiningField name="x"/></MiningSchema>'
DEPTH = (
    f'<RegressionModel functionName="regression">{SCHEMA}<RegressionTable intercept="1">'
    '<NumericPredictor name="x" coefficient="1"/></RegressionTable></RegressionModel>'
)
CLUSTERS = (
    f'<ClusteringModel functionName="clustering" modelClass="centerBased" numberOfClusters="2">{SCHEMA}'
    '<ComparisonMeasure kind="distance"><euclidean/></ComparisonMeasure><ClusteringField field="x"/>'
    '<Cluster id="a"><Array type="real" n="1">0</Array></Cluster>'
    '<Cluster id="b"><Array type="real" n="1">10</Array></Cluster></ClusteringModel>'
)


def _model(attributes: str, inner: str, more: str = "") -> str:
    return pmml(
        FIELDS,
        f'<AnomalyDetectionModel functionName="regression" {attributes}>{SCHEMA}{inner}{more}</AnomalyDetectionModel>',
    )


def test_isolation_forest_turns_the_mean_depth_into_a_score() -> None:
    text = _model('algorithmType="iforest" sampleDataSize="8"', DEPTH)
    usual = 2 * (math.log(7) + 0.5772156649015329) - 2 * 7 / 8
    got = answer(text, x=3.0)
    assert got is not None
    assert got["_target"] == pytest.approx(2 ** (-4 / usual))
    assert answer(text, x=None) == {"_target": None}


def test_one_class_machines_answer_for_themselves() -> None:
    assert answer(_model('algorithmType="ocsvm"', DEPTH), x=3.0) == {"_target": 4.0}


def test_a_distance_is_told_in_mean_distances_of_the_nearest_cluster() -> None:
    means = '<MeanClusterDistances><Array type="real" n="2">2 4</Array></MeanClusterDistances>'
    text = _model('algorithmType="clusterMeanDist"', CLUSTERS, means)
    assert answer(text, x=3.0) == {"_target": 1.5}
    assert answer(text, x=8.0) == {"_target": 0.5}
    assert answer(text, x=None) is None


def test_mean_distances_that_do_not_fit_are_refused() -> None:
    means = '<MeanClusterDistances><Array type="real" n="1">2</Array></MeanClusterDistances>'
    with pytest.raises(ModelError, match=r"<Array> in line 1: MeanClusterDistances has a number above 0"):
        load(_model('algorithmType="clusterMeanDist"', CLUSTERS, means).encode())
