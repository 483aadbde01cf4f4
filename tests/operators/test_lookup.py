"""The lookup join: when it asks, what it keeps, what becomes of failures; and a slow, obvious reference."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import styx_lab as styx
from styx_lab.connectors import MemorySource
from styx_lab.core.ports import Lookup
from styx_lab.engines.runner.runner import run
from styx_lab.errors import CheckpointError, FlowError, RunError
from styx_lab.flow.flow import Flow
from styx_lab.testing import FakeClock, Script
from tests.laws.verbs import Changing

SCHEMA = {"ts": "int", "card_id": "str"}
COLUMNS = {"card_id": "str", "asked_for": "int"}


def cards(**how: Any) -> Flow:
    stream = styx.source("cards", schema=SCHEMA, time="ts", key="card_id", max_delay="1s")
    columns = {"asked_for": "int"}
    said = {"on": "card_id", "columns": columns, "expire_after": "10ms"} | how
    return styx.flow("cards", stream.lookup("outside", **said).to("out"))


class Counting:
    """Knows of every key how often it was asked."""

    name = "counting"
    schema = {"card_id": pl.String(), "asked_for": pl.Int64()}

    def __init__(self) -> None:
        self.asked: list[str] = []

    def find(self, keys: pl.DataFrame) -> pl.DataFrame:
        assert keys["card_id"].is_unique().all()
        self.asked += keys["card_id"].to_list()
        return keys.with_columns(pl.Series("asked_for", [self.asked.count(key) for key in keys["card_id"]], pl.Int64))

    def close(self) -> None:
        """Nothing is held."""


def script(*events: tuple[str | None, int]) -> Script:
    made = Script()
    for card, at in events:
        made = made.event({"card_id": card, "ts": at})
    return made.end()


def answers(made: Script, flow: Flow, lookup: Lookup, **how: Any) -> list[Any]:
    return [row["asked_for"] for row in made.run(flow, lookups={"outside": lookup}, **how).rows("out")]


@pytest.mark.parametrize("batch", [1, 3, 10_000])
def test_an_answer_is_used_until_it_expires(batch: int) -> None:
    lookup = Counting()
    made = script(("a", 0), ("a", 9), ("a", 10), ("b", 12), ("a", 19), ("a", 20), ("b", 21), ("b", 22))
    assert answers(made, cards(), lookup, batch=batch) == [1, 1, 2, 1, 2, 3, 1, 2]


@pytest.mark.parametrize("crash", [False, True])
@pytest.mark.parametrize("batch", [1, 10_000])
def test_the_clock_does_not_go_back(batch: int, crash: bool) -> None:
    # The first event of b arrives at 3 when the data clock says 9: its answer is of 9, and still good at 14.
    made = Script().event({"card_id": "a", "ts": 0}, arrival=0).event({"card_id": "a", "ts": 0}, arrival=9)
    made = made.crash() if crash else made
    for at in (3, 14, 19):
        made = made.event({"card_id": "b", "ts": 0}, arrival=at)
    assert answers(made.end(), cards(), Counting(), batch=batch, checkpoint_every=1) == [1, 1, 1, 1, 2]


@pytest.mark.parametrize("batch", [1, 10_000])
def test_the_oldest_answer_goes_where_there_are_too_many(batch: int) -> None:
    made = script(("a", 0), ("b", 1), ("a", 2), ("c", 3), ("b", 4), ("a", 5))
    assert answers(made, cards(keep=2), Counting(), batch=batch) == [1, 1, 1, 1, 1, 2]


def test_a_change_outside_shows_after_the_answer_has_expired() -> None:
    limits = styx.MemoryLookup(
        [{"card_id": "a", "asked_for": 1}], {"card_id": "str", "asked_for": "int"}, key="card_id"
    )
    live = cards().live(lookups={"outside": limits})
    live.emit({"card_id": "a", "ts": 0})
    limits.put([{"card_id": "a", "asked_for": 2}, {"card_id": "b", "asked_for": 7}])
    for card, at in (("a", 9), ("b", 9), ("a", 10)):
        live.emit({"card_id": card, "ts": at})
    assert live.finish().outputs["out"]["asked_for"].to_list() == [1, 1, 7, 2]


@pytest.mark.parametrize(("missing", "out", "dead"), [("null", 2, 0), ("drop", 1, 0), ("dead", 1, 1)])
def test_what_is_not_found(missing: str, out: int, dead: int) -> None:
    limits = styx.MemoryLookup(
        [{"card_id": "a", "asked_for": 1}], {"card_id": "str", "asked_for": "int"}, key="card_id"
    )
    played = script(("a", 0), ("b", 0)).run(cards(missing=missing), lookups={"outside": limits})
    counters = played.counters["lookup"]
    assert (len(played.rows("out")), len(played.rows("dead_letters"))) == (out, dead)
    assert (counters["asked"], counters["not_found"], counters["dead"]) == (2, 1, dead)
    if dead:
        assert played.rows("dead_letters")[0]["reason"] == "not_found"


def test_a_null_key_is_not_asked_for() -> None:
    stream = styx.source("cards", schema=SCHEMA, time="ts")
    found = stream.lookup("outside", on="card_id", columns={"asked_for": "int"}, expire_after="1m").to("out")
    lookup = Counting()
    assert answers(script((None, 0), ("a", 0), (None, 1)), styx.flow("f", found), lookup) == [None, 1, None]
    assert answers(script((None, 0)), styx.flow("f", found), lookup) == [None]
    assert lookup.asked == ["a"]


class Failing(Counting):
    """Fails in a way of one's choice when it is asked for a."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def find(self, keys: pl.DataFrame) -> pl.DataFrame:
        found = super().find(keys)
        if "a" not in keys["card_id"]:
            return found
        match self.how:
            case "raises":
                raise ConnectionError("nobody there")
            case "twice":
                return pl.concat([found, found])
            case "type":
                return found.with_columns(pl.col("asked_for").cast(pl.String))
        return found.drop("asked_for")


