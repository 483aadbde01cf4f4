"""SupportVectorMachineModel: sums of kernels between a row and the support vectors, one machine a class or a pair.

Law: a missing field is an error of the row. Of two classes the one whose machine says less than the threshold
wins; among classes with the same votes, the one that was voted for first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from styx_lab.models.native.arrays import numbers_of
from styx_lab.models.native.column import Codes, Column, first_error, where_error
from styx_lab.models.native.grammar import MODEL_ATTRIBUTES, MODEL_CHILDREN, Grammar
from styx_lab.models.native.kinds.regression_model import exponential
from styx_lab.models.native.place import child, children, choice, number, optional_number, refuse, required, switch
from styx_lab.models.native.prediction import Classes, Prediction
from styx_lab.models.native.scope import Scope
from styx_lab.models.native.setting import Setting
from styx_lab.models.native.transformations.norm_discrete import equals
from styx_lab.models.native.values import cast, column_of, parse
from styx_lab.models.summary import local_name

__all__ = ["GRAMMAR", "compile_model"]

_KERNELS: Final = "LinearKernelType PolynomialKernelType RadialBasisKernelType SigmoidKernelType"
GRAMMAR: Final[Grammar] = {
    "SupportVectorMachineModel": (
        f"{MODEL_ATTRIBUTES} threshold svmRepresentation classificationMethod maxWins x-mathContext",
        f"{MODEL_CHILDREN} {_KERNELS} VectorDictionary SupportVectorMachine",
    ),
    "LinearKernelType": ("description", ""),
    "PolynomialKernelType": ("description gamma coef0 degree", ""),
    "RadialBasisKernelType": ("description gamma", ""),
    "SigmoidKernelType": ("description gamma coef0", ""),
    "VectorDictionary": ("numberOfVectors", "VectorFields VectorInstance"),
    "VectorFields": ("numberOfFields", "FieldRef CategoricalPredictor"),
    "VectorInstance": ("id", "REAL-SparseArray Array"),
    "SupportVectorMachine": ("targetCategory alternateTargetCategory threshold", "SupportVectors Coefficients"),
    "SupportVectors": ("numberOfSupportVectors numberOfAttributes", "SupportVector"),
    "SupportVector": ("vectorId", ""),
    "Coefficients": ("numberOfCoefficients absoluteValue", "Coefficient"),
    "Coefficient": ("value", ""),
}

Numbers = npt.NDArray[Any]


def _kernel(node: Element, kind: Any) -> Callable[[Numbers, Numbers], Numbers]:
    """From rows and vectors to the kernel of each pair."""
    found = [each for each in node if local_name(each) in _KERNELS.split()]
    if len(found) != 1:
        raise refuse(node, "a support vector machine has one kernel", len(found))
    name = local_name(found[0])
    if name == "LinearKernelType":
        return _dots
    gamma = kind(number(found[0], "gamma", 1.0))
    if name == "RadialBasisKernelType":
        return lambda rows, vectors: exponential(-gamma * _squares(rows, vectors))
    shift = kind(number(found[0], "coef0", 1.0))
    if name == "SigmoidKernelType":
        return lambda rows, vectors: np.tanh(gamma * _dots(rows, vectors) + shift)
    degree = kind(number(found[0], "degree", 1.0))
    return lambda rows, vectors: np.power(gamma * _dots(rows, vectors) + shift, degree)


def _dots(rows: Numbers, vectors: Numbers) -> Numbers:
    """Inner products, field after field, so that a row's do not depend on the rows beside it."""
    total = np.zeros((len(rows), len(vectors)), dtype=rows.dtype)
    for at in range(vectors.shape[1]):
        total += rows[:, at][:, None] * vectors[:, at][None, :]
    return total


def _squares(rows: Numbers, vectors: Numbers) -> Numbers:
    """Squares of distances."""
    total = np.zeros((len(rows), len(vectors)), dtype=rows.dtype)
    for at in range(vectors.shape[1]):
        apart = rows[:, at][:, None] - vectors[:, at][None, :]
        total += apart * apart
    return total


