"""The verb that runs a user's own Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from styx_lab.errors import FlowError
from styx_lab.flow.carried import Carried
from styx_lab.flow.process import Process
from styx_lab.flow.process.process import EVENT, PROCESSING_TIMER, TIMER, declaration, shared
from styx_lab.flow.steps import Port, ProcessStep
from styx_lab.flow.stream.so_far import StreamSoFar

__all__ = ["ProcessVerbs"]

_NONE: Mapping[str, StreamSoFar] = {}


class ProcessVerbs(StreamSoFar):
    """A user's own Python."""

    __slots__ = ()

    def process(
        self,
        process: type[Process],
        *,
        name: str | None = None,
        others: Mapping[str, StreamSoFar] = _NONE,
        broadcast: Mapping[str, StreamSoFar] = _NONE,
    ) -> Self:
        """Run your own Python, with state and timers for each key: a class derived from `Process`.

        >>> import styx_lab as styx
        >>> from styx_lab.flow.process.example import Stuck
        >>> clicks = styx.source("clicks", schema={"ts": "int", "who": "str", "page": "int"}, time="ts", key="who")
        >>> stuck = styx.flow("stuck", clicks.process(Stuck).notify("help", message="{who} is at {page}").to("told"))
        >>> minute = 60_000
        >>> came = [(0, "ann", 1), (1 * minute, "bo", 1), (2 * minute, "ann", 2), (9 * minute, "bo", 3)]
        >>> told = stuck.replay([{"ts": ts, "who": who, "page": page} for ts, who, page in came]).outputs["told"]
        >>> told["message"].to_list(), told["times"][0]["event"].isoformat()
        (['ann is at 2'], '1970-01-01T00:10:00+00:00')

        Args:
            process: the class; it lives in a module that can be imported, whose source the flow carries.
            name: the step's name; `process` where none is given.
            others: further inputs by name, keyed as this stream is (of a stream without a key all events are of one):
                `on_NAME` takes their events, and sees the same state.
            broadcast: inputs that concern all keys: `on_NAME` takes their events, writes `BroadcastState`, and gives
                nothing.

        Time: an event is taken when it comes, in order of arrival, also a late one: nothing is late here. The watermark
        is the smallest of the inputs'. An event that is given has the time of the event it was given for, or of the
        timer. At a watermark step timers are taken in order of time, of equal ones in the order in which they were set.
        Timers of processing time are taken when the clock moves: before the event that moved it, before the timers of
        the watermark's step; what is given for one has the newest event time so far. The clock is the newest arrival
        time (of a source without them the newest event time), and ticks while a live source is quiet.
        State: what the class declares; a key without state and timers is forgotten. An exception makes the event a dead
        letter (`process_failed`), and its key's state and timers are as before it. Follows Flink's ProcessFunctions.

        Raises:
            FlowError: when the class cannot be carried (of a notebook's cell, of `__main__`, inside a function), lacks
                what it needs, is not deterministic, or does not fit the inputs.
        """
        inputs = (*others.values(), *broadcast.values())

        def made(name: str, ports: tuple[Port, ...]) -> ProcessStep:
            where = f"step {name!r}"
            declared = declaration(process, where=where)
            if shared(declared.states) and not broadcast:
                raise FlowError(
                    "nothing would ever write this state",
                    where=where,
                    got=", ".join(shared(declared.states)),
                    hint="process(..., broadcast={'NAME': stream}) and def on_NAME(self, event, context)",
                )
            _check_names(declared.inputs, others, broadcast, where=where)
            return ProcessStep(
                name,
                ports,
                Carried.of(process, where=where),
                declared.states,
                declared.output,
                tuple(others),
                tuple(broadcast),
                declared.processing_timers,
            )

        return self._bring(inputs, name, "process", made)


def _check_names(
    methods: tuple[str, ...], others: Mapping[str, StreamSoFar], broadcast: Mapping[str, StreamSoFar], *, where: str
) -> None:
    names = [*others, *broadcast]
    for name, stream in (*others.items(), *broadcast.items()):
        place = f"{where}, input {name!r}"
        if name in (EVENT, TIMER, PROCESSING_TIMER) or names.count(name) > 1:
            raise FlowError("the name is taken", where=place, hint="another name for the input, and for its method")
        if not isinstance(stream, StreamSoFar):
            raise FlowError("not a stream", where=place, got=stream, hint="others={'refund': refunds}")
        if name not in methods:
            raise FlowError("no method takes the input", where=place, hint=f"def on_{name}(self, event, context): ...")
    for name in methods:
        if name not in names:
            raise FlowError(
                f"on_{name} has no input",
                where=where,
                hint=f"process(..., others={{'{name}': stream}}), or broadcast={{'{name}': stream}}",
            )
