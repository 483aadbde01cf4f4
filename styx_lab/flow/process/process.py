"""The class that a user derives his own from, and what it declares.

Law: what a class keeps from one event to the next it declares, so that a crash cannot take it; anything else that it
tries to keep on itself is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any, ClassVar, Final

from styx_lab.core.schema import Schema
from styx_lab.errors import FlowError, SchemaError
from styx_lab.flow.process.seen import Context, Emitted, Event
from styx_lab.flow.process.states import BroadcastState, DeclaredState

__all__ = ["EVENT", "PROCESSING_TIMER", "RUNS", "TIMER", "Declaration", "Process", "declaration"]

EVENT: Final = "event"
TIMER: Final = "timer"
PROCESSING_TIMER: Final = "processing_timer"
_ON: Final = "on_"
RUNS: Final = "_styx_runs"
"""Set on an object that runs: from then on nothing else can be."""


class Process:
    """Your own Python for the events of each key: derive from it, in a module, and give the class to `stream.process`.

    ```python
    # my_steps.py, or a notebook cell that begins with: %%styx module my_steps
    from styx_lab import Process, ValueState


    class Stuck(Process):
        # Tells, once, when a customer has not reached page 3 within ten minutes of the first page.
        output = {"page": "int"}
        page = ValueState("int")
        deadline = ValueState("datetime")

        def on_event(self, event, context):
            if event["page"] < 3:
                if self.deadline.get() is None:
                    self.deadline.set(context.timer("10m"))
                self.page.set(event["page"])
            elif self.deadline.get() is not None:
                context.delete_timer(self.deadline.get())
                self.page.clear()
                self.deadline.clear()

        def on_timer(self, time, context):
            yield {"page": self.page.get()}
            self.page.clear()
            self.deadline.clear()
    ```

    `on_event(event, context)` is called for each event; `on_timer(time, context)` when the watermark reaches a timer;
    `on_processing_timer(time, context)` when the clock reaches one that `context.processing_timer(...)` set.
    `on_NAME(event, context)` for each further input of `process(..., others={"NAME": stream})` or `broadcast={...}`.
    Each gives mappings of output columns: by `yield`, `return` or `context.emit`.

    Attributes:
        output: names and types of the columns it gives, as in `Schema`; the key's columns come before them.
        deterministic: that the same events give the same output: no clock, no chance, nothing from outside.

    Time: an event is taken when it comes, also a late one, against the watermark as it was; then timers. State: what
    the class declares (`ValueState`, `ListState`, `MapState`, `BroadcastState`), for each key. Follows Flink's
    KeyedProcessFunction, KeyedCoProcessFunction and KeyedBroadcastProcessFunction.
    """

    output: ClassVar[Mapping[str, str | type]]
    deterministic: ClassVar[bool] = True

    def on_event(self, event: Event, context: Context) -> Emitted:
        """Take an event of the main input."""
        raise AssertionError("process() refuses a class without its own on_event")

    def on_timer(self, time: datetime, context: Context) -> Emitted:
        """Take a timer: the watermark has reached `time`."""
        raise AssertionError("a class without its own on_timer can set no timer")

    def on_processing_timer(self, time: datetime, context: Context) -> Emitted:
        """Take a timer of processing time: the clock has reached `time`."""
        raise AssertionError("a class without its own on_processing_timer can set no such timer")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in states_of(type(self)):
            raise AttributeError(
                f"self.{name} is state: write self.{name}.set(...), or self.{name}[key] = ... of a map"
            )
        if RUNS in self.__dict__:
            raise AttributeError(
                f"self.{name} would be lost in a crash: declare it, {name} = ValueState(...), and write "
                f"self.{name}.set(...)"
            )
        super().__setattr__(name, value)


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a class declares.

    Attributes:
        states: its state, by name.
        output: the columns it gives.
        inputs: the names of its methods for further inputs, without `on_`.
        processing_timers: whether it has an `on_processing_timer`, and so reckons in processing time.
    """

    states: tuple[tuple[str, DeclaredState[Any]], ...]
    output: Schema
    inputs: tuple[str, ...]
    processing_timers: bool


def states_of(process: type) -> dict[str, DeclaredState[Any]]:
    """The state that a class declares, its parents' first."""
    found: dict[str, DeclaredState[Any]] = {}
    for one in reversed(process.__mro__):
        for name, value in vars(one).items():
            if isinstance(value, DeclaredState):
                found[name] = value
            else:
                found.pop(name, None)
    return found


def declaration(process: Any, *, where: str) -> Declaration:
    """What a class declares.

    Raises:
        FlowError: when it is no `Process`, or declares what cannot be.
    """
    if not isinstance(process, type) or not issubclass(process, Process) or process is Process:
        hint = "class Mine(Process): ..., in a module; then stream.process(Mine)"
        if isinstance(process, Process):
            hint = f"the class, not an object of it: process({type(process).__name__})"
        raise FlowError("not a class derived from Process", where=where, got=process, hint=hint)
    where = f"{where}, class {process.__name__}"
    if process.on_event is Process.on_event:
        raise FlowError("the class has no on_event", where=where, hint="def on_event(self, event, context): ...")
    if process.deterministic is not True:
        raise FlowError(
            "only a deterministic class can run: the outputs of another would have to be journaled before use, and "
            "that is not there yet",
            where=where,
            hint="take what differs from run to run (clock, chance, a service) into the events",
        )
    methods = [name for name in dir(process) if name.startswith(_ON) and callable(getattr(process, name))]
    for name in methods:
        method = getattr(process, name)
        if iscoroutinefunction(method) or isasyncgenfunction(method):
            raise FlowError("a method cannot be async", where=f"{where}, {name}", hint="def, without async")
    inputs = tuple(sorted(name.removeprefix(_ON) for name in methods))
    states = states_of(process)
    for name in states:
        if name.startswith("_"):
            raise FlowError("a state's name must not begin with '_'", where=where, got=name, hint="rename it")
    return Declaration(
        tuple(states.items()),
        _output(process, where),
        tuple(name for name in inputs if name not in (EVENT, TIMER, PROCESSING_TIMER)),
        process.on_processing_timer is not Process.on_processing_timer,
    )


def _output(process: type[Process], where: str) -> Schema:
    hint = "output = {'count': 'int'}: the columns it gives, with their types"
    given = getattr(process, "output", None)
    if not isinstance(given, Mapping):
        raise FlowError("the class does not say what it gives", where=where, got=given, hint=hint)
    try:
        return given if isinstance(given, Schema) else Schema(given)
    except SchemaError as error:
        raise SchemaError(error.what, where=f"{where}, output", got=error.got, hint=error.hint or hint) from error


def shared(states: tuple[tuple[str, DeclaredState[Any]], ...]) -> list[str]:
    """The names of the states that all keys read."""
    return [name for name, state in states if isinstance(state, BroadcastState)]
