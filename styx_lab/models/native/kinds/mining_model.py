"""MiningModel: several models as one, by choice, by combination, or one after the other.

Law: a part is evaluated in rows where its predicate is true; an error of a part is an error of those rows. Parts that
are plain trees are walked together, which changes nothing but the time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from styx_lab.models.native.column import Bools, Codes, Column, Rows, first_error, pick
from styx_lab.models.native.grammar import MODEL_ATTRIBUTES, MODEL_CHILDREN, PREDICATES, Grammar
from styx_lab.models.native.kinds.ensemble import Ensemble, join_trees
from styx_lab.models.native.kinds.votes import (
    CLASS_METHODS,
    NUMBER_METHODS,
    Part,
    combine_classes,
    combine_numbers,
    missing_parts,
)
from styx_lab.models.native.model import Answer, CompiledModel
from styx_lab.models.native.place import child, children, choice, number, refuse
from styx_lab.models.native.plain import Inputs, Matrix, PlainModel, Resolve, Source
from styx_lab.models.native.predicates import TRUE, Predicate, compile_predicate, find_predicate
from styx_lab.models.native.prediction import Classes, Prediction
from styx_lab.models.native.quick import plan_part
from styx_lab.models.native.scope import Scope
from styx_lab.models.native.setting import Setting
from styx_lab.models.native.values import cast, constant
from styx_lab.models.summary import MODEL_KINDS, local_name

__all__ = ["GRAMMAR", "Segment", "compile_model"]

_MODELS: Final = (
    "AnomalyDetectionModel ClusteringModel GeneralRegressionModel MiningModel NaiveBayesModel NearestNeighborModel "
    "NeuralNetwork RegressionModel RuleSetModel Scorecard SupportVectorMachineModel TreeModel"
)
GRAMMAR: Final[Grammar] = {
    "MiningModel": (f"{MODEL_ATTRIBUTES} x-mathContext", f"{MODEL_CHILDREN} Segmentation"),
    "Segmentation": ("multipleModelMethod missingPredictionTreatment missingThreshold", "Segment"),
    "Segment": ("id weight", f"{PREDICATES} {_MODELS}"),
}
_CHAINS: Final = ("modelChain", "x-multiModelChain")
_METHODS: Final = (*NUMBER_METHODS, "max", "majorityVote", "weightedMajorityVote", "selectFirst", *_CHAINS)


@dataclass(frozen=True, slots=True)
class Segment:
    """One part: its id, when it takes part, what it counts, and its model."""

    id: str
    predicate: Predicate
    weight: float
    model: CompiledModel

    def active(self, scope: Scope) -> tuple[Bools, Codes | None]:
        """Where it takes part, and the errors of finding that out."""
        if self.predicate.constant is not None:
            return np.array([self.predicate.constant == TRUE]), None
        truth = self.predicate.evaluate(scope)
        return np.asarray(truth.values == TRUE), truth.errors

    def answer(self, scope: Scope) -> Answer:
        """What its model tells, in every row."""
        return self.model.answer(scope.inner(self.model.names))


def compile_model(node: Element, setting: Setting) -> Callable[[Scope], Prediction]:
    """Compile a MiningModel."""
    block = child(node, "Segmentation")
    if block is None:
        raise refuse(node, "a MiningModel without a Segmentation is not supported")
    method = choice(block, "multipleModelMethod", _METHODS)
    treatment = choice(block, "missingPredictionTreatment", ("continue", "skipSegment", "returnMissing"), "continue")
    if method in _CHAINS and treatment == "skipSegment":
        raise refuse(block, "missingPredictionTreatment='skipSegment' is not valid for a chain")
    threshold = number(block, "missingThreshold", 1.0)
    segments = []
    for at, each in enumerate(children(block, "Segment"), 1):
        inner = [one for one in each if local_name(one) in MODEL_KINDS]
        if len(inner) != 1:
            raise refuse(each, "a Segment without a model of its own")
        predicate = compile_predicate(find_predicate(each), setting.data_fields)
        model = setting.compile_inner(inner[0])
        segments.append(Segment(each.get("id") or str(at), predicate, number(each, "weight", 1.0), model))
    if not segments:
        raise refuse(block, "a Segmentation without a Segment")
    if method in _CHAINS:
        return _Chain(segments, treatment, several=method != "modelChain")
    if method == "selectFirst":
        return _First(segments, treatment)
    return _Combined(segments, method, treatment, threshold, setting)


class _Combined:
    """All parts together."""

    def __init__(
        self, segments: list[Segment], method: str, treatment: str, threshold: float, setting: Setting
    ) -> None:
        self._segments = segments
        self._method = method
        self._treatment = treatment
        self._threshold = threshold
        self._setting = setting
        self._ensemble: Ensemble | None = join_trees(segments)
        allowed = CLASS_METHODS if setting.function == "classification" else NUMBER_METHODS
        self._valid = method in allowed and setting.function in ("classification", "regression")

    def plain(self, resolve: Resolve, inputs: Inputs) -> PlainModel | None:
        """The way for batches in which nothing is missing."""
        if self._ensemble is None or not self._valid or self._setting.single:
            return None
        return self._ensemble.plain(self._method, resolve)

    def __call__(self, scope: Scope) -> Prediction:
        """Evaluate it."""
        rows = scope.rows
        setting = self._setting
        single = setting.single
        parts: list[Part] = []
        errors: Codes | None = None
        lost: Bools = np.zeros(1, dtype=np.bool_)  # where nothing more is looked at
        if self._ensemble is not None:
            quick = self._ensemble.combine(scope, self._method, single=single) if self._valid else None
            if quick is not None:
                return _sealed(quick, rows)
            parts, errors = self._ensemble.parts(scope, skip_lost=self._treatment == "returnMissing")
        else:
            for each in self._segments:
                active, failed = each.active(scope)
                answer = each.answer(scope)
                wrong = first_error(failed, _where(active, answer.errors()))
                errors = first_error(errors, _where(~lost, wrong))
                if self._treatment == "returnMissing":
                    lost = lost | (active & answer.prediction.target.gaps)
                parts.append(Part(active, answer.prediction.target, answer.prediction.classes, each.weight))
        missing = missing_parts(
            parts, self._treatment, self._threshold, rows.height, votes=self._method.endswith("ajorityVote")
        )
        if not self._valid:
            nothing = np.zeros(1, dtype=np.bool_) if self._treatment != "returnMissing" else missing
            text = rows.error(f"multipleModelMethod={self._method!r} is not valid for a {setting.function}")
            errors = first_error(errors, np.where(nothing, np.int32(0), np.int32(text)))
            return Prediction(Column.nothing().with_errors(errors))
        if setting.function == "regression":
            numbers = [Part(each.active, cast(each.target, "double", rows), None, each.weight) for each in parts]
            for part in numbers:
                errors = first_error(errors, _where(part.active, part.target.errors))
            prediction = combine_numbers(numbers, self._method, missing, rows, single=single)
        else:
            data_type = "string" if setting.target is None else setting.target.type
            skip = self._treatment == "skipSegment"
            prediction = combine_classes(parts, self._method, missing, setting.classes, data_type, rows, skip=skip)
        prediction.target = prediction.target.with_errors(errors)
        return _sealed(prediction, rows)


def _sealed(prediction: Prediction, rows: Rows) -> Prediction:
    """A combination is nobody's entity, and nobody is confident of it."""
    prediction.features["entityId#1"] = Column.failed(rows.error("the model gives no entityId"), "string")
    prediction.always_entity = True
    if prediction.classes is not None:
        prediction.classes.kind = "combined"
    return prediction


