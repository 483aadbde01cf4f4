"""ClusteringModel and NearestNeighborModel: distances, missing fields, ties; reckoned by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from styx_lab.models.native.kinds.measure import Compared, Measure
from styx_lab.models.native.kinds.nearest_kernel import choose_nearest

from .small import answer, pmml

FIELDS = (
    '<DataField name="a" optype="continuous" dataType="double"/>'
    '<DataField name="b" optype="continuous" dataType="double"/>'
)
INPUTS = '<MiningField name="a"/><MiningField name="b"/>'
EUCLIDEAN = '<ComparisonMeasure kind="distance"><euclidean/></ComparisonMeasure>'
CLUSTERS = pmml(
    FIELDS,
    f'<ClusteringModel functionName="clustering" modelClass="centerBased" numberOfClusters="2"><MiningSchema>{INPUTS}'
    '</MiningSchema><Output><OutputField name="d" feature="affinity" dataType="double" optype="continuous"/></Output>'
    f'{EUCLIDEAN}<ClusteringField field="a"/><ClusteringField field="b"/>'
    '<Cluster id="near"><Array type="real" n="2">0 0</Array></Cluster>'
    '<Cluster id="far"><Array type="real" n="2">6 8</Array></Cluster></ClusteringModel>',
)
KEPT = "".join(
    f"<row><y>{y}</y><a>{a}</a><b>{b}</b></row>" for y, a, b in (("u", 0, 0), ("v", 2, 0), ("v", 20, 0), ("u", 0, 4))
)
NEIGHBOURS = pmml(
    '<DataField name="y" optype="categorical" dataType="string"/>' + FIELDS,
    '<NearestNeighborModel functionName="classification" numberOfNeighbors="2"><MiningSchema>'
    f'<MiningField name="y" usageType="target"/>{INPUTS}</MiningSchema><TrainingInstances><InstanceFields>'
    '<InstanceField field="y" column="y"/><InstanceField field="a" column="a"/><InstanceField field="b" column="b"/>'
    f"</InstanceFields><InlineTable>{KEPT}</InlineTable></TrainingInstances>{EUCLIDEAN}"
    '<KNNInputs><KNNInput field="a"/><KNNInput field="b"/></KNNInputs></NearestNeighborModel>',
)


def test_the_nearest_cluster() -> None:
    assert answer(CLUSTERS, a=3.0, b=4.0) == {"_target": "near", "d": 5.0}  # as far from both: the first
    assert answer(CLUSTERS, a=6.0, b=7.0) == {"_target": "far", "d": 1.0}


def test_what_is_missing_is_left_out_and_the_rest_counts_for_more() -> None:
    assert answer(CLUSTERS, a=3.5, b=None) == {"_target": "far", "d": pytest.approx(2.5 * 2**0.5)}
    assert answer(CLUSTERS, a=None, b=None) is None


def test_a_tie_of_votes_goes_to_the_class_with_more_kept_rows_and_then_to_the_first_text() -> None:
    assert answer(NEIGHBOURS, a=1.5, b=0.0) == {"y": "u"}
    assert answer(NEIGHBOURS, a=12.0, b=0.0) == {"y": "v"}


@settings(max_examples=50)
@given(st.data())
def test_the_nearest_are_chosen_as_by_sorting(data: st.DataObject) -> None:
    number = st.sampled_from([0.0, 1.0, -1.0, 0.1, 0.3, 1e200, -1e200, float("inf"), float("nan")])
    fields, count, rows = (data.draw(st.integers(1, most)) for most in (3, 8, 4))
    values = np.array(
        data.draw(st.lists(st.lists(number, min_size=fields, max_size=fields), min_size=rows, max_size=rows))
    )
    points = np.array(
        data.draw(st.lists(st.lists(number, min_size=fields, max_size=fields), min_size=count, max_size=count))
    )
    weights = data.draw(st.lists(st.sampled_from([1.0, 0.5, 3.0]), min_size=fields, max_size=fields))
    most = data.draw(st.integers(1, count))
    for name in ("euclidean", "squaredEuclidean", "cityBlock"):
        measure = Measure(name, False, "absDiff")
        compared = [Compared("absDiff", weight) for weight in weights]
        nothing = np.zeros(values.shape, dtype=np.bool_)
        table = measure.distances(values, nothing, points, compared, np.ones(fields))
        wanted = np.argsort(table, axis=1, kind="stable")[:, :most]
        order, distances = np.zeros((rows, most), dtype=np.int64), np.zeros((rows, most))
        choose_nearest(
            values,
            np.ascontiguousarray(points.T),
            np.array(weights),
            name != "cityBlock",
            name == "euclidean",
            order,
            distances,
        )
        assert order.tolist() == wanted.tolist()
        np.testing.assert_array_equal(distances, np.take_along_axis(table, wanted, axis=1))
