"""The laws, for patterns: the plain meaning, re-chunking, crash anywhere, order within the bound, nothing silent."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from styx_lab.core.batch import Batch, Steps
from styx_lab.core.events import ARRIVAL, OFFSET, PARTITION, RAW_COLUMNS, SOURCE, TIME
from styx_lab.flow.pattern import Pattern, Where
from styx_lab.flow.pattern.given import leaves
from styx_lab.testing import check_operator
from styx_lab.testing.strategies import CONDITIONS, patterns
from tests.cep.kit import Condition, Mark, Script, batch, detect, detector, reference

pytestmark = pytest.mark.laws
FEWER = settings(max_examples=max(10, settings().max_examples // 4))

COLUMNS: dict[str, pl.DataType] = {
    "key": pl.String(),
    "amount": pl.Float64(),
    "status": pl.String(),
    "tries": pl.Int64(),
}


def _known(test: Any, *names: str) -> Condition:
    """A comparison: false where a value is missing."""
    return lambda event: all(event[name] is not None for name in names) and bool(test(*(event[name] for name in names)))


PLAIN: dict[str, Condition] = {
    "status = 'declined'": _known(lambda status: status == "declined", "status"),
    "status = 'ok'": _known(lambda status: status == "ok", "status"),
    "status <> 'ok'": _known(lambda status: status != "ok", "status"),
    "amount > 500": _known(lambda amount: amount > 500, "amount"),
    "amount <= 500": _known(lambda amount: amount <= 500, "amount"),
    "tries >= 2": _known(lambda tries: tries >= 2, "tries"),
    "amount IS NULL": lambda event: event["amount"] is None,
    "tries % 2 = 0": _known(lambda tries: tries % 2 == 0, "tries"),
    "status = 'declined' OR amount > 500": lambda event: (
        PLAIN["status = 'declined'"](event) or PLAIN["amount > 500"](event)
    ),
}

EVENTS = st.fixed_dictionaries(
    {
        "t": st.integers(-20, 60),
        "key": st.sampled_from("aab"),
        "amount": st.sampled_from([900.0, 3.0, 900.0, 500.0, None]),
        "status": st.sampled_from(["declined", "ok", "declined", None]),
        "tries": st.sampled_from([2, 0, 1, 3, None]),
    }
)
MARKS = st.builds(Mark, st.integers(-25, 70))


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    """Events and marks at any place; mostly times rise, so that matches begin and end all along."""
    size = draw(st.sampled_from([30, 4, 16]))
    entries = draw(st.lists(st.one_of(EVENTS, EVENTS, EVENTS, MARKS), min_size=size // 2, max_size=size))
    if draw(st.sampled_from([True, True, False])):
        return [
            Mark(entry.at + 3 * place - 20) if isinstance(entry, Mark) else {**entry, "t": entry["t"] // 4 + 3 * place}
            for place, entry in enumerate(entries)
        ]
    return entries


DELAYS = st.one_of(st.none(), st.integers(0, 15))


def _plain_parts(pattern: Pattern) -> list[tuple[str, str, list[Condition], int, bool]]:
    return [
        (
            part.name,
            part.relation,
            [PLAIN[one.expression.text] for one in leaves(part.condition) if isinstance(one, Where)],
            part.quantifier.least,
            part.quantifier.inner == "strict",
        )
        for part in pattern.parts
    ]


def test_every_condition_has_its_plain_meaning() -> None:
    assert set(PLAIN) == set(CONDITIONS)


@given(patterns(), scripts(), DELAYS, st.sampled_from([1, 2, 7, 10_000]))
def test_matches_are_those_of_the_plain_matcher_however_cut(
    pattern: Pattern, script: Script, delay: int | None, size: int
) -> None:
    whole = batch(script, COLUMNS, delay=delay)
    found, late = detect(detector(pattern, COLUMNS, "key"), "key", whole.slices(size))
    expected, expected_late = reference(_plain_parts(pattern), pattern.within_ms, script, delay=delay)
    assert found == expected
    assert late == expected_late


@FEWER
@given(patterns(), scripts(), DELAYS)
def test_the_operator_keeps_its_contract(pattern: Pattern, script: Script, delay: int | None) -> None:
    check_operator(lambda: detector(pattern, COLUMNS, "key"), batch(script, COLUMNS, delay=delay))


@FEWER
@given(patterns(), st.lists(EVENTS, min_size=5, max_size=25), st.permutations(range(25)), st.integers(0, 100))
def test_the_order_of_arrival_within_the_bound_does_not_show(
    pattern: Pattern, events: list[dict[str, Any]], shuffled: list[int], bound: int
) -> None:
    # No two events at one time: of those the order of arrival counts, by definition.
    distinct = [{**event, "t": 7 * place} for place, event in enumerate(events)]
    # In order of time plus a delay of at most the bound, no event is late.
    late = sorted(range(len(distinct)), key=lambda place: 7 * place + shuffled[place] * bound // 25)
    one = batch(distinct, COLUMNS, delay=bound)
    other = batch([distinct[place] for place in late], COLUMNS, delay=bound)
    check_operator(lambda: detector(pattern, COLUMNS, "key"), one, reordered=[other], key=["key"])


def test_memory_is_given_back() -> None:
    """Keys, waiting events and partial matches go once nothing can use them."""
    pattern = Pattern.begin("a").where("amount > 500").next("b").where("amount <= 500").within("10ms")
    running = detector(pattern, COLUMNS, "key")
    rows = 20_000
    keys, events = 0, 0
    for piece in range(10):
        numbers = np.arange(piece * rows, (piece + 1) * rows)
        frame = pl.DataFrame(
            {
                "key": [f"card-{number}" for number in numbers],
                "amount": np.full(rows, 900.0),
                "status": ["ok"] * rows,
                "tries": np.ones(rows, np.int64),
                TIME: pl.Series(numbers).cast(RAW_COLUMNS[TIME]),
                ARRIVAL: pl.Series(numbers).cast(RAW_COLUMNS[ARRIVAL]),
                SOURCE: ["s"] * rows,
                PARTITION: np.zeros(rows, np.int32),
                OFFSET: numbers,
            }
        )
        before = int(numbers[0]) - 2
        steps = Steps(2 * numbers + 1, numbers - 1, numbers)
        running.process([Batch(frame, 2 * numbers, before, steps)])
        keys, events = max(keys, running.size()["keys"]), max(events, running.size()["events"])
    # Of 200,000 keys; sweeps wait until they pay, but they come.
    assert keys < 150_000
    assert events < 80_000
    assert running.size()["waiting"] <= 1
