"""What all step specs have in common: a name, the ports they read, and how they are checked and stored.

Law: a spec is checked when it is made (`infer`), holds no running thing, and is equal to another that says the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from styx_lab.core.events import EventKind
from styx_lab.core.keys import KEY_TYPES
from styx_lab.core.operator import OUT
from styx_lab.errors import FlowError
from styx_lab.flow.expression import Expression
from styx_lab.flow.types import StreamType

__all__ = ["Columns", "Port", "Step", "check_key", "columns_text", "read_columns", "rich"]

Columns = tuple[tuple[str, Expression], ...]


@dataclass(frozen=True, slots=True)
class Port:
    """One output of a step: `out` or `late`."""

    step: str
    name: str = OUT

    def __str__(self) -> str:
        return self.step if self.name == OUT else f"{self.step}.{self.name}"


@dataclass(frozen=True, slots=True)
class Step(ABC):
    """What all steps have: a name, unique in the flow, and the ports they read."""

    name: str
    inputs: tuple[Port, ...]

    verb: ClassVar[str]

    @property
    def where(self) -> str:
        """How errors name this step."""
        return f"step {self.name!r}"

    @property
    def wants_ticks(self) -> bool:
        """Whether it reckons in processing time, so that a live engine must tell it how the clock goes on."""
        return False

    @abstractmethod
    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """Check the step against its inputs' types and give its ports' types; a sink has none.

        Raises:
            FlowError: when the step cannot work on such inputs.
        """

    def check_ending(self) -> None:
        """Refuse, where the step is part of a flow, what would not come to an end when the input does.

        Raises:
            FlowError: when it would run for ever.
        """
        return

    @abstractmethod
    def details(self) -> dict[str, Any]:
        """The step's own fields as JSON."""

    @classmethod
    @abstractmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> Step:
        """The step of `details`' answer."""

    @abstractmethod
    def summary(self) -> str:
        """One line for drawings: what the step does."""


def check_key(stream: StreamType, key: tuple[str, ...], *, where: str) -> None:
    """Refuse a key that is unknown, named twice, or of a type that cannot be one."""
    stream.need(key, where=f"{where}, key")
    known = dict(stream.columns)
    for name in key:
        if not isinstance(known[name], KEY_TYPES):
            raise FlowError(
                "a key must be text, a whole number, a bool or a time",
                where=f"{where}, column {name!r}",
                got=str(known[name]),
                hint="with_columns() a column that can be one",
            )
    if len(set(key)) != len(key):
        raise FlowError("a key names a column twice", where=where, got=list(key))


def rich(stream: StreamType) -> StreamType:
    """A BusinessEvent that is enriched or scored is a RichBusinessEvent."""
    return replace(stream, kind=EventKind.RICH) if stream.kind is EventKind.BUSINESS else stream


def read_columns(columns: Sequence[tuple[str, Any]], *, where: str) -> Columns:
    """The computed columns of a stored step."""
    return tuple((name, Expression.from_json(value, where=where)) for name, value in columns)


def columns_text(columns: Columns) -> str:
    """Computed columns as a person would write them."""
    return ", ".join(name if value.text == name else f"{name} = {value.text}" for name, value in columns)
