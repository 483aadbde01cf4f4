"""Where scikit-learn and its own PMML are known to differ: recognised from the pipeline and the file, by name.

Law: a difference is called known only where its cause is there and the row is one that the cause touches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from xml.etree.ElementTree import Element

import numpy as np
import polars as pl

from styx_lab.models.parity.asking import SCIKIT_LEARN, SCORE, Answers
from styx_lab.models.parity.examples import ExampleSet
from styx_lab.models.parity.precision import mixed_precision
from styx_lab.models.summary import local_name

__all__ = ["KnownDifference", "Seen", "known_differences"]

_SINGLE: Final = 1e-5
"""What arithmetic in 32 bits may lose on the way."""
_HUGE: Final = 1e300


@dataclass(frozen=True, slots=True)
class Seen:
    """A set of rows with two answers, for a known difference to be looked for.

    Attributes:
        examples: the rows.
        left: who answered.
        right: and who.
        left_answers: what the one said.
        right_answers: what the other said.
        differing: rows whose answers differ.
        alone: rows that one refuses alone.
        relative: how far the numbers are apart; infinity for another label.
    """

    examples: ExampleSet
    left: str
    right: str
    left_answers: Answers
    right_answers: Answers
    differing: np.ndarray
    alone: np.ndarray
    relative: np.ndarray

    def missing(self, fields: Sequence[str]) -> np.ndarray:
        """Rows in which one of the fields is missing (null or NaN)."""
        found = [_missing(part, [name for name in fields if name in part.columns]) for part in self.examples.parts]
        return np.concatenate(found) if found else np.zeros(0, dtype=bool)

    def huge(self) -> np.ndarray:
        """Rows with a number that is infinite, or so big that a sum of such is."""
        found = [_huge(part) for part in self.examples.parts]
        return np.concatenate(found) if found else np.zeros(0, dtype=bool)


def _huge(part: pl.DataFrame) -> np.ndarray:
    found = np.zeros(part.height, dtype=bool)
    for column in part:
        if column.dtype.is_float() or isinstance(column.dtype, pl.String):
            numbers = column.cast(pl.Float64, strict=False).abs()
            found |= (numbers.is_nan() | (numbers >= _HUGE)).fill_null(False).to_numpy()
    return found


@dataclass(frozen=True, slots=True)
class KnownDifference:
    """A difference that is known, and how it is told.

    Attributes:
        name: in a few words.
        text: what happens, and what helps.
        covers: which rows it touches.
        of_engine: whether it is one of an evaluator, whatever the model; it is told only where it is met.
    """

    name: str
    text: str
    covers: Callable[[Seen], np.ndarray]
    of_engine: bool = False


def known_differences(root: Element, pipeline: Any = None, rows: pl.DataFrame | None = None) -> list[KnownDifference]:
    """The known differences that a file, its pipeline and the training rows give cause for.

    Args:
        root: the file.
        pipeline: the fitted pipeline, where there is one.
        rows: training rows.
    """
    found: list[KnownDifference] = []
    steps = list(_estimators(pipeline)) if pipeline is not None else []
    kinds = {type(each).__name__ for each in steps}
    trained = pl.DataFrame() if rows is None else rows
    gaps = [] if rows is None else [each.name for each in rows if _gaps(each)]
    trees = bool(kinds & _FORESTS)
    if pipeline is not None and trees and gaps and not kinds & _FILLERS:
        found.append(
            KnownDifference(
                "a forest trained on gaps without an imputer",
                "scikit-learn sends a missing value the way it learnt, and its PMML cannot say so: put a SimpleImputer "
                "before the forest",
                lambda seen: _with_scikit_learn(seen) & seen.missing([each.name for each in trained]),
            )
        )
    if "CategoricalDomain" in kinds and "SimpleImputer" in kinds and rows is not None:
        texts = [each.name for each in rows if not each.dtype.is_numeric()]
        found.append(
            KnownDifference(
                "a missing category under CategoricalDomain and SimpleImputer",
                "the domain already decides what a missing category becomes, and the imputer's value is not in the "
                "file: leave one of them out",
                lambda seen: _with_scikit_learn(seen) & seen.missing(texts),
            )
        )
    if any(node.get("x-mathContext") == "float" for node in root.iter()):
        found.append(
            KnownDifference(
                "arithmetic in 32 bits (XGBoost)",
                "sums of 32-bit numbers hang on the order of additions: 1e-7 is usual",
                lambda seen: seen.differing & (seen.relative <= _SINGLE),
            )
        )
    elif mixed_precision(root):
        found.append(
            KnownDifference(
                "trees and a linear part share fields of 32 bits",
                "the trees make the file declare its inputs as float, and the linear part then reckons with rounded "
                "ones; scikit-learn and pypmml reckon with the whole numbers",
                lambda seen: seen.differing & (seen.relative <= _SINGLE) & _of_64_bits(seen),
            )
        )
    found.append(
        KnownDifference(
            "pypmml on infinite and huge numbers",
            "it reckons on with what is no number any more, and the order of its additions shows; JPMML does not",
            lambda seen: seen.differing & ("pypmml" in (seen.left, seen.right)) & seen.huge(),
            of_engine=True,
        )
    )
    if any(node.get("dataType") == "float" and local_name(node) == "DerivedField" for node in root.iter()):
        found.append(
            KnownDifference(
                "pypmml reckons derived fields of 32 bits in 64",
                "a split of scaled numbers then goes another way close to its threshold; the other evaluators and "
                "scikit-learn do what the file says",
                lambda seen: seen.differing & ("pypmml" in (seen.left, seen.right)),
            )
        )
    if "CalibratedClassifierCV" in kinds and _whole_labels(pipeline):
        found.append(
            KnownDifference(
                "CalibratedClassifierCV with whole numbers as labels",
                "its PMML gives 0.0 in every evaluator: make the labels text before training",
                lambda seen: (
                    _with_scikit_learn(seen)
                    & seen.differing
                    & (_noughts(seen.right_answers) | _noughts(seen.left_answers))
                ),
            )
        )
    return found


_FORESTS: Final = frozenset(
    {
        "RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor",
        "DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor",
        "BaggingClassifier", "BaggingRegressor",
    }
)  # fmt: skip
_FILLERS: Final = frozenset({"SimpleImputer", "KNNImputer", "IterativeImputer", "MissingIndicator"})


def _estimators(given: Any, depth: int = 0) -> Iterator[Any]:
    """A pipeline and all that is fitted inside it."""
    if depth > 12:
        return
    if isinstance(given, list | tuple | dict):
        for each in given.values() if isinstance(given, dict) else given:
            yield from _estimators(each, depth + 1)
        return
    if not hasattr(given, "get_params") or isinstance(given, type):
        return
    yield given
    for name in ("steps", "transformers_", "transformer_list", "estimators_", "estimators", "estimator", "features",
                 "final_estimator_", "calibrated_classifiers_"):  # fmt: skip
        inner = getattr(given, name, None)
        if inner is not None and not isinstance(inner, str):
            yield from _estimators(list(inner) if isinstance(inner, np.ndarray) else inner, depth + 1)


def _gaps(column: pl.Series) -> bool:
    return bool(column.null_count() or (column.dtype.is_float() and column.is_nan().any()))


def _missing(part: pl.DataFrame, fields: Sequence[str]) -> np.ndarray:
    found = np.zeros(part.height, dtype=bool)
    for name in fields:
        column = part.get_column(name)
        found |= column.is_null().to_numpy()
        if column.dtype.is_float():
            found |= column.is_nan().fill_null(False).to_numpy()
    return found


def _with_scikit_learn(seen: Seen) -> np.ndarray:
    """All rows where scikit-learn is one of the two, else none: evaluators of one file must agree."""
    return np.full(len(seen.examples), SCIKIT_LEARN in (seen.left, seen.right))


def _of_64_bits(seen: Seen) -> np.ndarray:
    """All rows where one of the two reckons with the doubles it was given."""
    return np.full(len(seen.examples), bool({SCIKIT_LEARN, "pypmml", "embedded"} & {seen.left, seen.right}))


def _whole_labels(pipeline: Any) -> bool:
    classes = np.asarray(getattr(pipeline, "classes_", ()))
    return classes.dtype.kind in "iu"


def _noughts(answers: Answers) -> np.ndarray:
    """Rows in which some probability is nought."""
    found = np.zeros(len(answers.errors), dtype=bool)
    for name, column in answers.columns.items():
        if column.dtype.is_numeric() and (name == SCORE or name.startswith("probability")):
            found |= (column == 0.0).fill_null(False).to_numpy()
    return found