def _where(active: Bools, errors: Codes | None) -> Codes | None:
    return None if errors is None else np.where(active, errors, np.int32(0))


class _First:
    """The first part that takes part."""

    def __init__(self, segments: list[Segment], treatment: str) -> None:
        self._segments = segments
        self._treatment = treatment

    def __call__(self, scope: Scope) -> Prediction:
        """Evaluate it."""
        merge = _Merge(scope)
        open_rows: Bools = np.ones(scope.rows.height, dtype=np.bool_)
        for each in self._segments:
            active, failed = each.active(scope)
            merge.fail(_where(open_rows, failed))
            if failed is not None:
                open_rows = open_rows & (failed == 0)
            chosen = open_rows & active
            if not chosen.any():
                continue
            answer = each.answer(scope)
            if self._treatment == "skipSegment":
                gaps = answer.prediction.target.gaps
                failures = answer.errors()
                if failures is not None:
                    gaps = gaps & (failures == 0)
                chosen = chosen & ~gaps
            merge.take(np.asarray(chosen), each, answer)
            open_rows = open_rows & ~chosen
        return merge.result()


class _Chain:
    """One part after the other; later ones see what earlier ones told."""

    def __init__(self, segments: list[Segment], treatment: str, *, several: bool) -> None:
        self._segments = segments
        self._treatment = treatment
        self._several = several

    def plain(self, resolve: Resolve, inputs: Inputs) -> PlainModel | None:
        """The way for batches in which nothing is missing."""
        if self._several or any(each.predicate.constant != TRUE for each in self._segments):
            return None
        seen: dict[str, Source] = {}
        before: list[tuple[PlainModel, list[int]]] = []
        for each in self._segments:
            found = plan_part(each.model, lambda name: seen.get(name) or resolve(name), inputs)
            if found is None:
                return None
            if each is self._segments[-1]:
                break
            told: list[int] = []
            for output in each.model.outputs:
                if found.classes or output.feature != "predictedValue":
                    return None
                told.append(inputs.spare())
                seen[output.name] = Source(told[-1], "double")
            before.append((found, told))
        last = found
        assert last is not None  # a chain has a part

        def tell(matrix: Matrix, only: int) -> npt.NDArray[np.float64] | None:
            for model, columns in before:
                values = model.tell(matrix, -1)
                if values is None or not bool(np.isfinite(values).all()):
                    return None
                for column in columns:
                    matrix[column] = values
            return last.tell(matrix, only)

        heavy = any(model.heavy for model, _ in before) or last.heavy
        return PlainModel(tell, last.classes, last.labels, heavy)

    def __call__(self, scope: Scope) -> Prediction:
        """Evaluate it."""
        rows = scope.rows
        merge = _Merge(scope)
        lost = np.zeros(rows.height, dtype=np.bool_)
        further: dict[str, Column] = {}
        for each in self._segments:
            active, failed = each.active(scope)
            merge.fail(_where(~lost, failed))
            answer = each.answer(scope)
            active = np.asarray(np.broadcast_to(active, (rows.height,))) & ~lost
            merge.take(active, each, answer, keep=self._several)
            for name in answer.outputs:
                scope.define(name, _seen(active, answer.reference(name), name, rows))
            told = [output.name for output in each.model.outputs if not output.from_expression]
            if told and self._treatment == "continue":
                text = np.int32(rows.error(f"the value of field {told[0]!r} is not defined"))
                merge.fail(np.where(active & answer.prediction.target.gaps, text, np.int32(0)))
            if self._treatment == "returnMissing":
                lost |= active & answer.prediction.target.gaps
            if self._several:
                if each.model.target_name is not None:
                    further[each.model.target_name] = answer.prediction.target
                further.update(answer.others)
        prediction = merge.result()
        if lost.any():
            target = prediction.target.full(rows.height)
            prediction.target = Column(target.type, target.values, target.gaps | lost, target.errors, target.words)
        if self._several and further:
            first = self._segments[0].model.target_name
            if first in further:
                prediction.target = further.pop(first).with_errors(merge.errors)
            prediction.further = further
            prediction.classes = None
        return prediction


