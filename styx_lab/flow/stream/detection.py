"""Verbs that find and judge: detect, detect_absence, score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from styx_lab.core.time import Duration
from styx_lab.errors import FlowError
from styx_lab.flow.pattern import ConditionLike, Pattern
from styx_lab.flow.steps import Detect, Score
from styx_lab.flow.steps.detect import MOST_PARTIALS, TIMED_OUT, OnError, Overflow
from styx_lab.flow.steps.score import DEAD, Fault, OnFault, read_outputs, read_policies
from styx_lab.flow.stream.columns import Value, computed
from styx_lab.flow.stream.so_far import StreamSoFar

__all__ = ["DetectionVerbs"]


class DetectionVerbs(StreamSoFar):
    """Patterns, and a model's judgement."""

    __slots__ = ()

    @property
    def timed_out(self) -> Self:
        """What began and did not end in time, of the `detect` this stream comes from.

        >>> from styx_lab.flow.stream.example import payments
        >>> drain = Pattern.begin("small").where("amount < 1").followed_by("drain").where("amount > 500").within("10m")
        >>> list(payments().detect(drain).timed_out.columns)
        ['card_id', 'small', 'drain']

        One event for each partial match that grew too old, with what it had taken: the parts it did not come to are
        null. Its time is when it timed out: `within` after its first event.
        """
        return self.side(TIMED_OUT)

    def detect(
        self,
        pattern: Pattern,
        *,
        name: str | None = None,
        max_partials: int = MOST_PARTIALS,
        overflow: Overflow = "error",
        on_error: OnError = "dead",
        order_by: str | None = None,
        descending: bool = False,
        **columns: Value,
    ) -> Self:
        """Find a pattern among the events of each key: one BusinessEvent for each match.

        >>> from styx_lab.flow.stream.example import payments
        >>> drain = Pattern.begin("small").where("amount < 1").followed_by("drain").where("amount > 500").within("10m")
        >>> list(payments().detect(drain, amount="drain.amount").columns)
        ['card_id', 'amount', 'small', 'drain']

        What did *not* happen is found by a pattern that ends in `not_followed_by` (see also `detect_absence`); what
        began and never came to its end is in `.timed_out`:

        >>> begun = Pattern.begin("small").where("amount < 1").followed_by("drain").where("amount > 500").within("10m")
        >>> list(payments().detect(begun).timed_out.columns)
        ['card_id', 'small', 'drain']

        Args:
            pattern: what to look for.
            name: the step's name; `detect` where none is given.
            max_partials: how many partial matches of one key may live at a time; loops after `followed_by_any` can
                make them double with each event.
            overflow: what becomes of one more: the flow stops (`error`), the oldest goes, or the newest does.
            on_error: an event on which a condition's function raises becomes a dead letter (`dead`), or the flow stops
                (`fail`).
            order_by: the column by which events of one key and one time are put in order; of arrival without.
            descending: whether the greatest of it comes first.
            columns: columns of the match, over its parts: a part is a struct (`drain.amount` in SQL), of lists where
                the part takes several events (`pl.col("declined").struct.field("amount").list.sum()`), and null where
                an optional part was left out.

        Time: events of a key are taken in order of event time, once the watermark has passed them; an event that the
        watermark has passed when it comes is late, and goes to `.late`. State: the events that may still be part of a
        match; without `within` they are kept for ever. Follows Flink CEP.

        Raises:
            FlowError: on a stream without a key, on a pattern that cannot work, on an unknown column.
        """
        name = self._name(name, "detect")
        if not isinstance(pattern, Pattern):
            raise FlowError("not a pattern", where=f"step {name!r}", got=pattern, hint="Pattern.begin('name')...")
        step = Detect(
            name,
            (self.port,),
            pattern,
            computed((), columns, where=f"step {name!r}"),
            max_partials,
            overflow,
            on_error,
            order_by,
            descending,
        )
        return self._append(step)

    def detect_absence(
        self,
        of: ConditionLike,
        *,
        after: Pattern,
        within: Duration,
        missing: str = "missing",
        name: str | None = None,
        **more: Any,
    ) -> Self:
        """Find what did not happen: one BusinessEvent for each time a pattern came and nothing followed it.

        The customer who went from the first page to the second, and did not reach the third:

        >>> import styx_lab as styx
        >>> visits = styx.source("visits", schema={"ts": "int", "who": "str", "page": "int"}, time="ts", key="who")
        >>> two = Pattern.begin("page1").where("page = 1").followed_by("page2").where("page = 2")
        >>> stuck = visits.detect_absence("page = 3", after=two, within="10m", missing="page3")
        >>> print(stuck.steps[-1].pattern)  # doctest: +NORMALIZE_WHITESPACE
        begin page1 where page = 1 -> followed by page2 where page = 2
            -> not followed by page3 where page = 3, within 10m
        >>> list(stuck.columns)
        ['who', 'page1', 'page2']

        It is `detect(after.not_followed_by(missing).where(of).within(within))`.

        Args:
            of: the condition that no event met.
            after: what came before.
            within: how long to wait for it, after the *first* event of `after`.
            missing: what the part that did not come is called, in drawings and in the pattern.
            name: the step's name; `detect_absence` where none is given.
            more: further arguments of `detect`, columns among them.

        Time: silence is known once the watermark has passed the length; what is found has that moment as its time.
        State: as `detect`.

        Raises:
            FlowError: as `detect`.
        """
        name = self._name(name, "detect_absence")
        if not isinstance(after, Pattern):
            raise FlowError("not a pattern", where=f"step {name!r}", got=after, hint="after=Pattern.begin('name')...")
        return self.detect(after.not_followed_by(missing).where(of).within(within), name=name, **more)

    def score(
        self,
        model: str,
        *,
        into: str | None = None,
        outputs: Mapping[str, str | tuple[str, str | type]] | Sequence[str] | None = None,
        on_error: OnFault | Mapping[Fault, OnFault | None] | None = DEAD,
        name: str | None = None,
    ) -> Self:
        """Add a model's answer to each event.

        >>> from styx_lab.flow.stream.example import payments
        >>> list(payments().score("fraud", into="risk").columns)[-1]
        'risk'

        Further columns are outputs of the model: its target's name, `probability(CLASS)`, or what its file declares. A
        flow knows its types before any model is there, so the type is said with the output; without one a probability
        is a `float`, all else text.

        >>> judged = payments().score("fraud", into="risk", outputs={"label": ("fraud", "int"), "no": "probability(0)"})
        >>> judged.columns["label"], judged.columns["no"]
        (Int64, Float64)

        A row without a score is a dead letter, unless it is to go on with null or a number. That can be said for each
        kind of fault: `missing` (a value that the model makes use of is null), `invalid` (one that it cannot take),
        `failed` (its evaluation failed, or it gave no valid target). Each kind is counted by its name. Further columns
        of such a row are null.

        >>> lenient = payments().score("fraud", into="risk", on_error={"missing": None, "failed": 0.5})
        >>> lenient.steps[-1].policies
        {'missing': 'null', 'invalid': 'dead', 'failed': 0.5}

        Args:
            model: a model of the store: `fraud` (the newest), `fraud@3` or `fraud@champion`.
            into: the new column; the probability of the positive class, or the predicted number. It may be left out
                where `outputs` are said: so a classifier of several classes can be used.
            outputs: new column -> the model's output, or a pair of it and its type (`str`, `int`, `float`, `bool`,
                `datetime`); or names of outputs that are also the columns'.
            on_error: `dead`, `null` (or None) or a number; or a mapping of these by kind of fault, `dead` for those
                that it leaves out.
            name: the step's name; `score` where none is given.

        Time: an event keeps its time. State: how often each input was null, NaN and in which bin of the model's
        profile (see `Result.drift`); nothing of any key.

        Raises:
            FlowError: when it adds no column, one that the event has already, or says an unknown choice.
        """
        name = self._name(name, "score")
        said, policies = read_outputs(outputs), read_policies(on_error)
        return self._append(Score(name, (self.port,), model, into, said, policies))
