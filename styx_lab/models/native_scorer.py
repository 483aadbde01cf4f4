"""The product's own evaluator as a scorer: columns in, scores out, no Java.

Law: each row gets one value or one error, whatever rows it comes together with; an answer without a target is an error
that names the model; a model that does not give its embedded rows back is not loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from styx_lab.core.ports import ERROR_KIND, Scores
from styx_lab.errors import ModelError
from styx_lab.models.answers import plan_answer
from styx_lab.models.compiled import CompiledFile, compile_file
from styx_lab.models.described import DescribedScorer
from styx_lab.models.guard import PmmlLimits
from styx_lab.models.inputs import check_columns, missing_inputs
from styx_lab.models.native.column import Column, Rows
from styx_lab.models.native.document import Document
from styx_lab.models.native.model import Answer as Told
from styx_lab.models.native.table import series_of, tabulate
from styx_lab.models.native.values import cast
from styx_lab.models.outputs import ModelOutput, finite, output_type
from styx_lab.models.plain_scores import PlainScores
from styx_lab.models.verification import verification_frame, verify_answers

__all__ = ["NativeScorer"]


class NativeScorer(DescribedScorer):
    """Score with NumPy and Numba: `NativeScorer("fraud@3", pmml)` is a `Scorer`.

    The score of a binary classifier is the probability of its positive class (`1`, else `true`, else the last class in
    the file's order); of a regression the predicted value; of any other model the predicted label.

    >>> from styx_lab.models import train
    >>> rows = pl.DataFrame({"amount": [10.0, 900.0, 20.0, 800.0] * 10, "fraud": [0, 1, 0, 1] * 10})
    >>> pmml = train(rows, target="fraud", features=["amount"], name="fraud").export()
    >>> scorer = NativeScorer("fraud@3", pmml)
    >>> scores = scorer.score(pl.DataFrame({"amount": ["900", "abc"]}))
    >>> scores.values.round(2).to_list()
    [0.94, None]
    >>> scores.errors[1]
    "model 'fraud@3': field 'amount': the model cannot take the value 'abc'"
    >>> scorer.close()

    Args:
        name: what to call the model in errors, with its version.
        pmml: the file's bytes.
        limits: how big the file may be.

    State: none between rows. Compiled loops are cached beside the package's files; the first use on a machine takes
    some seconds. Scorers of the same bytes in one process share the compiled model (see `compiled.py`).

    Raises:
        ModelError: when the file is refused, holds what is not supported, or its embedded rows come out otherwise.
    """

    def __init__(self, name: str, pmml: bytes, *, limits: PmmlLimits | None = None) -> None:
        compiled = compile_file(pmml, name=name, limits=limits or PmmlLimits(), confirm=_verify)
        summary, document = compiled.summary, compiled.document
        super().__init__(summary)
        self._document: Document | None = document
        others = [each for each in document.model.names.fields.values() if not each.active and each.data is not None]
        for each in others[1:]:
            if each.name not in self._further and each.data is not None:
                dtype = output_type(each.data.type, where=f"model {name!r}, field {each.name!r}")
                self._further[each.name] = ModelOutput(each.name, dtype)
        self._plain = PlainScores(document, self._answer, summary)

    def score(self, frame: pl.DataFrame, outputs: Sequence[str] = ()) -> Scores:
        """Score each row of a frame that has at least the input columns; row order is kept.

        Raises:
            ModelError: when an input column is not there, an output is not known, or the scorer is closed.
        """
        asked = self._asked(outputs)
        if self._document is None:
            return self._in_general(frame, asked)
        plain = self._plain.score(frame, asked)
        return plain or self._plain.score_apart(frame, asked, self._in_general) or self._in_general(frame, asked)

    def _in_general(self, frame: pl.DataFrame, asked: Sequence[ModelOutput]) -> Scores:
        """The scores of any rows."""
        told, rows = self._tell(frame)
        column = self._chosen(told, rows)
        height = frame.height
        codes = told.errors()
        missing = np.array(np.broadcast_to(column.gaps, (height,)))
        if column.type in ("double", "float"):
            missing |= np.broadcast_to(~np.isfinite(column.values), (height,))
        if column.errors is not None:
            codes = column.errors if codes is None else np.where(codes != 0, codes, column.errors)
        whole = Column(column.type, column.values, missing if missing.any() else None, None, column.words)
        values = series_of("score", whole, height).cast(self._answer.dtype)
        further = [self._output(each, told, rows) for each in asked]
        if codes is None and not missing.any():
            nothing = pl.Series("error", [None], dtype=pl.String).new_from_index(0, height)
            return Scores(values, nothing, pl.DataFrame(further), nothing.cast(ERROR_KIND).alias("kind"))
        texts = [None, *(f"model {self.name!r}: {text}" for text in rows.texts[1:])]
        texts.append(f"no valid target: model {self.name!r} gave none for this row")
        found = np.zeros(height, dtype=np.int32) if codes is None else np.array(np.broadcast_to(codes, (height,)))
        failed = found != 0
        lost = failed | missing
        gaps = missing_inputs(self._summary, frame) & lost
        found[missing & ~failed] = len(texts) - 1
        kinds = pl.Series("kind", [*rows.kinds, "failed"], dtype=ERROR_KIND).gather(found)
        without = pl.Series(lost)
        return Scores(
            values.set(pl.Series(failed), None) if failed.any() else values,
            pl.Series("error", texts, dtype=pl.String).gather(found),
            pl.DataFrame([each.set(without, None) for each in further]),
            kinds.set(pl.Series(gaps) & (kinds == "failed"), "missing"),
        )

    def close(self) -> None:
        """Let go of the model. May be called twice."""
        self._document = None

    def _tell(self, frame: pl.DataFrame) -> tuple[Told, Rows]:
        document = self._document
        if document is None:
            raise ModelError("the scorer is closed", where=f"model {self.name!r}", hint="open it again")
        check_columns(self._summary, frame)
        return document.evaluate(frame)

    def _chosen(self, told: Told, rows: Rows) -> Column:
        """The column of the answer that is the score."""
        answer, prediction = self._answer, told.prediction
        if answer.kind == "probability":
            return prediction.of_class("probability", str(answer.positive), rows)
        target = prediction.target
        if answer.kind == "label" and isinstance(answer.dtype, pl.String):
            return cast(target, "string", rows)
        return target

    def _output(self, asked: ModelOutput, told: Told, rows: Rows) -> pl.Series:
        """A further column of the answer; what is an error there is null."""
        if asked.name == self._summary.target:
            column = told.prediction.target
        elif asked.label is not None:
            column = told.prediction.of_class("probability", asked.label, rows)
        else:
            column = told.outputs[asked.name] if asked.name in told.outputs else told.others[asked.name]
        if isinstance(asked.dtype, pl.String):
            column = cast(column, "string", rows)
        series = series_of(asked.name, column, rows.height)
        if column.errors is not None:
            series = series.set(pl.Series(np.array(np.broadcast_to(column.errors != 0, (rows.height,)))), None)
        return finite(series.cast(asked.dtype))


def _verify(compiled: CompiledFile) -> None:
    """Evaluate the rows that were embedded at export."""
    summary = compiled.summary
    frame = verification_frame(summary)
    if frame is None:
        return
    told, rows = compiled.document.evaluate(frame)
    table, errors = tabulate(told, rows, summary.target or "_target")
    replies: list[dict[str, Any] | str] = [
        row if error is None else error for row, error in zip(table.to_dicts(), errors.to_list(), strict=True)
    ]
    verify_answers(summary, plan_answer(summary), replies, engine="native")
