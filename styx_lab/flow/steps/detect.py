"""The spec of pattern detection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, get_args

import polars as pl

from styx_lab.core.events import TIME
from styx_lab.core.operator import LATE, OUT
from styx_lab.core.schema import TIME_DTYPE
from styx_lab.errors import FlowError
from styx_lab.flow.pattern import Pattern
from styx_lab.flow.pattern.json_form import written_as_before
from styx_lab.flow.steps.step import Columns, Port, Step, read_columns
from styx_lab.flow.types import StreamType, derived_type

__all__ = ["MOST_PARTIALS", "TIMED_OUT", "Detect", "OnError", "Overflow"]

TIMED_OUT: Final = "timed_out"
"""The output of what began and did not end in time."""
MOST_PARTIALS: Final = 100_000
"""How many partial matches of one key may live at a time, where nothing else is said."""

Overflow = Literal["error", "drop_oldest", "drop_newest"]
OnError = Literal["dead", "fail"]


@dataclass(frozen=True, slots=True)
class Detect(Step):
    """Finds a pattern among the events of each key. RawEvents -> BusinessEvents.

    Attributes:
        pattern: what to look for.
        columns: columns of a match, over its parts.
        max_partials: how many partial matches of one key may live at a time.
        overflow: what becomes of one more.
        on_error: what becomes of an event on which a condition raises.
        order_by: the column that orders events of one key and one time; None for the order of arrival.
        descending: whether the greatest of it comes first.
    """

    pattern: Pattern
    columns: Columns
    max_partials: int = MOST_PARTIALS
    overflow: Overflow = "error"
    on_error: OnError = "dead"
    order_by: str | None = None
    descending: bool = False

    verb: ClassVar[str] = "detect"

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        (stream,) = inputs
        if not stream.key:
            raise FlowError(
                "detect() needs a keyed stream", where=self.where, hint="put key_by(...) before it, or source(key=...)"
            )
        self._check_options(stream)
        known = dict(stream.columns)
        self.pattern.check(stream.readable, where=self.where)
        parts = self.parts(stream)
        for name in [name for name, _ in self.columns] + list(parts):
            if name in stream.key:
                raise FlowError(
                    "a part or column has the name of the key", where=self.where, got=name, hint="rename it"
                )
        key = [(name, known[name]) for name in stream.key]
        columns = [
            (name, expression.check(parts, where=f"{self.where}, column {name!r}")) for name, expression in self.columns
        ]
        return {
            OUT: derived_type([*key, *columns, *parts.items()], stream.key),
            LATE: stream,
            TIMED_OUT: derived_type([*key, *parts.items()], stream.key),
        }

    def _check_options(self, stream: StreamType) -> None:
        if not isinstance(self.max_partials, int) or isinstance(self.max_partials, bool) or self.max_partials < 1:
            raise FlowError("max_partials must be a whole number of 1 or more", where=self.where, got=self.max_partials)
        for name, value, words in (
            ("overflow", self.overflow, get_args(Overflow)),
            ("on_error", self.on_error, get_args(OnError)),
        ):
            if value not in words:
                hint = f"one of {', '.join(map(repr, words))}"
                raise FlowError(f"{name} has no such choice", where=self.where, got=value, hint=hint)
        if self.order_by is None:
            if self.descending:
                raise FlowError("descending needs order_by", where=self.where, hint="order_by='amount'")
            return
        stream.need([self.order_by], where=f"{self.where}, order_by")
        dtype = dict(stream.columns)[self.order_by]
        if dtype.is_nested() or dtype == pl.Binary():
            raise FlowError(
                "events can be put in order by a number, text, truth or time",
                where=f"{self.where}, order_by",
                got=str(dtype),
                hint="another column",
            )

    def parts(self, stream: StreamType) -> dict[str, pl.DataType]:
        """The type of each part's column: a struct of the event's columns and `_time`; of lists where it repeats.

        A part that may be left out is null where it was.
        """
        fields = {**dict(stream.columns), TIME: TIME_DTYPE}
        return {
            name: pl.Struct({field: pl.List(dtype) if many else dtype for field, dtype in fields.items()})
            for name, many in self.pattern.columns.items()
        }

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        pattern = self.pattern
        # A flow's hash may not change under it: a pattern that version 0.1 could say is stored as it did.
        stored = written_as_before(pattern.parts, pattern.after_match) or pattern.to_json()
        value: dict[str, Any] = {
            "pattern": stored,
            "columns": [[name, expression.to_json()] for name, expression in self.columns],
        }
        options = {
            "max_partials": (self.max_partials, MOST_PARTIALS),
            "overflow": (self.overflow, "error"),
            "on_error": (self.on_error, "dead"),
            "order_by": (self.order_by, None),
            "descending": (self.descending, False),
        }
        return value | {name: said for name, (said, usual) in options.items() if said != usual}

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> Detect:
        """See `Step.read`."""
        where = f"step {name!r}"
        return cls(
            name,
            inputs,
            Pattern.from_json(details["pattern"], where=where),
            read_columns(details["columns"], where=where),
            details.get("max_partials", MOST_PARTIALS),
            details.get("overflow", "error"),
            details.get("on_error", "dead"),
            details.get("order_by"),
            details.get("descending", False),
        )

    def summary(self) -> str:
        """See `Step.summary`."""
        return str(self.pattern)
