"""The heap: what comes out is sorted, whatever else the order among equals is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from styx_lab.operators.cep.reading.heap import Heap

Things = list[tuple[int, int]]
THINGS = st.lists(st.integers(0, 5)).map(lambda ranks: [(rank, place) for place, rank in enumerate(ranks)])


def _rank(thing: tuple[int, int]) -> int:
    return thing[0]


def _drained(heap: Heap[tuple[int, int]]) -> Things:
    return [heap.poll() for _ in range(len(heap))]


def _is_heap(heap: Heap[tuple[int, int]]) -> bool:
    lies = list(heap)
    return all(lies[(place - 1) // 2][0] <= lies[place][0] for place in range(1, len(lies)))


@given(THINGS)
def test_what_is_polled_is_sorted(things: Things) -> None:
    heap = Heap(_rank, things)
    assert _is_heap(heap)
    if things:
        assert heap.peek() == next(iter(heap))
    out = _drained(heap)
    assert [rank for rank, _ in out] == sorted(rank for rank, _ in things)
    assert sorted(out) == sorted(things)
    assert heap.peek() is None


@given(st.lists(st.integers(0, 9), min_size=3, max_size=20), st.integers(2, 4), st.integers(0, 3))
def test_what_is_dropped_is_gone_and_the_rest_is_a_heap(ranks: list[int], every: int, first: int) -> None:
    heap = Heap(_rank, [(rank, place) for place, rank in enumerate(ranks)])
    before = list(heap)

    def goes(thing: tuple[int, int]) -> bool:
        return thing[1] % every == first

    assert heap.drop(goes) == [thing for thing in before if goes(thing)]
    assert _is_heap(heap)
    assert sorted(_drained(heap)) == sorted(thing for thing in before if not goes(thing))


@given(THINGS)
def test_one_more_after_each_poll_is_still_sorted(things: Things) -> None:
    heap: Heap[tuple[int, int]] = Heap(_rank)
    plain: list[int] = []
    for thing in things:
        heap.add(thing)
        plain.append(thing[0])
        if thing[1] % 3 == 2:
            least = min(plain)
            plain.remove(least)
            assert heap.poll()[0] == least
    assert [rank for rank, _ in _drained(heap)] == sorted(plain)


def test_equals_lie_as_in_java() -> None:
    # What java.util.PriorityQueue did, Java 17: adds, two polls, removeIf; then adds and removeAll.
    heap = Heap(_rank, [(1, 0), (1, 1), (0, 2), (1, 3), (0, 4), (2, 5), (0, 6)])
    assert list(heap) == [(0, 2), (0, 4), (0, 6), (1, 3), (1, 1), (2, 5), (1, 0)]
    assert [heap.poll(), heap.poll()] == [(0, 2), (0, 4)]
    assert list(heap) == [(0, 6), (1, 0), (2, 5), (1, 3), (1, 1)]
    heap.drop(lambda thing: thing[0] == 1)
    assert list(heap) == [(0, 6), (2, 5)]
    ranks = [3, 1, 2, 1, 1, 3, 2, 0, 1, 2, 3, 0]
    heap = Heap(_rank, [(rank, place) for place, rank in enumerate(ranks)])
    assert list(heap)[:6] == [(0, 7), (1, 1), (0, 11), (1, 3), (1, 4), (2, 2)]
    assert list(heap)[6:] == [(2, 6), (3, 0), (1, 8), (2, 9), (3, 10), (3, 5)]
    heap.drop(lambda thing: thing[0] == 0 or thing[1] % 4 == 1)
    assert list(heap) == [(1, 3), (1, 4), (1, 8), (2, 6), (3, 0), (2, 2), (3, 10)]
