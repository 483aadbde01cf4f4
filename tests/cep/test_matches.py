"""The rows of matches: each part holds its own events, and null where it has none."""

from __future__ import annotations

import polars as pl

from styx_lab.core.events import ORIGIN, TIME
from styx_lab.core.operator import OUT, Operator
from styx_lab.flow.pattern import Pattern
from styx_lab.flow.steps import Detect
from styx_lab.flow.steps.detect import TIMED_OUT
from styx_lab.operators.cep import detect_operator
from tests.cep.kit import Mark, Script, batch, stream

COLUMNS: dict[str, pl.DataType] = {"key": pl.String(), "n": pl.Int64()}
SCRIPT: Script = [{"t": 10 * n, "key": "a", "n": n} for n in (1, 2, 3, 4)]


def run(pattern: Pattern, script: Script = SCRIPT, *ports: str) -> dict[str, pl.DataFrame]:
    step = Detect("detect", (), pattern, ())
    type_ = stream(COLUMNS, "key")
    outputs = step.infer([type_])
    running: Operator = detect_operator(step, type_, {port: outputs[port] for port in ports or (OUT,)})
    emission = running.process([batch(script, COLUMNS)])
    return {port: emission.ports[port].frame for port in ports or (OUT,)}


def test_a_part_that_was_left_out_is_null_beside_others_that_were_not() -> None:
    pattern = (
        Pattern.begin("a").where("n % 2 = 1").followed_by("b").where("n = 2").optional().next("c").where("n % 2=0")
    )
    # 1 2 4? No: 4 is not right behind 2; so 1 2 without b, and 3 4 without b.
    found = run(pattern)[OUT]
    assert [row["b"] for row in found.to_dicts()] == [None, None]
    pattern = Pattern.begin("a").where("n <> 2").next("b").where("n = 2").optional().next("c").where("n > 2")
    found = run(pattern)[OUT]
    told = [[row[part] and row[part]["n"] for part in "abc"] for row in found.to_dicts()]
    assert told == [[1, 2, 3], [3, None, 4]]


def test_a_timeout_has_null_for_what_did_not_come() -> None:
    pattern = Pattern.begin("a").where("n <> 2").followed_by("b").where("n = 2").followed_by("c").where("n = 9")
    found = run(pattern.within("1s"), SCRIPT, OUT, TIMED_OUT)[TIMED_OUT]
    told = [[row[part] and row[part]["n"] for part in "abc"] for row in found.to_dicts()]
    assert told == [[1, 2, None], [3, None, None], [4, None, None]]


def test_parts_may_share_a_column_on_either_operator() -> None:
    pattern = Pattern.begin("a:1").where("n = 1").followed_by("b").where("n = 2").followed_by("a:2").where("n = 3")
    for ports in ([OUT], [OUT, TIMED_OUT]):
        (row,) = run(pattern, SCRIPT, *ports)[OUT].to_dicts()
        assert (row["a"]["n"], row["b"]["n"]) == ([1, 3], 2)


def test_a_timeout_is_told_apart_from_a_match_of_the_same_events() -> None:
    pattern = Pattern.begin("a").where("n = 1").followed_by("b").where("n = 9").optional().within("15ms")
    frames = run(pattern, SCRIPT, OUT, TIMED_OUT)
    (match,), (timeout,) = frames[OUT][ORIGIN].to_list(), frames[TIMED_OUT][ORIGIN].to_list()
    assert match == '["detect",["a"],{"a":[["script",0,0]]}]'
    assert timeout == '["detect",["a"],{"a":[["script",0,0]]},"timed_out",25]'


def test_a_gap_that_shows_late_is_not_late_for_the_next_step() -> None:
    """Flink sets no timer for a gap: the key is looked at again only when its next event has come, at 500."""
    pattern = Pattern.begin("a").where("n = 1").followed_by("b").where("n = 9").within("5ms", between=True)
    script = [{"t": 10, "key": "a", "n": 1}, Mark(12), Mark(300), {"t": 500, "key": "a", "n": 2}, Mark(600)]
    frame = run(pattern, script, OUT, TIMED_OUT)[TIMED_OUT]
    assert frame[TIME].to_physical().to_list() == [301]