@pytest.mark.parametrize("how", ["raises", "twice", "type", "lacks"])
def test_a_failure_is_an_answer_and_its_events_are_dead(how: str) -> None:
    lookup = Failing(how)
    made = script(("b", 0), ("a", 1), ("a", 2), ("b", 3), ("a", 11))
    played = made.run(cards(), lookups={"outside": lookup}, batch=1)
    assert [row["asked_for"] for row in played.rows("out")] == [1, 1]
    letters = played.rows("dead_letters")
    assert [row["reason"] for row in letters] == ["lookup_failed"] * 3
    assert letters[0]["detail"].startswith("outside: ")
    # What raises is asked three times.
    assert lookup.asked == (["b", *"aaa", *"aaa"] if how == "raises" else ["b", "a", "a"])
    assert played.counters["lookup"]["dead"] == 3


events = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 60)), max_size=30)


@given(events, st.integers(1, 30), st.integers(1, 4), st.sampled_from([1, 2, 7, 10_000]))
def test_it_asks_as_the_reference_does(came: list[tuple[str, int]], expire: int, keep: int, batch: int) -> None:
    clock, cache, asked, expected = -1, OrderedDict[str, tuple[int, int]](), dict[str, int](), []
    for card, at in came:
        clock = max(clock, at)
        for key in [key for key, (when, _) in cache.items() if clock - when >= expire]:
            del cache[key]
        if card not in cache:
            asked[card] = asked.get(card, 0) + 1
            cache[card] = clock, asked[card]
            if len(cache) > keep:
                cache.popitem(last=False)
        expected.append(cache[card][1] if card in cache else asked[card])
    flow = cards(expire_after=f"{expire}ms", keep=keep)
    assert answers(script(*came), flow, Counting(), batch=batch) == expected


