"""Verbs that add what another stream or a table knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

import polars as pl

from styx_lab.core.schema import Schema
from styx_lab.core.time import Duration, distance_ms, duration_ms
from styx_lab.errors import FlowError
from styx_lab.flow.expression import Expression
from styx_lab.flow.steps import AsOfJoin, Enrich, IntervalJoin, LookupJoin, Port
from styx_lab.flow.stream.columns import Value, names_of
from styx_lab.flow.stream.so_far import StreamSoFar
from styx_lab.flow.table import Table, table

__all__ = ["JoinVerbs"]


class JoinVerbs(StreamSoFar):
    """Joins."""

    __slots__ = ()

    def enrich(
        self, rows: Table | str | Path | pl.DataFrame, *, on: str | Sequence[str], name: str | None = None
    ) -> Self:
        """Add the columns of a static table, found by the event's columns `on`; null where it has no such row.

        Args:
            rows: a `table(...)`, or a file or frame to make one of (named after the file, or `table`).
            on: the columns that both have; in the table no two rows may have the same.
            name: the step's name.
        """
        name = self._name(name, "enrich")
        if not isinstance(rows, Table):
            rows = table("table" if isinstance(rows, pl.DataFrame) else Path(rows).stem, rows)
        step = Enrich(name, (self.port,), rows, names_of(on))
        stream = self._append(step)
        twice = rows.frame.filter(pl.struct(step.on).is_duplicated())
        if not twice.is_empty():
            raise FlowError(
                "two rows of the table have the same key",
                where=f"step {name!r}, table {rows.name!r}",
                got=twice.select(step.on).row(0),
                hint="keep one of them",
            )
        return stream

    def lookup(
        self,
        lookup: str,
        *,
        on: str | Sequence[str],
        columns: Schema | Mapping[str, str | type],
        expire_after: Duration,
        keep: int = 100_000,
        missing: Literal["null", "drop", "dead"] = "null",
        name: str | None = None,
    ) -> Self:
        """Add columns found outside the flow by the event's columns `on`, where rows may change while the flow runs.

        >>> import styx_lab as styx
        >>> from styx_lab.flow.stream.example import payments
        >>> schema = {"card_id": "str", "limit": "float"}
        >>> limits = styx.MemoryLookup([{"card_id": "a", "limit": 100.0}], schema, key="card_id")
        >>> known = payments().lookup("limits", on="card_id", columns={"limit": "float"}, expire_after="10m")
        >>> sent = [{"ts": 0, "card_id": card, "amount": 9.5} for card in ("a", "b")]
        >>> result = styx.flow("known", known.to("out")).replay(sent, lookups={"limits": limits})
        >>> result.outputs["out"]["limit"].to_list()
        [100.0, None]

        Args:
            lookup: what to look up in; the engine is given it by this name: `flow.replay(..., lookups={...})`.
            on: the columns that both have; text, whole numbers, bools or times.
            columns: what to add, with types, as in a `Schema`.
            expire_after: how long an answer is used, by the data clock; just so much later the key is asked again.
            keep: how many answers to keep at most; the oldest goes first.
            missing: what becomes of an event whose key is not found, or null: nulls in the columns (`null`), left out
                (`drop`), or a dead letter `not_found` (`dead`). Each is counted as `not_found`.
            name: the step's name; `lookup` where none is given.

        Time: events pass at once, in order of arrival, none is late. When a key is asked again follows from the data
        clock (the newest arrival time so far), never from the wall clock; what is answered may change from run to run,
        so a job keeps every answer and uses it again after a crash. That a key is not found, and that the lookup
        failed, are answers too: they are kept and expire like others. An event whose answer is a failure becomes a
        dead letter `lookup_failed`. State: an answer for each key asked within `expire_after`, `keep` at most. Counts
        `asked` and `not_found`. Like Flink's lookup join with a partial cache that expires after write.

        Raises:
            FlowError: when a column of `on` is missing or cannot be a key, a column is there already, or a length is
                not positive.
        """
        name = self._name(name, "lookup")
        age = duration_ms(expire_after, where=f"step {name!r}, expire_after")
        schema = columns if isinstance(columns, Schema) else Schema(columns)
        return self._append(LookupJoin(name, (self.port,), lookup, names_of(on), schema, age, keep, missing))

    def interval_join(
        self,
        other: StreamSoFar,
        lower: Duration,
        upper: Duration,
        *,
        lower_exclusive: bool = False,
        upper_exclusive: bool = False,
        how: Literal["inner", "left", "full"] = "inner",
        name: str | None = None,
        suffix: str = "_right",
    ) -> Self:
        """Pair each event with those of another stream with its key and a time near its own: a BusinessEvent a pair.

        >>> from styx_lab.flow.stream.example import payments
        >>> pairs = payments().filter("amount < 1", name="small").interval_join(
        ...     payments().filter("amount > 500", name="large"), "0s", "5m")
        >>> list(pairs.columns)
        ['card_id', 'ts', 'amount', 'ts_right', 'amount_right']

        Args:
            other: the right side, keyed by as many columns of the same types.
            lower: the least distance from the left event to the right one, such as `"-5m"` or `"0s"`.
            upper: the greatest.
            lower_exclusive: whether the lower bound itself is too near.
            upper_exclusive: whether the upper bound itself is too far.
            how: whether events that never had a partner come out, with nulls for the other side: of the left side
                (`left`), of both (`full`), or not (`inner`).
            name: the step's name.
            suffix: put behind a right column's name that the left side has, too.

        Time: a pair comes out when its second event comes, with the greater of both times. An event is late if its
        time is below the watermark, which is the smaller of both sides'; late events go to `.side("late_left")` and
        `.side("late_right")`. An event is forgotten once no event that is not late could be its partner, and comes out
        then if it had none and `how` asks for it; behind a `left` or `full` join the watermark is that much behind.
        State: the events not yet forgotten. Follows Flink's interval join (`KeyedStream.intervalJoin`).

        Raises:
            FlowError: when the lower bound is above the upper one, or the keys do not fit.
        """

        def make(name: str, ports: tuple[Port, ...]) -> IntervalJoin:
            where = f"step {name!r}"
            bounds = distance_ms(lower, where=f"{where}, lower"), distance_ms(upper, where=f"{where}, upper")
            return IntervalJoin(name, ports, *bounds, lower_exclusive, upper_exclusive, how, suffix)

        return self._bring([other], name, "interval_join", make)

    def asof_join(
        self,
        versions: StreamSoFar,
        *,
        delete: Value | None = None,
        how: Literal["inner", "left"] = "inner",
        tolerance: Duration | None = None,
        name: str | None = None,
        suffix: str = "_right",
    ) -> Self:
        """Give each event the columns of its key's version in force at its time: the newest with a time up to its own.

        >>> from styx_lab.flow.stream.example import payments
        >>> from styx_lab.flow.stream.source import source
        >>> limits = source("limits", schema={"at": "int", "card": "str", "limit": "float"}, time="at", key="card")
        >>> list(payments().asof_join(limits, how="left").columns)
        ['card_id', 'ts', 'amount', 'at', 'limit']

        Args:
            versions: the right side, keyed by as many columns of the same types.
            delete: a condition over a version's columns; a version that meets it says that the key has none from its
                time on.
            how: whether an event without a version comes out with nulls (`left`) or not at all (`inner`).
            tolerance: a version that is older than this before the event counts as none.
            name: the step's name.
            suffix: put behind a right column's name that the left side has, too.

        Time: an event waits until the watermark, the smaller of both sides', has reached its time; it comes out with
        its own time. Of two versions with one key and time the last to come counts. No event is late: one behind the
        watermark is looked up at the watermark's next step, in the versions still kept. State: the events that wait;
        per key the newest version that the watermark has passed and all that it has not. Follows Flink's event-time
        temporal table join (`FOR SYSTEM_TIME AS OF`); `tolerance` is ours.

        Raises:
            FlowError: when the keys do not fit, or `delete` is no condition over the versions.
        """

        def make(name: str, ports: tuple[Port, ...]) -> AsOfJoin:
            where = f"step {name!r}"
            ended = None if delete is None else Expression.of(delete, where=f"{where}, delete")
            age = None if tolerance is None else duration_ms(tolerance, where=f"{where}, tolerance", zero=True)
            return AsOfJoin(name, ports, ended, how, age, suffix)

        return self._bring([versions], name, "asof_join", make)
