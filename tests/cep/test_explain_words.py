"""What an explanation says, cause by cause, in full."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

import polars as pl
import pytest
from polars import col

from styx_lab.core.batch import Batch
from styx_lab.flow.pattern import AfterMatch, Pattern, matched
from styx_lab.flow.steps import Detect
from styx_lab.operators.cep.explain.around import Around
from styx_lab.operators.cep.explain.explain import explain_key
from styx_lab.operators.cep.explain.explanation import Explanation
from tests.cep.kit import Mark, batch, stream

COLUMNS: dict[str, pl.DataType] = {"key": pl.String(), "n": pl.Float64(), "s": pl.String(), "m": pl.Int64()}


def _event(at: float, n: float | None, s: str | None = None, m: int | None = None) -> dict[str, Any]:
    """An event, at seconds."""
    return {"t": round(1_000 * at), "key": "a", "n": n, "s": s, "m": m}


def _explain(pattern: Pattern, events: Sequence[Any], *, delay: int | None = None, **more: Any) -> Explanation:
    around = more.pop("around", None)
    whole: Batch = batch(events, COLUMNS, delay=delay)
    step = Detect("detect", (), pattern, (), **more)
    return explain_key(step, stream(COLUMNS, "key"), {}, [whole], key="key='a'", around=around)


def _causes(one: Explanation) -> list[str]:
    return [
        f"#{miss.partial} {one.lives.all[miss.partial].end} {miss.progress}: {miss.cause.text}" for miss in one.misses
    ]


ONE = Pattern.begin("a").where("n = 1")
BEGUN = "#1 {} 1 of 2 steps: {}"


def test_a_third_step_that_came_too_late() -> None:
    pattern = ONE.followed_by("b").where("n = 2").followed_by("c").where("n = 3").within("1m")
    one = _explain(pattern, [_event(0, 1), _event(30, 2), _event(74, 3)])
    late = "The third, 'c', came 14s too late, at 1970-01-01 00:01:14: the 1m ended at 00:01:00."
    assert one.answer.splitlines() == [
        "No match for key='a'.",
        f"Nearest: 2 of 3 steps (#1). {late}",
        "It took a 1970-01-01 00:00:00, b 00:00:30.",
    ]
    assert one.misses[0].cause.late_by == 14_000


def test_the_end_itself_is_too_late() -> None:
    pattern = ONE.followed_by("b").where("n = 2").within("1m")
    (cause,) = _causes(_explain(pattern, [_event(0, 1), _event(60, 2)]))
    said = "the second, 'b', came just too late (it must be before), at 1970-01-01 00:01:00: the 1m ended at 00:01:00"
    assert cause == BEGUN.format("timed_out", said)


def test_a_gap_that_was_too_long() -> None:
    pattern = (
        ONE.followed_by("b").where("n = 2").within("10s", between=True).followed_by("c").where("n = 3").within("1h")
    )
    (cause,) = _causes(_explain(pattern, [_event(5, 1), _event(17, 2)]))
    said = "the second, 'b', came 2s too late, at 1970-01-01 00:00:17: the 10s after its last event ended at 00:00:15"
    assert cause == f"#1 timed_out 1 of 3 steps: {said}"


def test_an_event_that_was_nearly_it() -> None:
    pattern = ONE.followed_by("b").where("n > 500").within("1m")
    (cause,) = _causes(_explain(pattern, [_event(0, 1), _event(10, 3), _event(20, 480), _event(30, 7)]))
    said = (
        "no 'b' came in time: the 1m ended at 1970-01-01 00:01:00; the nearest, at 1970-01-01 00:00:20: "
        "n was 480.0, needed > 500"
    )
    assert cause == BEGUN.format("timed_out", said)


def test_one_that_waits_still() -> None:
    (cause,) = _causes(_explain(ONE.followed_by("b").where("n > 500"), [_event(0, 1), _event(10, 480)]))
    said = "it still waits for 'b'; the nearest, at 1970-01-01 00:00:10: n was 480.0, needed > 500"
    assert cause == BEGUN.format("alive", said)


def test_what_had_to_be_next() -> None:
    (cause,) = _causes(_explain(ONE.next("b").where("n = 2"), [_event(0, 1), _event(10, 3), _event(20, 2)]))
    assert cause == BEGUN.format("died", "the very next event, at 00:00:10, was no 'b': n was 3.0, needed = 2")


@pytest.mark.parametrize(
    ("condition", "event", "said"),
    [
        ("n > 500", _event(1, 480), "n was 480.0, needed > 500"),
        ("n > 999.9", _event(1, 480), "n was 480.0, needed > 999.9"),
        ("500 < n", _event(1, 480), "n was 480.0, needed > 500"),
        ("n > 500", _event(1, None), "n was null, needed > 500"),
        ("n > 500 AND s = 'x'", _event(1, 700, "y"), "s was 'y', needed = 'x'"),
        ("n > 500 AND s = 'x'", _event(1, 480, "y"), "n was 480.0, needed > 500; s was 'y', needed = 'x'"),
        ("n > 500 OR s = 'x'", _event(1, 480, "y"),
         "neither (n was 480.0, needed > 500) nor (s was 'y', needed = 'x')"),
        ("NOT n > 500", _event(1, 700), "n was 700.0, needed <= 500"),
        ("n > m", _event(1, 480, None, 500), "n was 480.0, needed > 500 (m)"),
        (col("n") + 1 > col("m") * 2, _event(1, 480, None, 500), "n + 1 was 481.0, needed > 1000 (m * 2)"),
        ("n + 1 > m * 2", _event(1, 480, None, 500), "n + 1 was 481.0, needed > 1000 (m * 2)"),
        ("n IS NOT NULL", _event(1, None), "n was null, needed a value"),
        ("n IS NULL", _event(1, 2), "n was 2.0, needed null"),
        ("s IN ('x', 'z')", _event(1, 2, "y"), "s was 'y', needed one of ['x', 'z']"),
        ("n BETWEEN 5 AND 9", _event(1, 2), "n was 2.0, needed >= 5"),
        (col("s").str.starts_with("x"), _event(1, 2, "y"), "s was 'y', needed s.str.starts_with('x')"),
        (col("n") > 2 * matched("a").n.sum(), _event(1, 1.5),
         "n was 1.5, needed > 2.0 (2 * matched(\"a\")[\"n\"].sum())"),
        (col("s") == matched("a").s.last(), _event(1, 1.5, "y"),
         "s was 'y', needed = 'x' (matched(\"a\")[\"s\"].last())"),
        (
            (col("n") > matched("a").n.max()) & (col("m") < 3),
            _event(1, 0.5, None, 7),
            "n was 0.5, needed > 1.0 (matched(\"a\")[\"n\"].max()); m was 7, needed < 3",
        ),
    ],
)  # fmt: skip
def test_what_was_needed(condition: Any, event: dict[str, Any], said: str) -> None:
    (cause,) = _causes(_explain(ONE.next("b").where(condition), [_event(0, 1, "x"), event]))
    assert cause == BEGUN.format("died", f"the very next event, at 00:00:01, was no 'b': {said}")


def test_what_must_not_come() -> None:
    pattern = ONE.not_followed_by("no").where("n >= 7").followed_by("b").where("n = 2")
    (cause,) = _causes(_explain(pattern, [_event(0, 1), _event(5, 8), _event(9, 2)]))
    said = "at 1970-01-01 00:00:05 'no' came, which must not (n was 8.0, needed < 7)"
    assert cause == BEGUN.format("stopped", said)


def test_what_ended_a_loop() -> None:
    pattern = ONE.followed_by("b").where("n >= 2").times_or_more(2).consecutive().until("n = 9")
    causes = _causes(_explain(pattern, [_event(0, 1), _event(5, 2), _event(6, 9)]))
    said = "the event at 00:00:06 met until n = 9, which ended 'b'"
    assert causes == [f"#1 died 1 of 2 steps, with 2 of 3 events: {said}"]


def test_a_match_that_took_others_away() -> None:
    once = AfterMatch.skip_past_last_event()
    pattern = Pattern.begin("a", after_match=once).where("n = 1").followed_by("b").where("n = 2")
    one = _explain(pattern, [_event(0, 1), _event(1, 1), _event(2, 2)])
    assert len(one.matches) == 1
    (cause,) = _causes(one)
    said = "it was complete, and match #1 came out, and its skip took it away (skip past last event)"
    assert cause == f"#2 pruned 2 of 2 steps: {said}"


def test_a_match_that_is_held_back() -> None:
    once = AfterMatch.skip_past_last_event()
    begun = Pattern.begin("a", after_match=once).where("n = 1")
    pattern = begun.followed_by("b").where(col("m") == matched("a").m.last())
    one = _explain(pattern, [_event(0, 1, None, 5), _event(1, 1, None, 6), _event(2, 2, None, 6)])
    held = [life.number for life in one.lives if life.end == "held_back"]
    assert len(held) == 1
    cause = one.causes.of(one.lives.all[held[0]])
    assert cause.text == "it is complete, and waits for #1, which began before it and is still alive"
    assert cause.kind == "held_back"


def test_a_match_that_waits_behind_one_that_is_held_back() -> None:
    pattern = Pattern.begin("a", after_match=AfterMatch.skip_to_first("a")).one_or_more().greedy()
    one = _explain(pattern, [_event(at, 1) for at in range(3)])
    held = [one.causes.of(life).text for life in one.lives if life.end == "held_back"]
    assert len(held) > 1
    assert any("which itself waits for #" in said for said in held)


def test_one_partial_match_too_many() -> None:
    pattern = ONE.followed_by("b").where("n = 2")
    one = _explain(pattern, [_event(0, 1), _event(1, 1)], max_partials=1, overflow="drop_oldest")
    cause = one.causes.of(one.lives.all[1]).text
    assert cause == "its key had more than 1 partial matches, and the oldest went (detect(overflow='drop_oldest'))"


def test_a_late_event() -> None:
    pattern = ONE.followed_by("b").where("n = 2").within("1m")
    one = _explain(pattern, [_event(0, 1), _event(40, 3), _event(26, 2), _event(80, 3)], delay=0)
    late = "'b' came at 1970-01-01 00:00:26, but it arrived late, 13s999ms behind the watermark, and was left out."
    assert one.answer.splitlines() == [
        "No match for key='a'.",
        f"Nearest: 1 of 2 steps (#1). {late}",
        "It took a 1970-01-01 00:00:00.",
        "Event 2 came late, behind the watermark; in time there would have been 1 match with it.",
    ]
    assert "event 2 at 1970-01-01 00:00:26 was late: 13s999ms behind the watermark" in one.text


def test_a_moment_at_which_nothing_was_alive() -> None:
    pattern = ONE.next("b").where("n = 2")
    events = [_event(0, 1), _event(1, 3), _event(130, 4)]
    said = _explain(pattern, events, around=Around.of("1970-01-01T00:02")).answer.splitlines()
    assert said[:4] == [
        "No match for key='a' around 1970-01-01 00:02.",
        "Nothing was alive then: no partial match had begun, or all had ended.",
        "The event at 1970-01-01 00:02:10 did not begin it as 'a': n was 4.0, needed = 1.",
        "Nearest in time: 1 of 2 steps (#1). The very next event, at 00:00:01, was no 'b': n was 3.0, needed = 2.",
    ]
    later = _explain(pattern, events, around=Around.of("1970-01-02")).answer
    assert "It had no event then; the last one before was at 1970-01-01 00:02:10." in later


def test_the_moment_of_what_came_too_late_counts() -> None:
    pattern = ONE.followed_by("b").where("n = 2").within("1m")
    events = [_event(0, 1), _event(200, 2)]
    said = _explain(pattern, events, around=Around.of("1970-01-01T00:03:20")).answer
    assert "came 2m20s too late" in said
    assert "Nothing was alive" not in said


def test_a_match_says_when_it_came_out() -> None:
    one = _explain(ONE.followed_by("b").where("n = 2"), [_event(0, 1), _event(1, 2), Mark(5_000)])
    assert one.answer.splitlines() == [
        "1 match for key='a'.",
        "#1: a 1970-01-01 00:00:00, b 00:00:01, out at 00:00:01.",
    ]
    assert one.table["end"].to_list() == ["matched"]
    assert one.happenings["what"].to_list() == ["started", "took", "completed", "matched"]


def test_which_engine_and_why() -> None:
    assert _explain(ONE.followed_by("b"), []).engine == "compiled chain, because its partial matches never fork"
    assert _explain(ONE.followed_by_any("b"), []).engine == "compiled automaton, because 'b' is followed_by_any"


HOSTILE = "</title><script>alert(1)</script>\x1b[31m\u202e&\n"


def test_no_text_of_an_event_can_end_a_tag_or_a_line() -> None:
    one = _explain(ONE.next("b").where("s = 'x'"), [_event(0, 1), _event(1, 2, HOSTILE)])
    root = ElementTree.fromstring(one.svg)
    assert not [each for each in root.iter() if each.tag.endswith("script")]
    assert "<script>" not in one._repr_html_()
    assert "\x1b" not in one.text
    assert "\x1b" not in one.answer
    assert "\u202e" not in one.text
    assert one._repr_svg_() == one.svg


def test_the_picture_has_a_bar_for_each_and_says_what_is_left_out() -> None:
    events = [_event(at, 1) for at in range(20)]
    one = _explain(ONE.next("b").where("n = 2"), events)
    assert one.svg.count('class="bar"') == 12
    assert "and 8 more" in one.svg
    assert _explain(ONE, []).svg.startswith("<svg")


def test_the_same_is_shown_to_the_byte() -> None:
    events = [_event(0, 1), _event(1, 2), _event(2, 1)]
    first, second = (_explain(ONE.next("b").where("n = 2"), events) for _ in range(2))
    assert first.svg == second.svg
    assert first.text == second.text
    assert first.to_json() == second.to_json()
