"""GeneralRegressionModel: linear predictors of factors and covariates, and links that make means or shares of them.

Law: a parameter's value is the product of its cells; a row in which a predictor of any cell is missing has no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.etree.ElementTree import Element

import numpy as np

from styx_lab.models.native.column import Bools, Codes, Column, first_error, where_error
from styx_lab.models.native.grammar import MODEL_ATTRIBUTES, MODEL_CHILDREN, Grammar
from styx_lab.models.native.kinds.regression_model import INVERSE, softmax
from styx_lab.models.native.place import child, children, choice, number, optional_number, refuse, required
from styx_lab.models.native.prediction import Classes, Prediction
from styx_lab.models.native.scope import Scope
from styx_lab.models.native.setting import Setting
from styx_lab.models.native.transformations.norm_discrete import equals
from styx_lab.models.native.values import cast, column_of, parse

__all__ = ["GRAMMAR", "compile_model"]

_LINK: Final = "linkFunction linkParameter cumulativeLink distribution distParameter"
_OTHERS: Final = (
    "targetVariableName targetReferenceCategory modelDF trialsVariable trialsValue offsetVariable offsetValue"
)
GRAMMAR: Final[Grammar] = {
    "GeneralRegressionModel": (
        f"{MODEL_ATTRIBUTES} modelType {_LINK} {_OTHERS}",
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
    "PPCell": ("value predictorName parameterName", ""),
    "PCovMatrix": ("*", ""),
    "ParamMatrix": ("", "PCell"),
    "PCell": ("targetCategory parameterName beta df", ""),
}
_TYPES: Final = ("regression", "generalLinear", "generalizedLinear", "multinomialLogistic", "ordinalMultinomial")
_LINKS: Final = (
    "cloglog", "identity", "log", "logc", "logit", "loglog", "negbin", "oddspower", "power", "probit",
)  # fmt: skip
_CUMULATIVE: Final = ("logit", "probit", "cloglog", "loglog", "cauchit")


@dataclass(frozen=True, slots=True)
class _Cell:
    """A predictor's part in a parameter: a factor's category, or a covariate's power."""

    predictor: str
    factor: bool
    text: str
    power: float


class _Predictors:
    """The parameters' values in each row."""

    def __init__(self, node: Element) -> None:
        factors = {
            required(each, "name") for block in children(node, "FactorList") for each in children(block, "Predictor")
        }
        matrix = child(node, "PPMatrix")
        self.cells: dict[str, list[_Cell]] = {}
        for each in () if matrix is None else children(matrix, "PPCell"):
            predictor = required(each, "predictorName")
            factor = predictor in factors
            cell = _Cell(predictor, factor, required(each, "value"), 0.0 if factor else number(each, "value"))
            self.cells.setdefault(required(each, "parameterName"), []).append(cell)
        # A predictor counts when a parameter that has a beta is made of it.
        matrix = child(node, "ParamMatrix")
        used = {} if matrix is None else dict.fromkeys(each.get("parameterName") for each in children(matrix, "PCell"))
        self.names = tuple(
            dict.fromkeys(cell.predictor for name, cells in self.cells.items() if name in used for cell in cells)
        )

    def look(self, scope: Scope) -> tuple[dict[str, Column], Bools | None, Codes | None]:
        """The predictors' columns, where any is missing, and errors."""
        missing: Bools | None = None
        errors: Codes | None = None
        found = {}
        for name in self.names:
            column = found[name] = scope.column(name)
            if column.errors is not None:
                seen = column.errors if missing is None else np.where(missing, np.int32(0), column.errors)
                errors = first_error(errors, seen)
            if column.missing is not None:
                missing = column.missing if missing is None else missing | column.missing
        return found, missing, errors

    def value(self, parameter: str, columns: dict[str, Column], scope: Scope) -> Any:
        """A parameter's value; 1 for one without cells."""
        value: Any = np.ones(1)
        for cell in self.cells.get(parameter, ()):
            column = columns[cell.predictor]
            if cell.factor:
                value = value * equals(column, cell.text, scope).values
            else:
                numbers = cast(column, "double", scope.rows).numbers
                value = value * (numbers if cell.power == 1.0 else np.power(numbers, cell.power))
        return value


