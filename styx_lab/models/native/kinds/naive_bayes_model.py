"""NaiveBayesModel: each input on its own makes each class more or less probable.

Law: an input that is missing, or a value that was never counted, changes nothing; a class that was never seen with a
value gets the threshold instead of nothing. Logarithms are added, that of the class's
count first, then those of inputs in the file's order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from styx_lab.models.native.column import Bools, Codes, Column, first_error, where_error
from styx_lab.models.native.grammar import MODEL_ATTRIBUTES, MODEL_CHILDREN, Grammar
from styx_lab.models.native.kinds.regression_model import highest, softmax
from styx_lab.models.native.place import child, children, number, refuse, required
from styx_lab.models.native.prediction import Classes, Prediction
from styx_lab.models.native.scope import Expression, Scope
from styx_lab.models.native.setting import Setting
from styx_lab.models.native.transformations import compile_expression, expression_of
from styx_lab.models.native.transformations.norm_discrete import equals
from styx_lab.models.native.values import cast, column_of, is_known_type, parse

__all__ = ["GRAMMAR", "compile_model"]

GRAMMAR: Final[Grammar] = {
    "NaiveBayesModel": (f"{MODEL_ATTRIBUTES} threshold x-mathContext", f"{MODEL_CHILDREN} BayesInputs BayesOutput"),
    "BayesInputs": ("", "BayesInput"),
    "BayesInput": ("fieldName", "TargetValueStats DerivedField PairCounts"),
    "BayesOutput": ("fieldName", "TargetValueCounts"),
    "PairCounts": ("value", "TargetValueCounts"),
    "TargetValueCounts": ("", "TargetValueCount"),
    "TargetValueCount": ("value count", ""),
    "TargetValueStats": ("", "TargetValueStat"),
    "TargetValueStat": ("value", "GaussianDistribution PoissonDistribution"),
    "GaussianDistribution": ("mean variance", ""),
    "PoissonDistribution": ("mean", ""),
}

Numbers = npt.NDArray[Any]


def compile_model(node: Element, setting: Setting) -> Callable[[Scope], Prediction]:
    """Compile a NaiveBayesModel."""
    if setting.function != "classification":
        raise refuse(node, f"functionName={setting.function!r} is not supported here")
    block, output = child(node, "BayesInputs"), child(node, "BayesOutput")
    if block is None or output is None:
        raise refuse(node, "a NaiveBayesModel without BayesInputs or BayesOutput")
    priors = _read_counts(output)
    found = list(children(block, "BayesInput"))
    if not found:
        raise refuse(block, "BayesInputs without a BayesInput")
    classes = dict.fromkeys(priors)
    for each in found:
        for inner in each.iter():
            if inner.tag.endswith(("TargetValueCount", "TargetValueStat")):
                classes.setdefault(required(inner, "value"))
    return _NaiveBayes(
        [_Input(each, tuple(classes), number(node, "threshold"), setting) for each in found],
        tuple(classes),
        priors,
        node,
        setting,
    )


def _read_counts(node: Element) -> dict[str, float]:
    block = child(node, "TargetValueCounts")
    if block is None:
        raise refuse(node, "the counts of target values are missing")
    return {required(each, "value"): number(each, "count") for each in children(block, "TargetValueCount")}


class _Input:
    """One BayesInput: counts of values, or a distribution for each class."""

    def __init__(self, node: Element, classes: tuple[str, ...], threshold: float, setting: Setting) -> None:
        self._name = required(node, "fieldName")
        self._classes = classes
        self._kind: Any = np.float32 if setting.single else np.float64
        self._threshold = threshold
        self._derived: Expression | None = None
        derived = child(node, "DerivedField")
        if derived is not None:
            self._derived = _derive(derived, setting)
        stats = child(node, "TargetValueStats")
        pairs = [(required(each, "value"), _read_counts(each)) for each in children(node, "PairCounts")]
        if (stats is None) == (not pairs):
            raise refuse(node, "a BayesInput has either PairCounts or TargetValueStats")
        self._shares: list[tuple[str, Numbers]] = []
        totals = {name: sum(counts.get(name, 0.0) for _, counts in pairs) for name in classes}
        for value, counts in pairs:
            shares = np.full(len(classes), np.nan)
            for at, name in enumerate(classes):
                if name in counts and totals[name] > 0:
                    shares[at] = counts[name] / totals[name] if counts[name] > 0 else threshold
                elif name in counts:
                    shares[at] = threshold
            self._shares.append((value, shares))
        self._density: dict[int, tuple[str, float, float]] = {}
        if stats is not None:
            for each in children(stats, "TargetValueStat"):
                self._density[classes.index(required(each, "value"))] = _read_distribution(each)

    def logarithms(self, scope: Scope) -> tuple[Numbers, Bools, Codes | None]:
        """What it adds to each class in each row, where it speaks of a class at all, and errors."""
        column = scope.column(self._name) if self._derived is None else self._derived(scope)
        shares, errors = self._share(column, scope)
        known = ~np.isnan(shares)
        with np.errstate(divide="ignore"):
            added = np.where(known, np.log(np.where(known, shares, 1.0)), 0.0).astype(self._kind)
        return added, known, first_error(column.errors, errors)

    def _share(self, column: Column, scope: Scope) -> tuple[Numbers, Codes | None]:
        rows = scope.rows
        shares = np.full((rows.height, len(self._classes)), np.nan)
        gaps = np.broadcast_to(column.gaps, (rows.height,))
        if not self._density:
            still = ~gaps
            errors: Codes | None = None
            for value, row in self._shares:
                same = equals(column, value, scope)
                errors = first_error(errors, same.errors)
                hit = still & same.values
                shares[hit] = row
                still = still & ~hit
            return shares, errors
        numbers = cast(column, "double", rows)
        errors = numbers.errors
        values = np.broadcast_to(numbers.values, (rows.height,))
        for at, (kind, mean, variance) in self._density.items():
            density, wrong = _densities(kind, values, mean, variance)
            shares[:, at] = np.where(gaps, np.nan, np.maximum(density, self._threshold))
            errors = first_error(
                errors, where_error(wrong & ~gaps, rows.error(f"the {kind} of field {self._name!r} has no such value"))
            )
        return shares, errors


def _derive(node: Element, setting: Setting) -> Expression:
    data_type, found = required(node, "dataType"), expression_of(node)
    if not is_known_type(data_type):
        raise refuse(node, f"dataType={data_type!r} is not supported")
    if found is None:
        raise refuse(node, "a DerivedField without an expression")
    expression = compile_expression(found, setting.library)
    return lambda variables: cast(expression(variables), data_type, variables.rows)


def _read_distribution(node: Element) -> tuple[str, float, float]:
    found = child(node, "GaussianDistribution")
    if found is not None:
        return "GaussianDistribution", number(found, "mean"), number(found, "variance")
    found = child(node, "PoissonDistribution")
    if found is None:
        raise refuse(node, "a TargetValueStat without a distribution")
    return "PoissonDistribution", number(found, "mean"), 1.0


_lgamma: Final = np.frompyfunc(math.lgamma, 1, 1)


def _densities(kind: str, values: Numbers, mean: float, variance: float) -> tuple[Numbers, Bools]:
    """How dense a distribution is at some values, and where that cannot be said."""
    if kind == "GaussianDistribution":
        if variance <= 0:
            return np.zeros(len(values)), np.ones(len(values), dtype=np.bool_)
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = (values - mean) / math.sqrt(variance)
            return np.exp(-0.5 * scaled * scaled) / math.sqrt(2.0 * math.pi * variance), np.zeros(1, dtype=np.bool_)
    whole = values == np.floor(values)
    counts = np.where(whole & (values >= 0) & np.isfinite(values), values, 0.0)
    factorials: Any = _lgamma(counts + 1.0)
    power = counts * math.log(mean) if mean > 0 else np.where(counts == 0, 0.0, -np.inf)
    density = np.exp(power - mean - factorials.astype(np.float64))
    return np.where(values < 0, 0.0, density), np.asarray(~whole)


class _NaiveBayes:
    """A compiled NaiveBayesModel."""

    def __init__(
        self, inputs: list[_Input], names: tuple[str, ...], priors: dict[str, float], node: Element, setting: Setting
    ) -> None:
        self._inputs = inputs
        self._names = names
        data_type = "string" if setting.target is None else setting.target.type
        try:
            self._labels = column_of(data_type, [parse(data_type, name) for name in names])
        except ValueError as error:
            raise refuse(node, f"a target value is no {data_type}", str(error)) from None
        self._kind: Any = np.float32 if setting.single else np.float64
        with np.errstate(divide="ignore"):
            self._priors = np.log(np.array([priors.get(name, 1.0) for name in names])).astype(self._kind)
        self._counted = np.array([name in priors for name in names])

    def __call__(self, scope: Scope) -> Prediction:
        """Evaluate it."""
        # The counts first: the order decides between classes that are equal but for the last bit.
        total = np.repeat(self._priors[None, :], scope.rows.height, axis=0)
        met = np.zeros(total.shape, dtype=np.bool_)
        errors: Codes | None = None
        for each in self._inputs:
            added, known, wrong = each.logarithms(scope)
            total += added
            met |= known
            errors = first_error(errors, wrong)
        # A class that neither an input nor the counts speak of in a row cannot be.
        total = np.where(met | self._counted, total, -np.inf)
        with np.errstate(invalid="ignore"):
            shares = softmax(total).astype(np.float64)
        best = highest(np.where(np.isnan(shares), -1.0, shares))
        target = Column(self._labels.type, self._labels.values[best], None, errors, self._labels.words)
        return Prediction(target, Classes(self._names, shares, gives=("probability",)))
