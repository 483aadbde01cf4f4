"""`flow.explain`: what it follows is the run, with the same matches, late events and dead letters."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars import col

import styx_lab as styx
from styx_lab.core.events import ORIGIN
from styx_lab.errors import FlowError, RunError
from styx_lab.flow.flow import Flow
from styx_lab.flow.pattern import Pattern
from styx_lab.samples import CARDS_SCHEMA, generate_cards

TESTING = (
    Pattern.begin("declined").where("status = 'declined'").times(2).consecutive()
    .followed_by("drain").where("status = 'approved' AND amount > 500").within("10m")
)  # fmt: skip


def _payments() -> Any:
    return styx.source("payments", schema=CARDS_SCHEMA, time="ts", key="card_id", max_delay="2s")


def _flow(**more: Any) -> Flow:
    found = _payments().detect(TESTING, name="testing", **more)
    return styx.flow("testing", found.to("found"), found.timed_out.to("timed_out"), found.late.to("late"))


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explain")
    generate_cards(4_000).write(folder)
    return folder / "payments.recording.parquet"


def _places(origin: str) -> tuple[tuple[str, tuple[int, ...]], ...]:
    parts = json.loads(origin)[2]
    return tuple(sorted((part, tuple(offset for _, _, offset in places)) for part, places in parts.items()))


def test_it_tells_what_the_run_gave(recording: Path) -> None:
    flow = _flow()
    result = flow.replay(recording)
    keys = Counter(result.outputs["found"]["card_id"].to_list() + result.outputs["timed_out"]["card_id"].to_list())
    late = result.outputs["late"]
    chosen = [*list(keys)[:6], *late["card_id"].unique(maintain_order=True).to_list()[:4], "card-00001"]
    assert len(set(chosen)) > 4
    for key in set(chosen):
        one = flow.explain(recording, key=key, batch=333)
        offsets = one.followed.frame["_offset"].to_list()
        for end, output in (("matched", "found"), ("timed_out", "timed_out")):
            told = [
                tuple(sorted((part, tuple(offsets[each] for each in taken)) for part, taken in life.parts().items()))
                for life in one.lives
                if life.end == end
            ]
            rows = result.outputs[output].filter(col("card_id") == key)
            assert sorted(told) == sorted(map(_places, rows[ORIGIN].to_list()))
        behind = late.filter(col("card_id") == key)["_offset"].to_list()
        assert [offsets[event] for event in one.followed.late] == behind
        assert one.text == flow.explain(recording, key=key).text


def test_the_engine_is_that_of_the_flow(recording: Path) -> None:
    assert "partial matches that time out are wanted" in _flow().explain(recording, key="card-00001").engine
    alone = styx.flow("testing", _payments().detect(TESTING).to("found"))
    assert alone.explain(recording, key="card-00001").engine.startswith("compiled chain")


def test_what_stands_before_the_step_counts() -> None:
    schema = {"ts": "int", "who": "int", "n": "int"}
    one, two = (styx.source(name, schema=schema, time="ts", key="who") for name in ("one", "two"))
    pattern = Pattern.begin("a").where("n = 1").next("b").where("n = 2")
    flow = styx.flow("both", one.union(two).filter("n < 9").detect(pattern).to("found"))
    inputs = {
        "one": [{"ts": 1, "who": 7, "n": 1}, {"ts": 2, "who": 7, "n": 9}, {"ts": 3, "who": None, "n": 2}],
        "two": [{"ts": 4, "who": 7, "n": 2}, {"ts": 4, "who": 8, "n": 2}],
    }
    for key in (7, "7", {"who": 7}, {"who": "7"}, (7,)):
        why = flow.explain(inputs, key=key)
        assert why.answer.startswith("1 match for who=7.")
        assert len(why.followed.times) == 2


def test_a_key_of_several_columns() -> None:
    schema = {"ts": "int", "who": "str", "shop": "int"}
    visits = styx.source("visits", schema=schema, time="ts", key=["who", "shop"])
    flow = styx.flow("two", visits.detect(Pattern.begin("a").next("b")).to("found"))
    events = [{"ts": at, "who": "x", "shop": at % 2} for at in range(4)]
    assert flow.explain(events, key={"who": "x", "shop": 1}).answer.startswith("1 match for who='x', shop=1.")
    assert flow.explain(events, key=("x", 0)).matches
    with pytest.raises(FlowError, match="the key has other columns"):
        flow.explain(events, key="x")
    with pytest.raises(FlowError, match="not the columns of the key"):
        flow.explain(events, key={"who": "x"})


def test_an_event_that_became_a_dead_letter_is_told(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text('{"ts": 1, "who": "x", "n": 1}\n{"ts": 2, "who": "x", "n": "two"}\n{"ts": 3, "who": "y", "n": 1}\n')
    visits = styx.source("visits", schema={"ts": "int", "who": "str", "n": "int"}, time="ts", key="who")
    pattern = Pattern.begin("a").where("n = 1").next("b").where("n = 2")
    why = styx.flow("f", visits.detect(pattern).to("found")).explain(file, key="x")
    assert why.answer.splitlines()[-1].startswith("An event that names the key became a dead letter before this step:")
    assert '{"ts": 2, "who": "x", "n": "two"}' in why.text
    assert "dead letter" not in styx.flow("f", visits.detect(pattern).to("found")).explain(file, key="y").text


def test_models_behind_the_step_are_not_opened(recording: Path, tmp_path: Path) -> None:
    found = _payments().detect(TESTING, name="testing", amount="drain.amount")
    judged = found.score("no_such_model", into="risk").filter("risk > 0.5", name="relevant")
    flow = styx.flow("judged", judged.to("found"))
    why = flow.explain(recording, key="card-00001", store=tmp_path / "store.db")
    assert why.notes == (
        "a match of this step goes on through score, relevant (filter), which may hold it back or drop it",
    )


def test_the_step_must_be_one_that_detects(recording: Path) -> None:
    kept = _payments().filter("amount > 0", name="kept")
    flow = styx.flow("two", kept.detect(TESTING, name="one").to("a"), kept.detect(TESTING, name="two").to("b"))
    with pytest.raises(FlowError, match=r"several detect steps.*one, two"):
        flow.explain(recording, key="card-00001")
    with pytest.raises(FlowError, match="only a detect step"):
        flow.explain(recording, key="card-00001", step="kept")
    with pytest.raises(FlowError, match="no such step"):
        flow.explain(recording, key="card-00001", step="three")
    assert flow.explain(recording, key="card-00001", step="two").answer.startswith("No match")
    with pytest.raises(FlowError, match="no detect step"):
        styx.flow("none", kept.to("a")).explain(recording, key="card-00001")


def test_a_run_that_would_end_with_an_error_says_so() -> None:
    events = [{"ts": at, "who": "x"} for at in range(9)]
    visits = styx.source("visits", schema={"ts": "int", "who": "str"}, time="ts", key="who")
    pattern = Pattern.begin("a").followed_by("b").where("who = 'y'")
    flow = styx.flow("many", visits.detect(pattern, max_partials=3).to("o"))
    with pytest.raises(RunError, match="more than 3 partial matches"):
        flow.explain(events, key="x")


def test_the_tables_are_frames(recording: Path) -> None:
    flow = _flow()
    key = flow.replay(recording).outputs["found"]["card_id"][0]
    one = flow.explain(recording, key=key)
    assert isinstance(one.table, pl.DataFrame)
    assert one.table.columns == [
        "partial", "split_from", "began", "ended", "end", "steps_done", "steps", "taken", "cause", "cause_event",
        "late_by_ms",
    ]  # fmt: skip
    assert one.happenings.columns == ["partial", "at", "what", "part", "event", "text"]
    assert one.events.columns == ["event", "fate", "_time", *CARDS_SCHEMA]
    assert json.dumps(one.to_json(), default=str)
