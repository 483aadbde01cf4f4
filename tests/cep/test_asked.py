"""Law (oracle): a function is asked of each event and partial match anew, as the slow reading asks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from styx_lab.core.events import TIME
from styx_lab.flow.pattern import Pattern
from styx_lab.operators.cep.automaton.build import build_automaton
from styx_lab.operators.cep.reading.keyed import KeyedReading
from tests.cep import asked
from tests.cep.every_kind import COLUMNS, compiled, scripts, step_of, told
from tests.cep.kit import Script, batch

PATTERN = (
    Pattern.begin("a").where(asked.declined).one_or_more().until(asked.ends)
    .not_followed_by("no").where(asked.declined).where(asked.rises)
    .followed_by_any("b").where(asked.rises).within("60ms")
)  # fmt: skip


def holds(leaf: Any, event: Mapping[str, Any], accepted: Sequence[tuple[str, Any]]) -> bool:
    match: dict[str, list[Any]] = {part: [] for part in ("a", "b", "no")}
    for part, taken in accepted:
        match[part].append(taken)
    return bool(getattr(asked, leaf.function.name)(event, match))


@pytest.mark.laws
@given(scripts(), st.sampled_from([1, 3, 100]))
def test_functions_are_asked_as_the_slow_reading_asks(script: Script, size: int) -> None:
    step = step_of(PATTERN, on_error="fail")
    whole = batch(script, COLUMNS, delay=0)
    found = [(row.kind, row.key, dict(row.parts)) for row in told(compiled(step), whole.slices(size))]
    keys = KeyedReading[dict[str, Any]](build_automaton(PATTERN.parts, PATTERN.after_match), holds)
    events = zip(whole.order.tolist(), whole.frame.to_dicts(), whole.frame[TIME].to_physical().to_list(), strict=True)
    turns: list[tuple[int, Any, int]] = [(order, {**event, "place": order // 2}, at) for order, event, at in events]
    turns += [
        (order, None, mark) for order, mark in zip(whole.steps.order.tolist(), whole.steps.mark.tolist(), strict=True)
    ]
    expected = []
    for _, event, at in sorted(turns, key=lambda turn: turn[0]):
        if event is not None:
            keys.event(event["key"], event, at)
            continue
        for key, one in keys.watermark(at):
            parts = {part: tuple(taken["place"] for taken in all_) for part, all_ in one.parts.items()}
            expected.append((int(one.kind == "timeout"), key, parts))
    for key in "ab":
        assert [row for row in found if row[1] == key] == [row for row in expected if row[1] == key]
