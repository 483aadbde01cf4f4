"""Who is asked: a fitted scikit-learn pipeline, an evaluator of PMML, or the answers embedded in a file.

Law: each row gets answers or one error, whoever is asked; what one bad row does to a batch is kept from its neighbours.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import polars as pl

from styx_lab.core.ports import Scorer
from styx_lab.models.answers import plan_answer
from styx_lab.models.summary import PmmlSummary

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SCIKIT_LEARN", "SCORE", "Answerer", "Answers", "Embedded", "Engine", "Pipeline"]

SCIKIT_LEARN: Final = "scikit-learn"
SCORE: Final = "\N{NULL}score"
"""The column of the score among answers: a field of a model, its target even, may be called `score`."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What was answered to a frame.

    Attributes:
        columns: the score under `score`, the target and probabilities by their names; null where a row has an error.
        errors: why a row has no answer; null where it has one.
    """

    columns: Mapping[str, pl.Series]
    errors: pl.Series


class Answerer(Protocol):
    """Somebody who can be asked about rows."""

    @property
    def name(self) -> str:
        """What to call it in a report."""

    def ask(self, frame: pl.DataFrame) -> Answers:
        """Its answers, row by row."""


class Engine:
    """An evaluator of PMML.

    Args:
        name: of the engine.
        scorer: the model, opened with it.
    """

    def __init__(self, name: str, scorer: Scorer) -> None:
        self.name = name
        self._scorer = scorer

    def ask(self, frame: pl.DataFrame) -> Answers:
        """Its answers, row by row."""
        scores = self._scorer.score(frame, tuple(self._scorer.outputs))
        return Answers({SCORE: scores.values, **{each.name: each for each in scores.outputs}}, scores.errors)

    def close(self) -> None:
        """Let go of the model."""
        self._scorer.close()


class Embedded:
    """The answers that stand in a file beside its verification rows; it can be asked about those rows alone.

    Args:
        summary: what the file says.
    """

    name = "embedded"

    def __init__(self, summary: PmmlSummary) -> None:
        rows = summary.verification.rows if summary.verification is not None else ()
        known = [summary.target, *(each.name for each in summary.outputs)]
        texts = {name: [row.get(name) for row in rows] for name in known if name is not None}
        self._columns = {
            name: pl.Series(name, values, dtype=pl.String) for name, values in texts.items() if any(map(bool, values))
        }

    def ask(self, frame: pl.DataFrame) -> Answers:
        """The embedded answers, in the file's order."""
        return Answers(self._columns, pl.Series("error", [None], dtype=pl.String).new_from_index(0, frame.height))


class Pipeline:
    """A fitted scikit-learn pipeline.

    Args:
        pipeline: it.
        summary: what its PMML says, for the names of what it answers.
        schema: the columns it was fitted on, in their order, with the types that its rows have.
    """

    name = SCIKIT_LEARN

    def __init__(self, pipeline: Any, summary: PmmlSummary, schema: Mapping[str, pl.DataType]) -> None:
        self._pipeline = pipeline
        self._answer = plan_answer(summary)
        self._target = summary.target or "_target"
        self._schema = schema
        self._classes = [_text(each) for each in np.ravel(getattr(pipeline, "classes_", ()))] if summary.classes else []
        if set(self._classes) != set(summary.classes):
            self._classes = []

    def ask(self, frame: pl.DataFrame) -> Answers:
        """Its answers; where it refuses a batch, its halves are asked for, down to the row."""
        rows = self._frame(frame)
        parts = self._halves(rows)
        columns: dict[str, list[Any]] = {}
        errors: list[str | None] = []
        for part in parts:
            for name, values in part[0].items():
                columns.setdefault(name, [None] * len(errors)).extend(values)
            errors += part[1]
            for kept in columns.values():
                kept.extend([None] * (len(errors) - len(kept)))
        return Answers(
            {name: pl.Series(name, values, strict=False) for name, values in columns.items()},
            pl.Series("error", errors, dtype=pl.String),
        )

    def _halves(self, rows: pd.DataFrame) -> list[tuple[dict[str, Sequence[Any]], list[str | None]]]:
        if not len(rows):
            return []
        try:
            return [(self._predict(rows), [None] * len(rows))]
        except Exception as error:  # whatever an estimator raises is its answer to that row
            if len(rows) == 1:
                lines = str(error).splitlines()
                return [({}, [f"{type(error).__name__}: {lines[0] if lines else ''}"])]
        middle = len(rows) // 2
        return self._halves(rows.iloc[:middle]) + self._halves(rows.iloc[middle:])

    def _predict(self, rows: pd.DataFrame) -> dict[str, Sequence[Any]]:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # it warns of unknown categories, which are asked for on purpose
            predicted = np.asarray(self._pipeline.predict(rows))
            found: dict[str, Sequence[Any]] = {}
            if predicted.ndim > 1:
                predicted = predicted[:, 0]
            found[self._target] = [_plain(each) for each in predicted.tolist()]
            if self._classes and hasattr(self._pipeline, "predict_proba"):
                shares = np.asarray(self._pipeline.predict_proba(rows), dtype=np.float64)
                for label, column in zip(self._classes, shares.T, strict=True):
                    found[f"probability({label})"] = column.tolist()
        if self._answer.kind != "probability":
            found[SCORE] = found[self._target]
        elif f"probability({self._answer.positive})" in found:
            found[SCORE] = found[f"probability({self._answer.positive})"]
        return found

    def _frame(self, frame: pl.DataFrame) -> pd.DataFrame:
        import pandas as pd

        columns: dict[str, Any] = {}
        for name, dtype in self._schema.items():
            given = frame.get_column(name)
            whole = given.dtype == dtype and not given.null_count()
            if whole and (dtype.is_integer() or isinstance(dtype, pl.Boolean)):
                columns[name] = given.to_numpy()
            elif given.dtype.is_numeric() and dtype.is_numeric():
                columns[name] = given.cast(pl.Float64).fill_null(np.nan).to_numpy()
            else:
                values = [np.nan if value is None else value for value in given.to_list()]
                columns[name] = pd.Series(values, dtype=object)
        return pd.DataFrame(columns, index=range(frame.height))


def _text(label: Any) -> str:
    return str(label).lower() if isinstance(label, bool | np.bool_) else str(label)


def _plain(value: Any) -> Any:
    return _text(value) if isinstance(value, bool) else value
