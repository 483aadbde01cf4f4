"""GeneralRegressionModel: sums of parameters times products of predictors, and the links from sums to answers.

Law: a row of which a predictor is missing has no answer; an offset or a number of trials that is missing is an error of
a row that has one. Parameters are added in the file's order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from styx_lab.models.native.column import Bools, Codes, Column, first_error, where_error
from styx_lab.models.native.grammar import MODEL_ATTRIBUTES, MODEL_CHILDREN, Grammar
from styx_lab.models.native.kinds.regression_model import INVERSE, exponential, highest, softmax
from styx_lab.models.native.place import child, children, choice, number, optional_number, refuse, required
from styx_lab.models.native.prediction import Classes, Prediction
from styx_lab.models.native.scope import Scope
from styx_lab.models.native.setting import Setting
from styx_lab.models.native.transformations.norm_discrete import equals
from styx_lab.models.native.values import cast, column_of, parse

__all__ = ["GRAMMAR", "compile_model"]

GRAMMAR: Final[Grammar] = {
    "GeneralRegressionModel": (
        (
            f"{MODEL_ATTRIBUTES} modelType targetVariableName targetReferenceCategory cumulativeLink linkFunction "
            "linkParameter distribution distParameter trialsVariable trialsValue offsetVariable offsetValue modelDF "
            "x-mathContext"
        ),
        f"{MODEL_CHILDREN} ParameterList FactorList CovariateList PPMatrix PCovMatrix ParamMatrix",
    ),
    "ParameterList": ("", "Parameter"),
    "Parameter": ("name label referencePoint", ""),
    "FactorList": ("", "Predictor"),
    "CovariateList": ("", "Predictor"),
    "Predictor": ("name", "Categories"),
    "Categories": ("", "Category"),
    "Category": ("value", ""),
    "PPMatrix": ("", "PPCell"),
    "PPCell": ("value predictorName parameterName targetCategory", ""),
    "PCovMatrix": ("*", "PCovCell"),
    "PCovCell": ("*", ""),
    "ParamMatrix": ("", "PCell"),
    "PCell": ("targetCategory parameterName beta df", ""),
}
_PLAIN: Final = ("regression", "generalLinear")
_TYPES: Final = (*_PLAIN, "generalizedLinear", "multinomialLogistic", "ordinalMultinomial")
_LINKS: Final = (
    "cloglog", "identity", "log", "logc", "logit", "loglog", "negbin", "oddspower", "power", "probit",
)  # fmt: skip
_CUMULATIVE: Final = ("logit", "probit", "cloglog", "loglog", "cauchit")

Numbers = npt.NDArray[Any]


def _link(node: Element) -> Callable[[Numbers], Numbers]:
    """What makes a mean of a sum."""
    name = choice(node, "linkFunction", _LINKS)
    if name == "identity":
        return lambda values: values
    if name == "log":
        return exponential
    if name == "logc":
        return lambda values: 1.0 - exponential(values)
    if name == "negbin":
        dispersion = number(node, "distParameter")
        return lambda values: 1.0 / (dispersion * (exponential(-values) - 1.0))
    if name in ("oddspower", "power"):
        degree = number(node, "linkParameter")
        if name == "power":
            return exponential if degree == 0 else lambda values: np.power(values, values.dtype.type(1.0 / degree))
        if degree == 0:
            return INVERSE["logit"]
        return lambda values: 1.0 / (1.0 + np.power(1.0 + degree * values, -1.0 / degree))
    return INVERSE[name]


@dataclass(frozen=True, slots=True)
class _Cell:
    """A PPCell: a predictor to a power, or the question whether a factor has a value."""

    predictor: str
    value: str
    power: float | None


class _Sums:
    """The sums of one model: a column of numbers for each target category (`""` for what is common to all)."""

    def __init__(self, node: Element, kind: Any) -> None:
        self._kind = kind
        factors, covariates = _predictors(node, "FactorList"), _predictors(node, "CovariateList")
        parameters = _named(node, "ParameterList", "Parameter", "name")
        self._cells: dict[str, list[_Cell]] = {name: [] for name in parameters}
        for each in _inside(node, "PPMatrix", "PPCell"):
            if each.get("targetCategory") is not None:
                raise refuse(each, "targetCategory is not supported here", each.get("targetCategory"))
            predictor, parameter = required(each, "predictorName"), required(each, "parameterName")
            if parameter not in self._cells:
                raise refuse(each, f"the parameter {parameter!r} is not in the ParameterList")
            if predictor not in factors and predictor not in covariates:
                raise refuse(each, f"the predictor {predictor!r} is in neither the FactorList nor the CovariateList")
            power = None if predictor in factors else number(each, "value")
            self._cells[parameter].append(_Cell(predictor, required(each, "value"), power))
        self.betas: dict[str, list[tuple[str, Any]]] = {}
        for each in _inside(node, "ParamMatrix", "PCell"):
            parameter = required(each, "parameterName")
            if parameter not in self._cells:
                raise refuse(each, f"the parameter {parameter!r} is not in the ParameterList")
            betas = self.betas.setdefault(each.get("targetCategory", ""), [])
            betas.append((parameter, kind(number(each, "beta"))))
        if not self.betas:
            raise refuse(node, "the ParamMatrix is empty")
        # A parameter that counts nowhere asks for nothing.
        counted = {name for betas in self.betas.values() for name, _ in betas}
        self._cells = {name: cells for name, cells in self._cells.items() if name in counted}
        self._predictors = list(dict.fromkeys(cell.predictor for cells in self._cells.values() for cell in cells))

    def evaluate(self, scope: Scope) -> tuple[dict[str, Numbers], Bools | None, Codes | None]:
        """The sums in each row, where a predictor is missing, and errors."""
        rows = scope.rows
        missing: Bools | None = None
        errors: Codes | None = None
        for name in self._predictors:
            column = scope.column(name)
            if column.errors is not None:
                seen = column.errors if missing is None else np.where(missing, np.int32(0), column.errors)
                errors = first_error(errors, seen)
            if column.missing is not None:
                missing = column.missing if missing is None else missing | column.missing
        products: dict[str, Numbers] = {}
        for name, cells in self._cells.items():
            product: Numbers = np.ones(1, dtype=self._kind)
            # A factor of another value makes the whole nothing, even where a covariate has no number.
            for cell in sorted(cells, key=lambda each: each.power is None):
                values, wrong = self._value(cell, scope)
                product = product * values if cell.power is not None else np.where(values == 0, values, product)
                if wrong is not None and missing is not None:
                    wrong = np.where(missing, np.int32(0), wrong)
                errors = first_error(errors, wrong)
            products[name] = product
        sums: dict[str, Numbers] = {}
        for category, betas in self.betas.items():
            total = np.zeros(rows.height, dtype=self._kind)
            for name, beta in betas:
                total += beta * products[name]
            sums[category] = total
        return sums, missing, errors

    def _value(self, cell: _Cell, scope: Scope) -> tuple[Numbers, Codes | None]:
        column = scope.column(cell.predictor)
        if cell.power is None:
            same = equals(column, cell.value, scope)
            return same.values.astype(self._kind), same.errors
        numbers = cast(column, "float" if self._kind is np.float32 else "double", scope.rows)
        if cell.power == 1.0:
            return numbers.values, numbers.errors
        return np.power(numbers.values, self._kind(cell.power)), numbers.errors


def _inside(node: Element, block: str, name: str) -> Iterator[Element]:
    found = child(node, block)
    return iter(()) if found is None else children(found, name)


def _named(node: Element, block: str, name: str, attribute: str) -> list[str]:
    return [required(each, attribute) for each in _inside(node, block, name)]


def _predictors(node: Element, block: str) -> list[str]:
    return _named(node, block, "Predictor", "name")


def compile_model(node: Element, setting: Setting) -> Callable[[Scope], Prediction]:
    """Compile a GeneralRegressionModel."""
    model_type = choice(node, "modelType", _TYPES)
    sums = _Sums(node, np.float32 if setting.single else np.float64)
    if setting.function == "regression":
        if model_type not in (*_PLAIN, "generalizedLinear"):
            raise refuse(node, f"modelType={model_type!r} is not valid for a regression")
        if len(sums.betas) != 1:
            raise refuse(node, "a regression has no target categories")
        return _regression(node, sums, model_type, setting)
    if setting.function != "classification" or model_type in _PLAIN:
        raise refuse(node, f"modelType={model_type!r} is not valid for functionName={setting.function!r}")
    return _classification(node, sums, model_type, setting)


class _Scale:
    """The offset of a sum and the number of trials: attributes, or fields."""

    def __init__(self, node: Element, setting: Setting) -> None:
        self._type = "float" if setting.single else "double"
        self._offset = node.get("offsetVariable"), optional_number(node, "offsetValue")
        self._trials = node.get("trialsVariable"), optional_number(node, "trialsValue")

    def offset(self, values: Numbers, missing: Bools | None, scope: Scope) -> tuple[Numbers, Codes | None]:
        """A sum with its offset."""
        found, errors = self._find(self._offset, missing, scope)
        return (values if found is None else values + found), errors

    def trials(self, values: Numbers, missing: Bools | None, scope: Scope) -> tuple[Numbers, Codes | None]:
        """A mean of so many trials."""
        found, errors = self._find(self._trials, missing, scope, whole=True)
        return (values if found is None else values * found), errors

    def _find(
        self, source: tuple[str | None, float | None], missing: Bools | None, scope: Scope, *, whole: bool = False
    ) -> tuple[Numbers | None, Codes | None]:
        name, value = source
        if name is None:
            kind = np.float32 if self._type == "float" else np.float64
            return (None if value is None else np.array([value], dtype=kind)), None
        column = cast(scope.column(name), "integer", scope.rows) if whole else scope.column(name)
        column = cast(column, self._type, scope.rows)
        errors = column.errors
        if column.missing is not None:
            text = scope.rows.error(f"field {name!r} is missing, and the model needs it")
            errors = first_error(errors, where_error(column.missing, text))
        if errors is not None and missing is not None:
            errors = np.where(missing, np.int32(0), errors)
        return column.values, errors


def _regression(node: Element, sums: _Sums, model_type: str, setting: Setting) -> Callable[[Scope], Prediction]:
    link = None if model_type in _PLAIN else _link(node)
    scale = _Scale(node, setting)
    data_type = "float" if setting.single else "double"

    def evaluate(scope: Scope) -> Prediction:
        with np.errstate(all="ignore"):
            found, missing, errors = sums.evaluate(scope)
            values = next(iter(found.values()))
            if link is not None:
                values, early = scale.offset(values, missing, scope)
                values, late = scale.trials(link(values), missing, scope)
                errors = first_error(errors, early, late)
        kind: Any = np.float32 if setting.single else np.float64
        return Prediction(Column(data_type, values.astype(kind, copy=False), missing, errors))

    return evaluate


def _classification(node: Element, sums: _Sums, model_type: str, setting: Setting) -> Callable[[Scope], Prediction]:
    target = setting.target
    if target is None or not setting.classes:
        raise refuse(node, "the target field must tell its classes")
    given = [each for each in sums.betas if each]
    names = setting.classes
    reference = node.get("targetReferenceCategory")
    rest = [name for name in names if name not in given]
    if any(each not in names for each in given):
        raise refuse(node, "a targetCategory is no value of the target field", given)
    if reference is None and len(rest) == 1:
        reference = rest[0]
    expected = len(names) - 1
    shared = model_type == "generalizedLinear" and not given
    if reference is None or reference in given or (len(given) != expected and not shared):
        raise refuse(node, "the ParamMatrix has parameters for each class but one", given)
    if model_type == "generalizedLinear" and len(names) != 2:
        raise refuse(node, "modelType='generalizedLinear' has two classes", len(names))
    order = [name for name in names if name != reference]
    if model_type == "ordinalMultinomial":
        order = [*order, reference]
        combine = _cumulative(node, order, setting)
    elif model_type == "multinomialLogistic":
        order = [*order, reference]
        combine = _logistic(order)
    else:
        order = [*order, reference]
        combine = _linked(node, order, setting)
    labels = column_of(target.type, [parse(target.type, name) for name in order])

    def evaluate(scope: Scope) -> Prediction:
        with np.errstate(all="ignore"):
            found, missing, errors = sums.evaluate(scope)
            table, wrong = combine(found, missing, scope)
        table = table.astype(np.float64, copy=False)
        # Among equals the class that the target field declares first.
        ranked = [order.index(name) for name in names]
        best = np.array(ranked, dtype=np.int64)[highest(table[:, ranked])]
        column = Column(target.type, labels.values[best], missing, first_error(errors, wrong), labels.words)
        return Prediction(column, Classes(tuple(order), table, gives=("probability",)))

    return evaluate


_Combine = Callable[[dict[str, Numbers], Bools | None, Scope], tuple[Numbers, Codes | None]]


def _common(sums: dict[str, Numbers], name: str) -> Numbers:
    """A class's sum, with what is common to all classes."""
    own, common = sums.get(name), sums.get("")
    if own is None or common is None:
        return sums[""] if own is None else own
    return own + common


