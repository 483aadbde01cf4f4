"""The contract of a sink, on the plainest sink there is and on ones that break it."""

from __future__ import annotations

import polars as pl
import pytest

from styx_lab.testing import check_sink

EMPTY = pl.DataFrame(schema={"id": pl.String, "amount": pl.Float64})


class _Place:
    """Where rows are kept."""

    def __init__(self) -> None:
        self.rows = EMPTY


class _Sink:
    """A sink into memory, perhaps with one thing wrong."""

    def __init__(self, place: _Place, fault: str = "") -> None:
        self._place = place
        self._fault = fault
        self._held: list[pl.DataFrame] = []
        if fault == "opening empties":
            place.rows = EMPTY

    def write(self, frame: pl.DataFrame) -> None:
        if self._fault == "visible at once":
            self._place.rows = pl.concat([self._place.rows, frame])
        self._held.insert(0 if self._fault == "order" else len(self._held), frame)

    def commit(self) -> None:
        self._place.rows = pl.concat([self._place.rows, *self._held])
        if self._fault != "commits again":
            self._held = []

    def close(self) -> None:
        if self._fault == "close commits":
            self.commit()


def test_a_sink_that_keeps_the_contract() -> None:
    place = _Place()
    check_sink(lambda: _Sink(place), lambda: place.rows)


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("visible at once", "before commit"),
        ("order", "come in order"),
        ("commits again", "commit.. of nothing"),
        ("close commits", "drops what was not committed"),
        ("opening empties", "leaves what was committed"),
    ],
)
def test_the_contract_refuses_a_broken_sink(fault: str, rule: str) -> None:
    place = _Place()
    with pytest.raises(AssertionError, match=rule):
        check_sink(lambda: _Sink(place, fault), lambda: place.rows)