@dataclass(frozen=True, slots=True)
class _Machine:
    """One SupportVectorMachine: where its vectors stand, what each counts, and what it decides between."""

    vectors: npt.NDArray[np.int64]
    coefficients: Numbers
    absolute: Any
    category: str | None
    alternate: str | None
    threshold: float | None

    def value(self, kernels: Numbers) -> Numbers:
        """Its sum in each row; vectors are added in the file's order."""
        total = np.zeros(len(kernels), dtype=kernels.dtype)
        for at, coefficient in zip(self.vectors, self.coefficients, strict=True):
            total += coefficient * kernels[:, at]
        return np.asarray(total + self.absolute)


def _read_machine(node: Element, vectors: dict[str, int], kind: Any) -> _Machine:
    support, block = child(node, "SupportVectors"), child(node, "Coefficients")
    if support is None or block is None:
        raise refuse(node, "a SupportVectorMachine without SupportVectors or Coefficients")
    where = []
    for each in children(support, "SupportVector"):
        name = required(each, "vectorId")
        if name not in vectors:
            raise refuse(each, "the vector is not in the VectorDictionary", name)
        where.append(vectors[name])
    coefficients = [number(each, "value", 0.0) for each in children(block, "Coefficient")]
    if len(coefficients) != len(where):
        raise refuse(block, "there is a coefficient for each support vector", len(coefficients))
    return _Machine(
        np.array(where, dtype=np.int64),
        np.array(coefficients, dtype=kind),
        kind(number(block, "absoluteValue", 0.0)),
        node.get("targetCategory"),
        node.get("alternateTargetCategory"),
        optional_number(node, "threshold"),
    )


class _Vectors:
    """The VectorDictionary: the vectors, and the same fields of rows."""

    def __init__(self, node: Element, kind: Any) -> None:
        self._kind = kind
        fields = child(node, "VectorFields")
        if fields is None:
            raise refuse(node, "a VectorDictionary without VectorFields")
        self._fields: list[tuple[str, str | None]] = []
        for each in fields:
            if local_name(each) == "FieldRef":
                if each.get("mapMissingTo") is not None:
                    raise refuse(each, "mapMissingTo is not supported here")
                self._fields.append((required(each, "field"), None))
            elif local_name(each) == "CategoricalPredictor":
                if number(each, "coefficient") != 1.0:
                    raise refuse(each, "a coefficient other than 1 is not supported here", each.get("coefficient"))
                self._fields.append((required(each, "name"), required(each, "value")))
        self.index: dict[str, int] = {}
        table: list[list[float]] = []
        for each in children(node, "VectorInstance"):
            array = next((one for one in each if local_name(one) in ("Array", "REAL-SparseArray")), None)
            if array is None:
                raise refuse(each, "a VectorInstance without an array")
            values = numbers_of(array)
            if len(values) != len(self._fields):
                raise refuse(array, "a vector has a number for each field", len(values))
            self.index[required(each, "id")] = len(table)
            table.append(values)
        self.table: Numbers = np.array(table, dtype=kind).reshape(len(table), len(self._fields))

    def rows(self, scope: Scope) -> tuple[Numbers, Codes | None]:
        """The fields of rows, and errors."""
        rows = scope.rows
        values = np.zeros((rows.height, len(self._fields)), dtype=self._kind)
        errors: Codes | None = None
        for at, (name, value) in enumerate(self._fields):
            column = scope.column(name)
            if value is None:
                column = cast(column, "float" if self._kind is np.float32 else "double", rows)
            else:
                column = equals(column, value, scope)
            errors = first_error(errors, column.errors)
            if column.missing is not None:
                text = rows.error(f"field {name!r} is missing, and the model needs it")
                errors = first_error(errors, where_error(column.missing, text))
            values[:, at] = np.where(column.gaps, 0.0, column.values)
        return values, errors