@dataclass(frozen=True, slots=True)
class _Offset:
    """What is added to a linear predictor, or what a mean is multiplied by: a field's value, or a number."""

    field: str | None
    value: float | None
    whole: bool

    def look(self, scope: Scope, missing: Bools | None) -> tuple[Any, Codes | None]:
        """Its value in each row, and errors."""
        if self.field is None:
            return self.value, None
        rows = scope.rows
        column = cast(scope.column(self.field), "integer" if self.whole else "double", rows)
        errors = column.errors
        if column.missing is not None:
            text = rows.error(f"field {self.field!r}: a value is missing, and the model needs one")
            errors = first_error(errors, where_error(column.missing, text))
        if errors is not None and missing is not None:
            errors = np.where(missing, np.int32(0), errors)
        return column.numbers, errors


class _General:
    """A compiled GeneralRegressionModel."""

    def __init__(self, node: Element, setting: Setting) -> None:
        self.kind = choice(node, "modelType", _TYPES)
        self.predictors = _Predictors(node)
        self.offset = _Offset(node.get("offsetVariable"), optional_number(node, "offsetValue"), whole=False)
        self.trials = _Offset(node.get("trialsVariable"), optional_number(node, "trialsValue"), whole=True)
        self.link = choice(node, "linkFunction", _LINKS, "identity" if self.kind != "generalizedLinear" else None)
        self.link_parameter = optional_number(node, "linkParameter")
        self.dist_parameter = optional_number(node, "distParameter")
        if self.link in ("power", "oddspower") and self.link_parameter is None:
            raise refuse(node, "the attribute linkParameter is missing")
        if self.link == "negbin" and self.dist_parameter is None:
            raise refuse(node, "the attribute distParameter is missing")
        matrix = child(node, "ParamMatrix")
        self.betas: dict[str | None, list[tuple[str, float]]] = {}
        for each in () if matrix is None else children(matrix, "PCell"):
            own = self.betas.setdefault(each.get("targetCategory"), [])
            own.append((required(each, "parameterName"), number(each, "beta")))

    def sums(self, scope: Scope, categories: Sequence[str | None]) -> tuple[list[Any], Bools | None, Codes | None]:
        """The linear predictor of each category (with what all of them share), where it is missing, and errors."""
        columns, missing, errors = self.predictors.look(scope)
        known: dict[str, Any] = {}
        found = []
        offset, failed = self.offset.look(scope, missing)
        errors = first_error(errors, failed)
        for category in categories:
            total: Any = np.zeros(scope.rows.height)
            shared = [] if category is None else self.betas.get(None, [])
            for parameter, beta in (*self.betas.get(category, ()), *shared):
                if parameter not in known:
                    known[parameter] = self.predictors.value(parameter, columns, scope)
                total = total + beta * known[parameter]
            found.append(total if offset is None else total + offset)
        return found, missing, errors

    def mean(self, values: Any) -> Any:
        """The inverse of the link."""
        link, power = self.link, self.link_parameter
        if link == "identity":
            return values
        if link == "log":
            return np.exp(values)
        if link == "logc":
            return 1.0 - np.exp(values)
        if link == "negbin":
            return 1.0 / (float(self.dist_parameter or 0.0) * (np.exp(-values) - 1.0))
        if link == "power":
            return np.power(values, 1.0 / power) if power else np.exp(values)
        if link == "oddspower":
            return 1.0 / (1.0 + np.power(1.0 + power * values, -1.0 / power)) if power else INVERSE["logit"](values)
        return INVERSE[link](values)


def compile_model(node: Element, setting: Setting) -> Callable[[Scope], Prediction]:
    """Compile a GeneralRegressionModel."""
    model = _General(node, setting)
    if setting.function == "regression":
        if model.kind in ("multinomialLogistic", "ordinalMultinomial"):
            raise refuse(node, f"modelType={model.kind!r} is not valid for a regression")
        return _regression(model)
    if setting.function != "classification":
        raise refuse(node, f"functionName={setting.function!r} is not supported here")
    if model.kind in ("regression", "generalLinear"):
        raise refuse(node, f"modelType={model.kind!r} is not valid for a classification")
    return _classification(node, model, setting)


