"""Deduplicate, cooldown, sort, split: each against a slow reference that takes one entry of the sequence at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import styx_lab as styx
from styx_lab.core.batch import Batch
from styx_lab.core.operator import Operator
from styx_lab.core.time import MAX_WATERMARK, MIN_WATERMARK
from styx_lab.errors import CheckpointError, FlowError
from styx_lab.flow.expression import Expression
from styx_lab.flow.steps import Cooldown, Deduplicate, Sort, Split
from styx_lab.operators.cooldown import CooldownOperator
from styx_lab.operators.deduplicate import DeduplicateOperator
from styx_lab.operators.sort import SortOperator
from styx_lab.operators.split import SplitOperator
from styx_lab.testing import Script, check_operator
from styx_lab.testing.strategies import payments
from tests.operators.sequence_kit import (
    KEYED,
    UNKEYED,
    Event,
    Step,
    batch,
    counted,
    feed,
    feed_reborn,
    late,
    said,
    sequences,
    walk,
)

pytestmark = pytest.mark.laws
FEWER = settings(max_examples=max(10, settings().max_examples // 4))
SIZES = st.sampled_from([1, 2, 7, 10_000])
LENGTHS = st.sampled_from([1, 2, 5, 10, 20, 40])
WORDS = st.sampled_from(["x", "y", None])
EVENTS = st.builds(Event, st.integers(-20, 40), st.sampled_from("aaab"), WORDS)
SEQUENCES = sequences(EVENTS)


WAYS = pytest.mark.parametrize(
    "go", [lambda make, *to, **how: feed(make(), *to, **how), feed_reborn], ids=["on", "reborn"]
)


def deduplicate(within: int, *columns: str, keyed: bool = True) -> Callable[[], Operator]:
    return lambda: DeduplicateOperator(Deduplicate("once", (), columns, within), KEYED if keyed else UNKEYED)


def cooldown(quiet: int) -> Callable[[], Operator]:
    return lambda: CooldownOperator(Cooldown("calm", (), quiet), KEYED)


def sort(*, keyed: bool = True) -> Callable[[], Operator]:
    return lambda: SortOperator(Sort("sorted", ()), KEYED if keyed else UNKEYED)


def judged_in_order_of_arrival(whole: Batch, within: int, columns: list[str]) -> tuple[list[Any], list[int], list[int]]:
    """What is kept, is late, is dead; nothing is ever forgotten."""
    kept, too_late, dead = [], [], []
    seen: dict[Any, list[int]] = defaultdict(list)
    watermark = MIN_WATERMARK
    for order, entry in walk(whole):
        if isinstance(entry, int):
            watermark = entry
            continue
        key, time = tuple(entry[name] for name in columns), entry["_time"]
        if None in key:
            dead.append(entry["id"])
        elif time + within <= watermark:
            too_late.append(entry["id"])
        elif all(abs(time - other) >= within for other in seen[key]):
            seen[key].append(time)
            kept.append((order, entry["id"]))
    return kept, too_late, dead


def in_order_of_time(whole: Batch) -> tuple[list[tuple[int, dict[str, Any]]], list[int]]:
    """Each row with the order of the step that passes it, and those that the watermark had passed when they came."""
    released, too_late, waiting = [], [], []
    watermark = MIN_WATERMARK
    for order, entry in walk(whole):
        if isinstance(entry, dict):
            (too_late if entry["_time"] <= watermark else waiting).append(entry)
            continue
        watermark = entry
        passed = sorted((row for row in waiting if row["_time"] <= watermark), key=lambda row: row["_time"])
        released += [(order, row) for row in passed]
        waiting = [row for row in waiting if row["_time"] > watermark]
    return released, [row["id"] for row in too_late]


@WAYS
@given(whole=SEQUENCES, size=SIZES, within=LENGTHS, columns=st.sampled_from([(), ("word",), ("word", "key")]))
def test_repeats_are_judged_in_order_of_arrival(
    go: Any, whole: Batch, size: int, within: int, columns: tuple[str, ...]
) -> None:
    compared = list(dict.fromkeys(["key", *columns]))
    kept, too_late, dead = judged_in_order_of_arrival(whole, within, compared)
    found = go(deduplicate(within, *columns), whole, size=size)
    assert said(found, "id") == kept
    assert late(found) == too_late
    letters = [letter for one in found if one.dead is not None for letter in one.dead["offset"].to_list()]
    assert letters == dead
    assert counted(found, "repeats") == len(whole) - len(kept) - len(too_late) - len(dead)


@given(SEQUENCES, SIZES, LENGTHS)
def test_repeats_of_a_stream_without_a_key(whole: Batch, size: int, within: int) -> None:
    kept, too_late, _ = judged_in_order_of_arrival(whole, within, ["word"])
    found = feed(deduplicate(within, "word", keyed=False)(), whole, size=size)
    assert said(found, "id") == kept
    assert late(found) == too_late


@WAYS
@given(whole=SEQUENCES, size=SIZES, quiet=LENGTHS)
def test_a_cooldown_holds_back_what_follows_in_event_time(go: Any, whole: Batch, size: int, quiet: int) -> None:
    released, too_late = in_order_of_time(whole)
    passed: dict[str, list[int]] = defaultdict(list)
    expected = []
    for order, row in released:
        if all(row["_time"] - other >= quiet for other in passed[row["key"]]):
            passed[row["key"]].append(row["_time"])
            expected.append((order, row["id"]))
    found = go(cooldown(quiet), whole, size=size)
    assert said(found, "id") == expected
    assert late(found) == too_late
    assert counted(found, "suppressed") == len(released) - len(expected)


@given(SEQUENCES, SIZES, st.booleans())
def test_sorted_rows_come_by_time_then_arrival_at_their_step(whole: Batch, size: int, keyed: bool) -> None:
    released, too_late = in_order_of_time(whole)
    found = feed(sort(keyed=keyed)(), whole, size=size)
    assert said(found, "id") == [(order, row["id"]) for order, row in released]
    assert late(found) == too_late
    rows = pl.concat(one.ports["out"].frame for one in found)
    assert rows.sort("id").equals(whole.frame.filter(~pl.col("id").is_in(too_late)))


@pytest.mark.parametrize(
    "make",
    [deduplicate(10, "word"), deduplicate(3, "key", "word", keyed=False), cooldown(12), sort(), sort(keyed=False)],
    ids=["deduplicate", "deduplicate without key", "cooldown", "sort", "sort without key"],
)
@FEWER
@given(whole=SEQUENCES)
def test_the_contract_holds_also_of_rows_that_a_step_made(make: Callable[[], Operator], whole: Batch) -> None:
    check_operator(make, whole)


def test_what_a_step_made_passes_at_that_step() -> None:
    # A window's result of [0, 10) stands before the step that fires it, and is not late for it.
    whole = batch([Step(5), Step(12, (Event(9), Event(9, "b"), Event(11)))])
    assert said(feed(sort()(), whole), "id") == [(3, 0), (3, 1), (3, 2)]
    found = feed(cooldown(10)(), whole)
    assert said(found, "id") == [(3, 0), (3, 1)]
    assert late(found) == []
    assert counted(found, "suppressed") == 1


def test_edges_of_a_cooldown_and_of_a_repeat() -> None:
    rows = [Event(0), Event(9), Event(10), Event(19), Event(20)]
    whole = batch([*rows, Step(MAX_WATERMARK)])
    assert [number for _, number in said(feed(cooldown(10)(), whole), "id")] == [0, 2, 4]
    # Both ways: the first to arrive is kept, and what comes after it may be earlier in time.
    turned = batch([Event(10), Event(1), Event(0), Event(19), Event(20), Step(MAX_WATERMARK)])
    assert [number for _, number in said(feed(deduplicate(10)(), turned), "id")] == [0, 2, 4]


def test_a_repeat_is_seen_as_long_as_it_is_not_late() -> None:
    # At the watermark 20 what is of 10 is late and of 11 is not; 11 repeats 2, which must not be forgotten yet.
    whole = batch([Event(2), Step(20), Event(10), Event(11), Event(12), Event(21), Step(MAX_WATERMARK)])
    found = feed_reborn(deduplicate(10), whole, size=1)
    assert late(found) == [1]
    assert [number for _, number in said(found, "id")] == [0, 3]
    assert counted(found, "repeats") == 2


def test_memory_follows_what_can_still_be_repeated_or_held_back() -> None:
    once, calm, waiting = deduplicate(10, "word")(), cooldown(10)(), sort()()
    most = {"once": 0, "calm": 0, "sorted": 0}
    for start in range(0, 60_000, 1_000):
        # Each key and word comes once; the watermark is a thousand behind.
        whole = batch([Event(start + i, f"k{start + i}", f"w{i}") for i in range(1_000)] + [Step(start)])
        whole = replace(whole, before=start - 1_000)
        for name, operator, held in (("once", once, "keys"), ("calm", calm, "keys"), ("sorted", waiting, "waiting")):
            operator.process([whole])
            most[name] = max(most[name], operator.size()[held])
    assert most["sorted"] <= 1_000
    assert max(most.values()) < 12_000
    assert once.size()["kept"] < 12_000


def test_a_key_that_is_held_back_is_not_forgotten_among_many() -> None:
    operator = cooldown(1_000)()
    # More keys than are kept without a look at which are idle: those of 501 ms and later are not.
    first = [Event(place // 10, f"k{place}") for place in range(10_000)]
    operator.process([batch([*first, Step(1_500)])])
    assert operator.size()["keys"] == 4_990
    again = [Event(1_501 + place // 10, f"k{place}") for place in range(10_000)]
    found = operator.process([replace(batch([*again, Step(MAX_WATERMARK)]), before=1_500)])
    assert counted([found], "suppressed") == 0
    third = cooldown(10_000)()
    third.process([batch([*first, Step(1_500)])])
    found = third.process([replace(batch([*again, Step(MAX_WATERMARK)]), before=1_500)])
    assert counted([found], "suppressed") == 10_000


def test_many_runs_of_waiting_rows_are_put_in_order() -> None:
    # Rows that wait long, and some of each slice that go at once: runs of many sizes.
    numbers = np.random.default_rng(5).integers(0, 60_000, 30_000)
    entries: list[Any] = []
    for place, number in enumerate(numbers.tolist()):
        entries.append(Event(place + number, f"k{place % 7}"))
        if place % 50 == 49:
            entries.append(Step(place))
    whole = batch([*entries, Step(MAX_WATERMARK)])
    released, too_late = in_order_of_time(whole)
    found = feed(sort()(), whole, size=333)
    assert said(found, "id") == [(order, row["id"]) for order, row in released]
    assert late(found) == too_late


@pytest.mark.parametrize("make", [deduplicate(1), cooldown(1), sort()], ids=["deduplicate", "cooldown", "sort"])
def test_a_state_of_another_layout_is_refused(make: Callable[[], Operator]) -> None:
    with pytest.raises(CheckpointError, match="unknown layout"):
        make().restore([replace(make().snapshot(), version=99)])


def split(**conditions: str) -> SplitOperator:
    columns = tuple((name, Expression.of(text, where="test")) for name, text in conditions.items())
    return SplitOperator(Split("parted", (), columns))


@given(SEQUENCES, SIZES)
def test_an_event_goes_to_the_first_condition_that_is_true(whole: Batch, size: int) -> None:
    found = feed(split(third="id % 3 = 0", x="word = 'x'", y="word <> 'x' AND key = 'a'"), whole, size=size)
    expected: dict[str, list[int]] = {"third": [], "x": [], "y": [], "out": []}
    for _, row in walk(whole):
        if isinstance(row, dict):
            x = row["word"] == "x"
            part = "third" if row["id"] % 3 == 0 else "x" if x else "y" if row["word"] and row["key"] == "a" else "out"
            expected[part].append(row["id"])
    for part, numbers in expected.items():
        assert [number for _, number in said(found, "id", port=part)] == numbers
    assert counted(found, "to_x") == len(expected["x"])


def test_a_condition_that_fails_takes_nothing_from_those_before_it() -> None:
    # The cast fails on what is no number; those rows are dead unless an earlier condition took them.
    events = [Event(0, "a", "7"), Event(1, "b", "no"), Event(2, "a", "no"), Event(3, "b", "3")]
    parted = split(b="key = 'b'", large="CAST(word AS BIGINT) > 5")
    (found,) = feed(parted, batch(events))
    assert said([found], "id", port="b") == [(2, 1), (6, 3)]
    assert said([found], "id", port="large") == [(0, 0)]
    assert said([found], "id") == []
    assert found.dead is not None
    assert found.dead["offset"].to_list() == [2]
    assert found.dead_order.tolist() == [4]


def test_a_condition_that_fails_only_where_an_earlier_one_is_true_makes_nothing_dead() -> None:
    parted = split(word="word = 'no'", large="CAST(word AS BIGINT) > 5")
    (found,) = feed(parted, batch([Event(0, "a", "7"), Event(1, "b", "no"), Event(2, "a", "3")]))
    assert [said([found], "id", port=port) for port in ("word", "large", "out")] == [[(2, 1)], [(0, 0)], [(4, 2)]]
    assert found.dead is None
    assert not len(found.dead_order)


def test_the_parts_of_a_split_are_ports_of_one_step() -> None:
    parts = payments().split(large="amount > 500", name="sized")
    assert list(parts) == ["large", "rest"]
    assert parts.large == parts["large"]
    assert {stream.steps for stream in parts.values()} == {parts.rest.steps}
    assert {"large", "rest"} <= set(dir(parts))
    with pytest.raises(AttributeError, match="no part 'small'; it has large, rest"):
        _ = parts.small
    with pytest.raises(AttributeError, match="cannot be changed"):
        parts.large = parts.rest  # type: ignore[misc]


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        (lambda s: s.split(), "needs a condition"),
        (lambda s: s.split(large="amount"), "condition|bool"),
        (lambda s: s.split(rest="amount > 1"), "cannot have this name.*'rest'"),
        (lambda s: s.split(items="amount > 1"), "cannot have this name.*'items'"),
        (lambda s: s.key_by("status").split(late="amount > 1"), "cannot have this name.*'late'"),
        (lambda s: s.deduplicate("amount", within="1m"), "a key must be text"),
        (lambda s: s.deduplicate("nothing", within="1m"), "no such column.*'nothing'"),
        (lambda s: s.deduplicate("status", within="0s"), "must be positive"),
        (lambda s: s.deduplicate("status", within="9999999999d"), "longer than 10,000 years"),
        (lambda s: payments(keyed=False).deduplicate(within="1m"), "needs a column to tell events by"),
        (lambda s: payments(keyed=False).cooldown("1m"), "needs a keyed stream"),
        (lambda s: s.notify("n", message="x").cooldown("1m"), r"key_by\('key'\)"),
        (lambda s: s.cooldown("soon"), "not a duration"),
    ],
)
def test_what_cannot_be_asked_is_refused(verb: Any, words: str) -> None:
    with pytest.raises(FlowError, match=f"(?s){words}"):
        verb(payments())


def test_an_event_that_dies_after_it_was_released_is_counted_by_its_step_alone() -> None:
    stream = payments(bound_ms=5).sort().with_columns(number="CAST(status AS BIGINT)")
    script = Script()
    for at in range(4):
        script = script.event({"ts": at, "card_id": "a", "status": "no", "amount": 1.0, "tries": 1})
    played = script.end().run(styx.flow("sorted", stream.to("out")))
    # The four have one place in the sequence, that of the last step: the summary cannot tell them apart.
    assert played.counters["with_columns"]["dead"] == 4
    assert len(played.rows("dead_letters")) == 4
    assert played.summary == {"events": 4, "processed": 4, "late": 0, "dead": 0, "matches": 0, "notifications": 0}


def test_a_sweep_leaves_kept_events_where_they_are_found() -> None:
    # No watermark: nothing goes, so when the table has been filled again for the second slice, all of it repeats.
    events = [Event(40 * (number // 16), f"k{number % 16}", "w") for number in range(500)]
    found = feed(deduplicate(20)(), batch([*events, *events]), size=500)
    assert len(said(found, "id")) == len(events)
