"""The spec of an interval join."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from styx_lab.core.operator import OUT
from styx_lab.core.time import distance_text
from styx_lab.errors import FlowError
from styx_lab.flow.steps.joined import LATE_LEFT, LATE_RIGHT, How, check_how, check_keys, joined_type
from styx_lab.flow.steps.step import Port, Step
from styx_lab.flow.types import StreamType

__all__ = ["IntervalJoin"]


@dataclass(frozen=True, slots=True)
class IntervalJoin(Step):
    """Pairs each event with those of the other side whose time is near: lower <= right's time - left's <= upper.

    Attributes:
        lower_ms, upper_ms: the bounds, ms; negative means that the right event is before the left one.
        lower_exclusive, upper_exclusive: whether a bound itself is too far.
        how: which events without a partner come out.
        suffix: put behind a right column's name that the left side has, too.
    """

    lower_ms: int
    upper_ms: int
    lower_exclusive: bool = False
    upper_exclusive: bool = False
    how: How = "inner"
    suffix: str = "_right"

    verb: ClassVar[str] = "interval_join"

    @property
    def nearest_ms(self) -> int:
        """The least distance that is a pair, ms; an exclusive bound moves by 1 ms."""
        return self.lower_ms + self.lower_exclusive

    @property
    def farthest_ms(self) -> int:
        """The greatest distance that is a pair, ms."""
        return self.upper_ms - self.upper_exclusive

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        left, right = inputs
        check_how(self.how, ("inner", "left", "full"), where=self.where)
        check_keys(inputs, where=self.where)
        if self.lower_ms > self.upper_ms:
            raise FlowError(
                "the lower bound is above the upper one",
                where=self.where,
                got=f"{distance_text(self.lower_ms)} and {distance_text(self.upper_ms)}",
                hint="lower='-5m', upper='5m'",
            )
        return {OUT: joined_type(left, right, self.suffix, where=self.where), LATE_LEFT: left, LATE_RIGHT: right}

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        return {
            "lower_ms": self.lower_ms,
            "upper_ms": self.upper_ms,
            "lower_exclusive": self.lower_exclusive,
            "upper_exclusive": self.upper_exclusive,
            "how": self.how,
            "suffix": self.suffix,
        }

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> IntervalJoin:
        """See `Step.read`."""
        fields = ("lower_ms", "upper_ms", "lower_exclusive", "upper_exclusive", "how", "suffix")
        return cls(name, inputs, *(details[field] for field in fields))

    def summary(self) -> str:
        """See `Step.summary`."""
        first, last = "(" if self.lower_exclusive else "[", ")" if self.upper_exclusive else "]"
        text = f"{first}{distance_text(self.lower_ms)}, {distance_text(self.upper_ms)}{last}"
        return text if self.how == "inner" else f"{text}, {self.how}"
