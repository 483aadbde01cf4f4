"""Verbs that find and judge: detect, score."""

from __future__ import annotations

from typing import Self

from styx_lab.errors import FlowError
from styx_lab.flow.pattern import Pattern
from styx_lab.flow.steps import Detect, Score
from styx_lab.flow.stream.columns import Value, computed
from styx_lab.flow.stream.so_far import StreamSoFar

__all__ = ["DetectionVerbs"]


class DetectionVerbs(StreamSoFar):
    """Patterns, and a model's judgement."""

    __slots__ = ()

    def detect(self, pattern: Pattern, *, name: str | None = None, **columns: Value) -> Self:
        """Find a pattern among the events of each key: one BusinessEvent for each match.

        >>> from styx_lab.flow.stream.example import payments
        >>> drain = Pattern.begin("small").where("amount < 1").followed_by("drain").where("amount > 500").within("10m")
        >>> list(payments().detect(drain, amount="drain.amount").columns)
        ['card_id', 'amount', 'small', 'drain']

        Args:
            pattern: what to look for.
            name: the step's name; `detect` where none is given.
            columns: columns of the match, over its parts: a part is a struct (`drain.amount` in SQL), of lists where
            the
                part takes several events (`pl.col("declined").struct.field("amount").list.sum()`).

        Time: events of a key are taken in order of event time, once the watermark has passed them; an event that the
        watermark has passed when it comes is late, and goes to `.late`. State: the events that may still be part of a
        match; without `within` they are kept for ever. Follows Flink CEP with `noSkip`.
        """
        name = self._name(name, "detect")
        if not isinstance(pattern, Pattern):
            raise FlowError("not a pattern", where=f"step {name!r}", got=pattern, hint="Pattern.begin('name')...")
        return self._append(Detect(name, (self.port,), pattern, computed((), columns, where=f"step {name!r}")))

    def score(self, model: str, *, into: str, name: str | None = None) -> Self:
        """Add a model's answer to each event.

        Args:
            model: a model of the store: `fraud` (the newest), `fraud@3` or `fraud@champion`.
            into: the new column; the probability of the positive class, or the predicted number.
            name: the step's name.
        """
        name = self._name(name, "score")
        return self._append(Score(name, (self.port,), model, into))
