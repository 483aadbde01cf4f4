"""Every source of ours keeps the public contract, and the contract refuses sources that do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from styx_lab.connectors import (
    CsvSource,
    JsonLinesSource,
    MemorySource,
    ParquetSource,
    RecordingSource,
    RecordingWriter,
)
from styx_lab.core.ports import Source
from styx_lab.core.schema import Schema
from styx_lab.errors import DataError
from styx_lab.testing import Script, check_source
from styx_lab.testing.script_source import Interruptions, ScriptSource
from styx_lab.testing.strategies import payments

SCHEMA = Schema({"card": "str", "amount": "float", "n": "int"})
EVENTS: list[dict[str, Any]] = [
    {"card": f"card-{number % 3}", "amount": None if number % 5 == 4 else number / 2, "n": number}
    for number in range(17)
]
LINES = [b'{"card":"card-%d","amount":%.1f}' % (number % 3, number / 2) for number in range(17)]
PARTITIONS = [number * 7 % 3 for number in range(17)]
ARRIVALS = [100 * number for number in range(17)]


def _recording(folder: Path) -> RecordingSource:
    path = folder / "events.recording.parquet"
    if not path.exists():
        with RecordingWriter(path, name="events", schema=SCHEMA) as writer:
            offset = np.arange(17)
            writer.write(LINES, partition=offset % 2, offset=offset // 2, arrival=offset * 10)
    return RecordingSource(path)


def _file(folder: Path, name: str, text: bytes) -> Path:
    path = folder / name
    path.write_bytes(text)
    return path


def _parquet(folder: Path) -> ParquetSource:
    path = folder / "events.parquet"
    pl.DataFrame(EVENTS).write_parquet(path, row_group_size=5)
    return ParquetSource(path, SCHEMA)


def _script(_: Path) -> Source:
    script = Script().event("a", at=1).idle().event("b", at=2, partition=1).payload(b"{broken").idle().event("c", at=9)
    (step,) = payments().steps
    return ScriptSource(step, list(enumerate(script.moments)), ended=True, interruptions=Interruptions())


OURS = {
    "dicts": lambda _: MemorySource(EVENTS, SCHEMA),
    "dicts with places": lambda _: MemorySource(EVENTS, SCHEMA, partition=PARTITIONS, arrival=ARRIVALS),
    "broken dicts": lambda _: MemorySource([*EVENTS, {"card": 3}, {"amount": "x"}], SCHEMA),
    "iterator": lambda _: MemorySource(iter(EVENTS), SCHEMA),
    "payloads": lambda _: MemorySource([*LINES, b"", b"{", b"\x00"], SCHEMA),
    "frame": lambda _: MemorySource(pl.DataFrame(EVENTS), SCHEMA),
    "json lines": lambda folder: JsonLinesSource(_file(folder, "events.jsonl", b"\n".join([*LINES, b"", b"{"]))),
    "csv": lambda folder: CsvSource(_file(folder, "e.csv", b"n,card,amount\n1,a,2.5\nx,,\n3,b,4\n\n5,c,6"), SCHEMA),
    "parquet": _parquet,
    "recording": _recording,
    "script": _script,
}


@pytest.mark.parametrize("name", OURS)
def test_our_sources_keep_the_contract(name: str, tmp_path: Path) -> None:
    check_source(lambda: OURS[name](tmp_path))


def test_one_event_is_too_few_to_try_a_source() -> None:
    with pytest.raises(DataError, match="two events"):
        check_source(lambda: MemorySource(EVENTS[:1], SCHEMA))


class _Broken(MemorySource):
    """A source with one thing wrong."""

    def __init__(self, fault: str) -> None:
        super().__init__(EVENTS, SCHEMA)
        self._fault = fault
        if fault == "partitions":
            self.partitions = (0, 0)

    def read(self, most: int) -> Any:
        at = super().position()["row"]
        found = super().read(most + 1 if self._fault == "most" else most)
        if found is not None and self._fault == "offsets":
            found.offset[:] = 3
        if self._fault == "again" and found is None:
            super().seek({"row": 0})
        if found is not None and self._fault == "first read loses" and at and most == 1:
            return super().read(most)
        return found

    def position(self) -> Any:
        row = super().position()["row"]
        if self._fault == "position is no JSON":
            return (row,)
        return {"row": row - row % 2} if self._fault == "position is rough" else {"row": row}

    def seek(self, position: Any) -> None:
        if self._fault == "seek does nothing":
            return
        super().seek({"row": position[0]} if isinstance(position, (tuple, list)) else position)


FAULTS = {
    "most": "at most",
    "offsets": "offsets rise",
    "again": "None again",
    "first read loses": "same order as one great read",
    "position is no JSON": "position is JSON",
    "position is rough": "position after",
    "seek does nothing": "after seek",
    "partitions": "named twice",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_contract_refuses_a_broken_source(fault: str) -> None:
    with pytest.raises(AssertionError, match=FAULTS[fault]):
        check_source(lambda: _Broken(fault))


def test_the_contract_refuses_a_source_of_another_format() -> None:
    class Misnamed:
        """A source that says JSON and hands out columns."""

        def __init__(self) -> None:
            self._source = MemorySource(EVENTS, SCHEMA)

        format = "json"

        def __getattr__(self, name: str) -> Any:
            return getattr(self._source, name)

    with pytest.raises(AssertionError, match="gives payloads"):
        check_source(Misnamed)
