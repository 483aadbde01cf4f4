"""The model that W5 scores with: a frozen logistic regression over amount, merchant and country, as PMML and as Python.

Law: the PMML and `risk` are made from the same numbers, so whoever reads the one must score as the other.
"""

from __future__ import annotations

from math import exp
from typing import Final
from xml.sax.saxutils import quoteattr

from styx_lab.bench.payments import COUNTRIES, MERCHANTS

__all__ = ["AMOUNT", "BY_COUNTRY", "BY_MERCHANT", "INTERCEPT", "PROBABILITY", "pmml", "risk"]

INTERCEPT: Final = -1.25
AMOUNT: Final = 0.002
BY_MERCHANT: Final = {name: (7 * place % 20 - 10) / 16 for place, name in enumerate(MERCHANTS)}
BY_COUNTRY: Final = {name: (3 * place % 10 - 5) / 8 for place, name in enumerate(COUNTRIES)}
PROBABILITY: Final = "probability(1)"
"""The output field that holds the score."""


def risk(amount: float, merchant: str, country: str) -> float:
    """The probability of class 1, in plain Python.

    >>> round(risk(250.0, "gift_cards", "DE"), 6)
    0.437823
    """
    return 1.0 / (1.0 + exp(-(INTERCEPT + AMOUNT * amount + BY_MERCHANT[merchant] + BY_COUNTRY[country])))


def pmml() -> bytes:
    """The same model as PMML 4.4, as sklearn2pmml would write it: a binary logit with one output field a class.

    >>> b"RegressionModel" in pmml()
    True
    """
    fields = "".join(
        f'<DataField name="{name}" optype="categorical" dataType="string">'
        + "".join(f"<Value value={quoteattr(value)}/>" for value in values)
        + "</DataField>"
        for name, values in (("merchant", BY_MERCHANT), ("country", BY_COUNTRY))
    )
    predictors = "".join(
        f'<CategoricalPredictor name="{name}" value={quoteattr(value)} coefficient="{weight!r}"/>'
        for name, weights in (("merchant", BY_MERCHANT), ("country", BY_COUNTRY))
        for value, weight in weights.items()
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header description="benchmark"/><DataDictionary>'
        '<DataField name="attacked" optype="categorical" dataType="integer"><Value value="0"/><Value value="1"/>'
        '</DataField><DataField name="amount" optype="continuous" dataType="double"/>'
        f"{fields}</DataDictionary>"
        '<RegressionModel functionName="classification" normalizationMethod="logit"><MiningSchema>'
        '<MiningField name="attacked" usageType="target"/><MiningField name="amount"/><MiningField name="merchant"/>'
        '<MiningField name="country"/></MiningSchema><Output>'
        '<OutputField name="probability(0)" optype="continuous" dataType="double" feature="probability" value="0"/>'
        f'<OutputField name="{PROBABILITY}" optype="continuous" dataType="double" feature="probability" value="1"/>'
        f'</Output><RegressionTable intercept="{INTERCEPT!r}" targetCategory="1">'
        f'<NumericPredictor name="amount" coefficient="{AMOUNT!r}"/>{predictors}</RegressionTable>'
        '<RegressionTable intercept="0" targetCategory="0"/></RegressionModel></PMML>'
    ).encode()
