"""How long windows and lateness may be: what cannot be told as a time of the calendar is refused, or dead."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from styx_lab import flow, source
from styx_lab.errors import FlowError
from styx_lab.flow.aggregate import count
from styx_lab.flow.stream import Stream
from styx_lab.flow.trigger import Every
from styx_lab.flow.window import Cumulating, Session, Sliding, Tumbling, Window

EARLIEST, LATEST = "0100-01-01T00:00:00Z", "9899-12-31T23:59:59Z"


def calls() -> Stream:
    return source("calls", schema={"at": "str", "card": "str", "gap": "int"}, time="at", key="card")


@pytest.mark.parametrize(
    "make",
    [
        Tumbling,
        lambda length: Sliding(length, every="1d"),
        lambda length: Sliding("1d", every=length),
        lambda length: Cumulating(length, step="1d"),
        Session,
    ],
)
def test_a_window_is_not_longer_than_times_can_be(make: Callable[[str], Window]) -> None:
    make("36000d")
    with pytest.raises(FlowError, match=r"36,000 days.*'36001d'"):
        make("36001d")


@pytest.mark.parametrize("make", [Tumbling, Session, lambda length: Sliding(length, every="18000d")])
def test_the_edges_of_the_longest_window_are_times(make: Callable[[str], Window]) -> None:
    sent = [{"at": at, "card": "a", "gap": 1} for at in (EARLIEST, LATEST)]
    windows = calls().window(make("36000d"), n=count())
    notes = windows.notify("told", message="{window_start} to {window_end}")
    outputs = flow("longest", windows.to("out"), notes.to("notes")).replay(sent).outputs
    assert sum(row["n"] for row in outputs["out"].rows(named=True)) in (2, 4)
    assert len(outputs["notes"]) == len(outputs["out"])


@pytest.mark.parametrize("gap", [3_110_400_000_001, 400_000_000_000_000, 2**63 - 1])
def test_an_event_whose_gap_is_too_long_is_a_dead_letter(gap: int) -> None:
    windows = calls().window(Session(gap_from="gap"), n=count())
    sent = [{"at": EARLIEST, "card": "a", "gap": one} for one in (gap, 3_110_400_000_000)]
    outputs = flow("gaps", windows.notify("told", message="{window_end}").to("out")).replay(sent).outputs
    assert len(outputs["out"]) == 1
    (letter,) = outputs["dead_letters"].rows(named=True)
    assert letter["reason"] == "bad_gap"
    assert f"at most 36,000 days; it is {gap} ms" in letter["detail"]


@pytest.mark.parametrize(
    "make",
    [
        lambda length: calls().window(Tumbling("1s"), allowed_lateness=length, n=count()),
        lambda length: calls().window(Tumbling("1s"), trigger=Every(length), n=count()),
        lambda length: source("late", schema={"at": "str"}, time="at", max_delay=length),
    ],
)
def test_no_length_is_longer_than_all_of_time(make: Callable[[str], Stream]) -> None:
    make("3660000d")
    with pytest.raises(FlowError, match="longer than 10,000 years"):
        make("3660001d")
