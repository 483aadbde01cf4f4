"""The spec of a process: a user's own Python, with the source of its module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from styx_lab.core.operator import OUT
from styx_lab.core.schema import Schema
from styx_lab.errors import FlowError
from styx_lab.flow.carried import Carried
from styx_lab.flow.process import DeclaredState
from styx_lab.flow.process.states import state_from_json
from styx_lab.flow.steps.step import Port, Step
from styx_lab.flow.types import StreamType, derived_type

__all__ = ["ProcessStep"]


@dataclass(frozen=True, slots=True)
class ProcessStep(Step):
    """Runs a class derived from `Process` for each key. Gives BusinessEvents with the columns that it declares.

    Attributes:
        code: the class, with the source of its module.
        states: the state it declares, by name.
        output: the columns it gives, beside the key.
        others: the names of its further inputs, which follow the main one.
        broadcast: the names of its broadcast inputs, which come last.
        processing_timers: whether it has timers of processing time.
    """

    code: Carried
    states: tuple[tuple[str, DeclaredState[Any]], ...]
    output: Schema
    others: tuple[str, ...] = ()
    broadcast: tuple[str, ...] = ()
    processing_timers: bool = False

    verb: ClassVar[str] = "process"

    @property
    def wants_ticks(self) -> bool:
        """See `Step.wants_ticks`."""
        return self.processing_timers

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        main, *rest = inputs
        if len(rest) != len(self.others) + len(self.broadcast):
            raise FlowError("an input has no name", where=self.where, got=len(inputs))
        known = dict(main.columns)
        wanted = [known[name] for name in main.key]
        for name, stream in zip(self.others, rest, strict=False):
            found = [dict(stream.columns)[column] for column in stream.key]
            # Without a key all events are of one.
            if main.key and found != wanted:
                raise FlowError(
                    "the input is keyed otherwise than the main one",
                    where=f"{self.where}, input {name!r}",
                    got=f"{_key_text(stream)} and {_key_text(main)}",
                    hint="key_by() the same kind of columns, in the same order; or broadcast={...} it to all keys",
                )
        return {OUT: derived_type([(name, known[name]) for name in main.key] + [*self.output.polars.items()], main.key)}

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        value: dict[str, Any] = {
            "code": self.code.to_json(),
            "states": [[name, state.to_json()] for name, state in self.states],
            "output": self.output.to_json(),
            "others": list(self.others),
            "broadcast": list(self.broadcast),
        }
        # Flows from before there were such timers keep their hash.
        return value | {"processing_timers": True} if self.processing_timers else value

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> ProcessStep:
        """See `Step.read`."""
        where = f"step {name!r}"
        return cls(
            name,
            inputs,
            Carried.from_json(details["code"], where=where),
            tuple((state, state_from_json(one, where=f"{where}, state {state!r}")) for state, one in details["states"]),
            Schema(details["output"]),
            tuple(details["others"]),
            tuple(details["broadcast"]),
            details.get("processing_timers", False),
        )

    def summary(self) -> str:
        """See `Step.summary`."""
        further = "".join(f", on {name}" for name in (*self.others, *self.broadcast))
        timers = ", timers of processing time" if self.processing_timers else ""
        return f"{self.code.name}{further}{timers}: {', '.join(self.output)}"


def _key_text(stream: StreamType) -> str:
    columns = dict(stream.columns)
    return "by " + ", ".join(f"{name} ({columns[name]})" for name in stream.key) if stream.key else "without a key"
