"""Models that no library exports, written by hand: a scorecard, a general linear model, a rule set."""

from __future__ import annotations

from typing import Final

__all__ = ["TEXTS"]

_FIELDS: Final = (
    '<DataField name="amount" optype="continuous" dataType="double"/>'
    '<DataField name="hour" optype="continuous" dataType="double"/>'
)
_NUMBER: Final = '<DataField name="y" optype="continuous" dataType="double"/>'
_LABEL: Final = (
    '<DataField name="y" optype="categorical" dataType="string"><Value value="low"/><Value value="high"/></DataField>'
)
_BOUNDS: Final = {"amount": [10, 30, 60, 100, 200], "hour": [6, 12, 18]}
_SCHEMA: Final = (
    '<MiningSchema><MiningField name="y" usageType="target"/><MiningField name="amount"/><MiningField name="hour"/>'
    "</MiningSchema>"
)


def _file(target: str, model: str) -> bytes:
    return (
        f'<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header/><DataDictionary>{target}{_FIELDS}'
        f"</DataDictionary>{model}</PMML>"
    ).encode()


def _attributes(field: str, bounds: list[int]) -> str:
    parts = "".join(
        f'<Attribute partialScore="{7 * at + 1}"><SimplePredicate field="{field}" operator="lessThan" value="{bound}"/>'
        "</Attribute>"
        for at, bound in enumerate(bounds)
    )
    return f'<Characteristic name="of {field}">{parts}<Attribute partialScore="90"><True/></Attribute></Characteristic>'


_RULES: Final = "".join(
    f'<SimpleRule id="{at}" score="{"high" if at % 2 else "low"}" weight="0.{at + 1}" confidence="0.8">'
    '<CompoundPredicate booleanOperator="and">'
    f'<SimplePredicate field="amount" operator="lessThan" value="{20 * at + 10}"/>'
    f'<SimplePredicate field="hour" operator="greaterThan" value="{20 - 2 * at}"/></CompoundPredicate></SimpleRule>'
    for at in range(8)
)

TEXTS: Final[dict[str, bytes]] = {
    "scorecard": _file(
        _NUMBER,
        f'<Scorecard functionName="regression" initialScore="10" useReasonCodes="false">{_SCHEMA}<Characteristics>'
        f"{''.join(_attributes(field, bounds) for field, bounds in _BOUNDS.items())}</Characteristics></Scorecard>",
    ),
    "general linear model": _file(
        _NUMBER,
        '<GeneralRegressionModel functionName="regression" modelType="generalizedLinear" linkFunction="log" '
        f'distribution="normal">{_SCHEMA}<ParameterList><Parameter name="p0"/><Parameter name="p1"/>'
        '<Parameter name="p2"/></ParameterList><CovariateList><Predictor name="amount"/>'
        '<Predictor name="hour"/></CovariateList><PPMatrix>'
        '<PPCell value="1" predictorName="amount" parameterName="p1"/><PPCell value="2" predictorName="hour" '
        'parameterName="p2"/></PPMatrix><ParamMatrix><PCell parameterName="p0" beta="0.3"/><PCell parameterName="p1" '
        'beta="-0.006"/><PCell parameterName="p2" beta="0.002"/></ParamMatrix></GeneralRegressionModel>',
    ),
    "rule set": _file(
        _LABEL,
        f'<RuleSetModel functionName="classification">{_SCHEMA}<RuleSet defaultScore="low">'
        f'<RuleSelectionMethod criterion="firstHit"/>{_RULES}</RuleSet></RuleSetModel>',
    ),
}
"""By name."""
