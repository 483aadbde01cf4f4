"""The contract of a source: what every engine relies on.

Law (crash anywhere): a source hands out every event once, in order, and again the same from any position.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from styx_lab.core.ports import Arrivals, Source
from styx_lab.errors import DataError

__all__ = ["check_source"]

_SIZES: Final = (1, 2, 7, 1_000)


def check_source(make: Callable[[], Source]) -> None:
    """Try a source against its contract; returns when it keeps it.

    >>> from styx_lab.connectors import MemorySource
    >>> from styx_lab.core.schema import Schema
    >>> check_source(lambda: MemorySource([{"card": "a"}, {"card": "b"}], Schema({"card": "str"})))

    Args:
        make: opens the source anew, over the same events: a few, finite.

    Raises:
        AssertionError: naming the rule that is broken.
        DataError: when the source has fewer than two events, for then nothing can be tried.
    """
    source = make()
    assert isinstance(source, Source), (
        f"a source has the methods of `core.ports.Source`; {type(source).__name__} has not"
    )
    assert source.name, "a source has a name, for messages"
    _check_description(source)
    whole = _drain(source, 1_000_000)
    assert source.read(10) is None, "after the end of input, read() gives None again"
    source.close()
    source.close()  # closing twice is allowed
    if len(whole) < 2:
        raise DataError("a source needs two events or more to be tried", where="check_source()", got=len(whole))
    _check_offsets(whole)
    for size in _SIZES:
        source = make()
        found = _drain(source, size)
        source.close()
        assert found == whole, f"read({size}) over and over gives the same events in the same order as one great read()"
    _check_positions(make, whole)


def _check_description(source: Source) -> None:
    partitions = source.partitions
    assert len(partitions) > 0, "a source knows at least one partition before its first event"
    assert len(set(partitions)) == len(partitions), f"no partition is named twice; got {partitions}"
    assert source.format in ("json", "csv", "frame"), f"format is json, csv or frame; got {source.format!r}"
    if source.format == "csv":
        assert source.header, "a source of CSV says the columns of a line in `header`"


def _drain(source: Source, most: int) -> list[tuple[Any, ...]]:
    """Every event to the end, as something that can be compared; each read is checked."""
    events: list[tuple[Any, ...]] = []
    while (arrivals := source.read(most)) is not None:
        events += _events(source, arrivals, most)
    return events


def _events(source: Source, arrivals: Arrivals, most: int) -> list[tuple[Any, ...]]:
    count = len(arrivals)
    assert count <= most, f"read({most}) gives at most {most} events; got {count}"
    assert len(arrivals.partition) == count, "partition and offset have one entry an event"
    for name in ("arrival", "timestamp"):
        column = getattr(arrivals, name)
        assert column is None or len(column) == count, f"{name} is None or has one entry an event"
    assert (arrivals.payloads is None) != (arrivals.columns is None), "exactly one of payloads and columns is given"
    if source.format == "frame":
        assert arrivals.columns is not None, "a source of format frame gives columns"
        assert arrivals.columns.height == count, "columns have one row an event"
        content: list[Any] = [tuple(map(_same, row)) for row in arrivals.columns.rows()]
        types = tuple(arrivals.columns.schema.items())
    else:
        assert arrivals.payloads is not None, f"a source of format {source.format} gives payloads"
        assert len(arrivals.payloads) == count, "there is one payload an event"
        content = list(arrivals.payloads)
        types = ()
    broken = arrivals.broken or {}
    assert all(0 <= row < count for row in broken), "broken names events of the same read()"
    return [
        (
            int(arrivals.partition[row]),
            int(arrivals.offset[row]),
            None if arrivals.arrival is None else int(arrivals.arrival[row]),
            None if arrivals.timestamp is None else int(arrivals.timestamp[row]),
            content[row],
            types,
            broken.get(row),
            arrivals.idle is not None and bool(arrivals.idle[row]),
        )
        for row in range(count)
    ]


def _same(value: Any) -> Any:
    # A NaN is not equal to itself.
    return repr(value) if isinstance(value, float) else value


def _check_offsets(events: list[tuple[Any, ...]]) -> None:
    newest: dict[int, int] = {}
    for partition, offset, *_, idle in events:
        if idle:
            assert offset == -1, f"a decision that a partition is idle has no offset but -1; got {offset}"
            continue
        assert offset > newest.get(partition, -1), (
            f"offsets rise in each partition; partition {partition} has {offset} after {newest[partition]}"
        )
        newest[partition] = offset


def _check_positions(make: Callable[[], Source], whole: list[tuple[Any, ...]]) -> None:
    source = make()
    positions = [source.position()]
    while (arrivals := source.read(1)) is not None:
        if len(arrivals):
            assert len(positions) <= len(whole), "a source hands out every event once"
            positions.append(source.position())
    for position in positions:
        kept = json.loads(json.dumps(position))
        assert kept == position, f"a position is JSON, and stays what it is in it; got {position!r}"
    for count in sorted({0, 1, len(whole) // 2, len(whole) - 1, len(whole)}):
        source.seek(json.loads(json.dumps(positions[count])))
        assert source.position() == positions[count], "after seek(), position() is where it was sought"
        rest = _drain(source, 3)
        assert rest == whole[count:], f"seek() back to the position after {count} events gives the events from there on"
        other = make()
        other.seek(json.loads(json.dumps(positions[count])))
        rest = _drain(other, 2)
        other.close()
        assert rest == whole[count:], f"a position holds in a source opened anew; it did not after {count} events"
    source.close()
