"""What scorers have in common that ask somebody else for answers, row by row: what is a score, an output, an error.

Law: each row gets one value or one error, whatever rows it comes together with; an answer without a target is an error
that names the model.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import polars as pl

from styx_lab.core.ports import ERROR_KIND, Scores
from styx_lab.errors import ModelError
from styx_lab.models.described import DescribedScorer
from styx_lab.models.inputs import check_columns, judge_inputs, missing_inputs
from styx_lab.models.outputs import ModelOutput
from styx_lab.models.summary import PmmlSummary
from styx_lab.models.verification import verification_frame, verify_answers

__all__ = ["Reply", "RowScorer", "plain_reason", "typed_output"]

Reply = dict[str, Any] | str
"""An answer to one row: its columns, or the text of its error."""


class RowScorer(DescribedScorer):
    """A scorer that is asked for rows and answers each with columns or an error.

    The values go to the evaluator as they came (NaN as missing): it judges them itself.

    Args:
        summary: what the file says of the model.
    """

    def __init__(self, summary: PmmlSummary) -> None:
        super().__init__(summary)
        self._closed = False

    def score(self, frame: pl.DataFrame, outputs: Sequence[str] = ()) -> Scores:
        """Score each row of a frame that has at least the input columns; row order is kept.

        Raises:
            ModelError: when an input column is not there, an output is not known, or the scorer is closed.
            RunError: when the evaluator is gone; no row has an answer then.
        """
        if self._closed:
            raise ModelError("the scorer is closed", where=f"model {self.name!r}", hint="open it again")
        further = self._asked(outputs)
        check_columns(self._summary, frame)
        replies = self._answers(frame, self._wanted(further)) if frame.height else []
        values: list[Any] = []
        problems: list[str | None] = []
        for reply in replies:
            value = None if isinstance(reply, str) else self._answer.value(reply)
            values.append(value)
            if isinstance(reply, str):
                problems.append(reply)
            else:
                gone = f"no valid target: model {self.name!r} gave none for this row"
                problems.append(gone if value is None else None)
        columns = [
            typed_output(
                each,
                [
                    None if isinstance(reply, str) or value is None else each.value(reply)
                    for reply, value in zip(replies, values, strict=True)
                ],
            )
            for each in further
        ]
        return Scores(
            pl.Series("score", values, dtype=self._answer.dtype),
            pl.Series("error", problems, dtype=pl.String),
            pl.DataFrame(columns),
            self._kinds(frame, problems),
        )

    def close(self) -> None:
        """Let go of the model. May be called twice."""
        self._closed = True

    @abstractmethod
    def _ask(self, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], wanted: frozenset[str]) -> list[Reply]:
        """The replies to rows, in order.

        Args:
            columns: the names of the inputs.
            rows: their values; what is missing is None.
            wanted: the columns of the answer that are looked at; more does no harm.
        """

    def _wanted(self, further: Sequence[ModelOutput]) -> frozenset[str]:
        """The columns of an answer that are looked at."""
        answers = [self._answer, *(each.target for each in further if each.target is not None)]
        names = {each.column for each in answers} | {column for each in answers for _, column in each.ranked}
        names |= {each.name if each.label is None else f"probability_{each.label}" for each in further}
        return frozenset(names)

    def _answers(self, frame: pl.DataFrame, wanted: frozenset[str]) -> list[Reply]:
        names = list(self._summary.inputs)
        given = frame.select(names)
        plain = given.with_columns(
            pl.col(pl.Float32, pl.Float64).fill_nan(None),
            # A moment is given as PMML writes it.
            pl.col(pl.Date).dt.to_string("%Y-%m-%d"),
            pl.col(pl.Time).dt.to_string("%H:%M:%S"),
            *(
                pl.col(name).dt.convert_time_zone("UTC").dt.to_string("%Y-%m-%dT%H:%M:%S%.3f")
                if dtype.time_zone
                else pl.col(name).dt.to_string("%Y-%m-%dT%H:%M:%S%.3f")
                for name, dtype in given.schema.items()
                if isinstance(dtype, pl.Datetime)
            ),
            pl.col(pl.Categorical, pl.Enum).cast(pl.String),
        )
        rows = plain.rows() if names else [()] * frame.height
        replies = self._ask(names, rows, wanted)
        target = self._summary.target
        if target is not None:
            # It has its own name here, another where pypmml answers, and that of an output which may not be given out.
            predicted = self._summary.output_of("predictedValue")
            for reply in replies:
                if not isinstance(reply, str) and target in reply:
                    reply.setdefault(f"predicted_{target}" if predicted is None else predicted.name, reply[target])
        return replies

    def _kinds(self, frame: pl.DataFrame, problems: Sequence[str | None]) -> pl.Series:
        kinds: list[str | None] = [None] * frame.height
        failed = [index for index, problem in enumerate(problems) if problem is not None]
        if failed:
            few = frame[failed]
            numbers = few.with_columns(pl.col(pl.Float32, pl.Float64).fill_nan(None))
            _, _, judged = judge_inputs(self._summary, numbers)
            lacking = missing_inputs(self._summary, few)
            for index, kind, lacks in zip(failed, judged.to_list(), lacking, strict=True):
                said = "invalid" if "invalid value" in str(problems[index]) else kind
                kinds[index] = said or ("missing" if lacks else "failed")
        return pl.Series("kind", kinds, dtype=ERROR_KIND)

    def _verify(self, engine: str) -> None:
        """Ask for the rows that were embedded at export."""
        frame = verification_frame(self._summary)
        if frame is not None:
            everything = frozenset(each.name for each in self._summary.outputs)
            verify_answers(self._summary, self._answer, self._answers(frame, everything), engine=engine)


def plain_reason(text: str) -> str:
    """What a Java exception says, in one line, without the class it is of."""
    line = (text.strip().splitlines() or [""])[0]
    kind, separator, said = line.partition(": ")
    if separator and " " not in kind and "." in kind:
        line = said
    return line[:200] or "it does not say why"


def typed_output(output: ModelOutput, values: list[Any]) -> pl.Series:
    """A column of an answer; moments come as text."""
    if isinstance(output.dtype, pl.Date | pl.Time | pl.Datetime):
        return pl.Series(output.name, values, dtype=pl.String).str.strptime(output.dtype, strict=False)
    return pl.Series(output.name, values, dtype=output.dtype)
