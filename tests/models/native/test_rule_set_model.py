"""RuleSetModel: first hit, sums of weights, and what is said where no rule fires; reckoned by hand."""

from __future__ import annotations

import pytest

from .small import answer, pmml

FIELDS = (
    '<DataField name="y" optype="categorical" dataType="string"><Value value="A"/><Value value="B"/></DataField>'
    '<DataField name="x" optype="continuous" dataType="double"/>'
)


def _model(criterion: str) -> str:
    return pmml(
        FIELDS,
        '<RuleSetModel functionName="classification"><MiningSchema><MiningField name="y" usageType="target"/>'
        '<MiningField name="x"/></MiningSchema><Output><OutputField name="rule" feature="entityId" dataType="string" '
        'optype="categorical"/><OutputField name="c" feature="confidence" dataType="double" optype="continuous"/>'
        f'</Output><RuleSet defaultScore="B" defaultConfidence="0.2"><RuleSelectionMethod criterion="{criterion}"/>'
        '<SimpleRule id="one" score="A" weight="0.5" confidence="0.6">'
        '<SimplePredicate field="x" operator="greaterThan" value="0"/></SimpleRule>'
        '<SimpleRule id="two" score="B" weight="0.4" confidence="0.9">'
        '<SimplePredicate field="x" operator="greaterThan" value="1"/></SimpleRule>'
        '<SimpleRule id="three" score="B" weight="0.3" confidence="0.7">'
        '<SimplePredicate field="x" operator="greaterThan" value="1"/></SimpleRule></RuleSet></RuleSetModel>',
    )


@pytest.mark.parametrize(
    ("criterion", "wanted"),
    [("firstHit", ("A", "one", 0.6)), ("weightedSum", ("B", "two", 0.7 / 3)), ("weightedMax", ("B", "two", 0.9))],
)
def test_the_rule_that_decides(criterion: str, wanted: tuple[str, str, float]) -> None:
    got = answer(_model(criterion), x=2.0)
    assert got == {"y": wanted[0], "rule": wanted[1], "c": pytest.approx(wanted[2])}


def test_where_no_rule_fires_the_default_is_told() -> None:
    assert answer(_model("firstHit"), x=-1.0) == {"y": "B", "rule": None, "c": 0.2}
    assert answer(_model("firstHit"), x=None) == {"y": "B", "rule": None, "c": 0.2}
