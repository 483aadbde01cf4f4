"""The spec of an as-of join: each event with the version of its key that was in force then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from styx_lab.core.operator import OUT
from styx_lab.core.time import duration_text
from styx_lab.flow.expression import Expression
from styx_lab.flow.steps.joined import How, check_how, check_keys, joined_type
from styx_lab.flow.steps.step import Port, Step
from styx_lab.flow.types import StreamType

__all__ = ["AsOfJoin"]


@dataclass(frozen=True, slots=True)
class AsOfJoin(Step):
    """Gives each event of the left side the columns of the right side's newest version of its key at its own time.

    Attributes:
        delete: a condition over a version's columns; a version that meets it ends the key.
        how: `inner` drops an event without a version, `left` gives it nulls.
        tolerance_ms: a version older than this before the event counts as none, ms; None for any age.
        suffix: put behind a right column's name that the left side has, too.
    """

    delete: Expression | None = None
    how: How = "inner"
    tolerance_ms: int | None = None
    suffix: str = "_right"

    verb: ClassVar[str] = "asof_join"

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        left, right = inputs
        check_how(self.how, ("inner", "left"), where=self.where)
        check_keys(inputs, where=self.where)
        if self.delete is not None:
            self.delete.check(right.readable, where=f"{self.where}, delete", boolean=True)
        return {OUT: joined_type(left, right, self.suffix, where=self.where)}

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        return {
            "delete": None if self.delete is None else self.delete.to_json(),
            "how": self.how,
            "tolerance_ms": self.tolerance_ms,
            "suffix": self.suffix,
        }

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> AsOfJoin:
        """See `Step.read`."""
        found = details["delete"]
        delete = None if found is None else Expression.from_json(found, where=f"step {name!r}, delete")
        return cls(name, inputs, delete, details["how"], details["tolerance_ms"], details["suffix"])

    def summary(self) -> str:
        """See `Step.summary`."""
        told: list[str] = [self.how]
        if self.tolerance_ms is not None:
            told.append(f"within {duration_text(self.tolerance_ms)}")
        if self.delete is not None:
            told.append(f"until {self.delete.text}")
        return ", ".join(told)
