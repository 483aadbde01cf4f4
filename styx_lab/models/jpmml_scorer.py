"""jpmml-evaluator, the reference evaluator of PMML, as a scorer: in a JVM of this process's own.

Law: JPMML judges each row's values itself, and what it says is what the row gets; the file goes through the guard
before Java sees it; a model that does not give its embedded rows back is not loaded.

The package jpmml_evaluator and JPMML are under the AGPL-3.0, which asks you to offer your source to who uses them over
a network. It is an extra that Styx neither needs nor brings.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Final

from styx_lab.errors import MissingDependencyError, ModelError, RunError
from styx_lab.models.guard import PmmlLimits, check_pmml
from styx_lab.models.jpmml_outputs import with_probabilities
from styx_lab.models.private_jvm import PrivateJvm
from styx_lab.models.row_scorer import Reply, RowScorer, plain_reason

__all__ = ["JpmmlScorer", "close_jpmml", "jpmml_pid"]

_ROWS_A_CALL: Final = 10_000
_MANY: Final = 500
"""From so many rows on, JPMML is asked to use all cores."""


def _jars() -> list[str]:
    import jpmml_evaluator

    jars: list[str] = jpmml_evaluator._package_classpath()
    return jars


_jvm: Final = PrivateJvm(_jars)


def jpmml_pid() -> int | None:
    """The process id of JPMML's JVM, `None` when Styx runs none."""
    return _jvm.pid


def close_jpmml() -> None:
    """End JPMML's JVM; the next model that is needed starts another. May be called twice."""
    _jvm.close()


