"""NeuralNetwork: layers of neurons, each a weighted sum and an activation.

Law: a row of which an input is missing has no answer. Connections are added in the file's order, then the bias.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from styx_lab.models.native.column import Bools, Codes, Column, first_error, where_error
from styx_lab.models.native.grammar import EXPRESSIONS, MODEL_ATTRIBUTES, MODEL_CHILDREN, Grammar
from styx_lab.models.native.kinds.regression_model import exponential, highest, softmax
from styx_lab.models.native.place import child, children, choice, number, optional_number, refuse, required
from styx_lab.models.native.prediction import Classes, Prediction
from styx_lab.models.native.scope import Expression, Scope
from styx_lab.models.native.setting import Setting
from styx_lab.models.native.transformations import compile_expression, expression_of
from styx_lab.models.native.values import cast, column_of, is_known_type, parse
from styx_lab.models.summary import local_name

__all__ = ["GRAMMAR", "compile_model"]

GRAMMAR: Final[Grammar] = {
    "NeuralNetwork": (
        (
            f"{MODEL_ATTRIBUTES} activationFunction normalizationMethod threshold width altitude numberOfLayers "
            "x-mathContext"
        ),
        f"{MODEL_CHILDREN} NeuralInputs NeuralLayer NeuralOutputs",
    ),
    "NeuralInputs": ("numberOfInputs", "NeuralInput"),
    "NeuralInput": ("id", "DerivedField"),
    "NeuralLayer": ("numberOfNeurons activationFunction threshold width altitude normalizationMethod", "Neuron"),
    "Neuron": ("id bias width altitude", "Con"),
    "Con": ("from weight", ""),
    "NeuralOutputs": ("numberOfOutputs", "NeuralOutput"),
    "NeuralOutput": ("outputNeuron", f"DerivedField {EXPRESSIONS}"),
}

Numbers = npt.NDArray[Any]


def _logistic(values: Numbers) -> Numbers:
    one = values.dtype.type(1.0)
    return np.asarray(one / (one + exponential(-values)))


_ACTIVATIONS: Final[dict[str, Callable[[Numbers], Numbers]]] = {
    "logistic": _logistic,
    "tanh": np.tanh,
    "identity": lambda values: values,
    "exponential": exponential,
    "reciprocal": lambda values: 1.0 / values,
    "square": lambda values: values * values,
    "Gauss": lambda values: exponential(-(values * values)),
    "sine": np.sin,
    "cosine": np.cos,
    "Elliott": lambda values: values / (1.0 + np.abs(values)),
    "arctan": lambda values: 2.0 * np.arctan(values) / math.pi,
    "rectifier": lambda values: np.maximum(values, 0.0),
}
_FUNCTIONS: Final = (*_ACTIVATIONS, "threshold", "radialBasis")
_METHODS: Final = ("none", "simplemax", "softmax")


@dataclass(frozen=True, slots=True)
class _Neuron:
    """A neuron: what comes in (column of the network's table, weight), and its own numbers."""

    sources: npt.NDArray[np.int64]
    weights: Numbers
    bias: Any
    width: Any
    altitude: Any


@dataclass(frozen=True, slots=True)
class _Layer:
    """A layer: its neurons, how they are activated, and how the whole is normalized."""

    neurons: tuple[_Neuron, ...]
    function: str
    threshold: Any
    method: str

    def evaluate(self, table: Numbers) -> Numbers:
        """The layer's neurons in each row, from all that stands before it."""
        kind = table.dtype.type
        columns = []
        for neuron in self.neurons:
            if self.function == "radialBasis":
                columns.append(_radial(neuron, table))
                continue
            total = np.zeros(len(table), dtype=table.dtype)
            for at, weight in zip(neuron.sources, neuron.weights, strict=True):
                total += table[:, at] * weight
            total += neuron.bias
            if self.function == "threshold":
                columns.append(np.where(total > self.threshold, kind(1.0), kind(0.0)))
            else:
                columns.append(_ACTIVATIONS[self.function](total).astype(table.dtype, copy=False))
        values = np.stack(columns, axis=1)
        if self.method == "softmax":
            return softmax(values)
        if self.method == "simplemax":
            whole = values[:, 0].copy()
            for at in range(1, values.shape[1]):
                whole += values[:, at]
            return np.asarray(values / whole[:, None])
        return values


def _radial(neuron: _Neuron, table: Numbers) -> Numbers:
    kind = table.dtype.type
    total = np.zeros(len(table), dtype=table.dtype)
    for at, weight in zip(neuron.sources, neuron.weights, strict=True):
        apart = table[:, at] - weight
        total += apart * apart
    scaled = total / (kind(2.0) * neuron.width * neuron.width)
    return exponential(kind(len(neuron.sources)) * np.log(neuron.altitude) - scaled)


def compile_model(node: Element, setting: Setting) -> Callable[[Scope], Prediction]:
    """Compile a NeuralNetwork."""
    if setting.function not in ("regression", "classification"):
        raise refuse(node, f"functionName={setting.function!r} is not supported here")
    kind: Any = np.float32 if setting.single else np.float64
    block = child(node, "NeuralInputs")
    if block is None:
        raise refuse(node, "a NeuralNetwork without NeuralInputs")
    places: dict[str, int] = {}
    inputs = []
    for each in children(block, "NeuralInput"):
        derived = child(each, "DerivedField")
        if derived is None:
            raise refuse(each, "a NeuralInput without a DerivedField")
        inputs.append(_derive(derived, setting))
        _place(each, places)
    layers = [_read_layer(each, node, places, kind) for each in children(node, "NeuralLayer")]
    found = child(node, "NeuralOutputs")
    outputs = [] if found is None else list(children(found, "NeuralOutput"))
    if not inputs or not layers or not outputs:
        raise refuse(node, "a NeuralNetwork without inputs, layers or outputs")
    network = _Network(inputs, layers, kind)
    if setting.function == "regression":
        return _regression(network, outputs, places, setting)
    return _classification(network, outputs, places, setting)


def _place(node: Element, places: dict[str, int]) -> None:
    name = required(node, "id")
    if name in places:
        raise refuse(node, "two neurons have the same id", name)
    places[name] = len(places)


def _derive(node: Element, setting: Setting) -> Expression:
    data_type, found = required(node, "dataType"), expression_of(node)
    if not is_known_type(data_type):
        raise refuse(node, f"dataType={data_type!r} is not supported")
    if found is None:
        raise refuse(node, "a DerivedField without an expression")
    expression = compile_expression(found, setting.library)
    return lambda variables: cast(expression(variables), data_type, variables.rows)


def _read_layer(node: Element, network: Element, places: dict[str, int], kind: Any) -> _Layer:
    source = node if node.get("activationFunction") is not None else network
    function = choice(source, "activationFunction", _FUNCTIONS)
    method = choice(
        node if node.get("normalizationMethod") is not None else network, "normalizationMethod", _METHODS, "none"
    )

    def inherited(each: Element, name: str, default: float | None) -> Any:
        for one in (each, node, network):
            value = optional_number(one, name)
            if value is not None:
                return kind(value)
        if default is None:
            raise refuse(each, f"a neuron of radialBasis needs a {name}")
        return kind(default)

    radial = function == "radialBasis"
    neurons = []
    for each in children(node, "Neuron"):
        sources, weights = [], []
        for link in children(each, "Con"):
            name = required(link, "from")
            if name not in places:
                raise refuse(link, "the neuron it comes from does not stand before it", name)
            sources.append(places[name])
            weights.append(number(link, "weight"))
        if not sources:
            raise refuse(each, "a neuron without a connection")
        neurons.append(
            _Neuron(
                np.array(sources, dtype=np.int64),
                np.array(weights, dtype=kind),
                kind(number(each, "bias", 0.0)),
                inherited(each, "width", None if radial else 1.0),
                inherited(each, "altitude", 1.0),
            )
        )
    for each in children(node, "Neuron"):
        _place(each, places)
    if not neurons:
        raise refuse(node, "a layer without a neuron")
    return _Layer(tuple(neurons), function, inherited(node, "threshold", 0.0), method)


class _Network:
    """The inputs and layers: from rows to a table with a column for each neuron."""

    def __init__(self, inputs: Sequence[Expression], layers: Sequence[_Layer], kind: Any) -> None:
        self._inputs = inputs
        self._layers = layers
        self.kind = kind

    def evaluate(self, scope: Scope) -> tuple[Numbers, Bools | None, Codes | None]:
        """The table, where an input is missing, and errors."""
        rows = scope.rows
        table = np.zeros((rows.height, len(self._inputs)), dtype=self.kind)
        missing: Bools | None = None
        errors: Codes | None = None
        for at, expression in enumerate(self._inputs):
            column = cast(expression(scope), "float" if self.kind is np.float32 else "double", rows)
            if column.errors is not None:
                seen = column.errors if missing is None else np.where(missing, np.int32(0), column.errors)
                errors = first_error(errors, seen)
            if column.missing is not None:
                missing = column.missing if missing is None else missing | column.missing
            table[:, at] = np.where(column.gaps, 0.0, column.values)
        with np.errstate(all="ignore"):
            for layer in self._layers:
                table = np.concatenate([table, layer.evaluate(table)], axis=1)
        return table, missing, errors


def _output(node: Element, places: dict[str, int]) -> tuple[int, Element]:
    """The neuron of an output, and the expression that says what it means."""
    name = required(node, "outputNeuron")
    if name not in places:
        raise refuse(node, "there is no such neuron", name)
    derived = child(node, "DerivedField")
    found = expression_of(node if derived is None else derived)
    if found is None:
        raise refuse(node, "a NeuralOutput without an expression")
    return places[name], found


def _regression(
    network: _Network, outputs: Sequence[Element], places: dict[str, int], setting: Setting
) -> Callable[[Scope], Prediction]:
    if len(outputs) != 1:
        raise refuse(outputs[1], "a network of several targets is not supported")
    at, found = _output(outputs[0], places)
    data_type = "float" if setting.single else "double"
    invert: Callable[[Numbers], tuple[Numbers, Bools]] | None = None
    if local_name(found) == "NormContinuous":
        invert = _invert(found, network.kind)
    elif local_name(found) != "FieldRef":
        raise refuse(found, "the expression is not supported in an output of a network")

    def evaluate(scope: Scope) -> Prediction:
        table, missing, errors = network.evaluate(scope)
        values = table[:, at]
        if invert is not None:
            with np.errstate(all="ignore"):
                values, outside = invert(values)
            if missing is not None:
                outside = outside & ~missing
            text = scope.rows.error("the network's answer is outside what its NormContinuous knows")
            errors = first_error(errors, where_error(outside, text))
        return Prediction(Column(data_type, values, missing, errors))

    return evaluate


def _invert(node: Element, kind: Any) -> Callable[[Numbers], tuple[Numbers, Bools]]:
    """From a normalized value back to the target's, and where it is outside of what is known."""
    points = [(number(each, "norm"), number(each, "orig")) for each in children(node, "LinearNorm")]
    if len(points) < 2:
        raise refuse(node, "a NormContinuous has two LinearNorms or more", len(points))
    norms = np.array([norm for norm, _ in points])
    if not (np.diff(norms) > 0).all():
        raise refuse(node, "norms that do not grow are not supported in an output of a network")
    origs = np.array([orig for _, orig in points])

    def invert(values: Numbers) -> tuple[Numbers, Bools]:
        place = np.clip(np.searchsorted(norms, values, side="right") - 1, 0, len(norms) - 2)
        low, high = norms[place], norms[place + 1]
        scaled = (values - low) / (high - low) * (origs[place + 1] - origs[place]) + origs[place]
        inside = (values >= norms[0]) & (values <= norms[-1])
        return scaled.astype(kind), np.asarray(~inside)

    return invert


def _classification(
    network: _Network, outputs: Sequence[Element], places: dict[str, int], setting: Setting
) -> Callable[[Scope], Prediction]:
    where, names = [], []
    for each in outputs:
        at, found = _output(each, places)
        if local_name(found) != "NormDiscrete":
            raise refuse(found, "the expression is not supported in an output of a network")
        where.append(at)
        names.append(required(found, "value"))
    if len(set(names)) < len(names):
        raise refuse(outputs[0], "two outputs of the network stand for the same class")
    data_type = "string" if setting.target is None else setting.target.type
    try:
        labels = column_of(data_type, [parse(data_type, name) for name in names])
    except ValueError as error:
        raise refuse(outputs[0], f"a class is no {data_type}", str(error)) from None
    by_place = {at: name for name, at in places.items()}
    ids = tuple(by_place[at] for at in where)

    def evaluate(scope: Scope) -> Prediction:
        table, missing, errors = network.evaluate(scope)
        shares = table[:, where].astype(np.float64)
        best = highest(np.where(np.isnan(shares), -np.inf, shares))
        target = Column(data_type, labels.values[best], missing, errors, labels.words)
        entity = Column("string", best.astype(np.int32), None, None, ids)
        return Prediction(target, Classes(tuple(names), shares, gives=("probability",)), {"entityId#1": entity})

    return evaluate
