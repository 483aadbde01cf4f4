"""RegressionModel: linear sums, one a target or one a class, and what makes probabilities of them.

Law: terms are added in the file's order, row by row the same whatever the batch; the first missing number makes the
row's answer missing, and what stands after it is not looked at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from styx_lab.models.native.column import Bools, Codes, Column, Rows, first_error
from styx_lab.models.native.grammar import MODEL_ATTRIBUTES, MODEL_CHILDREN, Grammar
from styx_lab.models.native.kinds.regression_plain import plan_sums
from styx_lab.models.native.place import children, choice, number, refuse, required
from styx_lab.models.native.plain import Inputs, Matrix, PlainModel, Resolve
from styx_lab.models.native.prediction import Classes, Prediction
from styx_lab.models.native.scope import Scope
from styx_lab.models.native.setting import Setting
from styx_lab.models.native.transformations.norm_discrete import equals
from styx_lab.models.native.values import cast, column_of, parse

__all__ = ["GRAMMAR", "INVERSE", "compile_model", "exponential", "highest", "softmax"]

GRAMMAR: Final[Grammar] = {
    "RegressionModel": (
        f"{MODEL_ATTRIBUTES} modelType targetFieldName normalizationMethod x-mathContext",
        f"{MODEL_CHILDREN} RegressionTable",
    ),
    "RegressionTable": ("intercept targetCategory", "NumericPredictor CategoricalPredictor PredictorTerm"),
    "NumericPredictor": ("name exponent coefficient", ""),
    "CategoricalPredictor": ("name value coefficient", ""),
    "PredictorTerm": ("name coefficient", "FieldRef"),
}

_METHODS: Final = (
    "none", "simplemax", "softmax", "logit", "probit", "cloglog", "exp", "loglog", "cauchit",
)  # fmt: skip
_erf: Final = np.frompyfunc(math.erf, 1, 1)

_SINGLE_E: Final = 2.7182817
"""What the reference evaluator takes for e in 32-bit arithmetic: seven digits after the point."""

Numbers = npt.NDArray[Any]


def exponential(values: Numbers) -> Numbers:
    """Exponentials; those of 32 bits are powers of the base that the reference evaluator takes for them."""
    if values.dtype == np.float32:
        return np.asarray(np.power(_SINGLE_E, values.astype(np.float64)), dtype=np.float32)
    return np.asarray(np.exp(values))


def _probit(values: Numbers) -> Numbers:
    share: Any = _erf(values / math.sqrt(2.0))
    return np.asarray(0.5 * (1.0 + share.astype(np.float64)), dtype=values.dtype)


def _logit(values: Numbers) -> Numbers:
    one = values.dtype.type(1.0)
    return np.asarray(one / (one + exponential(-values)))


INVERSE: Final[dict[str, Callable[[Numbers], Numbers]]] = {
    "logit": _logit,
    "probit": _probit,
    "cloglog": lambda values: 1.0 - exponential(-exponential(values)),
    "loglog": lambda values: exponential(-exponential(-values)),
    "cauchit": lambda values: 0.5 + np.arctan(values) / math.pi,
    "exp": exponential,
}
"""From a linear sum to a probability (or a mean), by the name of the link."""


def softmax(values: Numbers) -> Numbers:
    """Each row's exponentials, by their sum."""
    powers = exponential(values - values.max(axis=1, keepdims=True))
    total = powers[:, 0].copy()
    for at in range(1, powers.shape[1]):
        total += powers[:, at]
    return np.asarray(powers / total[:, None])


