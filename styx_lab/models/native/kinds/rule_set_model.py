"""RuleSetModel: rules that vote for a class, and the one that decides.

Law: every rule is looked at in every row (under the predicates of the CompoundRules around it), whatever decides; among
equals the rule, or the class, that comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from styx_lab.models.native.column import Bools, Codes, Column, first_error, where_error
from styx_lab.models.native.grammar import MODEL_ATTRIBUTES, MODEL_CHILDREN, PREDICATES, Grammar
from styx_lab.models.native.place import child, children, choice, number, optional_number, refuse, required
from styx_lab.models.native.predicates import TRUE, Predicate, compile_predicate, find_predicate
from styx_lab.models.native.prediction import Classes, Prediction
from styx_lab.models.native.scope import Scope
from styx_lab.models.native.setting import Setting
from styx_lab.models.native.values import column_of, parse
from styx_lab.models.summary import local_name

__all__ = ["GRAMMAR", "compile_model"]

_RULES: Final = "SimpleRule CompoundRule"
GRAMMAR: Final[Grammar] = {
    "RuleSetModel": (MODEL_ATTRIBUTES, f"{MODEL_CHILDREN} RuleSet"),
    "RuleSet": (
        "recordCount nbCorrect defaultScore defaultConfidence",
        f"RuleSelectionMethod ScoreDistribution {_RULES}",
    ),
    "RuleSelectionMethod": ("criterion", ""),
    "SimpleRule": ("id score recordCount nbCorrect confidence weight", f"{PREDICATES} ScoreDistribution"),
    "CompoundRule": ("", f"{PREDICATES} {_RULES}"),
}
_CRITERIA: Final = ("firstHit", "weightedSum", "weightedMax")


@dataclass(frozen=True, slots=True)
class _Rule:
    """A SimpleRule, with the predicates that must be true, outermost first."""

    id: str
    score: str
    weight: float
    confidence: float
    predicates: tuple[Predicate, ...]


def compile_model(node: Element, setting: Setting) -> Callable[[Scope], Prediction]:
    """Compile a RuleSetModel."""
    if setting.function != "classification":
        raise refuse(node, f"functionName={setting.function!r} is not supported here")
    rule_set = child(node, "RuleSet")
    if rule_set is None:
        raise refuse(node, "a RuleSetModel without a RuleSet")
    method = child(rule_set, "RuleSelectionMethod")
    if method is None:
        raise refuse(rule_set, "a RuleSet without a RuleSelectionMethod")
    rules = list(_read_rules(rule_set, (), setting))
    rules = [
        each if each.id else _Rule(str(at), each.score, each.weight, each.confidence, each.predicates)
        for at, each in enumerate(rules, 1)
    ]
    ids = [each.id for each in rules]
    if len(set(ids)) < len(ids):
        raise refuse(rule_set, "two rules have the same id", next(each for each in ids if ids.count(each) > 1))
    data_type = "string" if setting.target is None else setting.target.type
    default = rule_set.get("defaultScore")
    scores = tuple(dict.fromkeys([*(each.score for each in rules), *([] if default is None else [default])]))
    if not scores:
        raise refuse(rule_set, "a RuleSet without a rule and without a defaultScore")
    try:
        labels = column_of(data_type, [parse(data_type, each) for each in scores])
    except ValueError as error:
        raise refuse(rule_set, f"a score is no {data_type}", str(error)) from None
    return _RuleSet(
        rules,
        choice(method, "criterion", _CRITERIA),
        scores,
        labels,
        None if default is None else scores.index(default),
        optional_number(rule_set, "defaultConfidence"),
    )


def _read_rules(node: Element, around: tuple[Predicate, ...], setting: Setting) -> Iterator[_Rule]:
    for each in children(node, "SimpleRule", "CompoundRule"):
        predicates = (*around, compile_predicate(find_predicate(each), setting.data_fields))
        if local_name(each) == "CompoundRule":
            yield from _read_rules(each, predicates, setting)
        else:
            weight, confidence = number(each, "weight", 1.0), number(each, "confidence", 1.0)
            yield _Rule(each.get("id", ""), required(each, "score"), weight, confidence, predicates)


class _RuleSet:
    """A compiled RuleSetModel."""

    def __init__(
        self,
        rules: Sequence[_Rule],
        criterion: str,
        scores: tuple[str, ...],
        labels: Column,
        default: int | None,
        default_confidence: float | None,
    ) -> None:
        self._rules = rules
        self._criterion = criterion
        self._scores = scores
        self._labels = labels
        self._default = default
        self._default_confidence = default_confidence

    def __call__(self, scope: Scope) -> Prediction:
        """Evaluate it."""
        rows = scope.rows
        fired, errors = self._fire(scope)
        confidences, best, winner = self._choose(fired)
        nobody: Bools = np.asarray(~fired.any(axis=1))
        failed: Codes | None = None
        if nobody.any():
            if self._default is None:
                errors = first_error(errors, where_error(nobody, rows.error("no rule fires, and there is no default")))
            else:
                best = np.where(nobody, self._default, best)
                confidences[nobody] = 0.0
                if self._default_confidence is None:
                    failed = where_error(nobody, rows.error("no rule fires, and there is no default confidence"))
                else:
                    confidences[nobody, self._default] = self._default_confidence
        target = Column(
            self._labels.type, self._labels.values[best], None, errors, self._labels.words
        )  # a row of no rules has an error or the default
        classes = Classes(self._scores, confidences, "confidence", errors=failed, gives=("confidence",))
        words = tuple(each.id for each in self._rules) or ("",)
        ids = Column("string", winner.astype(np.int32), nobody if nobody.any() else None, None, words)
        return Prediction(target, classes, {"entityId#1": ids})

    def _fire(self, scope: Scope) -> tuple[Bools, Codes | None]:
        """Which rules fire in which rows; a predicate is asked where all those around it are true."""
        height = scope.rows.height
        fired = np.zeros((height, len(self._rules)), dtype=np.bool_)
        errors: Codes | None = None
        for at, rule in enumerate(self._rules):
            true: Bools = np.ones(height, dtype=np.bool_)
            for predicate in rule.predicates:
                truth = predicate.evaluate(scope)
                if truth.errors is not None:
                    errors = first_error(errors, np.where(true, truth.errors, np.int32(0)))
                true = true & (truth.values == TRUE)
            fired[:, at] = true
        return fired, errors

    def _choose(self, fired: Bools) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Each class's confidence, the class that is chosen, and the rule that stands for it."""
        height, count = fired.shape
        shape = (height, len(self._scores))
        # For each class: the rule that stands for it, what it weighs, and its confidence.
        rule = np.full(shape, count, dtype=np.int64)
        weight, confidence = np.full(shape, -np.inf), np.zeros(shape)
        first = rule.copy()
        total = np.zeros(shape)
        for at, each in enumerate(self._rules):
            score = self._scores.index(each.score)
            on = fired[:, at]
            first[:, score] = np.where(on, np.minimum(first[:, score], at), first[:, score])
            total[:, score] += np.where(on, each.weight, 0.0)
            new = on & (each.weight > weight[:, score] if self._criterion != "firstHit" else rule[:, score] == count)
            rule[:, score] = np.where(new, at, rule[:, score])
            weight[:, score] = np.where(new, each.weight, weight[:, score])
            confidence[:, score] = np.where(new, each.confidence, confidence[:, score])
        if self._criterion == "weightedSum":
            confidence = total / np.maximum(fired.sum(axis=1), 1)[:, None]
        if self._criterion == "firstHit" or not count:
            best = first.argmin(axis=1)
        else:
            # The class of the greatest confidence (as the reference has it: weights choose within a class); among
            # equals, the one whose first rule comes first.
            known = np.where(rule < count, confidence, -np.inf)
            most = known == known.max(axis=1, keepdims=True)
            best = np.where(most, first, count + 1).argmin(axis=1)
        if not count:
            return confidence, best, np.zeros(height, dtype=np.int64)
        winner = rule[np.arange(height), best]
        return confidence, best, np.where(winner == count, 0, winner)
