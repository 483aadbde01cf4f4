"""A flow: named steps from sources to outputs, frozen, equal to another that says the same, and the same as JSON.

Law (promotion changes nothing): `Flow.from_json(flow.to_json())` is the same flow; its hash names it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final

import polars as pl

from styx_lab.core.events import EventKind, canonical_json
from styx_lab.errors import FlowError
from styx_lab.flow.steps import STEPS, Enrich, LookupJoin, Port, Score, SourceStep, Step, To
from styx_lab.flow.stream import Stream
from styx_lab.flow.stream.names import checked_name, merge_steps
from styx_lab.flow.table import Table
from styx_lab.flow.types import StreamType
from styx_lab.flow.verbs import call

__all__ = ["Flow", "flow"]

_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Flow:
    """A whole flow. Make one with `flow(name, *streams)`.

    Attributes:
        name: what it is called; part of every notification's id.
        steps: its steps, each after those it reads.
    """

    name: str
    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        checked_name(self.name, "flow")
        if not any(isinstance(step, To) for step in self.steps):
            raise FlowError("a flow needs an output", where=f"flow {self.name!r}", hint="end a stream with .to('name')")
        self.types()
        for step in self.steps:
            step.check_ending()

    @property
    def sources(self) -> tuple[SourceStep, ...]:
        """The source steps."""
        return tuple(step for step in self.steps if isinstance(step, SourceStep))

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of its outputs; dead letters are one more, of every flow."""
        return tuple(step.name for step in self.steps if isinstance(step, To))

    @property
    def notification_outputs(self) -> tuple[str, ...]:
        """Those of its outputs that carry Notifications."""
        types = self.types()
        return tuple(
            step.name
            for step in self.steps
            if isinstance(step, To) and types[step.inputs[0]].kind is EventKind.NOTIFICATION
        )

    @property
    def models(self) -> tuple[str, ...]:
        """References of the models it scores with."""
        return tuple(dict.fromkeys(step.model for step in self.steps if isinstance(step, Score)))

    @property
    def tables(self) -> tuple[Table, ...]:
        """The static tables it looks up in."""
        return tuple({step.table.sha256: step.table for step in self.steps if isinstance(step, Enrich)}.values())

    @property
    def lookups(self) -> tuple[str, ...]:
        """Names of what it looks up in outside."""
        return tuple(dict.fromkeys(step.lookup for step in self.steps if isinstance(step, LookupJoin)))

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON: two flows with the same hash mean the same."""
        return sha256(canonical_json(self.as_dict())).hexdigest()

    def step(self, name: str) -> Step:
        """The step of that name."""
        for step in self.steps:
            if step.name == name:
                return step
        known = ", ".join(step.name for step in self.steps)
        raise FlowError("no such step", where=f"flow {self.name!r}", got=name, hint=f"one of {known}")

    def types(self) -> dict[Port, StreamType]:
        """The type of every port, found by checking every step in order."""
        types: dict[Port, StreamType] = {}
        seen: set[str] = set()
        for step in self.steps:
            if step.name in seen:
                raise FlowError("two steps have the same name", where=f"step {step.name!r}", hint="rename one")
            seen.add(step.name)
            for port in step.inputs:
                if port not in types:
                    raise FlowError("reads a port that is not there", where=step.where, got=str(port))
            for name, stream in step.infer([types[port] for port in step.inputs]).items():
                types[Port(step.name, name)] = stream
        return types

    def as_dict(self) -> dict[str, Any]:
        """The flow as JSON values; tables by their hash, models by reference."""
        return {
            "format": _FORMAT,
            "flow": self.name,
            "steps": [
                {
                    "name": step.name,
                    "verb": step.verb,
                    "inputs": [[port.step, port.name] for port in step.inputs],
                    **step.details(),
                }
                for step in self.steps
            ],
        }

    def to_json(self) -> str:
        """The flow as JSON text, indented, for people and for git."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False) + "\n"

    @staticmethod
    def from_json(text: str | bytes, tables: Mapping[str, pl.DataFrame] | None = None) -> Flow:
        """The flow of `to_json`'s answer.

        Args:
            text: the JSON.
            tables: rows of its static tables by their `sha256`; needed to run it, not to look at it.

        Raises:
            FlowError: when the text is no flow, of a newer format, or says something that cannot be built.
        """
        try:
            value = json.loads(text)
        except ValueError as error:
            raise FlowError(f"no JSON: {error}", where="flow") from error
        if not isinstance(value, dict) or value.get("format") != _FORMAT:
            found = value.get("format") if isinstance(value, dict) else type(value).__name__
            raise FlowError("no flow, or of a format this version does not know", where="flow", got=found)
        try:
            steps = [_read_step(one, tables or {}) for one in value["steps"]]
            return Flow(value["flow"], tuple(steps))
        except (KeyError, TypeError, AttributeError) as error:
            raise FlowError(f"the stored flow is incomplete: {error!r}", where="flow") from error

    # What runs something lives in `workbench`; these are its short forms.
    def replay(self, *args: Any, **kwargs: Any) -> Any:
        """Run the flow over recorded events at full speed: see `workbench.replay`."""
        return call("replay", self, *args, **kwargs)

    def features(self, *args: Any, **kwargs: Any) -> Any:
        """The events that a model of the flow would see, with labels, to train on: see `workbench.features`."""
        return call("features", self, *args, **kwargs)

    def live(self, *args: Any, **kwargs: Any) -> Any:
        """Start the flow on streamz, to be fed and watched: see `workbench.live`."""
        return call("live", self, *args, **kwargs)

    def explain(self, *args: Any, **kwargs: Any) -> Any:
        """Explain what became of one key's events in the flow's pattern: see `workbench.explain`."""
        return call("explain", self, *args, **kwargs)

    def mermaid(self) -> str:
        """The drawing as Mermaid text."""
        from styx_lab.flow.drawing import mermaid

        return mermaid(self)

    def svg(self) -> str:
        """The drawing as SVG."""
        from styx_lab.flow.drawing import svg

        return svg(self)

    def __str__(self) -> str:
        from styx_lab.flow.drawing import text

        return text(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"image/svg+xml": self.svg(), "text/plain": str(self)}


def flow(name: str, *streams: Stream) -> Flow:
    """A flow of one or more streams, each with at least one output.

    >>> from styx_lab.flow.stream import source
    >>> payments = source("payments", schema={"ts": "int", "amount": "float"}, time="ts")
    >>> flow("large", payments.filter("amount > 500").to("large_payments")).outputs
    ('large_payments',)

    Raises:
        FlowError: when there is no output, or two different steps have the same name.
    """
    if not streams or not all(isinstance(stream, Stream) for stream in streams):
        raise FlowError(
            "a flow is made of streams", where=f"flow {name!r}", got=list(streams), hint="flow(name, stream)"
        )
    return Flow(name, merge_steps([stream.steps for stream in streams]))


def _read_step(value: Mapping[str, Any], tables: Mapping[str, pl.DataFrame]) -> Step:
    where = f"step {value['name']!r}"
    if value["verb"] not in STEPS:
        raise FlowError("unknown verb in a stored flow", where=where, got=value["verb"], hint="use the newer Styx Lab")
    inputs: Sequence[Port] = tuple(Port(step, port) for step, port in value["inputs"])
    step = STEPS[value["verb"]].read(value["name"], tuple(inputs), value)
    if isinstance(step, Enrich) and step.table.sha256 in tables:
        return replace(step, table=step.table.with_frame(tables[step.table.sha256]))
    return step