def highest(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """In each row where the greatest value stands, the first of several."""
    return np.asarray(values.argmax(axis=1), dtype=np.int64)


class RegressionSum:
    """One RegressionTable: terms and an intercept."""

    def __init__(self, node: Element, single: bool) -> None:
        self.category = node.get("targetCategory")
        self._type = "float" if single else "double"
        self._kind: Any = np.float32 if single else np.float64
        self.single = single
        self.intercept = self._kind(number(node, "intercept"))
        self.numeric = [
            (required(each, "name"), self._kind(number(each, "coefficient")), number(each, "exponent", 1.0))
            for each in children(node, "NumericPredictor")
        ]
        self.categorical = [
            (required(each, "name"), required(each, "value"), self._kind(number(each, "coefficient")))
            for each in children(node, "CategoricalPredictor")
        ]
        self.terms = [
            (
                tuple(required(ref, "field") for ref in children(each, "FieldRef")),
                self._kind(number(each, "coefficient")),
            )
            for each in children(node, "PredictorTerm")
        ]

    def evaluate(self, scope: Scope) -> tuple[Numbers, Bools | None, Codes | None]:
        """The sum in each row, where it is missing, and errors."""
        rows = scope.rows
        total: Numbers = np.zeros(rows.height, dtype=self._kind)
        missing: Bools | None = None
        errors: Codes | None = None

        def look(column: Column) -> Column:
            nonlocal errors
            if column.errors is not None:
                seen = column.errors if missing is None else np.where(missing, np.int32(0), column.errors)
                errors = first_error(errors, seen)
            return column

        for name, coefficient, exponent in self.numeric:
            column = look(cast(scope.column(name), self._type, rows))
            values = column.values if exponent == 1.0 else np.power(column.values, self._kind(exponent))
            total += coefficient * values
            if column.missing is not None:
                missing = column.missing if missing is None else missing | column.missing
        for name, value, coefficient in self.categorical:
            same = look(equals(scope.column(name), value, scope))
            total += coefficient * (same.values if same.missing is None else same.values & ~same.missing)
        for names, coefficient in self.terms:
            product: Numbers = np.ones(1, dtype=self._kind)
            for name in names:
                column = look(cast(scope.column(name), self._type, rows))
                product = product * column.values
                if column.missing is not None:
                    missing = column.missing if missing is None else missing | column.missing
            total += coefficient * product
        total += self.intercept
        return total, missing, errors


def compile_model(node: Element, setting: Setting) -> Callable[[Scope], Prediction]:
    """Compile a RegressionModel."""
    method = choice(node, "normalizationMethod", _METHODS, "none")
    sums = [RegressionSum(each, setting.single) for each in children(node, "RegressionTable")]
    if setting.function == "regression":
        if len(sums) != 1:
            raise refuse(node, "a regression has one RegressionTable", len(sums))
        return _Regression(node, sums[0], method)
    if setting.function != "classification":
        raise refuse(node, f"functionName={setting.function!r} is not supported here")
    return _Classification(node, sums, method, setting)


def _invalid(node: Element, method: str, rows: Rows, missing: Bools | None) -> Codes:
    error = np.int32(rows.error(f"normalizationMethod={method!r} is not valid for this model"))
    gaps = np.zeros(1, dtype=np.bool_) if missing is None else missing
    return np.where(gaps, np.int32(0), error)


class _Regression:
    """A number."""

    def __init__(self, node: Element, table: RegressionSum, method: str) -> None:
        self._node, self._table, self._method = node, table, method
        self._inverse = INVERSE.get("logit" if method == "softmax" else method)

    def __call__(self, scope: Scope) -> Prediction:
        """Evaluate it."""
        with np.errstate(all="ignore"):
            values, missing, errors = self._table.evaluate(scope)
            if self._inverse is not None:
                values = self._inverse(values)
            elif self._method != "none":
                errors = first_error(errors, _invalid(self._node, self._method, scope.rows, missing))
        return Prediction(Column("float" if values.dtype == np.float32 else "double", values, missing, errors))

    def plain(self, resolve: Resolve, inputs: Inputs) -> PlainModel | None:
        """The way for batches in which nothing is missing."""
        sums = plan_sums([self._table], resolve)
        if sums is None or (self._inverse is None and self._method != "none"):
            return None

        def tell(matrix: Matrix, only: int) -> Numbers | None:
            totals = sums(matrix)
            if totals is None:
                return None
            return totals[0] if self._inverse is None else self._inverse(totals[0])

        return PlainModel(tell)


class _Classification:
    """Probabilities of classes."""

    def __init__(self, node: Element, sums: list[RegressionSum], method: str, setting: Setting) -> None:
        if len(sums) < 2:
            raise refuse(node, "a classification has a RegressionTable for each class", len(sums))
        self._node, self._sums, self._method = node, sums, method
        self._names = tuple(each.category or "" for each in sums)
        if "" in self._names:
            raise refuse(node, "a RegressionTable has no targetCategory")
        self._ordinal = setting.target is not None and setting.target.optype == "ordinal"
        self._type = data_type = "string" if setting.target is None else setting.target.type
        try:
            self._labels = column_of(data_type, [parse(data_type, name) for name in self._names])
        except ValueError as error:
            raise refuse(node, f"a targetCategory is no {data_type}", str(error)) from None
        self._binary = len(sums) == 2
        self._valid = _is_valid(method, ordinal=self._ordinal, binary=self._binary)

    def __call__(self, scope: Scope) -> Prediction:
        """Evaluate it."""
        rows = scope.rows
        missing: Bools | None = None
        errors: Codes | None = None
        columns = []
        with np.errstate(all="ignore"):
            for each in self._sums:
                values, gaps, wrong = each.evaluate(scope)
                if wrong is not None and missing is not None:
                    wrong = np.where(missing, np.int32(0), wrong)
                errors = first_error(errors, wrong)
                if gaps is not None:
                    missing = gaps if missing is None else missing | gaps
                columns.append(values)
            if not self._valid:
                errors = first_error(errors, _invalid(self._node, self._method, rows, missing))
                table = np.zeros((rows.height, len(self._sums)))
            else:
                table, undefined = self._shares(columns)
                if undefined.any():
                    if missing is not None:
                        undefined = undefined & ~missing
                    text = np.int32(rows.error("the probabilities are undefined: all sums are 0"))
                    errors = first_error(errors, np.where(undefined, text, np.int32(0)))
        probabilities = table.astype(np.float64, copy=False)
        labels = self._labels
        target = Column(self._type, labels.values[highest(probabilities)], missing, errors, labels.words)
        return Prediction(target, Classes(self._names, probabilities))

    def _shares(self, columns: Sequence[Numbers]) -> tuple[Numbers, Bools]:
        if self._ordinal:
            return _cumulate(columns, self._method), np.zeros(1, dtype=np.bool_)
        return _normalize(columns, self._method, binary=self._binary)

    def plain(self, resolve: Resolve, inputs: Inputs) -> PlainModel | None:
        """The way for batches in which nothing is missing."""
        sums = plan_sums(self._sums, resolve) if self._valid else None
        logit = self._binary and self._method == "logit" and not self._ordinal
        if sums is None:
            return None

        def tell(matrix: Matrix, only: int) -> Numbers | None:
            totals = sums(matrix)
            if totals is None:
                return None
            if only >= 0 and logit:
                first = _logit(totals[0])
                return first if only == 0 else 1.0 - first
            table, undefined = self._shares(list(totals))
            if undefined.any():
                return None
            return table.T if only < 0 else table[:, only]

        return PlainModel(tell, self._names, self._labels)


def _is_valid(method: str, *, ordinal: bool, binary: bool) -> bool:
    if ordinal:
        return method not in ("simplemax", "softmax", "exp")
    if binary:
        return method != "exp"
    return method in ("none", "simplemax", "softmax", "logit")


def _clamp(values: Numbers) -> Numbers:
    return np.clip(values, 0.0, 1.0)


def _cumulate(columns: Sequence[Numbers], method: str) -> Numbers:
    """Classes in order: each sum tells the share of its class and those before it."""
    inverse = INVERSE.get(method, _clamp)
    before = np.zeros_like(columns[0])
    shares = []
    for values in columns[:-1]:
        share = inverse(values)
        shares.append(share - before)
        before = share
    shares.append(1.0 - before)
    return np.stack(shares, axis=1)


def _normalize(columns: Sequence[Numbers], method: str, *, binary: bool) -> tuple[Numbers, Bools]:
    """The probabilities, and where there are none."""
    defined = np.zeros(1, dtype=np.bool_)
    if binary and method not in ("simplemax", "softmax"):
        first = INVERSE.get(method, _clamp)(columns[0])
        return np.stack([first, first.dtype.type(1.0) - first], axis=1), defined
    if method == "none":
        rest = columns[0].copy()
        for values in columns[1:-1]:
            rest += values
        return np.stack([*columns[:-1], columns[0].dtype.type(1.0) - rest], axis=1), defined
    if method == "softmax":
        return softmax(np.stack(columns, axis=1)), defined
    shares = [_logit(values) for values in columns] if method == "logit" else list(columns)
    total = shares[0].copy()
    for values in shares[1:]:
        total += values
    return np.stack(shares, axis=1) / total[:, None], total == 0
