"""As-of joins: the plain meaning, the laws, deletions, tolerance, and what is kept."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from styx_lab.core.batch import Batch
from styx_lab.core.events import TIME
from styx_lab.core.operator import OUT, Operator
from styx_lab.errors import CheckpointError, FlowError
from styx_lab.flow.stream import Stream, source
from styx_lab.testing import check_operator
from styx_lab.testing.cuts import cut_at
from styx_lab.testing.windows.case import Case
from styx_lab.testing.windows.family import operator_of
from styx_lab.testing.windows.script import TWO, batches, stream
from tests.operators.join_kit import PlainAsOf, cases, play

FEWER = settings(max_examples=max(5, settings().max_examples // 4))
# One case in ten or twenty tells a join that keeps too much from one that does not.
MORE = settings(max_examples=4 * settings().max_examples)
How = Literal["inner", "left"]
NO_CASE = Case.of({"id": "x", "op": {"type": "i"}, "watermark": {"strategy": "explicit"}, "events": []})


def joined(how: How = "left", tolerance: int | None = None) -> Stream:
    left, right = stream(NO_CASE, "l"), stream(NO_CASE, "r")
    age = None if tolerance is None else f"{tolerance}ms"
    return left.asof_join(right, delete=pl.col("delete"), how=how, tolerance=age)


def run(running: Operator, case: Case, size: int = 10_000) -> list[dict[str, Any]]:
    out = []
    for piece in cut_at(batches(case, TWO), np.arange(0, max(2 * len(case.events), 1), 2 * size)):
        emission = running.process(piece)
        assert not len(emission.late_order)
        columns = {"left": "index", "right": "index_right", "ts": pl.col(TIME).to_physical()}
        out += emission.ports[OUT].frame.select("key", **columns).to_dicts()
    return out


@pytest.mark.laws
@MORE
@given(
    cases({"type": "t"}),
    st.booleans(),
    st.one_of(st.none(), st.none(), st.integers(0, 10)),
    st.sampled_from([1, 3, 7, 10_000]),
)
def test_versions_are_those_of_the_plain_join(case: Case, outer: bool, tolerance: int | None, size: int) -> None:
    said = play(case, PlainAsOf(outer=outer, tolerance=tolerance))
    for one in said.out:
        del one["wm"]
    assert run(operator_of(joined("left" if outer else "inner", tolerance)), case, size) == said.out


@pytest.mark.laws
@FEWER
@given(cases({"type": "t"}, most=24), st.booleans())
def test_the_operator_keeps_the_contract(case: Case, outer: bool) -> None:
    made = joined("left" if outer else "inner")
    check_operator(lambda: operator_of(made), batches(case, TWO), passes_late=True)


@pytest.mark.laws
@FEWER
@given(cases({"type": "t"}, most=24))
def test_a_stream_may_be_its_own_versions(case: Case) -> None:
    left = stream(NO_CASE, "l")
    made = left.asof_join(left, how="left")
    whole = batches(case, TWO)[0]
    check_operator(lambda: operator_of(made), [whole, whole], passes_late=True)


def _case(events: list[dict[str, Any]]) -> Case:
    return Case.of({"id": "x", "op": {"type": "t"}, "watermark": {"strategy": "explicit"}, "events": events})


def test_a_row_has_the_events_time_and_the_origin_of_both() -> None:
    events = [{"t": 3, "key": "a", "side": "r"}, {"t": 5, "key": "a", "side": "l"}, {"t": 2, "key": "a", "side": "l"}]
    emission = operator_of(joined()).process(batches(_case(events), TWO))
    rows = emission.ports[OUT].frame.with_columns(pl.selectors.datetime().to_physical()).to_dicts()
    assert [(row["index"], row["index_right"], row["_time"], row["_arrival"]) for row in rows] == [
        (1, 0, 5, 2),
        (2, None, 2, 2),
    ]
    assert [row["_origin"] for row in rows] == [
        '["asof_join",["a"],["l",0,1],["r",0,0]]',
        '["asof_join",["a"],["l",0,2],null]',
    ]
    assert emission.counts == {"joined": 1, "no_version": 1}


def test_the_inner_join_counts_what_it_drops() -> None:
    emission = operator_of(joined("inner")).process(batches(_case([{"t": 5, "key": "a", "side": "l"}]), TWO))
    assert (len(emission.ports[OUT]), emission.counts) == (0, {"joined": 0, "no_version": 1})


def test_memory_is_one_version_a_key_and_what_the_watermark_has_not_passed() -> None:
    running = operator_of(joined())
    for at in range(0, 60_000, 2_000):
        events = [{"t": t, "key": f"k{t % 50}", "side": "lrrr"[t % 4]} for t in range(at, at + 2_000)]
        case = {"id": "x", "op": {"type": "t"}, "watermark": {"strategy": "explicit"}, "end": False}
        whole = batches(Case.of({**case, "events": [*events, {"wm": at + 2_000}]}), TWO)
        before = at if at else -(2**63)
        running.process([Batch(one.frame, one.order, before, one.steps) for one in whole])
        # Only the keys with an even number have events of each kind, but all have versions.
        assert running.size() == {"keys": 50, "events": 50}
    memory: Any = running
    assert len(memory._memory.rows[1]) < 10_000


def test_a_condition_that_cannot_be_evaluated_costs_that_version_alone() -> None:
    left = source("l", schema={"t": "int", "key": "str"}, time="t", key="key")
    right = source("r", schema={"t": "int", "key": "str", "ended": "str"}, time="t", key="key")
    made = left.asof_join(right, delete="CAST(ended AS INT) = 1", how="left")
    whole = batches(_case([{"t": 1, "key": "a", "side": "r"}, {"t": 1, "key": "a", "side": "r"}]), TWO)
    frame = whole[1].frame.select("t", "key", *(name for name in whole[1].frame.columns if name.startswith("_")))
    frame = frame.with_columns(ended=pl.Series(["0", "no"]))
    emission = operator_of(made).process([whole[0], whole[1].with_frame(frame)])
    assert emission.dead is not None
    assert (emission.dead.height, emission.dead_order.tolist()) == (1, [2])


def test_state_of_another_join_is_refused() -> None:
    left, right = stream(NO_CASE, "l"), stream(NO_CASE, "r")
    with pytest.raises(CheckpointError, match="said something else of"):
        operator_of(left.asof_join(right)).restore([operator_of(joined()).snapshot()])


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda one: one.asof_join(one, how="full"), "no such kind"),
        (lambda one: one.asof_join(one, tolerance="-5m"), "duration"),
        (lambda one: one.asof_join(one, delete="nothing = 1"), "unknown column"),
        (lambda one: one.asof_join(one, delete="value + 1"), "condition"),
        (lambda one: one.asof_join(source("x", schema={"t": "int"}, time="t")), "on the right side"),
        (lambda one: one.asof_join(source("x", schema={"t": "int"}, time="t", key="t")), "same types"),
    ],
)
def test_what_cannot_be_joined_is_refused_when_built(make: Any, told: str) -> None:
    with pytest.raises(FlowError, match=told):
        make(stream(NO_CASE, "l"))
