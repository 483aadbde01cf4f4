"""The spec of a window join: the events of both sides that are in one window, pair by pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from styx_lab.core.operator import OUT
from styx_lab.flow.steps.joined import LATE_LEFT, LATE_RIGHT, How, check_how, check_keys, joined_type
from styx_lab.flow.steps.step import Port, Step
from styx_lab.flow.steps.window import USUAL, Firing, window_columns
from styx_lab.flow.types import StreamType, derived_type
from styx_lab.flow.window import Window, window_from_json

__all__ = ["WindowJoin"]


@dataclass(frozen=True, slots=True)
class WindowJoin(Step):
    """Pairs each event with those of the other side, of its key and in its window, when the window fires.

    Attributes:
        window: which windows; they act on the events of both sides together.
        how: whether events come out whose window has none of the other side.
        suffix: put behind a right column's name that the left side has, too.
        firing: when windows fire.
    """

    window: Window
    how: How = "inner"
    suffix: str = "_right"
    firing: Firing = USUAL

    verb: ClassVar[str] = "window_join"

    @property
    def wants_ticks(self) -> bool:
        """See `Step.wants_ticks`."""
        return self.firing.processing

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        left, right = inputs
        check_how(self.how, ("inner", "left", "full"), where=self.where)
        check_keys(inputs, where=self.where)
        for stream in inputs:
            self.firing.check(self.window, stream, where=self.where)
        joined = joined_type(left, right, self.suffix, where=self.where)
        edges = window_columns(self.window, self.firing, left)
        rest = [(name, dtype) for name, dtype in joined.columns if name not in left.key]
        return {OUT: derived_type(edges + rest, left.key), LATE_LEFT: left, LATE_RIGHT: right}

    def check_ending(self) -> None:
        """See `Step.check_ending`."""
        self.firing.check_ending(self.window, where=self.where)

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        said = {"window": self.window.to_json(), "how": self.how, "suffix": self.suffix}
        return {**said, **self.firing.to_json()}

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> WindowJoin:
        """See `Step.read`."""
        where = f"step {name!r}"
        window = window_from_json(details["window"], where=where)
        firing = Firing.from_json(details, where=where)
        return cls(name, inputs, window, details["how"], details["suffix"], firing)

    def summary(self) -> str:
        """See `Step.summary`."""
        return f"{self.window}{self.firing}" + ("" if self.how == "inner" else f", {self.how}")
