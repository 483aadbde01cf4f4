"""NaiveBayesModel: shares of counts, the threshold, and values that were never counted; reckoned by hand."""

from __future__ import annotations

import pytest

from .small import answer, pmml

MODEL = pmml(
    '<DataField name="y" optype="categorical" dataType="string"><Value value="A"/><Value value="B"/></DataField>'
    '<DataField name="k" optype="categorical" dataType="string"/>',
    '<NaiveBayesModel functionName="classification" threshold="0.01"><MiningSchema>'
    '<MiningField name="y" usageType="target"/><MiningField name="k"/></MiningSchema><Output><OutputField name="p" '
    'feature="probability" value="A" dataType="double" optype="continuous"/></Output><BayesInputs>'
    '<BayesInput fieldName="k"><PairCounts value="u"><TargetValueCounts><TargetValueCount value="A" count="3"/>'
    '<TargetValueCount value="B" count="1"/></TargetValueCounts></PairCounts><PairCounts value="v">'
    '<TargetValueCounts><TargetValueCount value="A" count="0"/><TargetValueCount value="B" count="1"/>'
    '</TargetValueCounts></PairCounts></BayesInput></BayesInputs><BayesOutput fieldName="y"><TargetValueCounts>'
    '<TargetValueCount value="A" count="4"/><TargetValueCount value="B" count="6"/></TargetValueCounts>'
    "</BayesOutput></NaiveBayesModel>",
)


@pytest.mark.parametrize(
    ("value", "wanted", "share"),
    [("u", "A", 4 / 7), ("v", "B", 0.04 / 3.04), ("other", "B", 0.4), (None, "B", 0.4)],
)
def test_shares(value: str | None, wanted: str, share: float) -> None:
    # u: 4 * 3/3 against 6 * 1/2; v: 4 * 0.01 against 6 * 1/2; else 4 against 6.
    assert answer(MODEL, k=value) == {"y": wanted, "p": pytest.approx(share)}