def _regression(model: _General) -> Callable[[Scope], Prediction]:
    def evaluate(scope: Scope) -> Prediction:
        with np.errstate(all="ignore"):
            (values,), missing, errors = model.sums(scope, [None])
            values = model.mean(values)
            trials, failed = model.trials.look(scope, missing)
            if trials is not None:
                values = values * trials
        return Prediction(Column("double", np.asarray(values), missing, first_error(errors, failed)))

    return evaluate


def _classification(node: Element, model: _General, setting: Setting) -> Callable[[Scope], Prediction]:
    named = [each for each in model.betas if each is not None]
    classes = setting.classes or tuple(dict.fromkeys((*named, node.get("targetReferenceCategory", ""))))
    data_type = "string" if setting.target is None else setting.target.type
    if len(classes) < 2 or not set(named) <= set(classes):
        raise refuse(node, "the target's values are not those of the ParamMatrix")
    labels = column_of(data_type, [parse(data_type, name) for name in classes])
    reference = node.get("targetReferenceCategory")
    shares: Callable[[Scope], tuple[Any, Bools | None, Codes | None]]
    if model.kind == "ordinalMultinomial":
        link = choice(node, "cumulativeLink", _CUMULATIVE)
        shares = _ordinal(model, classes, link)
    else:
        if reference is None:
            rest = [each for each in classes if each not in named]
            if len(rest) != 1:
                raise refuse(node, "the attribute targetReferenceCategory is missing")
            reference = rest[0]
        if reference not in classes:
            raise refuse(node, "the reference category is no value of the target", reference)
        if model.kind == "generalizedLinear" and len(classes) != 2:
            raise refuse(node, "a generalizedLinear classification has two classes", len(classes))
        shares = (
            _binary(model, classes, reference)
            if model.kind == "generalizedLinear"
            else _multi(model, classes, reference)
        )

    def evaluate(scope: Scope) -> Prediction:
        with np.errstate(all="ignore"):
            table, missing, errors = shares(scope)
        target = Column(data_type, labels.values[table.argmax(axis=1)], missing, errors, labels.words)
        return Prediction(target, Classes(tuple(classes), table))

    return evaluate


def _binary(
    model: _General, classes: Sequence[str], reference: str
) -> Callable[[Scope], tuple[Any, Bools | None, Codes | None]]:
    event = next(each for each in classes if each != reference)
    category = event if event in model.betas else None

    def shares(scope: Scope) -> tuple[Any, Bools | None, Codes | None]:
        (values,), missing, errors = model.sums(scope, [category])
        share = model.mean(values)
        pair = [share if name == event else 1.0 - share for name in classes]
        return np.stack(pair, axis=1), missing, errors

    return shares


def _multi(
    model: _General, classes: Sequence[str], reference: str
) -> Callable[[Scope], tuple[Any, Bools | None, Codes | None]]:
    def shares(scope: Scope) -> tuple[Any, Bools | None, Codes | None]:
        others = [each for each in classes if each != reference]
        sums, missing, errors = model.sums(scope, others)
        found = dict(zip(others, sums, strict=True))
        found[reference] = np.zeros(scope.rows.height)
        return softmax(np.stack([found[name] for name in classes], axis=1)), missing, errors

    return shares


def _ordinal(
    model: _General, classes: Sequence[str], link: str
) -> Callable[[Scope], tuple[Any, Bools | None, Codes | None]]:
    def shares(scope: Scope) -> tuple[Any, Bools | None, Codes | None]:
        sums, missing, errors = model.sums(scope, list(classes[:-1]))
        before: Any = np.zeros(scope.rows.height)
        found = []
        for values in sums:
            share = INVERSE[link](values)
            found.append(share - before)
            before = share
        found.append(1.0 - before)
        return np.stack(found, axis=1), missing, errors

    return shares
