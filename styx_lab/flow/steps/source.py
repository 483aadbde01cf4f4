"""The spec of a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from styx_lab.core.events import SOURCE_TIMESTAMP
from styx_lab.core.operator import OUT
from styx_lab.core.schema import Schema
from styx_lab.core.time import duration_text
from styx_lab.flow.event_time import TimeForm
from styx_lab.flow.steps.step import Port, Step, check_key
from styx_lab.flow.types import StreamType, raw_type
from styx_lab.flow.watermark import OwnWatermark, Punctuated, watermark_from_json

__all__ = ["SourceStep"]

_PLAIN: Final = TimeForm()


@dataclass(frozen=True, slots=True)
class SourceStep(Step):
    """Where events come in: their schema, their time, their key, and how late they may be."""

    schema: Schema
    time: str
    key: tuple[str, ...]
    max_delay_ms: int
    max_future_ms: int
    form: TimeForm = _PLAIN
    watermark: Punctuated | OwnWatermark | None = None
    idle_ms: int | None = None

    verb: ClassVar[str] = "source"

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        stream = raw_type(self.schema.polars.items(), self.key)
        where = f"{self.where}, time"
        if self.time != SOURCE_TIMESTAMP:
            stream.need([self.time], where=where)
        self.form.check(self.time, self.schema.get(self.time), where=where)
        if isinstance(self.watermark, Punctuated):
            self.watermark.check(self.schema.polars, where=f"{self.where}, watermark")
        check_key(stream, self.key, where=self.where)
        return {OUT: stream}

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        return {
            "schema": self.schema.to_json(),
            "time": self.time,
            "key": list(self.key),
            "max_delay_ms": self.max_delay_ms,
            "max_future_ms": self.max_future_ms,
            **self.form.to_json(),
            **({} if self.watermark is None else {"watermark": self.watermark.to_json()}),
            **({} if self.idle_ms is None else {"idle_ms": self.idle_ms}),
        }

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> SourceStep:
        """See `Step.read`."""
        return cls(
            name,
            inputs,
            Schema(details["schema"]),
            details["time"],
            tuple(details["key"]),
            details["max_delay_ms"],
            details["max_future_ms"],
            TimeForm.from_json(details),
            watermark_from_json(stored, where=f"source {name!r}") if (stored := details.get("watermark")) else None,
            details.get("idle_ms"),
        )

    def summary(self) -> str:
        """See `Step.summary`."""
        keyed = f", by {', '.join(self.key)}" if self.key else ""
        time = "of the source" if self.time == SOURCE_TIMESTAMP else f"{self.time}{self.form}"
        delay = f"up to {duration_text(self.max_delay_ms)} out of order"
        idle = "" if self.idle_ms is None else f", idle after {duration_text(self.idle_ms)}"
        return f"time {time}, {delay if self.watermark is None else f'watermark {self.watermark}'}{idle}{keyed}"
