"""An ensemble whose parts are plain trees: all of them in one walk.

Law: it gives what its trees give one by one, added in the file's order. Where a row ends nowhere in some tree, or in an
error, the parts are told one by one and combined as any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from styx_lab.models.native.column import Codes, Column, Rows, first_error
from styx_lab.models.native.kinds.ensemble_kernel import add_numbers, add_shares, add_single
from styx_lab.models.native.kinds.forest import Forest
from styx_lab.models.native.kinds.forest_plain import plan_forest, weigh_nodes
from styx_lab.models.native.kinds.tree_model import Leaves, Tree, label_column
from styx_lab.models.native.kinds.votes import Part
from styx_lab.models.native.plain import Matrix, PlainModel, Resolve
from styx_lab.models.native.predicates import TRUE
from styx_lab.models.native.prediction import Classes, Prediction
from styx_lab.models.native.scope import Scope
from styx_lab.models.native.values import cast

if TYPE_CHECKING:
    from styx_lab.models.native.kinds.mining_model import Segment

__all__ = ["Ensemble", "join_trees"]


def join_trees(segments: Sequence[Segment]) -> Ensemble | None:
    """An ensemble of some parts, when all are plain trees for the same end."""
    trees = []
    for each in segments:
        tree, model = each.model.evaluate_kind, each.model
        if not isinstance(tree, Tree) or each.predicate.constant != TRUE:
            return None
        if model.treatment is not None or model.outputs or model.names.derived:
            return None
        if not all(field.passes for field in model.names.fields.values() if field.active):
            return None
        asked = {test[0] for one in tree.nodes.predicates if (test := one.test) is not None}
        if not asked <= model.names.fields.keys() or any(
            one.test is None and one.constant is None for one in tree.nodes.predicates
        ):
            return None
        if model.function == "regression" and model.target is not None and model.target.type not in ("double", "float"):
            return None
        trees.append(tree)
    if not trees or len({(one.setting.function, one.setting.single) for one in trees}) > 1:
        return None
    return Ensemble(trees, [each.weight for each in segments])


class Ensemble:
    """Trees, and what each of them counts."""

    def __init__(self, trees: list[Tree], weights: list[float]) -> None:
        self._trees = trees
        self._weights = np.array(weights, dtype=np.float64)
        self._function = trees[0].setting.function
        self._forest = Forest([tree.nodes for tree in trees])
        elements = [element for tree in trees for element in tree.elements]
        self._leaves = Leaves(elements, trees[0].setting)
        for tree in trees:  # the file's text is read, and is most of what they hold
            tree.elements.clear()
        # Where a row can end: at a leaf, or at a node with a score when no child is true.
        ends = self._forest.leaf | self._forest.scored
        self._readable = not bool((self._leaves.wrong & ends).any())
        self._shared = self._function == "regression" or bool(self._leaves.shared[ends].all())
        self._ends: tuple[Rows, Any, Codes | None] | None = None

    def _walk(self, scope: Scope) -> tuple[Any, Codes | None]:
        ends, _, stopped = self._forest.ends(scope)
        leaves = self._leaves
        if not self._readable:
            wrong = leaves.wrong[np.maximum(ends, 0)] & (ends >= 0)
            if wrong.any():
                text = np.int32(scope.rows.error("the node of the tree has no score that can be read"))
                stopped = first_error(stopped, np.where(wrong, text, np.int32(0)))
        return ends, stopped

    def combine(self, scope: Scope, method: str, *, single: bool) -> Prediction | None:
        """The whole in one pass; `None` where some row needs a closer look."""
        if method not in ("sum", "average", "weightedSum", "weightedAverage"):
            return None
        ends, stopped = self._walk(scope)
        self._ends = (scope.rows, ends, stopped)
        if stopped is not None or (ends.size and ends.min() < 0):
            return None
        leaves = self._leaves
        weights = self._weights if method.startswith("weighted") else np.ones(len(self._trees))
        total = float(np.cumsum(weights)[-1])
        if total == 0.0 and method.endswith("verage"):
            return None
        height = scope.rows.height
        if self._function == "regression":
            return self._numbers(ends, weights, total, height, method, single=single)
        if not self._shared:
            return None
        table = np.zeros((height, len(leaves.classes)))
        add_shares(ends, leaves.shares, weights, total, table)
        best = table.argmax(axis=1)
        setting = self._trees[0].setting
        data_type = "string" if setting.target is None else setting.target.type
        words = Column("string", best.astype(np.int32), words=leaves.classes)
        return Prediction(cast(words, data_type, scope.rows), Classes(leaves.classes, table))

    def plain(self, method: str, resolve: Resolve) -> PlainModel | None:
        """The way for batches in which nothing is missing."""
        if method not in ("sum", "average", "weightedSum", "weightedAverage"):
            return None
        leaves, forest = self._leaves, self._forest
        weights = self._weights if method.startswith("weighted") else np.ones(len(self._trees))
        total = float(np.cumsum(weights)[-1])
        mean = method.endswith("verage")
        if (total == 0.0 and mean) or self._trees[0].setting.single:
            return None
        number = self._function == "regression"
        said = leaves.scores.astype(np.float64)[None, :].copy() if number else leaves.shares.T.copy()
        said[:, leaves.wrong if number else leaves.wrong | ~leaves.shared] = np.nan
        plain = plan_forest(forest, weigh_nodes(said, weights, forest.starts), resolve)
        if plain is None:
            return None

        def tell(matrix: Matrix, only: int) -> Any:
            sums = plain.sums(matrix, only)
            if sums is None:
                return None
            if mean or not number:
                sums /= total
            return sums[0] if number or only >= 0 else sums

        if number:
            return PlainModel(tell, heavy=True)
        setting = self._trees[0].setting
        data_type = "string" if setting.target is None else setting.target.type
        rows = Rows(len(leaves.classes))
        labels = cast(Column("string", np.arange(rows.height, dtype=np.int32), words=leaves.classes), data_type, rows)
        return PlainModel(tell, leaves.classes, labels, heavy=True) if labels.errors is None else None

    def _numbers(self, ends: Any, weights: Any, total: float, height: int, method: str, *, single: bool) -> Prediction:
        mean = method.endswith("verage")
        if single:
            narrow = np.zeros(height, dtype=np.float32)
            add_single(ends, self._leaves.scores.astype(np.float32), weights.astype(np.float32), narrow)
            if mean:
                narrow /= np.float32(total)
            return Prediction(Column("float", narrow))
        values = np.zeros(height)
        add_numbers(ends, self._leaves.scores.astype(np.float64), weights, values)
        if mean:
            values /= total
        return Prediction(Column("double", values))

    def parts(self, scope: Scope, *, skip_lost: bool) -> tuple[list[Part], Codes | None]:
        """Each tree's answer on its own; `skip_lost`: after the first without one no error counts."""
        last = self._ends  # perhaps of another batch, where several threads share the model
        ends, stopped = last[1:] if last is not None and last[0] is scope.rows else self._walk(scope)
        self._ends = None
        leaves = self._leaves
        every = np.ones(1, dtype=np.bool_)
        parts = []
        errors: Codes | None = None
        lost = np.zeros(1, dtype=np.bool_)
        for at in range(len(self._trees)):
            missing = ends[:, at] < 0
            known = np.where(missing, 0, ends[:, at])
            gaps = missing if missing.any() else None
            if stopped is not None:
                errors = first_error(errors, np.where(lost, np.int32(0), stopped[:, at]))
                if skip_lost:
                    lost = lost | (missing & (stopped[:, at] == 0))
            classes = None
            if self._function == "regression":
                target = Column("double", leaves.scores[known].astype(np.float64), gaps)
            else:
                target = label_column(leaves, known, gaps, None)
                shared = leaves.shared[known]
                failed = None
                if not shared.all():
                    text = np.int32(scope.rows.error("the node of the tree has no ScoreDistribution"))
                    failed = np.where(shared, np.int32(0), text)
                classes = Classes(leaves.classes, leaves.shares[known], errors=failed)
            parts.append(Part(every, target, classes, float(self._weights[at])))
        return parts, errors
