"""Trees of one or many models as flat arrays, walked together.

Law: a tree of an ensemble gives what it gives alone; joining them is only faster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from styx_lab.models.native.column import Codes, Column, Rows
from styx_lab.models.native.fields import DataField
from styx_lab.models.native.kinds.decisions import BLOCK, Decisions, decide, plan_decisions
from styx_lab.models.native.kinds.forest_kernel import (
    NO_DEFAULT,
    NO_SCORE,
    NOTHING,
    OPERATION,
    STOPPED,
    UNSUPPORTED,
    walk,
)
from styx_lab.models.native.place import children, choice, refuse
from styx_lab.models.native.predicates import FALSE, Predicate, compile_predicate, find_predicate
from styx_lab.models.native.scope import Variables
from styx_lab.models.native.values import parse

__all__ = ["Bound", "Forest", "TreeNodes", "read_tree"]

_STRATEGIES: Final = {
    "none": 0,
    "nullPrediction": 1,
    "lastPrediction": 2,
    "defaultChild": 3,
    "weightedConfidence": 4,
    "aggregateNodes": 4,
}
_LONGEST: Final = 16_384
_WRONG: Final = {
    NO_DEFAULT: "a node of the tree has no default child, and a value that it asks for is missing",
    UNSUPPORTED: "the tree's missingValueStrategy is not supported for a missing value",
    NO_SCORE: "a node of the tree has no score",
}


class TreeNodes:
    """The nodes of one tree, the children of a node in a row."""

    def __init__(self, model: Element) -> None:
        self.strategy = _STRATEGIES[choice(model, "missingValueStrategy", tuple(_STRATEGIES), "none")]
        no_child = choice(
            model, "noTrueChildStrategy", ("returnNullPrediction", "returnLastPrediction"), "returnNullPrediction"
        )
        self.last_without_child = no_child == "returnLastPrediction"
        self.elements: list[Element] = []
        self.ids: list[str] = []
        self.first: list[int] = []
        self.count: list[int] = []
        self.default: list[int] = []
        self.predicates: list[Predicate] = []

    def __len__(self) -> int:
        return len(self.elements)


def read_tree(model: Element, data_fields: Mapping[str, DataField]) -> TreeNodes:
    """The tree of a TreeModel."""
    tree = TreeNodes(model)
    root = next(children(model, "Node"), None)
    if root is None:
        raise refuse(model, "a tree without a Node")
    tag = root.tag
    below: dict[int, list[Element]] = {}
    elements = tree.elements
    elements.append(root)
    for node in elements:  # it grows meanwhile
        inner = [each for each in node if each.tag == tag]
        below[id(node)] = inner
        tree.first.append(len(elements))
        tree.count.append(len(inner))
        elements.extend(inner)
        tree.predicates.append(compile_predicate(find_predicate(node), data_fields))
    numbers = _number(root, below)
    for at, node in enumerate(elements):
        wanted = node.get("defaultChild")
        found = (
            []
            if wanted is None
            else [index for index, each in enumerate(below[id(node)]) if numbers[id(each)] == wanted]
        )
        tree.default.append(tree.first[at] + found[0] if found else -1)
        tree.ids.append(numbers[id(node)])
    if len(set(tree.ids)) < len(tree.ids):
        twice = next(each for each in tree.ids if tree.ids.count(each) > 1)
        raise refuse(root, "two nodes of the tree have the same id", twice)
    return tree


def _number(root: Element, below: Mapping[int, list[Element]]) -> dict[int, str]:
    """Each node's id; without one, its place in the file's order, from 1."""
    found: dict[int, str] = {}
    todo = [root]
    while todo:
        node = todo.pop()
        found[id(node)] = node.get("id") or str(len(found) + 1)
        todo.extend(reversed(below[id(node)]))
    return found


class Forest:
    """Trees that are walked together.

    Args:
        trees: them.
        data_fields: the DataDictionary.
    """

    def __init__(self, trees: Sequence[TreeNodes]) -> None:
        starts = np.cumsum([0, *(len(tree) for tree in trees)])
        self.nodes = int(starts[-1])
        self.roots = starts[:-1].astype(np.int32)
        self.starts = starts
        self.first = _joined([tree.first for tree in trees], starts)
        self.count = np.array([each for tree in trees for each in tree.count], dtype=np.int32)
        self.leaf = self.count == 0
        self._default = _joined([tree.default for tree in trees], starts)
        self.scored = np.array(
            [each.get("score") is not None for tree in trees for each in tree.elements], dtype=np.bool_
        )
        self._strategy = np.array([tree.strategy for tree in trees], dtype=np.int8)
        self.last = np.array([tree.last_without_child for tree in trees], dtype=np.bool_)
        self.predicates = [each for tree in trees for each in tree.predicates]
        self.names = tuple(dict.fromkeys(each.test[0] for each in self.predicates if each.test is not None))
        self._bound: dict[tuple[str, ...], Bound] = {}

    def ends(self, variables: Variables) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], Codes | None]:
        """Where each row ends in each tree (-1 for no prediction), default steps, and errors by row and tree."""
        rows = variables.rows
        columns = [variables.column(name) for name in self.names]
        types = tuple(each.type for each in columns)
        bound = self._bound.get(types)
        if bound is None:
            bound = self._bound[types] = Bound(self.predicates, self.names, types)
            bound.decisions = plan_decisions(
                self.first,
                self.count,
                bound.operation,
                bound.asked,
                bound.threshold,
                self.scored,
                self.roots,
                self.last,
            )
        features, failed = _matrix(columns, bound.used, rows.height)
        truths = [each.evaluate(variables) for each in bound.general]
        general = np.zeros((rows.height, len(truths)), dtype=np.int8)
        for at, truth in enumerate(truths):
            general[:, at] = truth.values if truth.errors is None else np.where(truth.errors != 0, 3, truth.values)
        ends = np.empty((rows.height, len(self.roots)), dtype=np.int32)
        levels = np.zeros_like(ends)
        quick = bound.decisions
        if quick is None:
            self._walk(bound, features, failed, general, ends, levels)
        else:
            gaps = np.isnan(features).any(axis=1) if features.size else np.zeros(rows.height, dtype=np.bool_)
            decide(features, *quick, BLOCK, ends)
            if gaps.any():
                some = np.empty((int(gaps.sum()), len(self.roots)), dtype=np.int32)
                passed = np.zeros_like(some)
                lost = failed[gaps] if len(failed) else failed
                self._walk(bound, features[gaps], lost, general[gaps], some, passed)
                ends[gaps], levels[gaps] = some, passed
        errors: Codes | None = None
        if ends.size and ends.min() < NOTHING:
            errors = self._errors(ends, columns, bound, [truth.errors for truth in truths], rows)
        return ends, levels, errors

    def _walk(
        self,
        bound: Bound,
        features: npt.NDArray[np.float64],
        failed: npt.NDArray[np.bool_],
        general: npt.NDArray[np.int8],
        ends: npt.NDArray[np.int32],
        levels: npt.NDArray[np.int32],
    ) -> None:
        walk(
            features,
            failed,
            general,
            self.first,
            self.count,
            bound.operation,
            bound.asked,
            bound.threshold,
            self._default,
            self.scored,
            self.roots,
            self._strategy,
            self.last,
            ends,
            levels,
        )

    def _errors(
        self,
        ends: npt.NDArray[np.int32],
        columns: Sequence[Column],
        bound: Bound,
        general: Sequence[Codes | None],
        rows: Rows,
    ) -> Codes:
        errors = np.zeros(ends.shape, dtype=np.int32)
        for what, text in _WRONG.items():
            where = ends == what
            if where.any():
                errors[where] = rows.error(text)
        sources: list[Codes | None] = [columns[at].errors for at in bound.used]
        sources.extend(general)
        for at, source in enumerate(sources):
            where = ends == STOPPED - at
            if source is not None and where.any():
                errors[where] = np.broadcast_to(np.broadcast_to(source, (rows.height,))[:, None], ends.shape)[where]
        ends[ends < NOTHING] = NOTHING
        return errors


def _joined(lists: Sequence[Sequence[int]], starts: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    parts = [
        np.where(np.array(each, dtype=np.int64) < 0, -1, np.array(each, dtype=np.int64) + start)
        for each, start in zip(lists, starts[:-1], strict=True)
    ]
    return np.concatenate(parts).astype(np.int32)


class Bound:
    """What the nodes ask, for certain types of columns."""

    def __init__(self, predicates: Sequence[Predicate], names: Sequence[str], types: Sequence[str]) -> None:
        plain = [at for at, data_type in enumerate(types) if data_type != "string"]
        place = {names[at]: (index, types[at]) for index, at in enumerate(plain)}
        self.used = plain
        self.decisions: Decisions | None = None
        self.general: list[Predicate] = []
        known: dict[object, int] = {}
        size = len(predicates)
        self.operation = np.zeros(size, dtype=np.int8)
        self.asked = np.zeros(size, dtype=np.int32)
        self.threshold = np.zeros(size, dtype=np.float64)
        parsed: dict[tuple[str, str], float | None] = {}
        for at, predicate in enumerate(predicates):
            if predicate.constant is not None:
                self.operation[at] = OPERATION["false" if predicate.constant == FALSE else "true"]
                continue
            test = predicate.test
            if test is not None and test[0] in place:
                index, data_type = place[test[0]]
                key = (data_type, test[2])
                if key not in parsed:
                    parsed[key] = _threshold(data_type, test[2])
                value = parsed[key] if test[1] not in ("isMissing", "isNotMissing") else 0.0
                if value is not None:
                    self.operation[at] = OPERATION[test[1]]
                    self.asked[at] = index
                    self.threshold[at] = value
                    continue
            self.operation[at] = OPERATION["general"]
            if predicate.key not in known:
                known[predicate.key] = len(self.general)
                self.general.append(predicate)
            self.asked[at] = known[predicate.key]


def _threshold(data_type: str, text: str) -> float | None:
    try:
        return float(parse("double" if data_type == "integer" else data_type, text))
    except ValueError:
        return None


def _matrix(
    columns: Sequence[Column], used: Sequence[int], height: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """The columns side by side, NaN where a value is missing or cannot be had, and where the latter is so."""
    features = np.empty((height, len(used)), dtype=np.float64)
    bad: npt.NDArray[np.bool_] | None = None
    for at, index in enumerate(used):
        column = columns[index]
        features[:, at] = column.values
        if column.missing is not None:
            features[np.broadcast_to(column.missing, (height,)), at] = np.nan
        if column.errors is not None:
            where: Any = np.broadcast_to(column.errors != 0, (height,))
            features[where, at] = np.nan
            if bad is None:
                bad = np.zeros((height, len(used)), dtype=np.bool_)
            bad[:, at] = where
    return features, np.zeros((0, 0), dtype=np.bool_) if bad is None else bad
