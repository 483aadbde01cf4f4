"""The live monitor: what it shows, and how seldom it says so."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable
from itertools import count, pairwise

import pytest
from defusedxml import ElementTree
from hypothesis import given
from hypothesis import strategies as st

from styx_lab.core.ports import Observer
from styx_lab.core.time import MAX_WATERMARK, MIN_WATERMARK
from styx_lab.flow.flow import Flow, flow
from styx_lab.flow.pattern import Pattern
from styx_lab.flow.stream import source
from styx_lab.lab.monitor import Monitor
from styx_lab.lab.monitor_figures import Rates, delay_text, number_text, watermark_text
from tests.lab.monitor_page import monitor_page

START = 1_704_067_200_000


class Clock:
    """Time that stands still until it is told to go on; then whatever is due is called."""

    def __init__(self) -> None:
        self.now = 100.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()

    def __call__(self) -> float:
        return self.now

    def later(self, delay: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self.now + delay, next(self._number), action))

    def go(self, seconds: float) -> None:
        end = self.now + seconds
        while self._due and self._due[0][0] <= end:
            self.now, _, action = heapq.heappop(self._due)
            action()
        self.now = end

    @property
    def waiting(self) -> int:
        return len(self._due)


def fraud() -> Flow:
    payments = source("payments", schema={"ts": "int", "card_id": "str", "amount": "float"}, time="ts", key="card_id")
    drain = Pattern.begin("small").where("amount < 1").followed_by("drain").where("amount > 500").within("10m")
    found = payments.detect(drain, name="draining", amount="drain.amount").notify("block", message="{card_id}")
    return flow("fraud", found.to("notifications"))


def counters(events: int, late: int = 0, dead: int = 0) -> dict[str, dict[str, int]]:
    matches = events // 100
    return {
        "payments": {"read": events, "decoded": events - dead, "dead": dead, "processed": events - dead, "in": events},
        "draining": {"in": events - dead, "late": late, "out": matches, "matches": matches, "dead": 0},
        "block": {"in": matches, "out": matches, "notifications": matches},
        "notifications": {"in": matches},
    }


class Watched:
    """A monitor with a clock of ours, and every state it sent."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.monitor = Monitor(fraud(), clock=self.clock, later=self.clock.later)
        self.sent: list[tuple[float, dict[str, object]]] = []
        self.monitor.widget.observe(lambda change: self.sent.append((self.clock.now, change["new"])), "state")

    @property
    def state(self) -> dict[str, object]:
        return dict(self.monitor.widget.state)


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_is_an_observer(watched: Watched) -> None:
    assert isinstance(watched.monitor, Observer)


def test_shows_what_was_observed(watched: Watched) -> None:
    watched.monitor.begin()
    watched.clock.go(0.5)
    watched.monitor.observe(counters(2_000, late=3, dead=10), START, START + 2_001)
    watched.clock.go(0.2)
    state = watched.state
    assert state["status"] == "running"
    assert state["watermark"] == "2024-01-01T00:00:00.000Z"
    assert (state["delay"], state["late"], state["dead"]) == ("2.0 s", "3", "10")
    assert (state["matches"], state["notifications"]) == ("20", "20")
    assert state["steps"] == {
        "payments": [["read", "2,000"], ["decoded", "1,990"], ["dead", "10"]],
        "draining": [["in", "1,990"], ["matches", "20"], ["late", "3"], ["dead", "0"]],
        "block": [["in", "20"], ["notifications", "20"], ["late", "0"], ["dead", "0"]],
        "notifications": [["in", "20"]],
    }


def test_state_is_small_json(watched: Watched) -> None:
    for number in range(500):
        watched.monitor.observe(counters(10_000 * number), START + number)
        watched.clock.go(0.5)
    assert json.loads(json.dumps(watched.state)) == watched.state
    assert len(json.dumps(watched.state)) < 2_000


def test_observing_sends_nothing_itself(watched: Watched) -> None:
    watched.monitor.observe(counters(1), START)
    assert watched.sent == []