def test_recovery_uses_the_answers_of_before(tmp_path: Path) -> None:
    made = Script()
    for number in range(40):
        made = made.event({"card_id": "abc"[number % 3], "ts": 4 * number})
        if number in (13, 14, 29):
            made = made.crash()
    how = {"engine": "runner", "batch": 2, "checkpoint_every": 7, "commit_every": 3}
    crashed, whole = Counting(), Counting()
    found = answers(made.end(), cards(), crashed, folder=tmp_path / "job", **how)
    smooth = script(*(("abc"[number % 3], 4 * number) for number in range(40)))
    assert found == answers(smooth, cards(), whole)
    assert crashed.asked == whole.asked


def test_what_is_committed_is_not_asked_again(tmp_path: Path) -> None:
    from styx_lab.testing.script_source import Crash, Interruptions, script_sources

    made = Script().event("a", at=0).event("b", at=5).crash().event("a", at=20).end()
    interruptions = Interruptions()
    interruptions.start()
    folder = tmp_path / "job"

    def go() -> Any:
        from styx_lab.engines.runner.runner import RunSettings

        sources = script_sources(made, cards(), interruptions)
        settings = RunSettings(batch=1, commit_every=0, checkpoint_every=100)
        return run(cards(), sources, lambda _: None, folder, settings=settings, lookups={"outside": Counting()})

    with pytest.raises(Crash):
        go()
    assert (folder / "answers").stat().st_size
    (folder / "answers").write_bytes(b"")
    interruptions.start()
    with pytest.raises(CheckpointError, match="not there any more"):
        go()


def test_a_lookup_that_is_not_given_or_does_not_fit_is_refused_before_the_first_event() -> None:
    with pytest.raises(RunError, match=r"not given; got 'outside'|not given.*outside"):
        cards().replay([])
    other = styx.MemoryLookup([], {"card_id": "str", "asked_for": "float"}, key="card_id")
    with pytest.raises(RunError, match="no such column of that type"):
        cards().live(lookups={"outside": other})


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"on": "nobody"}, "nobody"),
        ({"on": []}, "needs a column"),
        ({"columns": {"ts": "int"}}, "already"),
        ({"expire_after": "0s"}, "expire_after"),
        ({"keep": 0}, "keep"),
        ({"keep": True}, "keep"),
        ({"missing": "guess"}, "unknown choice"),
    ],
)
def test_what_is_refused_when_it_is_built(how: dict[str, Any], said: str) -> None:
    with pytest.raises(FlowError, match=said):
        cards(**how)


def test_a_flow_with_a_lookup_is_the_same_as_json() -> None:
    flow = cards(keep=5, missing="drop")
    assert Flow.from_json(flow.to_json()) == flow
    assert flow.lookups == ("outside",)
    assert isinstance(Changing(), Lookup)


class Busy(Counting):
    """Is away so often before it answers."""

    def __init__(self, away: int) -> None:
        super().__init__()
        self.away = away

    def find(self, keys: pl.DataFrame) -> pl.DataFrame:
        if self.away:
            self.away -= 1
            raise TimeoutError("busy")
        return super().find(keys)


@pytest.mark.parametrize(("away", "waited"), [(0, 0.0), (1, 0.1), (2, 0.6), (3, 0.6)])
def test_what_is_away_for_a_moment_is_asked_again(away: int, waited: float, tmp_path: Path) -> None:
    """By the run's own clock: that of the wait for a stop."""
    clock = FakeClock()
    source = MemorySource([{"ts": 0, "card_id": "a"}], cards().sources[0].schema)
    outcome = run(
        cards(),
        {"cards": source},
        lambda _: None,
        tmp_path / "job",
        lookups={"outside": Busy(away)},
        stop=clock.event(),
        clock=lambda: 0.0,
    )
    assert outcome.counters["lookup"]["dead"] == (away == 3)
    assert clock.seconds() == pytest.approx(waited)
