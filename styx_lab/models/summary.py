"""What a PMML file says of its model: the inputs it needs, its target, its outputs, and rows to verify it with.

Law: the summary is read from the file alone, in the file's order, so every evaluator is asked for the same columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from xml.etree.ElementTree import Element

import polars as pl

from styx_lab.errors import ModelError
from styx_lab.models.fields import InputField, read_input_field

__all__ = [
    "MODEL_KINDS",
    "NAMED",
    "TRAITS",
    "OutputField",
    "PmmlSummary",
    "Verification",
    "VerificationField",
    "local_name",
    "positive_class",
    "read_summary",
]

MODEL_KINDS: Final = (
    "AnomalyDetectionModel",
    "AssociationModel",
    "BaselineModel",
    "BayesianNetworkModel",
    "ClusteringModel",
    "GaussianProcessModel",
    "GeneralRegressionModel",
    "MiningModel",
    "NaiveBayesModel",
    "NearestNeighborModel",
    "NeuralNetwork",
    "RegressionModel",
    "RuleSetModel",
    "Scorecard",
    "SequenceModel",
    "SupportVectorMachineModel",
    "TextModel",
    "TimeSeriesModel",
    "TreeModel",
)
"""The model elements of PMML 4.4."""

TRAITS: Final = ("missingValueStrategy", "noTrueChildStrategy", "criterion", "x-mathContext", "multipleModelMethod")

"""Attributes on which evaluators differ."""

NAMED: Final = ("NumericPredictor", "CategoricalPredictor", "PPCell", "BayesInput")
"""Elements that refer to a field by a name of their own."""


@dataclass(frozen=True, slots=True)
class OutputField:
    """A column of a model's answer.

    Attributes:
        name: of the column.
        feature: what it is: `predictedValue`, `probability`, `transformedValue`, ...
        value: the class a probability is for.
        data_type: PMML's word, if the file says.
    """

    name: str
    feature: str
    value: str | None
    data_type: str | None


@dataclass(frozen=True, slots=True)
class VerificationField:
    """A column of the embedded verification rows, and how near an answer must come."""

    name: str
    precision: float
    zero_threshold: float


@dataclass(frozen=True, slots=True)
class Verification:
    """Rows that were embedded at export with the answers the model gave then; a missing value is left out."""

    fields: tuple[VerificationField, ...]
    rows: tuple[dict[str, str], ...]


@dataclass(frozen=True, slots=True)
class PmmlSummary:
    """What `check_pmml` found.

    Attributes:
        name: what the model is called in messages: `fraud@3`.
        version: of PMML.
        kind: the model element: `RegressionModel`, `MiningModel`, ...
        function: `classification`, `regression`, `clustering`, ...
        fields: the inputs the model needs, in the file's order.
        target: the (first) target field, `None` when it only has outputs.
        target_type: the target's PMML dataType.
        outputs: the columns of its answer that the file names.
        classes: the classes of a classifier, in the file's order.
        verification: the embedded verification rows, if there are any.
        used: the field names that the model or its transformations refer to.
        traits: settings on which evaluators differ, as `TreeModel@missingValueStrategy=nullPrediction`.
    """

    name: str
    version: str
    kind: str
    function: str
    fields: tuple[InputField, ...]
    target: str | None
    target_type: str | None
    outputs: tuple[OutputField, ...] = ()
    classes: tuple[str, ...] = ()
    verification: Verification | None = field(default=None, repr=False)
    used: frozenset[str] = field(default=frozenset(), repr=False)
    traits: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def inputs(self) -> dict[str, pl.DataType]:
        """The columns the model needs, with their Polars types."""
        return {each.name: each.dtype for each in self.fields}

    def output_of(self, feature: str, value: str | None = None) -> OutputField | None:
        """The first output of a kind, for a class when one is given."""
        for output in self.outputs:
            if output.feature == feature and (value is None or output.value == value):
                return output
        return None


def positive_class(classes: Sequence[str]) -> str:
    """The class whose probability is the score of a binary classifier: `1`, else `true`, else the last.

    >>> positive_class(["no", "yes"]), positive_class(["1", "0"]), positive_class(["true", "false"])
    ('yes', '1', 'true')
    """
    for wanted in ("1", "1.0", "true"):
        for each in classes:
            if each.lower() == wanted:
                return each
    return classes[-1]


def local_name(node: Element) -> str:
    """The name of an element without its namespace."""
    return node.tag.rpartition("}")[2]


def read_summary(
    root: Element, *, name: str, used: frozenset[str] | None = None, traits: frozenset[str] | None = None
) -> PmmlSummary:
    """Read a parsed PMML file, or its outline; `guard.check_pmml` is the way in.

    Args:
        root: the file.
        name: what to call the model.
        used: what the file makes use of; looked for where it is not given, which takes the whole file.
        traits: its settings; looked for likewise.

    Raises:
        ModelError: when there is no model, no target and no output, or an input is not declared.
    """
    where = f"model {name!r}"
    model = next((node for node in root if local_name(node) in MODEL_KINDS), None)
    if model is None:
        raise ModelError("the PMML file has no model in it", where=where, hint="export the whole pipeline")
    if model.get("isScorable", "true") in ("false", "0"):
        raise ModelError("the PMML file says that its model is not for scoring (isScorable)", where=where)
    function = model.get("functionName", "")
    if not function:
        raise ModelError("its model has no functionName", where=where, hint="export it again")
    declared = {each.get("name", ""): each for each in _children(root, "DataDictionary", "DataField")}
    mining = _children(model, "MiningSchema", "MiningField")
    outputs = tuple(_output(node) for node in _children(_answering(model), "Output", "OutputField"))
    targets = [each.get("name", "") for each in mining if each.get("usageType") in ("target", "predicted")]
    if not targets and not outputs:
        raise ModelError(
            f"No valid target: model {name!r} has neither a target field nor an output",
            hint="fit the pipeline with a named target column and export it again",
        )
    fields = []
    for each in mining:
        if each.get("usageType", "active") != "active":
            continue
        column = each.get("name", "")
        if column not in declared:
            raise ModelError(f"input {column!r} is not in the DataDictionary", where=where, hint="export it again")
        fields.append(read_input_field(declared[column], each, where=where))
    target = targets[0] if targets else None
    data = declared.get(target) if target is not None else None
    return PmmlSummary(
        name=name,
        version=root.get("version", ""),
        kind=local_name(model),
        function=function,
        fields=tuple(fields),
        target=target,
        target_type=data.get("dataType") if data is not None else None,
        outputs=outputs,
        classes=_classes(data, outputs) if function == "classification" else (),
        verification=_verification(model, where),
        used=_used(root) if used is None else used,
        traits=_traits(root) if traits is None else traits,
    )


def _used(root: Element) -> frozenset[str]:
    names = set()
    for node in root.iter():
        tag = local_name(node)
        if tag in ("MiningField", "DataField", "OutputField", "VerificationField"):
            continue
        if tag in NAMED:
            names |= {node.get("name", ""), node.get("predictorName", ""), node.get("fieldName", "")}
        names |= {node.get("field", ""), node.get("textField", "")}
    return frozenset(names - {""})


def _traits(root: Element) -> frozenset[str]:
    found = set()
    for node in root.iter():
        for attribute in TRAITS:
            value = node.get(attribute)
            if value is not None:
                found.add(f"{local_name(node)}@{attribute}={value}")
        if node.get("value") in ("INF", "-INF"):
            found.add(f"{local_name(node)}@value=INF")
    return frozenset(found)


def _answering(model: Element) -> Element:
    """The model whose Output is the answer: the last of a chain when the chain itself names none."""
    while local_name(model) == "MiningModel" and not _children(model, "Output", "OutputField"):
        segmentation = next((node for node in model if local_name(node) == "Segmentation"), None)
        if segmentation is None or segmentation.get("multipleModelMethod") not in ("modelChain", "x-multiModelChain"):
            break
        last = [node for node in segmentation if local_name(node) == "Segment"][-1:]
        inner = next((node for segment in last for node in segment if local_name(node) in MODEL_KINDS), None)
        if inner is None:
            break
        model = inner
    return model


def _children(node: Element, outer: str, inner: str) -> list[Element]:
    return [each for block in node if local_name(block) == outer for each in block if local_name(each) == inner]


def _output(node: Element) -> OutputField:
    return OutputField(
        node.get("name", ""), node.get("feature", "predictedValue"), node.get("value"), node.get("dataType")
    )


def _classes(target: Element | None, outputs: tuple[OutputField, ...]) -> tuple[str, ...]:
    values = [] if target is None else [node for node in target if local_name(node) == "Value"]
    declared = tuple(node.get("value", "") for node in values if node.get("property", "valid") == "valid")
    if declared:
        return declared
    named = [each.value for each in outputs if each.feature == "probability" and each.value is not None]
    return tuple(dict.fromkeys(named))


def _verification(model: Element, where: str) -> Verification | None:
    block = next((node for node in model if local_name(node) == "ModelVerification"), None)
    if block is None:
        return None
    columns = {}
    for node in _children(block, "VerificationFields", "VerificationField"):
        name = node.get("field", "")
        try:
            known = VerificationField(
                name, float(node.get("precision", "1e-6")), float(node.get("zeroThreshold", "1e-16"))
            )
        except ValueError:
            raise ModelError("its verification has a precision that is no number", where=where, got=name) from None
        # The column is a prefixed XML name; its rows are bound to that prefix's namespace.
        columns[node.get("column", name).rpartition(":")[2]] = known
    rows = []
    for row in _children(block, "InlineTable", "row"):
        rows.append({columns[local_name(cell)].name: cell.text or "" for cell in row if local_name(cell) in columns})
    return Verification(tuple(columns.values()), tuple(rows))