def test_what_is_observed_is_copied(watched: Watched) -> None:
    mine = counters(100)
    watched.monitor.observe(mine, START)
    mine["payments"]["read"] = 7
    assert watched.monitor.snapshot()["events"] == 100


@pytest.mark.laws
@given(st.lists(st.tuples(st.sampled_from([0.0, 0.001, 0.02, 0.09, 0.11, 0.5, 1.0, 3.0]), st.integers(0, 3))))
def test_at_most_ten_a_second_and_the_last_is_always_sent(schedule: list[tuple[float, int]]) -> None:
    watched = Watched()
    events = 0
    for pause, more in schedule:
        watched.clock.go(pause)
        events += more
        watched.monitor.observe(counters(events), START + events)
    watched.monitor.finish()
    times = [at for at, _ in watched.sent]
    for at in times:
        assert sum(at <= other < at + 1.0 for other in times) <= 10
    assert watched.state["status"] == "finished"
    if schedule:
        assert watched.monitor.snapshot()["steps"] == counters(events)
        assert watched.state["steps"]["payments"][0] == ["read", str(events)]  # type: ignore[index]
    said = [state for _, state in watched.sent]
    assert all(one != other for one, other in pairwise(said))


@pytest.mark.laws
@given(st.lists(st.tuples(st.sampled_from([0.0, 0.01, 0.1, 0.7]), st.integers(1, 3)), min_size=1))
def test_without_an_end_the_newest_state_comes_by_itself(schedule: list[tuple[float, int]]) -> None:
    watched = Watched()
    events = 0
    for pause, more in schedule:
        watched.clock.go(pause)
        events += more
        watched.monitor.observe(counters(events), START + events)
    watched.clock.go(0.12)
    assert watched.state["steps"]["payments"][0] == ["read", str(events)]  # type: ignore[index]


def test_a_busy_run_is_redrawn_about_nine_times_a_second(watched: Watched) -> None:
    for number in range(3_000):
        watched.monitor.observe(counters(number), START + number)
        watched.clock.go(0.001)
    assert 26 <= len(watched.sent) <= 30
    assert watched.clock.waiting <= 2


def test_nothing_is_sent_when_nothing_changed(watched: Watched) -> None:
    watched.monitor.observe(counters(1_000), START)
    watched.clock.go(5)
    sent = len(watched.sent)
    for _ in range(100):
        watched.monitor.observe(counters(1_000), START)
        watched.clock.go(0.3)
    watched.monitor.flush()
    watched.monitor.flush()
    assert len(watched.sent) == sent
    assert watched.clock.waiting == 0


def test_the_rate_falls_to_nought_when_nothing_comes(watched: Watched) -> None:
    watched.monitor.begin()
    for number in range(1, 21):
        watched.clock.go(0.1)
        watched.monitor.observe(counters(1_000 * number), START + number)
    watched.clock.go(0.12)
    rate = watched.monitor.snapshot()["events_per_s"]
    assert rate == pytest.approx(10_000, rel=0.15)
    watched.clock.go(3)
    assert watched.monitor.snapshot()["events_per_s"] == 0
    assert watched.state["rate"] == "0"


def test_a_finished_run_shows_its_mean_rate(watched: Watched) -> None:
    watched.monitor.begin()
    watched.clock.go(2)
    watched.monitor.observe(counters(3_000), MAX_WATERMARK)
    watched.clock.go(2)
    watched.monitor.finish()
    assert (watched.state["rate"], watched.state["watermark"], watched.state["delay"]) == ("750", "end of input", "–")
    watched.clock.go(10)
    assert watched.state["rate"] == "750"


def test_a_failed_run_says_why(watched: Watched) -> None:
    watched.monitor.observe(counters(10), START)
    watched.monitor.fail(ValueError("the disk is full"))
    assert (watched.state["status"], watched.state["message"]) == ("failed", "the disk is full")
    assert "failed: the disk is full" in watched.monitor._repr_mimebundle_()[0]["text/plain"]


