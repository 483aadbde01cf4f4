"""The spec of a look-up outside the flow, with a cache that expires."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from styx_lab.core.operator import OUT
from styx_lab.core.schema import Schema
from styx_lab.core.time import duration_text
from styx_lab.errors import FlowError
from styx_lab.flow.steps.step import Port, Step, check_key, rich
from styx_lab.flow.types import StreamType

__all__ = ["LookupJoin"]

_MISSING: Final = ("null", "drop", "dead")
_MOST: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class LookupJoin(Step):
    """Adds columns that are found outside by the event's column(s); an answer is used until it expires."""

    lookup: str
    on: tuple[str, ...]
    columns: Schema
    expire_ms: int
    keep: int
    missing: Literal["null", "drop", "dead"]

    verb: ClassVar[str] = "lookup"

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        (stream,) = inputs
        if not isinstance(self.lookup, str) or not self.lookup:
            raise FlowError(
                "a lookup is said by its name",
                where=self.where,
                got=self.lookup,
                hint='lookup("customers", ...) here, replay(..., lookups={"customers": ...}) when it runs',
            )
        if not self.on:
            raise FlowError("lookup() needs a column to find by", where=self.where, hint='on="card_id"')
        check_key(stream, self.on, where=self.where)
        if self.missing not in _MISSING:
            raise FlowError(
                "unknown choice", where=f"{self.where}, missing", got=self.missing, hint=", ".join(_MISSING)
            )
        if not isinstance(self.keep, int) or isinstance(self.keep, bool) or not 1 <= self.keep <= _MOST:
            raise FlowError(
                "how many answers to keep must be a whole number",
                where=f"{self.where}, keep",
                got=self.keep,
                hint=f"1 to {_MOST:,}",
            )
        for name in self.columns:
            if name in stream.names:
                raise FlowError(
                    "the event has a column of that name already",
                    where=f"{self.where}, lookup {self.lookup!r}",
                    got=name,
                    hint="select() the event's column under another name before",
                )
        return {OUT: rich(stream).with_columns([*stream.columns, *self.columns.polars.items()])}

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        return {
            "lookup": self.lookup,
            "on": list(self.on),
            "columns": self.columns.to_json(),
            "expire_ms": self.expire_ms,
            "keep": self.keep,
            "missing": self.missing,
        }

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> LookupJoin:
        """See `Step.read`."""
        return cls(
            name,
            inputs,
            details["lookup"],
            tuple(details["on"]),
            Schema(details["columns"]),
            details["expire_ms"],
            details["keep"],
            details["missing"],
        )

    def summary(self) -> str:
        """See `Step.summary`."""
        return f"{self.lookup} on {', '.join(self.on)}, kept {duration_text(self.expire_ms)}"
