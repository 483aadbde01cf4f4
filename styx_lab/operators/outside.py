"""Asking what is outside the flow: each question has a number, and each answer is kept before it is used.

Law (crash anywhere): which questions there are, and their numbers, is a function of the sequence; what is answered is
an input. A question whose answer is kept is not asked again, so a recovery uses the answers of the run before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Event
from typing import TYPE_CHECKING, Final, Protocol

import polars as pl

from styx_lab.core.ports import Lookup
from styx_lab.errors import CheckpointError, RunError

if TYPE_CHECKING:
    from styx_lab.flow.steps import LookupJoin

__all__ = ["ERROR", "FOUND", "NOTHING_OUTSIDE", "AnswerLog", "AnswersInMemory", "Outside"]

FOUND: Final = "_found"
"""Whether there was a row for the key."""
ERROR: Final = "_error"
"""Why there is no answer; null where there is one."""
_WAITS: Final = (0.1, 0.5)
"""Seconds before what raised is asked a second and a third time; then that it failed is the answer."""
_ROW: Final = "_row"
_ROUND: Final = "_round"


class AnswerLog(Protocol):
    """Where answers are kept, by step and number of the question."""

    def recall(self, step: str, first: int, count: int) -> pl.DataFrame | None:
        """The answers kept for the questions from `first` on, `count` at most; None where there is none."""

    def keep(self, step: str, first: int, answers: pl.DataFrame) -> None:
        """Keep the answers to the questions from `first` on."""


class AnswersInMemory:
    """Answers kept as long as this is."""

    def __init__(self) -> None:
        self._kept: dict[str, list[tuple[int, pl.DataFrame]]] = {}

    def all(self) -> dict[str, pl.DataFrame]:
        """All answers of each step, in the order of their questions."""
        return {step: pl.concat(answers for _, answers in kept) for step, kept in self._kept.items()}

    def recall(self, step: str, first: int, count: int) -> pl.DataFrame | None:
        """See `AnswerLog.recall`."""
        for start, answers in self._kept.get(step, []):
            if start <= first < start + answers.height:
                return answers[first - start : first - start + count]
        return None

    def keep(self, step: str, first: int, answers: pl.DataFrame) -> None:
        """See `AnswerLog.keep`."""
        self._kept.setdefault(step, []).append((first, answers))


class Outside:
    """What a flow looks up in, by name, and where the answers are kept.

    Args:
        lookups: by the names that the flow's steps use; they stay open.
        log: where answers are kept and found again; nowhere where none is given.
        wait: waits so many seconds before what raised is asked again; may be cut short.
    """

    def __init__(
        self,
        lookups: Mapping[str, Lookup],
        log: AnswerLog | None = None,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self._lookups = dict(lookups)
        self._log = log
        self._wait = Event().wait if wait is None else wait

    def check(self, step: LookupJoin, wanted: Mapping[str, pl.DataType]) -> None:
        """Refuse, before the first event, a step whose lookup is not given or has other columns.

        Args:
            step: the step.
            wanted: the columns it finds by and those it wants, with their types.

        Raises:
            RunError: naming the lookup or the column.
        """
        if step.lookup not in self._lookups:
            raise RunError(
                "the flow looks up in something that is not given",
                where=step.where,
                got=step.lookup,
                hint=f"lookups={{{step.lookup!r}: SqliteLookup(...)}}, on the command line --lookup "
                f"{step.lookup}=sqlite:FILE?table=TABLE; given are {', '.join(self._lookups) or 'none'}",
            )
        lookup = self._lookups[step.lookup]
        known = dict(lookup.schema)
        for name, dtype in wanted.items():
            if known.get(name) != dtype:
                raise RunError(
                    "the lookup has no such column of that type",
                    where=f"{step.where}, lookup {step.lookup!r} ({lookup.name})",
                    got=f"{name}: {known.get(name, 'none')}",
                    hint=f"the step takes {name}: {dtype}",
                )

    def ask(self, step: LookupJoin, first: int, keys: pl.DataFrame) -> pl.DataFrame:
        """The answers to questions: keys, columns, whether found and why not answered, one row a question, in order.

        Args:
            step: who asks.
            first: the number of the first question.
            keys: the keys asked for, in order; one may come twice, where its answer expired in between.

        Raises:
            CheckpointError: when the answers that were kept are to other questions.
        """
        parts = []
        while keys.height:
            known = None if self._log is None else self._log.recall(step.name, first, keys.height)
            if known is None:
                answers = self._find(step, keys)
                if self._log is not None:
                    self._log.keep(step.name, first, answers)
                parts.append(answers)
                break
            if not known.select(step.on).equals(keys[: known.height]):
                raise CheckpointError(
                    "the answers that were kept are to other questions",
                    where=f"{step.where}, question {first}",
                    hint="put the same input back",
                )
            parts.append(known)
            keys, first = keys[known.height :], first + known.height
        return pl.concat(parts)

    def _find(self, step: LookupJoin, keys: pl.DataFrame) -> pl.DataFrame:
        # A key that is asked twice is asked in two rounds: whether it is must not depend on where a batch ends.
        asked = keys.with_row_index(_ROW).with_columns(pl.int_range(pl.len()).over(step.on).alias(_ROUND))
        rounds = asked.partition_by(_ROUND, maintain_order=True, include_key=False)
        answers = [self._answer(step, part.drop(_ROW)).with_columns(part[_ROW]) for part in rounds]
        return pl.concat(answers).sort(_ROW).drop(_ROW)

    def _answer(self, step: LookupJoin, keys: pl.DataFrame) -> pl.DataFrame:
        waits = iter(_WAITS)
        while True:
            try:
                found = self._lookups[step.lookup].find(keys)
                break
            except Exception as error:  # whatever somebody else's code raises is an answer
                # One that is busy or away for a moment may have a better one.
                seconds = next(waits, None)
                if seconds is None:
                    said = str(error).strip().splitlines()
                    return _failed(step, keys, type(error).__name__ + (f": {said[0]}" if said else ""))
                self._wait(seconds)
        wanted = {**keys.schema, **step.columns.polars}
        for name, dtype in wanted.items():
            if found.schema.get(name) != dtype:
                return _failed(step, keys, f"gave column {name!r} as {found.schema.get(name, 'none')}, not {dtype}")
        found = found.select(list(wanted)).with_columns(pl.lit(value=True).alias(FOUND))
        joined = keys.join(found, on=list(step.on), how="left", maintain_order="left")
        if joined.height != keys.height:
            return _failed(step, keys, "gave two rows for one key")
        return joined.with_columns(pl.col(FOUND).fill_null(value=False), pl.lit(None, pl.String).alias(ERROR))


def _failed(step: LookupJoin, keys: pl.DataFrame, reason: str) -> pl.DataFrame:
    """The answer that there is none."""
    return keys.with_columns(
        *(pl.lit(None, dtype).alias(name) for name, dtype in step.columns.polars.items()),
        pl.lit(value=False).alias(FOUND),
        pl.lit(f"{step.lookup}: {reason}", pl.String).alias(ERROR),
    )


NOTHING_OUTSIDE: Final = Outside({})
"""For flows that look nothing up."""