def _logistic(order: Sequence[str]) -> _Combine:
    def combine(sums: dict[str, Numbers], missing: Bools | None, scope: Scope) -> tuple[Numbers, Codes | None]:
        columns = [_common(sums, name) for name in order[:-1]]
        return softmax(np.stack([*columns, np.zeros_like(columns[0])], axis=1)), None

    return combine


def _linked(node: Element, order: Sequence[str], setting: Setting) -> _Combine:
    link, scale = _link(node), _Scale(node, setting)

    def combine(sums: dict[str, Numbers], missing: Bools | None, scope: Scope) -> tuple[Numbers, Codes | None]:
        values, early = scale.offset(_common(sums, order[0]), missing, scope)
        values, late = scale.trials(link(values), missing, scope)
        return np.stack([values, 1.0 - values], axis=1), first_error(early, late)

    return combine


def _cumulative(node: Element, order: Sequence[str], setting: Setting) -> _Combine:
    inverse, scale = INVERSE[choice(node, "cumulativeLink", _CUMULATIVE)], _Scale(node, setting)

    def combine(sums: dict[str, Numbers], missing: Bools | None, scope: Scope) -> tuple[Numbers, Codes | None]:
        before: Numbers = np.zeros(scope.rows.height)
        errors: Codes | None = None
        columns = []
        for name in order[:-1]:
            values, wrong = scale.offset(_common(sums, name), missing, scope)
            errors = first_error(errors, wrong)
            share = inverse(values)
            columns.append(share - before)
            before = share
        columns.append(1.0 - before)
        return np.stack(columns, axis=1), errors

    return combine
