"""Scorecard, SupportVectorMachineModel, NeuralNetwork and GeneralRegressionModel; reckoned by hand."""

from __future__ import annotations

import math

import pytest

from .small import answer, pmml

FIELDS = (
    '<DataField name="y" optype="continuous" dataType="double"/>'
    '<DataField name="x" optype="continuous" dataType="double"/>'
)
SCHEMA = '<MiningSchema><MiningField name="y" usageType="target"/><MiningField name="x"/></MiningSchema>'


def test_a_scorecard_adds_points_and_tells_what_cost_most() -> None:
    text = pmml(
        FIELDS,
        f'<Scorecard functionName="regression" initialScore="10">{SCHEMA}<Output><OutputField name="why" '
        'feature="reasonCode" rank="1" dataType="string" optype="categorical"/></Output><Characteristics>'
        '<Characteristic name="one" reasonCode="SMALL" baselineScore="9"><Attribute partialScore="2">'
        '<SimplePredicate field="x" operator="lessThan" value="5"/></Attribute><Attribute partialScore="9">'
        '<SimplePredicate field="x" operator="greaterOrEqual" value="5"/></Attribute></Characteristic>'
        '<Characteristic name="two" reasonCode="ALWAYS" baselineScore="4"><Attribute partialScore="1"><True/>'
        "</Attribute></Characteristic></Characteristics></Scorecard>",
    )
    assert answer(text, x=1.0) == {"y": 13.0, "why": "SMALL"}  # 9 - 2 costs more than 4 - 1
    assert answer(text, x=5.0) == {"y": 20.0, "why": "ALWAYS"}
    assert answer(text, x=None) is None


@pytest.mark.parametrize(
    ("kernel", "wanted"),
    [
        ("<LinearKernelType/>", 2 * 6.0 + 0.5),
        ('<PolynomialKernelType gamma="0.5" coef0="1" degree="2"/>', 2 * 16.0 + 0.5),
        ('<RadialBasisKernelType gamma="0.5"/>', 2 * math.exp(-0.5) + 0.5),
        ('<SigmoidKernelType gamma="0.1" coef0="0"/>', 2 * math.tanh(0.6) + 0.5),
    ],
)
def test_kernels(kernel: str, wanted: float) -> None:
    text = pmml(
        FIELDS,
        f'<SupportVectorMachineModel functionName="regression">{SCHEMA}{kernel}<VectorDictionary><VectorFields>'
        '<FieldRef field="x"/></VectorFields><VectorInstance id="v"><Array type="real" n="1">3</Array>'
        '</VectorInstance></VectorDictionary><SupportVectorMachine><SupportVectors><SupportVector vectorId="v"/>'
        '</SupportVectors><Coefficients absoluteValue="0.5"><Coefficient value="2"/></Coefficients>'
        "</SupportVectorMachine></SupportVectorMachineModel>",
    )
    assert answer(text, x=2.0) == {"y": pytest.approx(wanted)}
    assert answer(text, x=None) is None


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        ("identity", 7.0),
        ("logistic", 1 / (1 + math.exp(-7))),
        ("rectifier", 7.0),
        ("Elliott", 7 / 8),
        ("arctan", 2 * math.atan(7) / math.pi),
        ("threshold", 1.0),
    ],
)
def test_activations(function: str, wanted: float) -> None:
    text = pmml(
        FIELDS,
        f'<NeuralNetwork functionName="regression" activationFunction="{function}">{SCHEMA}<NeuralInputs>'
        '<NeuralInput id="in"><DerivedField optype="continuous" dataType="double"><FieldRef field="x"/></DerivedField>'
        '</NeuralInput></NeuralInputs><NeuralLayer><Neuron id="out" bias="1"><Con from="in" weight="3"/></Neuron>'
        '</NeuralLayer><NeuralOutputs><NeuralOutput outputNeuron="out"><DerivedField optype="continuous" '
        'dataType="double"><FieldRef field="y"/></DerivedField></NeuralOutput></NeuralOutputs></NeuralNetwork>',
    )
    assert answer(text, x=2.0) == {"y": pytest.approx(wanted)}
    assert answer(text, x=None) == {"y": None}


@pytest.mark.parametrize(
    ("link", "wanted"),
    [
        ('linkFunction="identity"', 1.5),
        ('linkFunction="log" offsetValue="1"', math.exp(2.5)),
        ('linkFunction="logit" trialsValue="10"', 10 / (1 + math.exp(-1.5))),
        ('linkFunction="power" linkParameter="2"', math.sqrt(1.5)),
        ('linkFunction="cloglog"', 1 - math.exp(-math.exp(1.5))),
    ],
)
def test_links(link: str, wanted: float) -> None:
    text = pmml(
        FIELDS,
        f'<GeneralRegressionModel functionName="regression" modelType="generalizedLinear" {link}>{SCHEMA}'
        '<ParameterList><Parameter name="p0"/><Parameter name="p1"/></ParameterList><FactorList/><CovariateList>'
        '<Predictor name="x"/></CovariateList><PPMatrix><PPCell value="2" predictorName="x" parameterName="p1"/>'
        '</PPMatrix><ParamMatrix><PCell parameterName="p0" beta="-0.5"/><PCell parameterName="p1" beta="0.5"/>'
        "</ParamMatrix></GeneralRegressionModel>",
    )
    assert answer(text, x=2.0) == {"y": pytest.approx(wanted)}
    assert answer(text, x=None) == {"y": None}


@pytest.mark.parametrize(("x", "wanted"), [(1.9, 0.0), (2.0, 0.0), (2.1, 1.0)])
def test_a_threshold_itself_is_not_above_it(x: float, wanted: float) -> None:
    text = pmml(
        FIELDS,
        f'<NeuralNetwork functionName="regression" activationFunction="threshold" threshold="7">{SCHEMA}<NeuralInputs>'
        '<NeuralInput id="in"><DerivedField optype="continuous" dataType="double"><FieldRef field="x"/></DerivedField>'
        '</NeuralInput></NeuralInputs><NeuralLayer><Neuron id="out" bias="1"><Con from="in" weight="3"/></Neuron>'
        '</NeuralLayer><NeuralOutputs><NeuralOutput outputNeuron="out"><DerivedField optype="continuous" '
        'dataType="double"><FieldRef field="y"/></DerivedField></NeuralOutput></NeuralOutputs></NeuralNetwork>',
    )
    assert answer(text, x=x) == {"y": wanted}


@pytest.mark.parametrize(("x", "wanted"), [(0.5, "A"), (1.0, "B"), (1.5, "B")])
def test_a_machine_that_says_the_threshold_votes_for_the_alternate(x: float, wanted: str) -> None:
    text = pmml(
        '<DataField name="y" optype="categorical" dataType="string"><Value value="A"/><Value value="B"/></DataField>'
        '<DataField name="x" optype="continuous" dataType="double"/>',
        f'<SupportVectorMachineModel functionName="classification" classificationMethod="OneAgainstOne">{SCHEMA}'
        '<LinearKernelType/><VectorDictionary><VectorFields><FieldRef field="x"/></VectorFields>'
        '<VectorInstance id="v"><Array type="real" n="1">1</Array></VectorInstance></VectorDictionary>'
        '<SupportVectorMachine targetCategory="A" alternateTargetCategory="B"><SupportVectors>'
        '<SupportVector vectorId="v"/></SupportVectors><Coefficients absoluteValue="-1"><Coefficient value="1"/>'
        "</Coefficients></SupportVectorMachine></SupportVectorMachineModel>",
    )
    assert answer(text, x=x) == {"y": wanted}
