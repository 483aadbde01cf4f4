"""Verbs that add what another stream or a table knows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

import polars as pl

from styx_lab.core.time import Duration, distance_ms, duration_ms
from styx_lab.errors import FlowError
from styx_lab.flow.expression import Expression
from styx_lab.flow.steps import AsOfJoin, Enrich, IntervalJoin, Port
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