def _seen(active: Bools, column: Column, name: str, rows: Rows) -> Column:
    """An output of a part as later parts see it: not at all where that part was left out."""
    if active.all():
        return column
    undefined = np.where(active, np.int32(0), np.int32(rows.error(f"field {name!r} is not defined")))
    return Column(column.type, column.values, column.missing, undefined, column.words).with_errors(
        _where(active, column.errors)
    )


class _Merge:
    """The answers of different parts in different rows, as one."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._height = scope.rows.height
        self._target: Column | None = None
        self._classes: Classes | None = None
        self._features: dict[str, Column] = {}
        self._carried: dict[str, Column] = {}
        self.errors: Codes | None = None
        self._taken = np.zeros(self._height, dtype=np.bool_)

    def fail(self, errors: Codes | None) -> None:
        """Take note of errors."""
        self.errors = first_error(self.errors, errors)

    def take(self, where: Bools, segment: Segment, answer: Answer, *, keep: bool = False) -> None:
        """Let a part answer for some rows; `keep` its outputs beside those of other parts."""
        rows = self._scope.rows
        self.fail(_where(where, answer.errors()))
        prediction = answer.prediction
        name_column = constant("string", segment.id)
        if self._target is None or bool(where.all()):
            everywhere = bool(where.all())
            target = prediction.target
            self._target = target if everywhere else _only(where, target)
            self._classes = prediction.classes
            self._features = dict(prediction.features)
            self._features["entityId#1"] = name_column
            told = {name: column if everywhere else _only(where, column) for name, column in answer.outputs.items()}
            self._carried = {**self._carried, **told} if keep else told
            self._taken = self._taken | where
            return
        other = cast(prediction.target, self._target.type, rows)
        self._target = pick(where, _clean(other), _clean(self._target))
        self._classes = _merge_classes(where, prediction.classes, self._classes, rows)
        features = {}
        for key in {**self._features, **prediction.features, "entityId#1": name_column}:
            mine = name_column if key == "entityId#1" else prediction.features.get(key)
            before = self._features.get(key)
            if mine is None or before is None:
                missing = Column.failed(rows.error(f"the model gives no {key.partition('#')[0]}"))
                mine, before = mine or missing, before or missing
            if mine.type == before.type:
                features[key] = pick(where, mine, before)
        self._features = features
        carried = {}
        for name, column in answer.outputs.items():
            earlier = self._carried.get(name)
            alike = earlier is not None and earlier.type == column.type
            carried[name] = pick(where, column, earlier) if earlier is not None and alike else _only(where, column)
        for name, column in self._carried.items():
            if name not in carried:
                carried[name] = column if keep else _only(~where, column)
        self._carried = carried
        self._taken = self._taken | where

    def result(self) -> Prediction:
        """The whole."""
        target = Column.nothing() if self._target is None else _clean(self._target)
        if not self._taken.all():
            target = target.full(self._height)
            target = Column(target.type, target.values, target.gaps | ~self._taken, None, target.words)
        # Errors of parts count in their own rows; those of targets and outputs are among them.
        carried = {name: _clean(column) for name, column in self._carried.items()}
        prediction = Prediction(target.with_errors(self.errors), self._classes, self._features, {}, carried)
        prediction.always_entity = True
        return prediction


def _only(where: Bools, column: Column) -> Column:
    """A column that is missing elsewhere."""
    return Column(column.type, column.values, column.gaps | ~where, _where(where, column.errors), column.words)


def _clean(column: Column) -> Column:
    """A column whose errors are kept elsewhere."""
    return column if column.errors is None else Column(column.type, column.values, column.missing, None, column.words)


def _merge_classes(where: Bools, mine: Classes | None, before: Classes | None, rows: Rows) -> Classes | None:
    """The classes of one part in some rows, of an earlier one in the others; where that part has none is an error."""
    if mine is None and before is None:
        return None
    names = tuple(dict.fromkeys(name for each in (before, mine) if each is not None for name in each.names))
    values = np.zeros((rows.height, len(names)))
    confidences = np.zeros((rows.height, len(names)))
    errors = np.zeros(rows.height, dtype=np.int32)
    for classes, chosen in ((before, ~where), (mine, where)):
        if classes is None:
            errors[chosen] = rows.error("the model gives no probability")
            continue
        for at, name in enumerate(classes.names):
            column = names.index(name)
            values[chosen, column] = classes.values[chosen, at]
            table = classes.values if classes.confidences is None else classes.confidences
            confidences[chosen, column] = table[chosen, at]
        if classes.errors is not None:
            errors[chosen] = np.broadcast_to(classes.errors, (rows.height,))[chosen]
    kind = next(each.kind for each in (mine, before) if each is not None)
    return Classes(names, values, kind, confidences, errors if errors.any() else None)
