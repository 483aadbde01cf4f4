"""What a recording says about itself: one JSON text beside its rows.

Law: everything that a replay needs to be the same is in the file itself.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from styx_lab.connectors.recording_seal import UNSEALED
from styx_lab.core.schema import Schema
from styx_lab.errors import DataError

__all__ = ["IDLE_FORMAT", "METADATA_KEY", "RECORDING_FORMAT", "TICK_FORMAT", "About"]

METADATA_KEY: Final = "styx.recording"
RECORDING_FORMAT: Final = 1
"""The number of the form of recordings; a newer one is refused."""
IDLE_FORMAT: Final = 2
"""The same with decisions that a partition was idle; who does not know of them must not read it."""
TICK_FORMAT: Final = 3
"""The same with ticks of the clock among them."""


@dataclass(frozen=True, slots=True)
class About:
    """The description of a recording.

    Attributes:
        name: what the recorded source is called.
        schema: name to type, in the words of `Schema`.
        time: the column with the event time, if that is known.
        key: the key's columns, if they are known.
        partitions: those known before the first event.
        events: how many there are.
        first_arrival, last_arrival: epoch ms of the first and the last event, in order of arrival; `None` without
            events.
        content_sha256: see `recording_content.py`.
        idle: decisions that a partition was idle, in order: `row` (how many events are before it), `partition`, and
            `at` (epoch ms). Of partition -1 it is a tick of the clock. A recording that has some is of form 2, with
            ticks of form 3.
        truth: a note on what is known to be in it, such as where the ground truth is.
        encoding: how payloads are encoded.
        format: the number of this form.
    """

    name: str
    schema: dict[str, str]
    time: str | None
    key: list[str]
    partitions: list[int]
    events: int
    first_arrival: int | None
    last_arrival: int | None
    content_sha256: str
    idle: list[dict[str, Any]] = field(default_factory=list)
    truth: str | None = None
    encoding: str = "json"
    format: int = RECORDING_FORMAT

    def to_text(self) -> str:
        """As JSON, with a place for the seal (see `recording_seal.py`)."""
        return json.dumps({**asdict(self), "file_sha256": UNSEALED})

    def to_schema(self) -> Schema:
        """The schema of the payloads."""
        return Schema(self.schema)

    @classmethod
    def from_text(cls, text: str, *, where: str) -> About:
        """Read back what `to_text` gave.

        Raises:
            DataError: it is damaged, or of a newer form.
        """
        hint = "take the recording again from where it came"
        try:
            facts = json.loads(text)
            number = facts["format"]
            del facts["file_sha256"]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError("the description of this recording cannot be read", where=where, hint=hint) from error
        if number not in (RECORDING_FORMAT, IDLE_FORMAT, TICK_FORMAT):
            raise DataError(
                "this recording is of a form that is not known",
                where=where,
                got=number,
                hint="update Styx Lab to read it",
            )
        return cls(**facts)
