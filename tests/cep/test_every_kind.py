"""The laws for every kind of pattern: what is compiled gives what the slow reading gives, however it is cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from styx_lab import col, matched
from styx_lab.core.batch import Batch
from styx_lab.core.events import canonical_lines
from styx_lab.core.operator import LATE, OUT
from styx_lab.core.time import MIN_WATERMARK
from styx_lab.flow.pattern import Part, Pattern
from styx_lab.operators.cep.chain.operator import ChainOperator
from styx_lab.operators.cep.choice import why_not_chain
from styx_lab.operators.cep.compiled.operator import DetectOperator
from styx_lab.testing import check_operator
from styx_lab.testing.cuts import cut_at, cut_places
from styx_lab.testing.strategies import CONDITIONS, patterns, patterns_of_all_kinds
from tests.cep.every_kind import COLUMNS, Row, compiled, marks_before, moved, reading, scripts, step_of, told
from tests.cep.kit import Mark, Script, batch, stream

pytestmark = pytest.mark.laws
FEWER = settings(max_examples=max(5, settings().max_examples // 8))
ORDERS = st.sampled_from([{}, {}, {"order_by": "tries"}, {"order_by": "amount", "descending": True}])
SIZES = st.lists(st.sampled_from([1, 1, 2, 3, 7, 100]), min_size=1, max_size=5)
GROUPS = st.lists(st.integers(1, 127), unique=True, max_size=3)

# Conditions that look back at the first parts, at columns of every type.
LOOKING = [
    col("amount") > matched("p0").amount.last(),
    col("status") != matched("p0").status.first(),
    col("status") >= matched("p0").status.last(),
    (col("at") > matched("p0").at.last()) | col("sure"),
    col("sure") == matched("p0").sure.last(),
    col("tries") <= matched("p0").tries.first(),
    (matched("p0").amount.min() < 600) | (matched("p0").amount.max() > 800),
    ~(col("amount") * 2 > matched("p0").amount.mean()).fill_null(value=True),
    (matched("p0").amount.sum() / matched("p0").count()) >= col("amount") - 1,
    matched("p0").tries.sum().is_null() | (matched("p0").count() < 2),
]


DELAYS = st.one_of(st.none(), st.integers(0, 10))


def cuts(whole: Batch, sizes: list[int]) -> list[Batch]:
    """A batch in slices of so many places of the sequence, the sizes again and again."""
    places = cut_places([whole])
    bounds, at, turn = [0], 0, 0
    while at + sizes[turn % len(sizes)] < len(places):
        at, turn = at + sizes[turn % len(sizes)], turn + 1
        bounds.append(int(places[at]))
    return [piece for (piece,) in cut_at([whole], np.array(bounds))]


def by_key(rows: list[Row]) -> dict[Any, list[Row]]:
    found: dict[Any, list[Row]] = {}
    for row in rows:
        found.setdefault(row.key, []).append(row)
    return found


def run_through(make: Callable[[], DetectOperator], pieces: list[Batch], crash: int, groups: list[int]) -> list[Row]:
    """What comes out of slices, the operator's state being moved to another before one of them."""
    running = make()
    found = told(running, pieces[:crash])
    return found + told(moved(running, make, groups), pieces[crash:])


@given(
    patterns_of_all_kinds(conditions=[*CONDITIONS, *LOOKING], most=3),
    scripts(),
    DELAYS,
    ORDERS,
    SIZES,
    st.integers(0, 30),
    GROUPS,
)
def test_the_compiled_pattern_gives_what_the_slow_reading_gives(
    pattern: Pattern, script: Script, delay: int | None, order: Any, sizes: list[int], crash: int, groups: list[int]
) -> None:
    step = step_of(pattern, **order)
    whole = batch(script, COLUMNS, delay=delay)
    pieces = cuts(whole, sizes)
    found = by_key(run_through(lambda: compiled(step), pieces, min(crash, len(pieces)), groups))
    expected = reading(step, whole)
    assert {key: [row[:3] + row[4:] for row in rows] for key, rows in found.items()} == {
        key: [told.row[:3] + told.row[4:] for told in rows] for key, rows in expected.items()
    }
    before = marks_before(whole)
    for key, rows in expected.items():
        for one, row in zip(rows, found[key], strict=True):
            earliest = before[row.mark] + 1 if row.mark in before else MIN_WATERMARK
            if row.kind == 1:
                assert row.at == max(one.row.at, earliest)
            elif one.by == "silence":
                assert max(one.deadline_ms, earliest) <= row.at <= max(one.row.at, earliest)
            else:
                assert earliest <= row.at <= one.row.at


@FEWER
@given(patterns_of_all_kinds(conditions=[*CONDITIONS, *LOOKING], most=3), scripts(most=12), DELAYS, ORDERS)
def test_the_compiled_operator_keeps_its_contract(
    pattern: Pattern, script: Script, delay: int | None, order: Any
) -> None:
    step = step_of(pattern, **order)
    check_operator(lambda: compiled(step), batch(script, COLUMNS, delay=delay))


@given(patterns(), scripts(), DELAYS, SIZES)
def test_a_chain_gives_the_same_bytes_on_both_operators(
    pattern: Pattern, script: Script, delay: int | None, sizes: list[int]
) -> None:
    step = step_of(pattern)
    type_ = stream(COLUMNS, "key")
    wanted = {OUT: step.infer([type_])[OUT]}
    assert why_not_chain(step, wanted) is None
    said = []
    for made in (ChainOperator(step, type_, wanted), DetectOperator(step, type_, wanted)):
        for piece in cuts(batch(script, COLUMNS, delay=delay), sizes):
            emission = made.process([piece])
            out, late = emission.ports[OUT], emission.ports[LATE]
            said.append((canonical_lines(out.frame), out.order.tolist(), late.order.tolist(), dict(emission.counts)))
    assert said[: len(said) // 2] == said[len(said) // 2 :]


def has_gaps(parts: Sequence[Part]) -> bool:
    return any(
        part.gap_ms is not None or part.quantifier.window_ms is not None or has_gaps(part.group) for part in parts
    )


@given(patterns_of_all_kinds(conditions=[*CONDITIONS, *LOOKING], most=3), scripts(most=16), st.integers(0, 20))
def test_how_far_the_watermark_goes_at_once_does_not_show_in_matches(
    pattern: Pattern, script: Script, delay: int
) -> None:
    """So the order of arrival within the bound does not: the times of held back matches among all else.

    Gaps are left out: Flink sets no timer for them, so when and whether one shows depends on the watermark's steps.
    """
    assume(not has_gaps(pattern.parts))
    times: dict[str, int] = {}
    distinct = []
    for entry in script:
        if not isinstance(entry, Mark):
            at = max(entry["t"], times.get(entry["key"], 0) + 1)
            times[entry["key"]] = at
            distinct.append({**entry, "t": at})
    distinct.sort(key=lambda event: event["t"])
    said = []
    for wait in (0, delay, 10_000_000):
        rows = told(compiled(step_of(pattern)), [batch(distinct, COLUMNS, delay=wait)])
        said.append(by_key([row._replace(mark=0) for row in rows if row.kind == 0]))
    assert said[0] == said[1] == said[2]
