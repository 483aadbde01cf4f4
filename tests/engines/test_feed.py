"""The feed: one sequence of several sources, whatever the slices, from any position."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from styx_lab.connectors import MemorySource
from styx_lab.core.ports import Arrivals, Source
from styx_lab.core.schema import Schema
from styx_lab.engines.feed import Feed, Slice, cut

pytestmark = pytest.mark.laws
SCHEMA = Schema({"n": "int"})
# For each source, the arrival times of its events, or how many it has where it records none.
SOURCES = st.lists(st.lists(st.integers(0, 12), max_size=15), min_size=1, max_size=3)


def make(arrivals: list[list[int]], recorded: list[bool]) -> dict[str, Source]:
    return {
        f"s{place}": MemorySource([{"n": n} for n in range(len(times))], SCHEMA, arrival=times if kept else None)
        for place, (times, kept) in enumerate(zip(arrivals, recorded, strict=True))
    }


def entries(piece: Slice) -> list[tuple[int, str, int]]:
    """Number in the sequence, source, offset."""
    found = [
        (number, name, int(offset))
        for name, arrivals in piece.arrivals.items()
        for number, offset in zip(piece.sequence[name].tolist(), arrivals.offset, strict=True)
    ]
    return sorted(found)


def drain(feed: Feed, sizes: list[int]) -> list[tuple[int, str, int]]:
    found: list[tuple[int, str, int]] = []
    turn = 0
    while (piece := feed.next(sizes[turn % len(sizes)])) is not None:
        assert len(piece) <= sizes[turn % len(sizes)]
        found += entries(piece)
        turn += 1
    return found


@given(SOURCES, st.data())
def test_the_sequence_does_not_depend_on_the_slices(arrivals: list[list[int]], data: st.DataObject) -> None:
    recorded = [data.draw(st.booleans()) or data.draw(st.booleans()) for _ in arrivals]
    whole = drain(Feed(make(arrivals, recorded)), [1_000])
    assert [number for number, _, _ in whole] == list(range(sum(map(len, arrivals))))
    for sizes in ([1], [2, 5], data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))):
        assert drain(Feed(make(arrivals, recorded)), sizes) == whole


@given(SOURCES)
def test_sources_are_merged_by_arrival_ties_in_order_of_the_sources(arrivals: list[list[int]]) -> None:
    whole = drain(Feed(make(arrivals, [True] * len(arrivals))), [4])
    expected = sorted(
        (max(times[: offset + 1]), place, offset)
        for place, times in enumerate(arrivals)
        for offset in range(len(times))
    )
    assert [(name, offset) for _, name, offset in whole] == [(f"s{place}", offset) for _, place, offset in expected]


def test_without_arrival_times_sources_take_turns() -> None:
    feed = Feed(make([[0, 0, 0], [0]], [False, True]))
    assert [(name, offset) for _, name, offset in drain(feed, [10])] == [("s0", 0), ("s1", 0), ("s0", 1), ("s0", 2)]


@given(SOURCES, st.data())
def test_a_feed_goes_on_from_a_position(arrivals: list[list[int]], data: st.DataObject) -> None:
    recorded = [data.draw(st.booleans()) for _ in arrivals]
    sizes = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=3))
    whole = drain(Feed(make(arrivals, recorded)), [1_000])
    feed = Feed(make(arrivals, recorded))
    for _ in range(data.draw(st.integers(0, 8))):
        feed.next(data.draw(st.integers(1, 6)))
    position = json.loads(json.dumps(feed.position()))
    assert position["count"] == feed.count
    other = Feed(make(arrivals, recorded))
    other.seek(position)
    assert other.position() == position
    assert drain(other, sizes) == whole[feed.count :]
    # And the one that gave the position goes on as well.
    assert drain(feed, sizes) == whole[position["count"] :]


class _Sparing(MemorySource):
    """Gives at most two events at a time, and now and then none: what a live source does."""

    def __init__(self, events: Any, schema: Schema) -> None:
        super().__init__(events, schema)
        self._turn = 0

    def read(self, most: int) -> Arrivals | None:
        self._turn += 1
        if self._turn % 3 == 0:
            return cut(Arrivals(np.zeros(1, np.int32), np.zeros(1, np.int64), payloads=[b""]), 0, 0)
        return super().read(min(most, 2 if self._turn % 2 else 3))


@pytest.mark.parametrize("most", [1, 2, 3, 10])
@pytest.mark.parametrize("count", [1, 2])
def test_a_source_may_give_less_than_it_is_asked_for(count: int, most: int) -> None:
    def sources() -> dict[str, Source]:
        return {f"s{place}": _Sparing([{"n": n} for n in range(11)], SCHEMA) for place in range(count)}

    whole = drain(Feed(sources()), [100])
    assert len(whole) == 11 * count
    for stop in range(12):
        feed = Feed(sources())
        found: list[tuple[int, str, int]] = []
        for _ in range(stop):
            piece = feed.next(most)
            found += entries(piece) if piece is not None else []
        other = Feed(sources())
        other.seek(json.loads(json.dumps(feed.position())))
        assert found + drain(other, [3]) == whole


def test_an_empty_feed_is_at_its_end() -> None:
    feed = Feed(make([[]], [True]))
    assert feed.next(10) is None
    assert feed.next(10) is None
    assert feed.count == 0


def test_a_piece_of_arrivals_keeps_everything() -> None:
    arrivals = Arrivals(
        np.array([0, 1, 0], np.int32),
        np.array([5, 6, 7]),
        np.array([10, 11, 12]),
        np.array([-1, 3, 4]),
        payloads=[b"a", b"b", b"c"],
        broken={0: "x", 2: "y"},
    )
    piece = cut(arrivals, 1, 3)
    assert (piece.partition.tolist(), piece.offset.tolist()) == ([1, 0], [6, 7])
    assert piece.arrival is not None
    assert piece.timestamp is not None
    assert (piece.arrival.tolist(), piece.timestamp.tolist()) == ([11, 12], [3, 4])
    assert (piece.payloads, piece.broken) == ([b"b", b"c"], {1: "y"})


def test_close_closes_every_source() -> None:
    closed: list[str] = []

    class Closing(MemorySource):
        def close(self) -> None:
            closed.append(self.name)

    Feed({name: Closing([{"n": 1}], SCHEMA, name=name) for name in "ab"}).close()
    assert closed == ["a", "b"]
