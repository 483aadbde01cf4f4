"""How the answers of an ensemble's parts become one: sums, means, medians, votes.

Law: a part counts in rows where its predicate is true; what a missing answer of a part means is said by
missingPredictionTreatment. Parts are added in the file's order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from styx_lab.models.native.column import Bools, Codes, Column, Rows, first_error, merge_words
from styx_lab.models.native.prediction import Classes, Prediction
from styx_lab.models.native.values import cast, show

__all__ = ["CLASS_METHODS", "NUMBER_METHODS", "Part", "combine_classes", "combine_numbers", "missing_parts"]

NUMBER_METHODS: Final = ("sum", "weightedSum", "average", "weightedAverage", "median", "weightedMedian")
CLASS_METHODS: Final = ("average", "weightedAverage", "median", "max", "majorityVote", "weightedMajorityVote")


@dataclass(slots=True)
class Part:
    """What one part of an ensemble answered.

    Attributes:
        active: where it takes part.
        target: its answer.
        classes: for a classifier.
        weight: what it counts.
    """

    active: Bools
    target: Column
    classes: Classes | None
    weight: float

    def present(self, height: int) -> Bools:
        """Where it takes part and has an answer."""
        return np.asarray(np.broadcast_to(self.active & ~self.target.gaps, (height,)))

    def absent(self, height: int) -> Bools:
        """Where it takes part without an answer."""
        return np.asarray(np.broadcast_to(self.active & self.target.gaps, (height,)))


def missing_parts(parts: Sequence[Part], treatment: str, threshold: float, height: int, *, votes: bool) -> Bools:
    """Where the whole has no answer: no part takes part, or too many have none."""
    some = np.zeros(height, dtype=np.bool_)
    lost = np.zeros(height)
    total = np.zeros(height)
    for each in parts:
        active = np.broadcast_to(each.active, (height,))
        some |= active
        absent = each.absent(height)
        lost += absent * (each.weight if treatment == "skipSegment" else 1.0)
        total += active * each.weight
    if treatment == "skipSegment":
        with np.errstate(all="ignore"):
            return ~some | (lost / total > threshold)
    if treatment == "continue" and votes:
        return ~some
    return ~some | (lost > 0)


def combine_numbers(parts: Sequence[Part], method: str, missing: Bools, rows: Rows, *, single: bool) -> Prediction:
    """One number of many."""
    kind: Any = np.float32 if single else np.float64
    height = rows.height
    data_type = "float" if single else "double"
    if "edian" in method:
        values, failed = _median_number(parts, method, height)
        values = values.astype(kind)
    else:
        total: Any = np.zeros(height, dtype=kind)
        weights: Any = np.zeros(height, dtype=kind)
        for each in parts:
            present = each.present(height)
            value = each.target.values.astype(kind, copy=False)
            weight = kind(each.weight) if method.startswith("weighted") else kind(1.0)
            value = value * weight if method.startswith("weighted") else value
            total = np.where(present, total + value, total)
            weights = weights + np.where(present, weight, kind(0.0))
        failed = np.zeros(height, dtype=np.bool_)
        values = total
        if method.endswith("verage"):
            failed = weights == 0
            with np.errstate(all="ignore"):
                values = total / weights
    failed = failed & ~missing
    errors = _undefined(failed, rows) if failed.any() else None
    return Prediction(Column(data_type, values, missing if missing.any() else None, errors))


def _undefined(where: Bools, rows: Rows) -> Codes:
    return np.where(where, np.int32(rows.error("the parts of the ensemble give no result")), np.int32(0))


def _median_number(parts: Sequence[Part], method: str, height: int) -> tuple[npt.NDArray[np.float64], Bools]:
    table = np.full((height, len(parts)), np.inf)
    weights = np.zeros((height, len(parts)))
    for at, each in enumerate(parts):
        present = each.present(height)
        table[:, at] = np.where(present, each.target.numbers, np.inf)
        weights[:, at] = np.where(present, each.weight, 0.0)
    count = (table < np.inf).sum(axis=1)
    order = np.argsort(table, axis=1, kind="stable")
    table = np.take_along_axis(table, order, axis=1)
    row = np.arange(height)
    if method == "weightedMedian":
        reached = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
        at = (reached >= reached[:, -1:] / 2).argmax(axis=1)
        return np.asarray(table[row, at]), np.asarray(count == 0)
    low, high = table[row, np.maximum(count - 1, 0) // 2], table[row, np.minimum(count // 2, len(parts) - 1)]
    with np.errstate(all="ignore"):
        return np.where(low == high, low, low + (high - low) / 2), np.asarray(count == 0)


def combine_classes(
    parts: Sequence[Part],
    method: str,
    missing: Bools,
    declared: Sequence[str],
    data_type: str,
    rows: Rows,
    *,
    skip: bool,
) -> Prediction:
    """One class of many; `skip`: parts without an answer are left out."""
    height = rows.height
    if method.endswith("ajorityVote"):
        return _vote(parts, method, missing, data_type, rows, skip=skip)
    names = tuple(dict.fromkeys(name for each in parts if each.classes is not None for name in each.classes.names))
    errors: Codes | None = None
    tables = []
    for each in parts:
        if each.classes is None:
            every = np.where(each.present(height), np.int32(rows.error("a part gives no probabilities")), np.int32(0))
            errors = first_error(errors, every)
            tables.append(np.zeros((height, len(names))))
            continue
        if each.classes.errors is not None:
            errors = first_error(errors, np.where(each.present(height), each.classes.errors, np.int32(0)))
        tables.append(_aligned(each.classes, names))
    if method in ("average", "weightedAverage"):
        values, weights = _mean(parts, tables, method, height)
        best = values.argmax(axis=1) if names else np.zeros(height, dtype=np.int64)
    else:
        values, weights = _extreme(parts, tables, names, method, declared, height)
        best = values.argmax(axis=1) if names else np.zeros(height, dtype=np.int64)
    failed = (weights == 0) & ~missing
    if failed.any():
        errors = first_error(errors, _undefined(failed, rows))
    labels = _labels(names, data_type, rows)
    target = Column(data_type, labels.values[best], missing if missing.any() else None, errors, labels.words)
    return Prediction(target, Classes(names, values))


def _labels(names: Sequence[str], data_type: str, rows: Rows) -> Column:
    words = tuple(names) or ("",)
    return cast(Column("string", np.arange(len(words), dtype=np.int32), words=words), data_type, rows)


def _aligned(classes: Classes, names: tuple[str, ...]) -> npt.NDArray[np.float64]:
    if classes.names == names:
        return classes.values
    table = np.zeros((len(classes.values), len(names)))
    for at, name in enumerate(classes.names):
        table[:, names.index(name)] = classes.values[:, at]
    return table


def _mean(
    parts: Sequence[Part], tables: Sequence[npt.NDArray[np.float64]], method: str, height: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    total = np.zeros((height, tables[0].shape[1]))
    weights = np.zeros(height)
    for each, table in zip(parts, tables, strict=True):
        present = each.present(height)
        weight = each.weight if method == "weightedAverage" else 1.0
        total = np.where(present[:, None], total + table * weight, total)
        weights = weights + np.where(present, weight, 0.0)
    with np.errstate(all="ignore"):
        return total / weights[:, None], weights


def _extreme(
    parts: Sequence[Part],
    tables: Sequence[npt.NDArray[np.float64]],
    names: Sequence[str],
    method: str,
    declared: Sequence[str],
    height: int,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The class with the greatest (or the greatest median) probability, and the mean of those who say so."""
    cube = np.stack(tables, axis=2)  # rows, classes, parts
    present = np.stack([each.present(height) for each in parts], axis=1)
    hidden = np.where(present[:, None, :], cube, np.inf if method == "median" else -np.inf)
    count = present.sum(axis=1)
    if method == "max":
        reached = hidden.max(axis=2)
    else:
        ordered = np.sort(hidden, axis=2)
        low = np.take_along_axis(ordered, (np.maximum(count - 1, 0) // 2)[:, None, None], axis=2)[:, :, 0]
        high = np.take_along_axis(ordered, np.minimum(count // 2, len(parts) - 1)[:, None, None], axis=2)[:, :, 0]
        with np.errstate(all="ignore"):
            reached = np.where(low == high, low, low + 0.5 * (high - low))
    # Among equals the class that the target declares first.
    order = sorted(
        range(len(names)), key=lambda each: declared.index(names[each]) if names[each] in declared else 10**6
    )
    winner = np.array(order)[reached[:, order].argmax(axis=1)]
    row = np.arange(height)
    # Of an even number the median is nobody's: those who are nearest say it.
    with np.errstate(all="ignore"):
        distance = np.where(present, np.abs(cube[row, winner, :] - reached[row, winner][:, None]), np.inf)
    those = present & (distance == distance.min(axis=1)[:, None])
    weights = those.sum(axis=1).astype(np.float64)
    total = np.zeros((height, len(names)))
    for at_part in range(len(parts)):
        total = np.where(those[:, at_part][:, None], total + cube[:, :, at_part], total)
    with np.errstate(all="ignore"):
        return total / weights[:, None], weights


def _vote(parts: Sequence[Part], method: str, missing: Bools, data_type: str, rows: Rows, *, skip: bool) -> Prediction:
    height = rows.height
    texts = [cast(each.target, "string", rows) for each in parts]
    words, codes = merge_words(texts)
    votes = np.zeros((height, len(words)))
    firsts = np.full((height, len(words)), len(parts), dtype=np.int64)
    nobody = np.zeros(height)
    row = np.arange(height)
    for at, (each, code) in enumerate(zip(parts, codes, strict=True)):
        weight = each.weight if method == "weightedMajorityVote" else 1.0
        present = each.present(height)
        voted = np.broadcast_to(code, (height,))
        votes[row, voted] += np.where(present, weight, 0.0)
        firsts[row, voted] = np.where(present, np.minimum(firsts[row, voted], at), firsts[row, voted])
        if not skip:
            nobody += np.where(each.absent(height), weight, 0.0)
    most = votes.max(axis=1)
    # Among equals the one that was voted for first.
    best = np.where(votes == most[:, None], firsts, len(parts) + 1).argmin(axis=1)
    total = votes[:, 0].copy()
    for at in range(1, len(words)):
        total += votes[:, at]
    failed = (total == 0) & ~missing
    errors = _undefined(failed, rows) if failed.any() else None
    without = missing | (nobody > most)
    with np.errstate(all="ignore"):
        shares = votes / total[:, None]
    labels = _labels(words, data_type, rows)
    if data_type != "string":
        words = tuple(show(value, data_type) for value in labels.values.tolist())
    target = Column(data_type, labels.values[best], without if without.any() else None, errors, labels.words)
    return Prediction(target, Classes(words, shares))