def test_a_second_run_begins_anew(watched: Watched) -> None:
    watched.monitor.observe(counters(10), START)
    watched.monitor.fail("no")
    watched.monitor.begin()
    watched.clock.go(1)
    assert (watched.state["status"], watched.state["message"], watched.state["steps"]) == ("running", "", {})
    watched.monitor.observe(counters(5), START)
    watched.monitor.finish()
    assert watched.monitor.snapshot()["events"] == 5


def test_a_run_that_never_began_can_end(watched: Watched) -> None:
    watched.monitor.finish()
    assert (watched.state["status"], watched.state["rate"]) == ("finished", "–")


def test_steps_it_does_not_know_are_left_out(watched: Watched) -> None:
    watched.monitor.observe({"payments": {"read": 5}, "stranger": {"in": 9, "dead": 9}}, START)
    watched.monitor.finish()
    assert set(watched.state["steps"]) == {"payments"}  # type: ignore[call-overload]
    assert watched.state["dead"] == "0"


def test_snapshot_is_for_programs(watched: Watched) -> None:
    assert watched.monitor.snapshot()["watermark"] is None
    watched.monitor.observe(counters(200, late=1, dead=2), START, START + 50)
    snapshot = watched.monitor.snapshot()
    assert json.loads(json.dumps(snapshot)) == snapshot
    assert (snapshot["flow"], snapshot["status"], snapshot["events"], snapshot["matches"]) == (
        "fraud",
        "running",
        200,
        2,
    )
    assert (snapshot["watermark"], snapshot["delay_ms"], snapshot["late"], snapshot["dead"]) == (START, 50, 1, 2)


def test_where_no_widget_can_run_the_drawing_has_the_figures(watched: Watched) -> None:
    watched.monitor.observe(counters(1_234, late=1), START)
    watched.monitor.finish()
    data, _ = watched.monitor._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    root = ElementTree.fromstring(data["image/svg+xml"])
    line = root.find(".//*[@data-step='payments']//*[@data-figures]")
    assert line is not None
    assert "1,234" in [part.text for part in line]
    assert "finished: 1 late" in data["image/svg+xml"]
    assert data["text/plain"].startswith("Monitor of flow fraud: finished, events/s")


def test_the_view_needs_no_network(watched: Watched) -> None:
    script, style = watched.monitor.widget._esm, watched.monitor.widget._css
    assert "export default { render }" in script
    for text in (script.replace("http://www.w3.org/2000/svg", ""), style):
        assert not [
            word for word in ("http:", "https:", "//cdn", "import ", "@import", "url(", "fetch(") if word in text
        ]


def test_the_page_for_browsers_cannot_be_left(watched: Watched) -> None:
    page = monitor_page("</script><svg/>", watched.state | {"message": "</script>"})
    assert page.count("</script>") == 1


def test_figures_as_text() -> None:
    assert [number_text(value) for value in (0, 999_999.6, 9_999_999, 10_000_000)] == [
        "0",
        "1,000,000",
        "9,999,999",
        "10.0M",
    ]
    assert watermark_text(MIN_WATERMARK) == "–"
    assert watermark_text(10**17) == "100000000000000000 ms"
    assert watermark_text(-1) == "1969-12-31T23:59:59.999Z"
    assert delay_text(59_999) == "60.0 s"
    assert delay_text(61_500) == "1m1s"


@given(st.lists(st.tuples(st.floats(0.001, 30), st.integers(0, 1000)), max_size=300))
def test_the_curve_is_at_most_sixty_points_of_true_rates(steps: list[tuple[float, int]]) -> None:
    rates, now, total = Rates(0.0, 0), 0.0, 0
    for pause, more in steps:
        now += pause
        total += more
        rates.add(now, total)
    points = rates.points()
    assert len(points) <= 60
    assert all(0 <= point <= 1_000_000 for point in points)
    if steps:
        assert rates.mean(now, total) == pytest.approx(total / now)