def compile_model(node: Element, setting: Setting) -> Callable[[Scope], Prediction]:
    """Compile a SupportVectorMachineModel."""
    choice(node, "svmRepresentation", ("SupportVectors",), "SupportVectors")
    kind: Any = np.float32 if setting.single else np.float64
    dictionary = child(node, "VectorDictionary")
    if dictionary is None:
        raise refuse(node, "a SupportVectorMachineModel without a VectorDictionary")
    vectors = _Vectors(dictionary, kind)
    kernel = _kernel(node, kind)
    machines = [_read_machine(each, vectors.index, kind) for each in children(node, "SupportVectorMachine")]
    if not machines:
        raise refuse(node, "a SupportVectorMachineModel without a SupportVectorMachine")

    def sums(scope: Scope) -> tuple[list[Numbers], Codes | None]:
        values, errors = vectors.rows(scope)
        with np.errstate(all="ignore"):
            kernels = kernel(values, vectors.table)
            return [each.value(kernels) for each in machines], errors

    if setting.function == "regression":
        if len(machines) != 1:
            raise refuse(node, "a regression has one SupportVectorMachine", len(machines))
        return _regression(sums, "float" if setting.single else "double")
    if setting.function != "classification":
        raise refuse(node, f"functionName={setting.function!r} is not supported here")
    return _classification(node, machines, sums, setting)


_Sums = Callable[[Scope], tuple[list[Numbers], Codes | None]]


def _regression(sums: _Sums, data_type: str) -> Callable[[Scope], Prediction]:
    def evaluate(scope: Scope) -> Prediction:
        values, errors = sums(scope)
        return Prediction(Column(data_type, values[0], None, errors))

    return evaluate


def _classification(
    node: Element, machines: Sequence[_Machine], sums: _Sums, setting: Setting
) -> Callable[[Scope], Prediction]:
    alternates = [each.alternate is not None for each in machines]
    method = choice(
        node,
        "classificationMethod",
        ("OneAgainstAll", "OneAgainstOne"),
        "OneAgainstAll",
    )
    pairs = method == "OneAgainstOne"
    if any(each.category is None for each in machines) or (pairs and not all(alternates)):
        raise refuse(node, f"classificationMethod={method!r} needs the categories of each machine")
    told = [(each.category or "", each.alternate or "") for each in machines]
    names = tuple(dict.fromkeys(name for pair in told for name in (pair if pairs else pair[:1])))
    if not pairs and len(names) < len(machines):
        raise refuse(node, "two machines of classificationMethod='OneAgainstAll' have the same targetCategory")
    threshold = number(node, "threshold", 0.0)
    if switch(node, "maxWins"):
        raise refuse(node, "maxWins='true' is not supported")
    data_type = "string" if setting.target is None else setting.target.type
    try:
        labels = column_of(data_type, [parse(data_type, name) for name in names])
    except ValueError as error:
        raise refuse(node, f"a targetCategory is no {data_type}", str(error)) from None

    def evaluate(scope: Scope) -> Prediction:
        values, errors = sums(scope)
        height = scope.rows.height
        if not pairs:
            table = np.stack(values, axis=1).astype(np.float64)
            best = table.argmin(axis=1)
            target = Column(data_type, labels.values[best], None, errors, labels.words)
            return Prediction(target, Classes(names, table, "distance", gives=()))
        votes = np.zeros((height, len(names)))
        firsts = np.full((height, len(names)), len(machines), dtype=np.int64)
        row = np.arange(height)
        for at, (machine, value) in enumerate(zip(machines, values, strict=True)):
            limit = threshold if machine.threshold is None else machine.threshold
            low = value < limit
            voted = np.where(low, names.index(told[at][0]), names.index(told[at][1]))
            votes[row, voted] += 1.0
            firsts[row, voted] = np.minimum(firsts[row, voted], at)
        top = votes == votes.max(axis=1, keepdims=True)
        best = np.where(top, firsts, len(machines) + 1).argmin(axis=1)
        shares = votes / float(len(machines))
        target = Column(data_type, labels.values[best], None, errors, labels.words)
        return Prediction(target, Classes(names, shares, gives=("probability",)))

    return evaluate
