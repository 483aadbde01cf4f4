"""Verbs that compare the results of windows: top, trend."""

from __future__ import annotations

from typing import Self

from styx_lab.core.time import Duration, duration_ms
from styx_lab.errors import FlowError
from styx_lab.flow.steps import CoGroup, Port, Step, Top, Trend, WindowJoin, WindowStep
from styx_lab.flow.stream.so_far import StreamSoFar

__all__ = ["TrendVerbs"]


class TrendVerbs(StreamSoFar):
    """Results of a window among each other, and from window to window."""

    __slots__ = ()

    def top(self, count: int, *, by: str, descending: bool = True, name: str | None = None) -> Self:
        """Keep the greatest results of each window, over all keys, with their `rank` from 1.

        >>> import styx_lab as styx
        >>> from styx_lab.flow.stream.example import payments
        >>> totals = payments().window(styx.Tumbling("1m"), total=styx.sum("amount"))
        >>> sent = [{"ts": at, "card_id": card, "amount": at * 1.0} for at, card in enumerate("abcab")]
        >>> ranked = styx.flow("ranked", totals.top(2, by="total").to("out")).replay(sent).outputs["out"]
        >>> ranked.select("rank", "card_id", "total").rows()
        [(1, 'b', 5.0), (2, 'a', 3.0)]

        Args:
            count: how many of each window to keep.
            by: the column that ranks them: a number, time or bool. Null and NaN come after all others.
            descending: the greatest first; else the least.
            name: the step's name; `top` where none is given.

        Equal values stand in order of their key's canonical JSON. Of several results of one key and window (early
        firings, say) the last to come counts.

        Time: a window is ranked when the watermark reaches its end less 1 ms, which is the step that fires its
        results; a result that comes after that (of a window that fires again for a late event) is late, and goes to
        `.late`. State: the results of windows whose end the watermark has not reached. Counts `outranked` and
        `replaced`. As SQL's `ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY ...)` in Flink.

        Raises:
            FlowError: when the stream is not of windows, or cannot be ranked by that column.
        """
        name = self._name(name, "top")
        _refuse_processing_time(self.steps, self.port, f"step {name!r}")
        return self._append(Top(name, (self.port,), count, by, descending))

    def trend(
        self,
        by: str,
        *,
        over: int = 5,
        every: Duration | None = None,
        fill: float | None = 0,
        name: str | None = None,
    ) -> Self:
        """Follow a value from window to window: `previous`, `change` and `slope`, as floats.

        >>> import styx_lab as styx
        >>> from styx_lab.flow.stream.example import payments
        >>> counts = payments().window(styx.Tumbling("1m"), n=styx.count())
        >>> sent = [{"ts": minute * 60_000, "card_id": "a", "amount": 1.0} for minute in (0, 1, 1, 1, 3)]
        >>> rising = styx.flow("rising", counts.trend("n", over=3).to("out")).replay(sent).outputs["out"]
        >>> rising.select("n", "previous", "change", "slope").rows()
        [(1, None, None, None), (3, 1.0, 2.0, 2.0), (1, 0.0, 1.0, -1.0)]

        It is called `trend` because a slope is only one of the things that it tells.

        Args:
            by: the number to follow.
            over: how many windows the slope looks at, this one among them.
            every: the distance of two windows. It is that of the window before where there is just one; else it must
                be given. Windows are numbered by their end divided by it, rounded down.
            fill: what a window without a result of the key counts as, once the key has had one among the last `over`
                windows; None: as nothing, so that the slope goes through the others alone.
            name: the step's name; `trend` where none is given.

        `previous` is the key's value in the window before (else `fill`, else null); `change` is the value less that;
        `slope` is the change a window of the straight line, by least squares, through the key's windows among the last
        `over`: from the first with a value to this one. It is null where there are fewer than two. Its terms are added
        in order of the windows, in 64-bit floats. A null or NaN value is none; whole numbers beyond 2**53 are rounded.

        Time: results are taken in order of their window's end, when the watermark reaches it less 1 ms; one that comes
        after that is late, and goes to `.late`; of several of one key and window the last to come counts (`replaced`).
        State: for each key the last `over` values, until `over` windows have passed without one.

        Raises:
            FlowError: when the stream is not of windows, the column is no number, or the distance is not known.
        """
        name = self._name(name, "trend")
        _refuse_processing_time(self.steps, self.port, f"step {name!r}")
        where = f"step {name!r}, every"
        every_ms = _distance(self.steps, self.port, where) if every is None else duration_ms(every, where=where)
        return self._append(Trend(name, (self.port,), by, over, every_ms, None if fill is None else fill))


def _refuse_processing_time(steps: tuple[Step, ...], port: Port, where: str) -> None:
    """Refuse results of windows whose ends say nothing of the watermark."""
    for step in _windows(steps, port, WindowStep, WindowJoin, CoGroup):
        if step.wants_ticks:
            raise FlowError(
                "results are taken by the event time of their windows; these are of processing time",
                where=where,
                got=step.where,
                hint="a window of event time: leave out clock='processing'",
            )


def _windows(steps: tuple[Step, ...], port: Port, *kinds: type[Step]) -> list[Step]:
    """The windows that a port's events come from; of these kinds."""
    known = {step.name: step for step in steps}
    found = []
    ports = [port]
    while ports:
        step = known[ports.pop().step]
        if isinstance(step, kinds):
            found.append(step)
        else:
            ports += step.inputs
    return found


def _distance(steps: tuple[Step, ...], port: Port, where: str) -> int:
    """The distance of the windows that a port's events come from."""
    # Windows at no fixed distance (sessions, say) have none.
    windows = [getattr(step, "window", None) for step in _windows(steps, port, WindowStep)]
    found: set[int | None] = {getattr(window, "slide_ms", None) for window in windows}
    distance = found.pop() if len(found) == 1 else None
    if not distance:
        raise FlowError(
            "how far apart the windows are is not known",
            where=where,
            hint="say it: trend(..., every='1m')",
        )
    return distance
