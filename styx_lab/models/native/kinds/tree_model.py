"""TreeModel: a decision tree of any predicates, for a number or a class.

Law: the way down is the reference's: children in the file's order, the first that is true; what an unknown predicate or
no true child means is said by the file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from styx_lab.models.native.column import Codes, Column, Rows, first_error
from styx_lab.models.native.grammar import MODEL_ATTRIBUTES, MODEL_CHILDREN, PREDICATES, Grammar
from styx_lab.models.native.kinds.forest import Forest, TreeNodes, read_tree
from styx_lab.models.native.kinds.forest_plain import plan_forest
from styx_lab.models.native.place import choice, number, optional_number, refuse, required
from styx_lab.models.native.plain import Inputs, Matrix, PlainModel, Resolve
from styx_lab.models.native.prediction import Classes, Prediction
from styx_lab.models.native.scope import Scope
from styx_lab.models.native.setting import Setting
from styx_lab.models.native.values import parse

__all__ = ["GRAMMAR", "Leaves", "Tree", "compile_model"]

_FURTHER: Final = "splitCharacteristic x-mathContext"
GRAMMAR: Final[Grammar] = {
    "TreeModel": (
        f"{MODEL_ATTRIBUTES} missingValueStrategy missingValuePenalty noTrueChildStrategy {_FURTHER}",
        f"{MODEL_CHILDREN} Node",
    ),
    "Node": ("id score recordCount defaultChild", f"{PREDICATES} Partition ScoreDistribution Node"),
    "ScoreDistribution": ("value recordCount confidence probability", ""),
    "Partition": ("*", "*"),
}


class Leaves:
    """What the nodes of trees say: numbers, or labels and distributions."""

    def __init__(self, elements: list[Element], setting: Setting) -> None:
        self.data_type = "double" if setting.target is None else setting.target.type
        self.wrong = np.array([each.get("score") is None for each in elements], dtype=np.bool_)
        if setting.function == "regression":
            self.data_type = "float" if setting.single else "double"
            self._read_numbers(elements)
        else:
            if setting.target is None:
                self.data_type = "string"
            self._read_labels(elements, setting)

    def _read_numbers(self, elements: list[Element]) -> None:
        kind: Any = np.float32 if self.data_type == "float" else np.float64
        scores = np.zeros(len(elements), dtype=kind)
        for at, each in enumerate(elements):
            text = each.get("score")
            if text is not None:
                try:
                    scores[at] = parse(self.data_type, text)
                except ValueError:
                    self.wrong[at] = True
        self.scores = scores

    def _read_labels(self, elements: list[Element], setting: Setting) -> None:
        words: dict[str, int] = {}
        # In the order of the distributions: among equals the first counts.
        classes: dict[str, int] = {}
        found: list[list[Element]] = []
        spaces = {each.tag.rpartition("}")[0] for each in elements}
        tags = {f"{space}}}ScoreDistribution" if space else "ScoreDistribution" for space in spaces}
        for each in elements:
            distribution = [entry for entry in each if entry.tag in tags]
            found.append(distribution)
            for entry in distribution:
                classes.setdefault(required(entry, "value"), 0)
        for name in setting.classes:
            classes.setdefault(name, 0)
        self.classes = tuple(classes)
        place = {name: at for at, name in enumerate(self.classes)}
        self.labels = np.zeros(len(elements), dtype=np.int32)
        self.shares = np.zeros((len(elements), len(self.classes)))
        self.confidences = np.zeros((len(elements), len(self.classes)))
        self.shared = np.zeros(len(elements), dtype=np.bool_)
        for at, (each, distribution) in enumerate(zip(elements, found, strict=True)):
            self.labels[at] = words.setdefault(each.get("score", ""), len(words))
            if not distribution:
                continue
            self.shared[at] = True
            counts = [number(entry, "recordCount") for entry in distribution]
            total = sum(counts)
            for entry, count in zip(distribution, counts, strict=True):
                column = place[entry.get("value", "")]
                share = optional_number(entry, "probability")
                if share is None:
                    share = count / total if total else float("nan")
                self.shares[at, column] = share
                if (confidence := optional_number(entry, "confidence")) is not None:
                    self.confidences[at, column] = confidence
        self.words = tuple(words)
        self.label_values: Any = []
        for word in self.words:
            try:
                self.label_values.append(parse(self.data_type, word))
            except ValueError:
                self.label_values.append(None)
        unread = np.array([each is None for each in self.label_values], dtype=np.bool_)
        self.wrong |= unread[self.labels]


class Tree:
    """A compiled TreeModel.

    Attributes:
        nodes: its nodes, for an ensemble that walks many trees at once.
        setting: its surroundings.
        elements: its Node elements, in the order of its nodes.
    """

    def __init__(self, node: Element, setting: Setting) -> None:
        self.setting = setting
        self.nodes: TreeNodes = read_tree(node, setting.data_fields)
        self.elements = self.nodes.elements
        self._penalty = number(node, "missingValuePenalty", 1.0)
        self._forest: Forest | None = None
        self._leaves: Leaves | None = None

    def plain(self, resolve: Resolve, inputs: Inputs) -> PlainModel | None:
        """The way for batches in which nothing is missing; its label is the leaf's own, so that is not told."""
        if self.setting.single:
            return None
        forest, leaves = Forest([self.nodes]), Leaves(self.elements, self.setting)
        number = self.setting.function == "regression"
        said = leaves.scores.astype(np.float64)[None, :].copy() if number else leaves.shares.T.copy()
        said[:, leaves.wrong if number else leaves.wrong | ~leaves.shared] = np.nan
        plain = plan_forest(forest, said, resolve)
        if plain is None:
            return None

        def tell(matrix: Matrix, only: int) -> npt.NDArray[np.float64] | None:
            sums = plain.sums(matrix, only)
            return sums if sums is None or not (number or only >= 0) else sums[0]

        return PlainModel(tell, () if number else leaves.classes)

    def __call__(self, scope: Scope) -> Prediction:
        """Evaluate it."""
        if self._forest is None or self._leaves is None:
            self._forest, self._leaves = Forest([self.nodes]), Leaves(self.elements, self.setting)
        leaves, rows = self._leaves, scope.rows
        ends, levels, stopped = self._forest.ends(scope)
        at = ends[:, 0]
        missing = at < 0
        known = np.where(missing, 0, at)
        errors: Codes | None = None if stopped is None else stopped[:, 0]
        if leaves.wrong.any():
            wrong = leaves.wrong[known] & ~missing
            text = rows.error("the node of the tree has no score that can be read")
            errors = first_error(errors, np.where(wrong, np.int32(text), np.int32(0)))
        gaps = missing if missing.any() else None
        if self.setting.function == "regression":
            prediction = Prediction(Column(leaves.data_type, leaves.scores[known], gaps, errors))
        else:
            prediction = self._classify(leaves, known, levels[:, 0], gaps, errors, rows)
        ids = Column("string", known.astype(np.int32), gaps, None, tuple(self.nodes.ids))
        prediction.features["entityId#1"] = ids
        return prediction

    def _classify(
        self,
        leaves: Leaves,
        known: npt.NDArray[np.int32],
        levels: npt.NDArray[np.int32],
        gaps: npt.NDArray[np.bool_] | None,
        errors: Codes | None,
        rows: Rows,
    ) -> Prediction:
        confidences = leaves.confidences[known]
        if self._penalty != 1.0:
            confidences = confidences * np.power(self._penalty, levels)[:, None]
        shared = leaves.shared[known]
        failed = None
        if not shared.all():
            error = np.int32(rows.error("the node of the tree has no ScoreDistribution"))
            failed = np.where(shared, np.int32(0), error)
        classes = Classes(leaves.classes, leaves.shares[known], confidences=confidences, errors=failed)
        return Prediction(label_column(leaves, known, gaps, errors), classes)


def label_column(
    leaves: Leaves, known: npt.NDArray[np.int32], gaps: npt.NDArray[np.bool_] | None, errors: Codes | None
) -> Column:
    """The labels of the nodes that rows ended at."""
    codes = leaves.labels[known]
    if leaves.data_type == "string":
        return Column("string", codes, gaps, errors, leaves.words)
    values = np.array([0 if each is None else each for each in leaves.label_values])
    return Column(leaves.data_type, values[codes], gaps, errors)


def compile_model(node: Element, setting: Setting) -> Callable[[Scope], Prediction]:
    """Compile a TreeModel."""
    if setting.function not in ("regression", "classification"):
        raise refuse(node, f"functionName={setting.function!r} is not supported here")
    choice(node, "splitCharacteristic", ("binarySplit", "multiSplit"), "multiSplit")
    return Tree(node, setting)
