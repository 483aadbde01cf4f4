"""The bound on a key's partial matches: it does not depend on the cut, nor on which operator runs."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from styx_lab.core.batch import Batch, Steps
from styx_lab.core.events import ARRIVAL, OFFSET, PARTITION, RAW_COLUMNS, SOURCE, TIME
from styx_lab.core.operator import OUT, Operator
from styx_lab.core.time import MAX_WATERMARK
from styx_lab.errors import DataError
from styx_lab.flow.pattern import AfterMatch, Pattern
from styx_lab.operators.cep.chain.operator import ChainOperator
from styx_lab.operators.cep.compiled.operator import DetectOperator
from styx_lab.testing import check_operator
from styx_lab.testing.strategies import patterns, patterns_of_all_kinds
from tests.cep.every_kind import COLUMNS, compiled, scripts, step_of
from tests.cep.kit import Script, batch, stream

FEWER = settings(max_examples=max(5, settings().max_examples // 8))
EXPLODES = Pattern.begin("a").one_or_more().allow_combinations().followed_by_any("b").where("tries = 1").within("1s")


def events(key: str, count: int, first: int = 1) -> Script:
    rest = {"amount": 1.0, "status": "ok", "tries": 0, "at": None, "sure": None}
    return [{"t": first + place, "key": key, **rest} for place in range(count)]


@pytest.mark.laws
@FEWER
@given(
    patterns_of_all_kinds(most=3, lookback=False),
    scripts(most=8),
    st.integers(1, 4),
    st.sampled_from(["drop_oldest", "drop_newest"]),
)
def test_what_is_dropped_does_not_depend_on_the_cut(
    pattern: Pattern, script: Script, most: int, overflow: Literal["drop_oldest", "drop_newest"]
) -> None:
    # Errors are of the cut: what came before them is given or not.
    pattern = pattern.with_after_match(AfterMatch.no_skip()) if pattern.after_match.throw_on_miss else pattern
    check_operator(lambda: compiled(step_of(pattern, max_partials=most, overflow=overflow)), batch(script, COLUMNS))


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
def test_no_more_live_than_were_said_and_those_that_go_are_counted(overflow: Any) -> None:
    running = compiled(step_of(EXPLODES, max_partials=5, overflow=overflow))
    emission = running.process([open_ended(events("a", 30))])
    assert running.size()["partial_matches"] == 5
    assert emission.counts["dropped_partial_matches"] > 20


def open_ended(script: Script) -> Batch:
    """A script whose last watermark is that of its last event."""
    whole = batch(script, COLUMNS, delay=0)
    keep = whole.steps.mark < MAX_WATERMARK
    return Batch(whole.frame, whole.order, whole.before, Steps(*(column[keep] for column in columns(whole.steps))))


def columns(steps: Steps) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return steps.order, steps.mark, steps.clock


def ended(running: Operator, script: Script) -> tuple[int, str]:
    """How many events were taken before the run failed, and of what; -1 if it did not."""
    for taken, piece in enumerate(batch(script, COLUMNS, delay=0).slices(1)):
        try:
            running.process([piece])
        except DataError as error:
            return taken, str(error)
    return -1, ""


@pytest.mark.laws
@given(patterns(), scripts(), st.integers(1, 4))
def test_either_operator_of_a_chain_has_the_same_bound(pattern: Pattern, script: Script, most: int) -> None:
    step, type_ = step_of(pattern, max_partials=most), stream(COLUMNS, "key")
    wanted = {OUT: step.infer([type_])[OUT]}
    assert ended(ChainOperator(step, type_, wanted), script) == ended(DetectOperator(step, type_, wanted), script)


def test_the_error_names_the_key() -> None:
    pattern = Pattern.begin("a").followed_by("b").where("tries = 1").within("1s")
    step, type_ = step_of(pattern, max_partials=2), stream(COLUMNS, "key")
    wanted = {OUT: step.infer([type_])[OUT]}
    script = [*events("b", 2), *events("mine", 3, 10)]
    said = (
        "step 'detect': one key has more than 2 partial matches; got \"key 'mine'\". Try: say within(), a narrower "
        "condition, or what to drop: detect(overflow='drop_oldest')"
    )
    for running in (ChainOperator(step, type_, wanted), DetectOperator(step, type_, wanted)):
        assert ended(running, script) == (4, said)


def test_a_miss_names_the_key() -> None:
    skip = AfterMatch.skip_to_first("b", throw_on_miss=True)
    pattern = Pattern.begin("a", after_match=skip).followed_by("b").where("tries = 1").optional().next("c")
    taken, said = ended(compiled(step_of(pattern)), events("mine", 3))
    assert taken >= 0
    assert "throw_on_miss was said; got \"key 'mine'\"" in said


@pytest.mark.parametrize("timeouts", [False, True])
def test_after_many_keys_have_fallen_silent_their_room_is_given_back(timeouts: bool) -> None:
    """Keys whose partial matches are long too old go, though no more come than there were."""
    pattern = Pattern.begin("a").where("tries = 0").next("b").where("tries = 1").within("10ms")
    step, type_ = step_of(pattern), stream(COLUMNS, "key")
    outputs = step.infer([type_])
    made = DetectOperator if timeouts else ChainOperator
    running = made(step, type_, outputs if timeouts else {OUT: outputs[OUT]})
    count = 150_000
    running.process([same_time([f"card-{number}" for number in range(count)], 1)])
    assert running.size()["keys"] == count
    for turn in range(20):
        running.process([same_time(["one"], 1_000 + 20 * turn)])
    size = running.size()
    assert size["keys"] < 70_000
    assert size["events"] < 10_000
    assert size["partial_matches"] <= 2


def same_time(keys: list[str], at: int) -> Batch:
    count = len(keys)
    data = {
        "key": keys,
        "amount": np.ones(count),
        "status": pl.Series([None] * count, dtype=pl.String),
        "tries": np.zeros(count, np.int64),
        "at": pl.Series([None] * count, dtype=COLUMNS["at"]),
        "sure": pl.Series([None] * count, dtype=pl.Boolean),
        TIME: pl.Series(np.full(count, at)).cast(RAW_COLUMNS[TIME]),
        ARRIVAL: pl.Series(np.full(count, at)).cast(RAW_COLUMNS[ARRIVAL]),
        SOURCE: ["s"] * count,
        PARTITION: np.zeros(count, np.int32),
        OFFSET: np.arange(count) + at,
    }
    first = 2_000_000 * at
    order = first + 2 * np.arange(count)
    steps = Steps(np.array([order[-1] + 1]), np.array([at]), np.array([at]))
    return Batch(pl.DataFrame(data), order, at - 1, steps)
