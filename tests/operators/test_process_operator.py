"""What a process gives, event by event: time, timers, inputs, failures, ids, and how much it holds."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings

import styx_lab as styx
from styx_lab import Flow, Stream
from styx_lab.core.batch import Batch, Steps
from styx_lab.core.operator import OUT, Operator
from styx_lab.core.state import decode_state, encode_state
from styx_lab.errors import CheckpointError
from styx_lab.operators.build import build
from styx_lab.testing import Script, check_operator
from styx_lab.testing.strategies import payments, scripts
from tests.laws.steps import Everything, Paid, Refunded
from tests.operators import process_kinds as kinds
from tests.operators.process_steps import Obeys

FEWER = settings(max_examples=max(5, settings().max_examples // 8))


def source(name: str = "told", *, key: str | tuple[str, ...] = "key", delay: str = "10ms") -> Stream:
    schema = {"ts": "int", "key": "str", "do": "str", "n": "int"}
    return styx.source(name, schema=schema, time="ts", key=key, max_delay=delay)


def operator(stream: Stream) -> Operator:
    made: Flow = styx.flow("one", stream.to("out"))
    return build(made.steps[-2], made, made.types(), lambda _: pytest.fail("no model"))


def played(process: type[styx.Process], *events: tuple[int, str, str], **how: Any) -> tuple[list[Any], list[Any]]:
    """What a process gives for events of (time, key, do), and its dead letters."""
    script = Script()
    for at, key, do in events:
        script = script.event({"key": key, "do": do}, at=at)
    found = script.end().run(styx.flow("f", source(**how).process(process).to("out")))
    letters = [(row["reason"], row["detail"]) for row in found.rows("dead_letters")]
    return [{name: value for name, value in row.items() if name != "key"} for row in found.rows("out")], letters


def told(rows: list[Any]) -> list[Any]:
    return [row["said"] for row in rows]


def test_timers_are_taken_in_order_of_time_then_of_setting() -> None:
    rows, _ = played(kinds.Sets, (100, "b", "30 20 30"), (101, "a", "29 19"), (1_000, "c", ""))
    assert told(rows) == ["b 120", "a 120", "b 130", "a 130"]


def test_a_timer_fires_at_the_step_that_reaches_its_time_and_no_sooner() -> None:
    stream = source(delay="0ms").process(kinds.Sets)
    batch = (
        Script().event({"key": "a", "do": "30"}, at=100).watermark(129).watermark(130).end().batch(source(delay="0ms"))
    )
    out = operator(stream).process([batch]).ports[OUT]
    (order,) = out.order.tolist()
    assert batch.steps.mark[batch.steps.order.tolist().index(order)] == 130
    assert out.frame["_time"].to_physical().to_list() == [130]


def test_an_event_that_a_step_fired_comes_before_the_step() -> None:
    stream = source(delay="0ms").process(kinds.Sets)
    batch = Script().event({"key": "a", "do": "10"}, at=100).watermark(200).batch(source(delay="0ms"))
    # As what a window gives: with the order of the step that fired it.
    moved = Batch(batch.frame, batch.steps.order[-1:], batch.before, batch.steps)
    out = operator(stream).process([moved]).ports[OUT]
    assert (out.order.tolist(), told(out.frame.rows(named=True))) == (batch.steps.order[-1:].tolist(), ["a 110"])


def test_what_a_timer_sets_is_taken_in_the_same_step() -> None:
    rows, _ = played(kinds.Chain, (100, "a", "3"), (100_000, "b", "0"))
    assert [(row["said"], row["_time"][-5:-1]) for row in rows] == [("a 2", ".110"), ("a 1", ".120"), ("a 0", ".130")]


def test_a_timer_that_sets_another_for_ever_ends_with_the_input() -> None:
    rows, letters = played(kinds.Forever, (100, "a", ""), (200, "b", ""))
    assert [reason for reason, _ in letters] == ["endless_timers"] * 2
    assert "context.ended" in letters[0][1]
    assert 1_000 < len(rows) / 2 < 1_100
    rows, letters = played(kinds.UntilTheEnd, (100, "a", ""), (200, "b", ""))
    assert letters == []
    assert len(rows) < 20


def test_a_late_event_is_taken_and_its_timers_are_due_at_the_next_step() -> None:
    rows, _ = played(kinds.Sets, (100, "a", "5"), (200, "b", ""), (50, "a", "5 late"), (300, "b", ""))
    assert told(rows) == ["a 105", "late", "a 55"]
    # The watermark was 189: what the late timer gives is not late for the next step.
    assert [row["_time"][-4:-1] for row in rows] == ["105", "050", "190"]


def test_an_event_that_fails_leaves_no_trace() -> None:
    rows, letters = played(kinds.Sums, (1, "a", "2"), (2, "a", "no number"), (3, "a", "4"), (4, "a", "x"))
    assert told(rows) == ["2", "6"]
    assert letters[0] == ("process_failed", "ValueError: invalid literal for int() with base 10: 'no number'")
    assert len(letters) == 2


def test_a_timer_that_fails_is_a_dead_letter_of_the_step() -> None:
    script = Script().event({"key": "a", "do": "7"}, at=100).event({"key": "b", "do": ""}, at=500).end()
    found = script.run(styx.flow("f", source().process(kinds.FailsLater, name="later").to("out")))
    (letter,) = found.rows("dead_letters")
    assert (letter["step"], letter["reason"], letter["detail"]) == ("later", "process_failed", "KeyError: 'nothing'")
    payload = json.loads(base64.b64decode(letter["payload"]))
    assert (letter["source"], payload["key"], payload["_time"]) == (None, "a", "1970-01-01T00:00:00.107Z")
    counters = found.counters["later"]
    assert (counters["in"], counters["dead"], counters["timers"], counters["dead_timers"]) == (2, 0, 1, 1)


@pytest.mark.parametrize(
    ("do", "said"),
    [
        ("self.n.set('3')", "DataError: state 'n': not of type 'int'; got '3'"),
        ("self.n.set(True)", "state 'n': not of type 'int'; got True"),
        ("self.n.set(2**63)", "must fit in 64 bits"),
        ("self.n.set(1.0)", "not of type 'int'"),
        ("self.n.set(object())", "got 'object'"),
        ("self.at.set(datetime(2024, 1, 1))", "a time needs a time zone"),
        ("self.at.set(datetime(2024, 1, 1, microsecond=1, tzinfo=UTC))", "whole milliseconds"),
        ("self.text.append('\\ud800')", "not of type 'str'"),
        ("self.text.append(None)", "not of type 'str'"),
        ("self.m.__setitem__(1, 1.0)", "state 'm', key: not of type 'str'; got 1"),
        ("self.m.__setitem__('a', None)", "not of type 'float'"),
        ("self.m['nothing']", "KeyError: 'nothing'"),
        ("context.emit({'n': 'x'})", "output 'n': not of type 'int'; got 'x'"),
        ("context.emit({'m': 1})", "output: no such column; got 'm'. Try: it has n, real"),
        ("context.emit(3)", "must be a mapping; got 3"),
        ("context.emit({'real': 10**400})", "output 'real': not of type 'float'"),
        ("'text'", "must be a mapping; got 'text'"),
        ("3", "must be a mapping; got 3"),
        ("[3]", "must be a mapping; got 3"),
        ("context.timer(5)", "a length after the one at hand; got 5"),
        ("context.timer('soon')", "timer: not a duration; got 'soon'"),
        ("context.timer('1s')", "no method takes the timer.*def on_timer"),
        ("context.timer('3000000d')", "beyond the calendar"),
        ("context.timer(datetime(2024, 1, 1))", "a time needs a time zone"),
        ("context.delete_timer('1s')", "taken back by its time"),
        ("setattr(self, 'n', 3)", r"AttributeError: self.n is state: write self.n.set\(...\)"),
        ("setattr(self, 'other', 3)", "AttributeError: self.other would be lost in a crash: declare it"),
        ("self.limits.__setitem__('a', 1)", "state 'limits': only a broadcast input's method writes"),
        ("self.limits.clear()", "only a broadcast input's method writes"),
        ("(_ for _ in ()).throw(StopIteration)", "process_failed|StopIteration|RuntimeError"),
    ],
)
def test_a_wrong_word_is_a_dead_letter_that_says_what_is_wrong(do: str, said: str) -> None:
    rules = source("rules", key=())
    script = (
        Script()
        .event({"key": "a", "do": do}, at=1, source="told")
        .event({"key": "a", "do": "self.n.set(1)"}, at=2, source="told")
    )
    flow = styx.flow("f", source().process(kinds.Does, broadcast={"rule": rules}).to("out"))
    found = script.end().run(flow)
    (letter,) = found.rows("dead_letters")
    assert re.search(said, letter["detail"]), letter["detail"]


@pytest.mark.parametrize(
    "do", ["self.n.set(1)", "self.n.get()", "context.delete_timer(event.time)", "self.text.append('x')", "len(self.m)"]
)
def test_a_broadcast_event_has_no_key(do: str) -> None:
    flow = styx.flow("f", source().process(kinds.Does, broadcast={"rule": source("rules", key=())}).to("out"))
    found = Script().event({"key": "a", "do": do}, at=1, source="rules").end().run(flow)
    (letter,) = found.rows("dead_letters")
    assert "a broadcast event has no key" in letter["detail"]
    found = Script().event({"key": "a", "do": "context.emit({'n': 1})"}, at=1, source="rules").end().run(flow)
    assert "no key to give an event for" in found.rows("dead_letters")[0]["detail"]


def test_all_keys_read_what_a_broadcast_input_writes() -> None:
    flow = styx.flow("f", source().process(kinds.Does, broadcast={"rule": source("rules", key=())}).to("out"))
    look = "[{'n': self.limits.get('all', 0)}]"
    script = Script()
    for at, key, where, do in [
        (1, "a", "told", look),
        (2, "", "rules", "self.limits.__setitem__('all', 5)"),
        (3, "a", "told", look),
        (4, "b", "told", look),
        (5, "", "rules", "self.limits.clear()"),
        (6, "b", "told", look),
    ]:
        script = script.event({"key": key, "do": do}, at=at, source=where, arrival=at)
    found = script.end().run(flow)
    assert found.rows("dead_letters") == []
    assert [row["n"] for row in found.rows("out")] == [0, 5, 5, 0]


def test_the_watermark_is_the_smallest_of_the_inputs() -> None:
    stream, other = source(delay="0ms"), source("others", delay="0ms")
    made = stream.process(kinds.Both, others={"other": other})
    script = Script().event({"key": "a", "do": "10"}, at=100, source="told", arrival=1)
    script = script.event({"key": "a", "do": ""}, at=500, source="told", arrival=2)
    script = script.event({"key": "a", "do": "x"}, at=105, source="others", arrival=3)
    script = script.event({"key": "a", "do": "y"}, at=111, source="others", arrival=4).end()
    found = script.run(styx.flow("f", made.to("out")))
    # The timer of 110 waits for the other input, whose watermark is 104, then 110.
    assert told(found.rows("out")) == ["other x", "other y", "timer 110"]


def test_ids_are_made_of_step_key_cause_and_number() -> None:
    made = source().process(kinds.Twice, name="twice")
    script = Script().event({"key": 'é"', "do": "5"}, at=100).event({"key": "b", "do": ""}, at=500).end()
    rows = script.run(styx.flow("f", made.to("out"))).rows("out")
    assert [row["_origin"] for row in rows] == [
        '["twice",["é\\""],["event",["told",0,0]],0]',
        '["twice",["é\\""],["event",["told",0,0]],1]',
        '["twice",["b"],["event",["told",0,1]],0]',
        '["twice",["b"],["event",["told",0,1]],1]',
        '["twice",["é\\""],["timer",105],0]',
        '["twice",["é\\""],["timer",105],1]',
    ]
    assert len({row["_origin"] for row in rows}) == 6


def test_numbers_of_every_kind_come_out_as_declared() -> None:
    rows, letters = played(kinds.Numbers, (1_000, "a", ""))
    assert letters == []
    assert {name: value for name, value in rows[0].items() if not name.startswith("_")} == {
        "whole": 3, "real": 2.0, "flag": True, "at": "1970-01-01T00:00:01.000Z", "nothing": None, "missing": None,
    }  # fmt: skip


def test_memory_is_of_living_keys_only() -> None:
    stream = source(delay="0ms")
    one = operator(stream.process(kinds.Remembers))
    script = Script()
    for number in range(300):
        script = script.event({"key": f"k{number}", "do": ""}, at=10 * number)
    batch = script.batch(stream)
    for piece in batch.slices(7):
        one.process([piece])
        # A life of a hundred milliseconds is of ten events, each of a key of its own.
        assert one.size()["keys"] <= 18
        assert one.size()["timers"] <= 18
    assert one.size()["bytes"] > 0
    # Also what is read back goes, once its time is over.
    two = operator(stream.process(kinds.Remembers))
    two.restore([one.snapshot()])
    assert two.size() == one.size()
    end = Steps(np.array([601]), np.array([9_000]), np.array([9_000]))
    two.process([Batch(batch.frame.clear(), np.empty(0, np.int64), batch.after, end)])
    assert two.size() == {"keys": 0, "timers": 0, "values": 0, "bytes": 0}


def test_a_timer_set_again_and_again_holds_no_memory() -> None:
    stream = source(delay="0ms")
    one: Any = operator(stream.process(kinds.Postpones))
    script = Script()
    for number in range(4_000):
        script = script.event({"key": "a", "do": ""}, at=number)
    for piece in script.batch(stream).slices(500):
        one.process([piece])
        assert one.size()["timers"] == 1
        assert len(one._timers._heap) < 1_600


def test_state_of_another_declaration_is_refused() -> None:
    saved = operator(source().process(kinds.Sums)).snapshot()
    with pytest.raises(CheckpointError, match="declared other state"):
        operator(source().process(kinds.Sets)).restore([saved])
    with pytest.raises(CheckpointError, match="declared other state, or for another key"):
        operator(source(key=()).process(kinds.Sums)).restore([saved])


def test_what_was_set_first_stays_first_after_a_crash() -> None:
    script = Script()
    for number in range(12):
        script = script.event({"key": "cab"[number % 3], "do": f"{30 - number}", "n": number}, at=100 + number)
    stream = source(delay="30ms")
    check_operator(lambda: operator(stream.process(kinds.Sets)), script.end().batch(stream))


def test_state_of_every_type_comes_back() -> None:
    script = Script()
    for number in range(40):
        script = script.event({"key": f"k{number % 9}", "do": str(number), "n": number}, at=1_000 + number)
    batch = script.end().batch(source())
    stream = source().key_by("key", "n").process(kinds.AllTypes)
    check_operator(lambda: operator(stream), batch)
    one = operator(stream)
    one.process([batch.slices(20)[0]])
    state = decode_state(encode_state(one.snapshot()), where="test")
    assert sorted(state.tables) == ["state at", "state flags", "state reals", "state texts", "timers"]
    assert all("_group" in table.columns for table in state.tables.values())
    assert state.tables["state at"]["_value"].dtype == pl.Datetime("ms", "UTC")


OURS: dict[str, tuple[Callable[[Stream], Stream], int]] = {
    "everything": (lambda stream: stream.process(Everything), 1),
    "without key": (lambda stream: payments(bound_ms=20, keyed=False).process(Everything), 1),
    "inputs": (lambda stream: stream.process(Refunded, others={"refund": stream}, broadcast={"rule": stream}), 3),
    "by two": (lambda stream: stream.key_by("card_id", "status").process(Paid), 1),
}


@pytest.mark.laws
@pytest.mark.parametrize("name", OURS)
@FEWER
@given(script=scripts(bound_ms=20))
def test_it_keeps_the_contract(name: str, script: Script) -> None:
    make, inputs = OURS[name]
    stream = payments(bound_ms=20)
    batch = script.batch(stream)
    if name == "by two":
        # A key is there, as after key_by.
        batch = batch.keep(batch.frame["status"].is_not_null().to_numpy())
    made = make(stream)
    check_operator(lambda: operator(made), [batch] * inputs)


def obeyed(*events: tuple[int, list[Any]]) -> list[Any]:
    """What `Obeys` says of the events of one key, at times (ms), with a watermark right behind."""
    stream = styx.source("told", schema={"ts": "int", "key": "str", "do": "str"}, time="ts", key="key")
    script = Script()
    for at, do in events:
        script = script.event({"key": "a", "do": json.dumps(do)}, at=at)
    found = script.end().run(styx.flow("f", stream.process(Obeys).to("out")))
    return [json.loads(said) if said.startswith("[") else said for said in told(found.rows("out"))]


def test_a_value_is_gone_once_the_watermark_is_its_length_behind_the_write() -> None:
    write, say = [["value", 7], ["append", 1], ["word", "w", 2]], [["say"]]
    # Written at 100; 20 ms, 25 ms and 30 ms of life. The watermark is 1 ms behind the newest event before.
    rows = obeyed((100, write), (120, say), (121, say), (125, say), (126, say), (130, say), (131, say), (132, say))
    assert [(row[0], row[2], row[3]) for row in rows] == [
        (7, [1], [["w", 2]]),
        (7, [1], [["w", 2]]),
        (-1, [1], [["w", 2]]),
        (-1, [1], [["w", 2]]),
        (-1, [], [["w", 2]]),
        (-1, [], [["w", 2]]),
        (-1, [], []),
    ]


def test_a_late_write_does_not_shorten_a_life_and_counts_as_one_at_the_watermark() -> None:
    # The late event of 90 writes at a watermark of 99 what an event of 100 wrote; the value lives to 120 all the same.
    late, say = [["value", 2], ["append", 3], ["say"]], [["say"]]
    rows = obeyed((100, [["value", 1]]), (90, late), (120, say), (121, say), (126, say), (127, say))
    assert [(row[0], row[2]) for row in rows] == [(2, [3]), (2, [3]), (2, [3]), (-1, [3]), (-1, [])]


def test_a_timer_sees_the_state_of_its_own_time_however_far_the_step_goes() -> None:
    rows = obeyed((100, [["value", 1], ["then", [["say"]]], ["timer", 19], ["timer", 20]]), (9_000, []))
    assert [row if isinstance(row, str) else row[0] for row in rows] == [
        "at 1970-01-01T00:00:00.119000+00:00",
        1,
        "at 1970-01-01T00:00:00.120000+00:00",
        -1,
    ]


def test_an_order_of_adding_outlives_a_failure_and_ends_with_a_life() -> None:
    words = [["word", "a", 1], ["word", "b", 2], ["word", "c", 3]]
    rows = obeyed(
        (100, words),
        (101, [["no word", "a"], ["word", "b", 5], ["word", "d", 4], ["fail"]]),
        (102, [["say"]]),
        (103, [["clear"], ["word", "z", 0], ["fail"]]),
        (104, [["word", "b", 9], ["say"]]),
        (131, []),
        (133, [["say"]]),
        (134, [["word", "a", 8], ["say"]]),
    )
    assert [row[3] for row in rows] == [
        [["a", 1], ["b", 2], ["c", 3]],
        [["a", 1], ["b", 9], ["c", 3]],
        [["b", 9]],
        [["b", 9], ["a", 8]],
    ]
