"""The process operator against a slow one that does one thing at a time, copies everything, and looks through all."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from styx_lab.core.batch import Batch
from styx_lab.core.operator import OUT, Operator
from styx_lab.core.state import KEY_GROUPS, decode_state, encode_state
from styx_lab.core.time import MAX_WATERMARK
from styx_lab.flow.flow import flow
from styx_lab.flow.process.values import moment
from styx_lab.flow.stream import source
from styx_lab.operators.build import build
from styx_lab.testing import Script
from tests.operators.process_steps import Obeys

SOURCE = source("told", schema={"ts": "int", "key": "str", "do": "str"}, time="ts", key="key", max_delay="10ms")
TTL = {"value": 20, "numbers": 25, "words": 30}
Said = list[tuple[int, int, str, str]]
"""Place, time, key, and what was said; of a dead letter its reason, at time -1."""


class Slow:
    """What one would write who had all the time in the world."""

    def __init__(self) -> None:
        self.keys: dict[str, dict[str, Any]] = {}
        self.timers: list[tuple[int, int, str]] = []  # time, number, key
        self.clock_timers: list[tuple[int, int, str]] = []
        self.lost: Said = []  # the dead letters of timers, which come after those of events
        self.clock = self.newest = -(2**63)
        self.chains: dict[str, int] | None = None
        self.first = self.at_hand = 0
        self.clock_firing: int | None = None
        self.number = 0
        self.watermark = -(2**63)
        self.said: Said = []

    def run(self, batch: Batch) -> Said:
        arrived = batch.frame["_arrival"].to_physical()
        rows = batch.frame.select("ts", "key", "do").with_columns(arrived).rows()
        moments: list[tuple[int, int, Any]] = [
            (order, 0, row) for order, row in zip(batch.order.tolist(), rows, strict=True)
        ]
        columns = (batch.steps.order, batch.steps.mark, batch.steps.clock)
        moments += [
            (order, 1, [mark, clock]) for order, mark, clock in zip(*(one.tolist() for one in columns), strict=True)
        ]
        for order, _, what in sorted(moments, key=lambda one: one[:2]):
            if isinstance(what, tuple):
                time, key, do, arrival = what
                self.newest = max(self.newest, time)
                self.move(order, arrival)
                self.call(order, key, time, self.watermark, max(time, self.watermark), None, json.loads(do), time)
                continue
            mark, clock = what
            self.move(order, clock)
            before, self.watermark = self.watermark, mark
            self.number += 1
            self.first = self.number
            self.chains = {} if mark == MAX_WATERMARK else None
            if mark > before:
                self.step(order, mark, before)
            while mark == MAX_WATERMARK and (self.timers or self.clock_timers):
                self.clocked(order, mark, before)
                self.step(order, mark, before)
        return sorted(self.said + self.lost, key=lambda one: one[0])

    def move(self, order: int, clock: int) -> None:
        if clock > self.clock:
            self.clock = clock
            self.clocked(order, clock, self.watermark)

    def one_too_many(self, order: int, key: str, number: int) -> bool:
        if self.chains is None or number < self.first:
            return False
        self.chains[key] = self.chains.get(key, 0) + 1
        if self.chains[key] > 1_000:
            self.timers = [one for one in self.timers if one[2] != key]
            self.clock_timers = [one for one in self.clock_timers if one[2] != key]
            self.lost.append((order, -1, key, "endless_timers"))
            return True
        return False

    def step(self, order: int, mark: int, before: int) -> None:
        while due := sorted(one for one in self.timers if one[0] <= mark):
            time, number, key = due[0]
            self.timers.remove(due[0])
            if not self.one_too_many(order, key, number):
                now = max(time, before)
                self.call(order, key, time, now, now, time, None, max(time, before + 1))

    def clocked(self, order: int, until: int, before: int) -> None:
        while due := sorted(one for one in self.clock_timers if one[0] <= until):
            at, number, key = due[0]
            self.clock_timers.remove(due[0])
            if not self.one_too_many(order, key, number):
                time = max(self.newest, before + 1)
                self.call(order, key, time, before, max(self.newest, before), None, None, time, at)

    def call(
        self,
        order: int,
        key: str,
        time: int,
        now: int,
        written: int,
        firing: int | None,
        do: Any,
        given: int,
        clocked: int | None = None,
    ) -> None:
        saved = copy.deepcopy((self.keys, self.timers, self.clock_timers, self.number))
        self.at_hand, self.clock_firing = max(self.clock, clocked or self.clock), clocked
        said: Said = []
        state = self.keys.setdefault(
            key, {"value": [], "kept": None, "numbers": [], "words": [], "ever": [], "then": "[]"}
        )
        try:
            if firing is not None:
                said.append((order, given, key, f"at {moment(time).isoformat()}"))
                do = json.loads(state["then"])
            if clocked is not None:
                said.append((order, given, key, f"clock {moment(clocked).isoformat()}"))
                do = json.loads(state["then"])
            for what, *args in do:
                for name in TTL:
                    state[name] = [one for one in state[name] if one[-1] > now]
                self.obey(what, args, state, key, time, written, firing)
                if what == "say":
                    said.append((order, given, key, self.tell(state)))
        except (ValueError, KeyError) as error:
            # Everything is as before, but that the numbers of timers only tell their order.
            self.keys, self.timers, self.clock_timers, self.number = saved
            letters = self.said if firing is None and clocked is None else self.lost
            letters.append((order, -1, key, f"process_failed: {type(error).__name__}"))
        else:
            self.said += said

    def obey(
        self, what: str, args: list[Any], state: dict[str, Any], key: str, time: int, written: int, firing: int | None
    ) -> None:
        def end(name: str, before: int = -(2**63)) -> int:
            return max(written + TTL[name], before)

        match what:
            case "value":
                before = state["value"][0][-1] if state["value"] else -(2**63)
                state["value"] = [] if args[0] is None else [[args[0], end("value", before)]]
            case "kept":
                state["kept"] = args[0]
            case "append":
                state["numbers"].append([args[0], end("numbers")])
            case "reverse":
                state["numbers"] = [[one, end("numbers")] for one, _ in state["numbers"][::-1]]
            case "word":
                for one in state["words"]:
                    if one[0] == args[0]:
                        one[1:] = [args[1], end("words", one[2])]
                        break
                else:
                    state["words"].append([*args, end("words")])
            case "no word":
                state["words"] = [one for one in state["words"] if one[0] != args[0]]
            case "ever":
                state["ever"] += [args[0]] if args[0] not in state["ever"] else []
            case "never":
                if args[0] not in state["ever"]:
                    raise KeyError
                state["ever"].remove(args[0])
            case "clear":
                state.update(value=[], kept=None, numbers=[], words=[], ever=[])
            case "then":
                state["then"] = json.dumps(args[0])
            case "timer":
                if firing is not None and args[0] <= 0:
                    error = type("DataError", (ValueError,), {})
                    raise error
                if all((at, of) != (time + args[0], key) for at, _, of in self.timers):
                    self.timers.append((time + args[0], self.number, key))
                    self.number += 1
            case "clock timer":
                at = self.at_hand + args[0]
                if self.clock_firing is not None and at <= self.clock_firing:
                    error = type("DataError", (ValueError,), {})
                    raise error
                if all((one, of) != (at, key) for one, _, of in self.clock_timers):
                    self.clock_timers.append((at, self.number, key))
                    self.number += 1
            case "no clock timer":
                at = self.at_hand + args[0]
                self.clock_timers = [one for one in self.clock_timers if (one[0], one[2]) != (at, key)]
            case "no timer":
                self.timers = [one for one in self.timers if (one[0], one[2]) != (time + args[0], key)]
            case "fail":
                raise ValueError

    @staticmethod
    def tell(state: dict[str, Any]) -> str:
        numbers, words = [one for one, _ in state["numbers"]], [one[:2] for one in state["words"]]
        value = state["value"][0][0] if state["value"] else -1
        return json.dumps([value, state["kept"], numbers, words, state["ever"], len(words), len(numbers)])


def make() -> Operator:
    made = flow("one", SOURCE.process(Obeys).to("out"))
    return build(made.steps[1], made, made.types(), lambda _: pytest.fail("no model"))


def ran(batch: Batch, size: int, crash: int) -> Said:
    """What the operator gives, cut and stopped anywhere."""
    operator, said = make(), Said()
    for place, piece in enumerate(batch.slices(size)):
        if place == crash:
            state = decode_state(encode_state(operator.snapshot()), where="test")
            operator = make()
            operator.restore([state.only(range(60, KEY_GROUPS)), state.only(range(60))])
        emission = operator.process([piece])
        out = emission.ports[OUT]
        rows = out.frame.select("_time", "key", "said")
        found: Said = [
            (order, int(time.timestamp() * 1000 + 0.5), key, text)
            for order, (time, key, text) in zip(out.order.tolist(), rows.rows(), strict=True)
        ]
        if emission.dead is not None:
            orders = [*emission.dead_order.tolist(), *emission.lost_order.tolist()]
            letters = zip(orders, emission.dead.rows(named=True), strict=True)
            # As an engine puts them: those of timers come last otherwise.
            for order, letter in sorted(letters, key=lambda one: one[0]):
                reason = letter["reason"]
                reason += ": " + letter["detail"].split(":")[0].split(" ")[0] if reason == "process_failed" else ""
                found.append((order, -1, json.loads(letter["payload"])["key"], reason))
        said += found
    return said


INSTRUCTION = st.one_of(
    st.just(["say"]),
    st.just(["say"]),
    st.tuples(st.just("value"), st.one_of(st.none(), st.integers(0, 3))),
    st.tuples(st.just("kept"), st.sampled_from([None, "x", "é"])),
    st.tuples(st.just("append"), st.integers(0, 9)),
    st.just(["reverse"]),
    st.tuples(st.just("word"), st.sampled_from("abc"), st.integers(0, 3)),
    st.tuples(st.just("word"), st.sampled_from("abc"), st.integers(0, 3)),
    st.tuples(st.just("no word"), st.sampled_from("abc")),
    st.tuples(st.just("ever"), st.integers(0, 3)),
    st.tuples(st.just("never"), st.integers(0, 3)),
    st.just(["clear"]),
    st.tuples(st.just("timer"), st.integers(-20, 40)),
    st.tuples(st.just("timer"), st.integers(0, 40)),
    st.tuples(st.just("no timer"), st.integers(0, 40)),
    st.tuples(st.just("clock timer"), st.integers(-20, 40)),
    st.tuples(st.just("clock timer"), st.integers(0, 40)),
    st.tuples(st.just("no clock timer"), st.integers(0, 40)),
    st.just(["fail"]),
)
THEN = st.tuples(st.just("then"), st.lists(INSTRUCTION, max_size=3))
MOMENT = st.tuples(
    st.integers(0, 12),
    st.sampled_from([0, 0, 5, 10, 25, 40]),
    st.sampled_from("aaab"),
    st.lists(st.one_of(INSTRUCTION, INSTRUCTION, THEN), min_size=1, max_size=5).map(lambda all_: [*all_, ["say"]]),
    st.booleans(),
    st.sampled_from([None, None, 0, 7, 60]),
)
# By themselves hypothesis' lists are short, and then little happens.
MOMENTS = st.sampled_from([25, 25, 12, 3]).flatmap(lambda size: st.lists(MOMENT, min_size=size // 2, max_size=size))
MORE = settings(max_examples=4 * settings().max_examples)


@pytest.mark.laws
@MORE
@given(MOMENTS, st.sampled_from([1, 1, 2, 5]), st.integers(0, 12))
@example([(0, 0, "a", [["then", [["timer", 9]]], ["timer", 1]], False, None)], 1, 0)
@example([(0, 0, "a", [["then", [["timer", 9], ["clock timer", 3]]], ["clock timer", 1]], False, 9)], 1, 0)
@example([(0, 0, "a", [["then", [["say"]]], ["append", 0], ["timer", 25], ["clock timer", 0]], False, None)], 1, 0)
def test_it_gives_what_the_slow_one_gives(moments: list[Any], size: int, crash: int) -> None:
    script, now = Script(), 1_000
    for gap, delay, key, do, marked, ticked in moments:
        now += gap
        script = script.event({"key": key, "do": json.dumps(do)}, at=now - delay, arrival=now + 20)
        if marked:
            script = script.watermark(now - 3)
        if ticked is not None:
            script = script.tick(now + ticked)
    batch = script.end().batch(SOURCE)
    # Dead letters and rows of one place come apart from the operator; in each kind the order is the same.
    expected, found = Slow().run(batch), ran(batch, size, crash)
    for dead in (False, True):
        assert [one for one in found if (one[1] == -1) == dead] == [one for one in expected if (one[1] == -1) == dead]
