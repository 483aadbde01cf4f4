"""Explanations are true: they tell what the operator gives, and what they say was needed is false of the event."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from styx_lab.core.batch import Batch
from styx_lab.core.events import OFFSET
from styx_lab.core.operator import LATE, OUT
from styx_lab.errors import FlowError
from styx_lab.flow.pattern import Pattern
from styx_lab.flow.steps import Detect
from styx_lab.flow.steps.detect import TIMED_OUT
from styx_lab.operators.cep.compiled.operator import DetectOperator
from styx_lab.operators.cep.explain.explain import explain_key
from styx_lab.operators.cep.explain.explanation import Explanation
from styx_lab.operators.cep.explain.lives import Life
from styx_lab.operators.cep.explain.unmet import Unmet
from styx_lab.operators.cep.reading import trace
from styx_lab.testing.patterns import patterns_of_all_kinds
from tests.cep.kit import Mark, Script, _parts, batch, stream
from tests.cep.test_cep_laws import COLUMNS, DELAYS, EVENTS, scripts

pytestmark = pytest.mark.laws
FEWER = settings(max_examples=max(10, settings().max_examples // 2))

Told = tuple[tuple[str, tuple[int, ...]], ...]


def _explained(step: Detect, whole: Batch, **more: Any) -> Explanation:
    """The explanation of key `a`."""
    mine = whole.keep((whole.frame["key"] == "a").to_numpy())
    return explain_key(step, stream(COLUMNS, "key"), {}, [mine], key="key='a'", **more)


def _given(step: Detect, whole: Batch) -> tuple[list[Told], list[Told], list[int], int]:
    """What the operator gives of key `a`: matches and timeouts by the places of their events, late ones, and drops."""
    type_ = stream(COLUMNS, "key")
    operator = DetectOperator(step, type_, step.infer([type_]))
    found: dict[str, list[Told]] = {OUT: [], TIMED_OUT: []}
    late: list[int] = []
    dropped = 0
    for piece in whole.slices(5):
        emission = operator.process([piece])
        for port, told in found.items():
            rows = emission.ports[port].frame
            told += [_parts(row) for row in rows.filter(pl.col("key") == "a").to_dicts()]
        late += emission.ports[LATE].frame.filter(pl.col("key") == "a")[OFFSET].to_list()
        dropped += emission.counts.get("dropped_partial_matches", 0)
    return found[OUT], found[TIMED_OUT], late, dropped


def _told(one: Explanation, life: Life) -> Told:
    offsets = one.followed.frame[OFFSET].to_list()
    return tuple(sorted((part, tuple(offsets[event] for event in events)) for part, events in life.parts().items()))


def _sorted(told: list[Told]) -> list[Told]:
    return sorted(tuple(sorted(one)) for one in told)


@given(patterns_of_all_kinds(), scripts(), DELAYS)
def test_matches_and_timeouts_are_those_of_the_operator(pattern: Pattern, script: Script, delay: int | None) -> None:
    step = Detect("detect", (), pattern, ())
    whole = batch(script, COLUMNS, delay=delay)
    one = _explained(step, whole)
    matches, timeouts, late, _ = _given(step, whole)
    lives = list(one.lives)
    assert _sorted([_told(one, life) for life in lives if life.end == "matched"]) == _sorted(matches)
    assert _sorted([_told(one, life) for life in lives if life.end == "timed_out"]) == _sorted(timeouts)
    offsets = one.followed.frame[OFFSET].to_list()
    assert [offsets[event] for event in one.followed.late] == late
    # In the operator's order, too.
    emitted = [(entry.partial, kind) for entry in one.followed.entries for kind in _kinds(entry)]
    assert [_told(one, one.lives.all[number]) for number, kind in emitted if kind == OUT] == [
        tuple(sorted(each)) for each in matches
    ]


def _kinds(entry: trace.Entry) -> list[str]:
    return [OUT] if isinstance(entry, trace.Emitted) else []


@FEWER
@given(patterns_of_all_kinds(), scripts(), st.integers(1, 4), st.sampled_from(["drop_oldest", "drop_newest"]))
def test_what_is_dropped_is_what_the_operator_drops(pattern: Pattern, script: Script, most: int, beyond: Any) -> None:
    step = Detect("detect", (), pattern, (), max_partials=most, overflow=beyond)
    alone = [entry for entry in script if isinstance(entry, Mark) or entry["key"] == "a"]
    whole = batch(alone, COLUMNS)
    one = _explained(step, whole)
    matches, timeouts, _, dropped = _given(step, whole)
    ends = one.counts()
    assert ends["dropped"] == dropped
    assert _sorted([_told(one, life) for life in one.lives if life.end == "matched"]) == _sorted(matches)
    assert _sorted([_told(one, life) for life in one.lives if life.end == "timed_out"]) == _sorted(timeouts)


_ENDINGS = (trace.Died, trace.Stopped, trace.TimedOut, trace.Pruned, trace.Dropped, trace.Emitted)


@given(patterns_of_all_kinds(), scripts(), DELAYS)
def test_every_partial_match_ends_in_one_way(pattern: Pattern, script: Script, delay: int | None) -> None:
    one = _explained(Detect("detect", (), pattern, ()), batch(script, COLUMNS, delay=delay))
    begun = {
        number
        for entry in one.followed.entries
        for number in (
            [entry.partial]
            if isinstance(entry, trace.Started)
            else entry.into
            if isinstance(entry, trace.Split)
            else []
        )
    }
    assert begun == set(one.lives.all)
    for life in one.lives:
        endings = [entry for entry in life.entries if isinstance(entry, _ENDINGS)]
        last = [entry for entry in life.entries if isinstance(entry, trace.Split) and life.number not in entry.into]
        assert len(endings) <= 1
        assert (life.end in ("alive", "held_back")) == (not endings and not last)
        assert (life.end == "split") == (bool(last) and not endings)
        if life.parent is not None:
            parent = one.lives.all[life.parent]
            assert (
                life.taken[: len(parent.taken)] == parent.taken
                or life.taken[:-1] == parent.taken[: len(life.taken) - 1]
            )
        assert one.table.height == len(one.lives.all)
    assert sum(one.counts().values()) == len(one.lives.all)


@given(patterns_of_all_kinds(), scripts(), DELAYS, st.integers(-20, 60))
def test_what_is_said_to_be_needed_is_false_of_the_event(
    pattern: Pattern, script: Script, delay: int | None, at: int
) -> None:
    from styx_lab.operators.cep.explain.around import Around

    one = _explained(Detect("detect", (), pattern, ()), batch(script, COLUMNS, delay=delay), around=Around.of(at))
    causes = [one.causes.of(life) for life in one.lives]
    start = one.causes.start()
    for cause in [*causes, *([start] if start else [])]:
        assert cause.text
        for unmet in cause.unmet:
            assert cause.event is not None
            _check_false(one, cause.event, unmet)
    for life in one.lives:
        cause = one.causes.of(life)
        if cause.kind == "too_late":
            assert isinstance(life.last, trace.TimedOut)
            assert cause.event is not None
            assert one.followed.times[cause.event] - life.last.deadline == cause.late_by
            assert cause.late_by is not None
            assert cause.late_by >= 0
        if cause.kind == "late_event":
            assert cause.event in one.followed.late
    assert one.text.startswith(one.answer)
    assert one.svg.endswith("</svg>")


def _check_false(one: Explanation, event: int, unmet: Unmet) -> None:
    for alternative in unmet.any_of:
        assert alternative
        for inner in alternative:
            _check_false(one, event, inner)
    row = one.followed.frame.row(event, named=True)
    if unmet.left in row:
        assert unmet.was == row[unmet.left] or (unmet.was != unmet.was and row[unmet.left] != row[unmet.left])
    if unmet.sign is None or unmet.was is None or unmet.right is None:
        return
    sides = pl.DataFrame({"was": [unmet.was], "right": [unmet.right]}, strict=False)
    signs = {
        "=": pl.col("was") == pl.col("right"), "!=": pl.col("was") != pl.col("right"),
        "<": pl.col("was") < pl.col("right"), "<=": pl.col("was") <= pl.col("right"),
        ">": pl.col("was") > pl.col("right"), ">=": pl.col("was") >= pl.col("right"),
    }  # fmt: skip
    assert sides.select(signs[unmet.sign]).item() is False, unmet.text
    assert f"needed {unmet.sign}" in unmet.text


@FEWER
@given(patterns_of_all_kinds(), st.lists(EVENTS, min_size=5, max_size=20), st.integers(0, 15))
def test_a_late_event_that_would_have_matched_is_told(pattern: Pattern, events: list[Any], delay: int) -> None:
    step = Detect("detect", (), pattern, ())
    one = _explained(step, batch(events, COLUMNS, delay=delay))
    in_time = _explained(step, batch(events, COLUMNS, delay=None))
    assert not in_time.followed.late
    offsets = one.followed.frame[OFFSET].to_list()
    late = {offsets[event] for event in one.followed.late}
    expected = [
        told
        for told in (_told(in_time, life) for life in in_time.lives if life.end == "matched")
        if late & {place for _, places in told for place in places}
    ]
    missed = [
        tuple(sorted((part, tuple(offsets[event] for event in events)) for part, events in parts.items()))
        for parts in one.missed
    ]
    assert Counter(missed) == Counter(expected)


@FEWER
@given(patterns_of_all_kinds(), scripts(), DELAYS, st.sampled_from([1, 3, 10_000]))
def test_how_events_are_cut_does_not_show(pattern: Pattern, script: Script, delay: int | None, size: int) -> None:
    step = Detect("detect", (), pattern, ())
    whole = batch(script, COLUMNS, delay=delay)
    mine = whole.keep((whole.frame["key"] == "a").to_numpy())
    cut = explain_key(step, stream(COLUMNS, "key"), {}, list(mine.slices(size)), key="key='a'")
    assert cut.text == _explained(step, whole).text


def test_order_by_decides_among_events_of_one_time() -> None:
    pattern = Pattern.begin("a").where("amount > 500").next("b").where("amount <= 500")
    events = [{"t": 5, "key": "a", "amount": amount, "status": "ok", "tries": 1} for amount in (3.0, 900.0)]
    for descending in (False, True):
        step = Detect("detect", (), pattern, (), order_by="amount", descending=descending)
        whole = batch(events, COLUMNS)
        assert len(_explained(step, whole).matches) == len(_given(step, whole)[0]) == descending


def test_a_function_is_asked_as_the_operator_asks_it() -> None:
    from tests.cep.explain_conditions import large, raising

    amounts = [9.0, None, 700.0, 40.0]
    events = [{"t": at, "key": "a", "amount": amount, "status": "ok", "tries": 1} for at, amount in enumerate(amounts)]
    pattern = Pattern.begin("a").where("amount < 10").followed_by("b").where(large)
    step = Detect("detect", (), pattern, ())
    whole = batch(events, COLUMNS)
    one = _explained(step, whole)
    assert [_told(one, life) for life in one.matches] == _given(step, whole)[0]
    failing = Detect("detect", (), Pattern.begin("a").where("amount < 10").followed_by("b").where(raising), ())
    one = _explained(failing, whole)
    assert set(one.followed.left_out) == {1}
    assert "TypeError" in one.text
    assert [_told(one, life) for life in one.matches] == _given(failing, whole)[0] == [(("a", (0,)), ("b", (2,)))]


def test_a_row_that_an_expression_cannot_take_is_dead() -> None:
    pattern = Pattern.begin("a").where(pl.col("status").cast(pl.Int64) > 3)
    events = [
        {"t": at, "key": "a", "amount": 1.0, "status": status, "tries": 1} for at, status in enumerate(["5", "x"])
    ]
    one = _explained(Detect("detect", (), pattern, ()), batch(events, COLUMNS))
    assert list(one.followed.dead) == [1]
    assert "is a dead letter: not_evaluated" in one.text
    assert len(one.matches) == 1


def test_a_pattern_without_events_or_matches_says_so() -> None:
    step = Detect("detect", (), Pattern.begin("a").where("amount > 500"), ())
    assert _explained(step, batch([], COLUMNS)).answer == "No match for key='a': there is no event of it."
    events = [{"t": 5, "key": "a", "amount": 480.0, "status": "ok", "tries": 1}]
    first, nearest = _explained(step, batch(events, COLUMNS)).answer.splitlines()
    assert first == "No match for key='a'."
    assert nearest.startswith(
        "Nearest: 0 of 1 step. No event began it as 'a'; the nearest, at 1970-01-01 00:00:00.005:"
    )
    assert nearest.endswith(" amount was 480.0, needed > 500.")


class TestPatternExplain:
    """`pattern.explain`: what it takes, and what it refuses."""

    PATTERN = Pattern.begin("a").where("n = 1").followed_by("b").where("n = 2").within("1m")

    def test_takes_frames_texts_and_datetimes(self) -> None:
        texts = [{"when": "2026-11-24T10:40:00Z", "n": 1}, {"when": "2026-11-24T10:41:14Z", "n": 2}]
        frame = pl.DataFrame(texts).with_columns(pl.col("when").str.to_datetime("%Y-%m-%dT%H:%M:%SZ"))
        answers = {self.PATTERN.explain(given, time="when").answer for given in (texts, frame)}
        assert len(answers) == 1
        assert "came 14s too late" in answers.pop()
        assert "came 14s too late" in self.PATTERN.explain(texts, time="when", at="2026-11-24T10:41").answer
        assert self.PATTERN.explain(frame.clear(), time="when").answer == "No match: there is no event of it."

    @pytest.mark.parametrize(
        ("events", "more", "said"),
        [
            ([{"t": 1, "n": 1}], {}, "no such column of event times"),
            ([{"t": 1, "n": 1}], {"time": "t", "by": "card"}, "no such column"),
            ([{"t": 1, "n": 1}], {"time": "t", "by": "n"}, "say which key"),
            ([{"t": 1, "n": 1}], {"time": "t", "by": "n", "key": "x"}, "not a value of the key's column"),
            ([{"t": 1, "n": 1}], {"time": "t", "at": "yesterday"}, "not a time"),
            ([{"t": 1, "m": 1}], {"time": "t"}, "unknown column"),
            ("events", {"time": "t"}, "not events"),
            ([], {"time": "t"}, "there are no events"),
        ],
    )
    def test_refuses_what_it_cannot_mean(self, events: Any, more: dict[str, Any], said: str) -> None:
        with pytest.raises(FlowError, match=said):
            self.PATTERN.explain(events, **more)


def test_numbers_of_events_are_rows() -> None:
    step = Detect("detect", (), Pattern.begin("a"), ())
    one = _explained(step, batch([{"t": 5, "key": "a", "amount": 1.0, "status": None, "tries": None}], COLUMNS))
    assert one.events["event"].to_list() == [0]
    assert np.array_equal(one.events["fate"].to_numpy(), ["read"])


@pytest.mark.parametrize("beyond", ["drop_oldest", "drop_newest"])
@pytest.mark.parametrize("most", [1, 2, 3, 5])
def test_which_of_several_with_one_start_is_dropped(most: int, beyond: Any) -> None:
    pattern = Pattern.begin("a").where("amount > 500").followed_by_any("b").one_or_more().allow_combinations()
    pattern = pattern.followed_by("c").where("status = 'ok'").within("40ms")
    statuses = [None, None, "declined", None, "ok", None, "ok"]
    events = [
        {"t": 3 * place, "key": "a", "amount": 900.0 if place in (0, 3, 4) else 3.0, "status": status, "tries": 1}
        for place, status in enumerate(statuses * 2)
    ]
    step = Detect("detect", (), pattern, (), max_partials=most, overflow=beyond)
    whole = batch(events, COLUMNS)
    one = _explained(step, whole)
    matches, timeouts, _, dropped = _given(step, whole)
    assert dropped > 0
    assert one.counts()["dropped"] == dropped
    assert _sorted([_told(one, life) for life in one.lives if life.end == "matched"]) == _sorted(matches)
    assert _sorted([_told(one, life) for life in one.lives if life.end == "timed_out"]) == _sorted(timeouts)


def test_an_event_at_the_watermark_is_late_and_one_after_it_is_not() -> None:
    step = Detect("detect", (), Pattern.begin("a"), ())
    fields = {"key": "a", "amount": 1.0, "status": "ok", "tries": 1}
    whole = batch([{"t": 5, **fields}, Mark(7), {"t": 7, **fields}, {"t": 8, **fields}], COLUMNS)
    one = _explained(step, whole)
    assert one.followed.late == {1: 7}
    offsets = one.followed.frame[OFFSET].to_list()
    assert [offsets[event] for event in one.followed.late] == _given(step, whole)[2]
    assert len(one.matches) == 2
