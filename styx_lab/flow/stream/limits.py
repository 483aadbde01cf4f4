"""Verbs that hold events back: deduplicate, cooldown, sort."""

from __future__ import annotations

from typing import Self

from styx_lab.core.time import Duration, duration_ms
from styx_lab.flow.steps import Cooldown, Deduplicate, Sort
from styx_lab.flow.stream.so_far import StreamSoFar

__all__ = ["LimitVerbs"]


class LimitVerbs(StreamSoFar):
    """Each event once, not too often, in order."""

    __slots__ = ()

    def deduplicate(self, *columns: str, within: Duration, name: str | None = None) -> Self:
        """Leave out repeats: events whose key and `columns` an event had that was kept, less than `within` away.

        >>> import styx_lab as styx
        >>> from styx_lab.flow.stream.example import payments
        >>> sent = [{"ts": ts, "card_id": "a", "amount": 9.5} for ts in (0, 599_999, 600_000)]
        >>> once = styx.flow("once", payments().deduplicate(within="10m").to("out"))
        >>> once.replay(sent).outputs["out"]["ts"].to_list()
        [0, 600000]

        Args:
            columns: what to compare, beside the stream's key; text, whole numbers, bools or times. An event in which
                one of them is null becomes a dead letter (`null_key`), as with `key_by`.
            within: how far apart in event time, before or after, two events may be and still be the same; a distance
                of just `within` is far enough.
            name: the step's name; `deduplicate` where none is given.

        Time: events are judged as they arrive and pass at once. The first to arrive is kept, so which of two is kept
        depends on the order of arrival. An event that is `within` or more behind the watermark is late, and goes to
        `.late`: what it might repeat may be forgotten. State: each kept event's key and time, until the watermark is
        twice `within` after it. Counts `repeats`.

        Raises:
            FlowError: when the stream has no key and no column is named, or a column cannot be compared.
        """
        name = self._name(name, "deduplicate")
        step = Deduplicate(name, (self.port,), tuple(columns), duration_ms(within, where=f"step {name!r}, within"))
        return self._append(step)

    def cooldown(self, quiet: Duration, *, name: str | None = None) -> Self:
        """Hold a key's events back for a time after one has passed: do not alert twice in an hour.

        >>> import styx_lab as styx
        >>> from styx_lab.flow.stream.example import payments
        >>> calm = styx.flow("calm", payments().cooldown("1h").to("out"))
        >>> sent = [{"ts": ts, "card_id": "a", "amount": 9.5} for ts in (0, 3_599_999, 3_600_000)]
        >>> calm.replay(sent).outputs["out"]["ts"].to_list()
        [0, 3600000]

        Args:
            quiet: how long to hold back, in event time, after each event that passed; those held back do not extend
                it.
            name: the step's name; `cooldown` where none is given.

        Time: events of a key are taken in order of event time (at one time: of arrival), once the watermark has passed
        them, so the order of arrival within the bound changes nothing; a match or window's result passes at the
        watermark step that made it. An event at or behind the watermark when it comes is late, and goes to `.late`.
        State: the events that wait; for each key until when to hold back, as long as the watermark is before that.
        Counts `suppressed`.

        Raises:
            FlowError: when the stream has no key.
        """
        name = self._name(name, "cooldown")
        return self._append(Cooldown(name, (self.port,), duration_ms(quiet, where=f"step {name!r}")))

    def sort(self, *, name: str | None = None) -> Self:
        """Put events in order of event time; at one time, of arrival.

        >>> import styx_lab as styx
        >>> schema = {"ts": "int", "word": "str"}
        >>> words = styx.source("words", schema=schema, time="ts", max_delay="5ms")
        >>> sent = [{"ts": ts, "word": "x"} for ts in (7, 4, 9)]
        >>> styx.flow("sorted", words.sort().to("out")).replay(sent).outputs["out"]["ts"].to_list()
        [4, 7, 9]

        Args:
            name: the step's name; `sort` where none is given.

        Time: an event waits until the watermark has passed it, and then has that step's place in the sequence; its
        columns stay, `_arrival` too. An event at or behind the watermark when it comes is late, and goes to `.late`.
        State: the events that wait.
        """
        return self._append(Sort(self._name(name, "sort"), (self.port,)))
