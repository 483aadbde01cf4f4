"""pypmml as a scorer: each row gets one value or one error, whatever rows it comes together with.

Law: inputs are checked by `inputs.py` before the JVM sees them, because pypmml gives a value for text that is no
number; an answer without a target is an error that names the model; a batch is only a faster way to ask for its rows.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import polars as pl

from styx_lab.core.ports import ERROR_KIND, Scores
from styx_lab.errors import ModelError, RunError
from styx_lab.models import gateway
from styx_lab.models.described import DescribedScorer
from styx_lab.models.guard import PmmlLimits, check_pmml
from styx_lab.models.inputs import first_error, judge_inputs, missing_inputs
from styx_lab.models.outputs import ModelOutput
from styx_lab.models.pypmml_faults import missing_errors, refuse_misread
from styx_lab.models.verification import verification_frame, verify_answers

__all__ = ["PypmmlScorer"]

_ROWS_A_CALL: Final = 1_000
_INFINITE: Final = {math.inf: msgspec.Raw(b"1e999"), -math.inf: msgspec.Raw(b"-1e999")}

# An answer to one row: its columns, or the text of its error.
_Reply = dict[str, Any] | str


class PypmmlScorer(DescribedScorer):
    """Score with pypmml: `PypmmlScorer("fraud@3", pmml)` is a `Scorer`.

    The score of a binary classifier is the probability of its positive class (`1`, else `true`, else the last class in
    the file's order); of a regression the predicted value; of any other model the predicted label.

    >>> from styx_lab.models import train
    >>> rows = pl.DataFrame({"amount": [10.0, 900.0, 20.0, 800.0] * 10, "fraud": [0, 1, 0, 1] * 10})
    >>> pmml = train(rows, target="fraud", features=["amount"], name="fraud").export()
    >>> scorer = PypmmlScorer("fraud@3", pmml)
    >>> scores = scorer.score(pl.DataFrame({"amount": ["900", "abc"]}))
    >>> scores.values.round(2).to_list()
    [0.94, None]
    >>> scores.errors[1]
    "model 'fraud@3': field 'amount': not a number: 'abc'"
    >>> scorer.close()

    Args:
        name: what to call the model in errors, with its version.
        pmml: the file's bytes; they are checked before Java sees them.
        limits: how big the file may be.

    State: none between rows. One JVM serves all scorers of a process and ends with it; after a crash of the JVM the
    scorer loads its model in a new one. Do not score in a forked child: Polars hangs there. Spawn it instead.

    Raises:
        ModelError: when the file is refused, pypmml cannot read it, or its embedded rows come out otherwise.
        MissingDependencyError: when pypmml or Java is missing.
    """

    def __init__(self, name: str, pmml: bytes, *, limits: PmmlLimits | None = None) -> None:
        summary = check_pmml(pmml, name=name, limits=limits or PmmlLimits())
        refuse_misread(summary)
        self._text = pmml.decode("utf-8-sig")
        super().__init__(summary)
        self._model: Any = None
        self._generation = -1
        self._closed = False
        self._lock = threading.RLock()
        self._load()
        self._verify()

    def score(self, frame: pl.DataFrame, outputs: Sequence[str] = ()) -> Scores:
        """Score each row of a frame that has at least the input columns; row order is kept.

        Raises:
            ModelError: when an input column is not there, an output is not known, or the scorer is closed.
            RunError: when the JVM ended twice over the same rows.
        """
        if self._closed:
            raise ModelError("the scorer is closed", where=f"model {self.name!r}", hint="open it again")
        further = self._asked(outputs)
        clean, errors, of_inputs = self._prepare(frame)
        values: list[Any] = [None] * frame.height
        others: list[list[Any]] = [[None] * frame.height for _ in further]
        problems: list[str | None] = errors.to_list()
        kinds: list[str | None] = of_inputs.to_list()
        asked = [index for index, problem in enumerate(problems) if problem is None]
        rows = clean.rows() if clean.width else [()] * frame.height
        lacking = missing_inputs(self._summary, frame)
        for start in range(0, len(asked), _ROWS_A_CALL):
            part = asked[start : start + _ROWS_A_CALL]
            replies = self._ask([rows[index] for index in part])
            for index, reply in zip(part, replies, strict=True):
                if isinstance(reply, str):
                    problems[index], kinds[index] = reply, "missing" if lacking[index] else "failed"
                    continue
                values[index] = value = self._answer.value(reply)
                if value is None:
                    problems[index] = f"no valid target: model {self.name!r} gave none for this row"
                    kinds[index] = "missing" if lacking[index] else "failed"
                    continue
                for each, column in zip(further, others, strict=True):
                    column[index] = each.value(reply)
        return Scores(
            pl.Series("score", values, dtype=self._answer.dtype),
            pl.Series("error", problems, dtype=pl.String),
            pl.DataFrame([_typed(each, column) for each, column in zip(further, others, strict=True)]),
            pl.Series("kind", kinds, dtype=ERROR_KIND),
        )

    def close(self) -> None:
        """Let go of the model; the JVM stays for others. May be called twice."""
        with self._lock:
            self._closed = True
            self._model = None

    def _load(self) -> None:
        from py4j.protocol import Py4JError
        from pypmml.jvm import PMMLError

        try:
            model, self._generation = gateway.load_model(self._text)
            model.setSupplementOutput(True)
        except (PMMLError, Py4JError) as error:
            raise ModelError(
                f"pypmml cannot load it: {_reason(error)}",
                where=f"model {self.name!r}",
                hint="see docs/models.md for what pypmml reads",
            ) from error
        self._model = model

    def _prepare(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series, pl.Series]:
        clean, errors, kinds = judge_inputs(self._summary, frame)
        # pypmml reads a file's 32-bit thresholds as 64-bit decimals. Written as the shortest decimal of 32 bits, inputs
        # compare with those exactly as they do in 32 bits.
        if pl.Float32 in clean.dtypes:
            clean = clean.with_columns(pl.col(pl.Float32).cast(pl.String).cast(pl.Float64))
        wrong = missing_errors(self._summary, clean)
        if not wrong:
            return clean, errors, kinds
        told = first_error([errors, *wrong], frame.height)
        return clean, told, kinds.set(kinds.is_null() & told.is_not_null(), "missing")

    def _ask(self, rows: Sequence[tuple[Any, ...]]) -> list[_Reply]:
        """Ask pypmml; when it refuses a batch, ask for its halves, so that one bad row costs its neighbours nothing."""
        from py4j.protocol import Py4JJavaError

        try:
            return self._call(rows)
        except Py4JJavaError as error:
            if len(rows) == 1:
                return [f"model {self.name!r}: pypmml refused this row: {_reason(error)}"]
        middle = len(rows) // 2
        return self._ask(rows[:middle]) + self._ask(rows[middle:])

    def _call(self, rows: Sequence[tuple[Any, ...]]) -> list[_Reply]:
        names = [each.name for each in self._summary.fields]
        whole = [index for index, row in enumerate(rows) if None not in row]
        parts = [index for index, row in enumerate(rows) if None in row]
        replies: list[_Reply] = [""] * len(rows)
        if whole:
            answer = self._predict(_encode({"columns": names, "data": _finite([rows[index] for index in whole])}))
            for index, reply in zip(whole, answer["data"], strict=True):
                replies[index] = dict(zip(answer["columns"], reply, strict=True))
        if parts:
            # A null would be read as -2^63 where a whole number is expected: what is missing must not be named at all.
            given = [
                {name: value for name, value in zip(names, row, strict=True) if value is not None}
                for row in _finite([rows[index] for index in parts])
            ]
            for index, reply in zip(parts, self._predict(_encode(given)), strict=True):
                replies[index] = reply
        predicted, target = self._summary.output_of("predictedValue"), self._summary.target
        if predicted is not None and not predicted.final and target is not None:
            # pypmml keeps it to itself, and gives the target.
            for reply in replies:
                if isinstance(reply, dict) and f"predicted_{target}" in reply:
                    reply.setdefault(predicted.name, reply[f"predicted_{target}"])
        return replies

    def _predict(self, question: str) -> Any:
        from py4j.protocol import Py4JError, Py4JJavaError

        for last in (False, True):
            with self._lock:
                if self._closed:
                    raise ModelError("the scorer is closed", where=f"model {self.name!r}", hint="open it again")
                if self._generation != gateway.generation():
                    self._load()
                model, loaded = self._model, self._generation
            try:
                return msgspec.json.decode(model.predict(question))
            except Py4JJavaError:
                raise
            except (Py4JError, OSError) as error:  # the JVM was killed, or ran out of memory
                gateway.close_jvm(loaded)
                if last:
                    raise RunError(
                        "the JVM of pypmml ended twice while it scored",
                        where=f"model {self.name!r}",
                        hint="give it more memory with JAVA_OPTS=-Xmx4g, or score smaller batches",
                    ) from error
        raise AssertionError("unreachable")

    def _verify(self) -> None:
        """Ask for the rows that were embedded at export: pypmml itself does not look at them."""
        frame = verification_frame(self._summary)
        if frame is None:
            return
        clean, errors, _ = self._prepare(frame)
        # A row whose inputs are refused is not asked for: its error is the finding.
        answers = iter(self._ask([row for row, error in zip(clean.rows(), errors, strict=True) if error is None]))
        replies = [next(answers) if error is None else error for error in errors]
        verify_answers(self._summary, self._answer, replies, engine="pypmml")


def _typed(output: ModelOutput, values: list[Any]) -> pl.Series:
    if isinstance(output.dtype, pl.Date | pl.Time | pl.Datetime):
        # pypmml writes moments as text.
        return pl.Series(output.name, values, dtype=pl.String).str.strptime(output.dtype, strict=False)
    return pl.Series(output.name, values, dtype=output.dtype)


def _finite(rows: list[tuple[Any, ...]]) -> Sequence[Sequence[Any]]:
    """Infinity, for which JSON has no word, as a number beyond a double's range."""
    if not any(isinstance(value, float) and math.isinf(value) for row in rows for value in row):
        return rows
    return [[_INFINITE.get(value, value) if isinstance(value, float) else value for value in row] for row in rows]


def _encode(question: Any) -> str:
    return msgspec.json.encode(question).decode("utf-8")


def _reason(error: Exception) -> str:
    """One line of a Java exception."""
    java = getattr(error, "java_exception", None)
    text = str(java.toString()) if java is not None else ": ".join(str(part) for part in error.args if part)
    lines = text.splitlines()
    return (lines[0] if lines else type(error).__name__)[:200]