class JpmmlScorer(RowScorer):
    r"""Score with JPMML: `JpmmlScorer("fraud@3", pmml)` is a `Scorer`.

    The score is what the native engine calls the score: the probability of a binary classifier's positive class, a
    regression's value, another model's label. Probabilities that the file does not declare are declared to JPMML.

    >>> import polars as pl
    >>> from styx_lab.models import train
    >>> rows = pl.DataFrame({"amount": [10.0, 900.0, 20.0, 800.0] * 10, "fraud": [0, 1, 0, 1] * 10})
    >>> pmml = train(rows, target="fraud", features=["amount"], name="fraud").export()
    >>> scorer = JpmmlScorer("fraud@3", pmml)
    >>> scores = scorer.score(pl.DataFrame({"amount": ["900", "abc"]}))
    >>> scores.values.round(2).to_list()
    [0.94, None]
    >>> scores.errors[1]
    'model \'fraud@3\': JPMML refused this row: Field "amount" cannot accept invalid value "abc"'
    >>> scorer.close()

    Args:
        name: what to call the model in errors, with its version.
        pmml: the file's bytes; they are checked before Java sees them.
        limits: how big the file may be.

    State: none between rows. One JVM serves all such scorers of a process and ends with it; after a crash of the JVM
    the scorer loads its model in a new one. Do not score in a forked child: Polars hangs there. Spawn it instead.

    Raises:
        ModelError: when the file is refused, JPMML cannot read it, or its embedded rows come out otherwise.
        MissingDependencyError: when jpmml_evaluator or Java is missing.
    """

    def __init__(self, name: str, pmml: bytes, *, limits: PmmlLimits | None = None) -> None:
        limits = limits or PmmlLimits()
        summary = check_pmml(pmml, name=name, limits=limits)
        super().__init__(summary)
        self._pmml = with_probabilities(pmml, summary)
        self._evaluator: Any = None
        self._generation = -1
        self._lock = threading.RLock()
        self._load()
        self._verify("JPMML")

    def close(self) -> None:
        """Let go of the model; the JVM stays for others. May be called twice."""
        with self._lock:
            super().close()
            self._evaluator = None

    def _load(self) -> None:
        try:
            from jpmml_evaluator import make_evaluator
            from jpmml_evaluator.py4j import Py4JBackend
        except ImportError as error:
            raise MissingDependencyError(
                "scoring with JPMML needs the package jpmml_evaluator, which is under the AGPL-3.0",
                where="jpmml",
                hint="pip install 'styx-lab[jpmml]' if that licence suits you, or choose engine='native'",
            ) from error
        from py4j.protocol import Py4JError

        gateway, self._generation = _jvm.open()
        try:
            self._evaluator = make_evaluator(self._pmml, Py4JBackend(gateway=gateway))
        except Exception as error:  # JPMML's JavaError is an Exception; whatever it is, the model is not loaded
            if isinstance(error, OSError | Py4JError) and not _jvm.pid:
                raise RunError(
                    "the JVM of JPMML ended while it loaded a model", where=f"model {self.name!r}"
                ) from error
            raise ModelError(
                f"JPMML cannot load it: {_reason(error)}", where=f"model {self.name!r}", hint="choose another engine"
            ) from error

    def _ask(self, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], wanted: frozenset[str]) -> list[Reply]:
        replies: list[Reply] = []
        for start in range(0, len(rows), _ROWS_A_CALL):
            replies += self._ask_some(columns, rows[start : start + _ROWS_A_CALL], wanted)
        return replies

    def _ask_some(self, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], wanted: frozenset[str]) -> list[Reply]:
        """Ask; where the whole of a batch fails, ask for its halves, so that one row costs its neighbours nothing."""
        from py4j.protocol import Py4JJavaError

        try:
            return self._call(columns, rows, wanted)
        except Py4JJavaError as error:
            if len(rows) == 1:
                return [self._refused(_reason(error))]
        middle = len(rows) // 2
        return self._ask_some(columns, rows[:middle], wanted) + self._ask_some(columns, rows[middle:], wanted)

    def _call(self, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], wanted: frozenset[str]) -> list[Reply]:
        # A model without inputs still needs a column, to have rows.
        names = list(columns) or ["_row"]
        data = [list(column) for column in zip(*rows, strict=True)] if columns else [[0] * len(rows)]
        answer = self._evaluate({"columns": names, "data": data}, wanted, len(rows))
        found = dict(zip(answer["columns"], answer["data"], strict=True))
        given = list(found)
        errors = answer["errors"] or [None] * len(rows)
        answers = zip(*found.values(), strict=True) if found else [()] * len(rows)
        return [
            dict(zip(given, row, strict=True)) if error is None else self._refused(plain_reason(error))
            for row, error in zip(answers, errors, strict=True)
        ]

    def _evaluate(self, question: dict[str, Any], wanted: frozenset[str], rows: int) -> Any:
        from jpmml_evaluator import JavaError, PythonEvaluatorUtil
        from py4j.protocol import Py4JError, Py4JJavaError

        dropped = [each.name for each in self._summary.outputs if each.name not in wanted]
        for last in (False, True):
            with self._lock:
                if self._closed:
                    raise ModelError("the scorer is closed", where=f"model {self.name!r}", hint="open it again")
                if self._generation != _jvm.generation:
                    self._load()
                evaluator, loaded = self._evaluator, self._generation
            try:
                return PythonEvaluatorUtil.evaluateAll(
                    evaluator.backend, evaluator.javaEvaluator, question, dropped, -1 if rows >= _MANY else 1
                )
            except JavaError as error:
                raise error.__context__ or error from None  # Py4JJavaError, which it was made of
            except Py4JJavaError:
                raise
            except (Py4JError, OSError) as error:  # the JVM was killed, or ran out of memory
                _jvm.close(loaded)
                if last:
                    raise RunError(
                        "the JVM of JPMML ended twice while it scored",
                        where=f"model {self.name!r}",
                        hint="give it more memory with JAVA_OPTS=-Xmx4g, or score smaller batches",
                    ) from error
        raise AssertionError("unreachable")

    def _refused(self, reason: str) -> str:
        return f"model {self.name!r}: JPMML refused this row: {reason}"


def _reason(error: Exception) -> str:
    """One line of a Java exception."""
    java = getattr(error, "java_exception", None)
    return plain_reason(str(java.toString()) if java is not None else str(error))
