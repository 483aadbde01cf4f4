"""Windows that are each kept by themselves: the plain meaning, the laws, and the same as panes give."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from styx_lab.core.size import held_bytes
from styx_lab.flow import aggregate as agg
from styx_lab.flow.steps import Firing, WindowStep
from styx_lab.flow.trigger import Every, EveryEvents, When
from styx_lab.flow.window import Calendar, Counted, Cumulating, Global, Session, Sliding, Tumbling
from styx_lab.operators.window import ByWindowOperator, WindowOperator
from styx_lab.testing import check_operator
from styx_lab.testing.windows.case import Case
from tests.operators.neutral import load, ours, view
from tests.operators.plain_windows import PlainWindows
from tests.operators.test_flink import KEPT, SAME
from tests.operators.test_window_laws import scripts
from tests.operators.window_kit import EVERY, Event, Mark, batch, step, stream

NAMED, RESULTS = load("named")

LENGTHS = st.integers(1, 12)


def triggers(kind: str) -> st.SearchStrategy[Any]:
    counted = st.builds(lambda n: {"type": "count", "n": n}, st.integers(1, 4))
    timed = st.builds(lambda n: {"type": "continuousEventTime", "interval": n}, LENGTHS)
    known = [counted] if kind in ("global", "globalEnd") else [counted, timed, timed, st.just({"type": "eventTime"})]
    return st.one_of(
        st.none(), st.none(), *known, *(one.map(lambda of: {"type": "purging", "of": of}) for one in known)
    )


@st.composite
def assigners(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(
        st.sampled_from(["tumbling", "sliding", "cumulating", "session", "session", "count", "global", "globalEnd"])
    )
    size, slide = draw(LENGTHS), draw(LENGTHS)
    if kind == "tumbling":
        return {"type": kind, "size": size, "offset": draw(st.integers(1 - size, size - 1))}
    if kind == "sliding":
        return {"type": kind, "size": size, "slide": slide, "offset": draw(st.integers(1 - slide, slide - 1))}
    if kind == "cumulating":
        return {"type": kind, "size": size * draw(st.integers(1, 3)), "step": size}
    if kind == "session":
        return draw(st.sampled_from([{"type": kind, "gap": size}, {"type": kind, "gapField": "gap"}]))
    if kind == "count":
        return {"type": kind, "size": size} | draw(st.sampled_from([{}, {"slide": slide}]))
    return {"type": kind}


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Small cases in which edges touch: equal times, distances equal to the gap, times equal to the watermark."""
    assigner = draw(assigners())
    kind = draw(st.sampled_from(["window", "window", "windowJoin", "coGroup"]))
    op: dict[str, Any] = {"type": kind, "assigner": assigner}
    if assigner["type"] != "count":
        trigger = draw(triggers(assigner["type"]))
        op |= {"trigger": trigger} if trigger else {}
        op |= {"lateness": draw(st.sampled_from([0, 0, 1, 5, 20]))}
    if kind == "window":
        op["aggregate"] = ["collect"]
    sides = st.sampled_from("lr")
    shift = draw(st.sampled_from([0, 0, -30]))
    event = st.fixed_dictionaries(
        {"t": st.integers(0, 40).map(lambda t: t + shift), "key": st.sampled_from("ab"), "side": sides, "gap": LENGTHS}
    )
    mark = st.builds(lambda wm: {"wm": wm + shift}, st.integers(-5, 50))
    bounded = draw(st.booleans())
    events = draw(st.lists(st.one_of(event, event, event, event if bounded else mark), min_size=4, max_size=25))
    if draw(st.booleans()):
        events = [one | {"t": one["t"] // 4 + 2 * n} if "t" in one else one for n, one in enumerate(events)]
    watermark = {"strategy": "bounded", "delay": draw(st.integers(0, 8))} if bounded else {"strategy": "explicit"}
    per = {"per": "input"} if kind != "window" and draw(st.booleans()) else {}
    keyed = kind != "window" or draw(st.booleans())
    ends = draw(st.booleans())
    return Case.of(
        {"id": "drawn", "op": op, "keyed": keyed, "watermark": watermark | per, "end": ends, "events": events}
    )


def kind_of(case: Case) -> str:
    """As the recorded answers have it."""
    trigger = case.op.get("trigger") or {}
    every = "continuousEventTime" in (trigger.get("type"), trigger.get("of", {}).get("type"))
    return f"{case.kind}/{case.op['assigner']['type']}" + ("/continuous" if every else "")


@pytest.mark.parametrize(
    "name", [name for name in SAME if "assigner" in NAMED[name].op and "error" not in RESULTS[name]]
)
def test_the_plain_windows_mean_what_flink_means(name: str) -> None:
    case, kind = NAMED[name], RESULTS[name]["kind"]
    if set(case.op.get("aggregate", ["collect"])) != {"collect"}:
        case = Case(**{**_fields(case), "op": {**case.op, "aggregate": ["collect"]}})
        assert view(PlainWindows(case).run(), kind) == ours(case, 10_000, kind)
        return
    assert view(PlainWindows(case).run(), kind) == view(RESULTS[name], kind)


def _fields(case: Case) -> dict[str, Any]:
    return {name: getattr(case, name) for name in Case.__slots__}


def test_the_plain_windows_keep_what_flink_loses() -> None:
    for name, contents in KEPT.items():
        (row,) = PlainWindows(NAMED[name]).run()["out"]
        assert row["values"]["collect"] == contents


@pytest.mark.laws
@settings(max_examples=3 * settings().max_examples)
@given(cases(), st.sampled_from([1, 2, 7, 10_000]))
def test_any_case_is_as_the_plain_windows_have_it(case: Case, size: int) -> None:
    kind = kind_of(case)
    assert ours(case, size, kind) == view(PlainWindows(case).run(), kind)


SHAPES = st.sampled_from([(10, None), (10, 5), (10, 3), (12, 4), (4, 10), (1, 1), (7, 7), (6, 9), (3, 1)])


@pytest.mark.laws
@given(scripts(), st.one_of(st.none(), st.integers(0, 15)), SHAPES, st.booleans(), st.sampled_from([1, 7, 10_000]))
def test_they_give_the_very_rows_that_panes_give(script: Any, delay: Any, shape: Any, keyed: bool, size: int) -> None:
    from tests.operators.window_kit import feed

    whole = batch(script, delay=delay)
    spec = step(*shape)
    panes = feed(WindowOperator(spec, stream(keyed)), whole.slices(size))
    single = feed(ByWindowOperator(spec, stream(keyed)), whole.slices(size))
    assert single.all() == panes.all()


EVENTS = (
    [Event(t, "abc"[t % 3], float(t), t, t % 2 == 0) for t in (3, 1, 9, 8, 17, 30, 2, 31, 29, 45, 44, 70)]
    + [Mark(50), Event(48, "a"), Event(49, "b"), Event(71, "a", None, None)]
    + [Event(t, "bca"[t % 3], 0.1 * t, -t) for t in (80, 79, 91, 90, 60, 99)]
)
SOME = {"n": agg.count(), "total": agg.sum("value"), "least": agg.min("value"), "whole": agg.sum("number")}
KEPT_EVENTS = {"all": agg.collect("number"), "events": agg.collect(), "total": agg.sum("value")}
WINDOWS = {
    "tumbling": Tumbling("10ms", offset="3ms"),
    "sliding": Sliding("10ms", every="4ms", offset="-1ms"),
    "cumulating": Cumulating("12ms", step="4ms"),
    "session": Session("6ms"),
    "session-from": Session(gap_from="number % 5 + 1 + 2 * COALESCE(number, 40)"),
    "day": Calendar("day", zone="Asia/Kolkata"),
    "counted": Counted(3),
    "counted-sliding": Counted(3, every=2),
    "global": Global(),
}
FIRINGS = {
    "usual": Firing(),
    "late": Firing(lateness_ms=25),
    "late-discarding": Firing(discarding=True, lateness_ms=25),
    "every": Firing(Every("7ms")),
    "counting": Firing(EveryEvents(2, at_end=True), discarding=True),
    "when": Firing(When("number % 2 = 0", at_end=True), lateness_ms=5),
    "when-only": Firing(When("number % 2 = 0")),
    "events": Firing(EveryEvents(2)),
}


def _goes(window: str, firing: str) -> bool:
    if window.startswith("counted"):
        return firing == "usual"
    return firing in ("when-only", "events") if window == "global" else True


TRIED = [
    *(
        (window, "usual", SOME if place % 2 else KEPT_EVENTS)
        for place, window in enumerate(WINDOWS)
        if window != "global"
    ),
    *((window, firing, SOME) for window in ("session", "sliding") for firing in FIRINGS),
    *(("session", firing, KEPT_EVENTS) for firing in ("late-discarding", "every", "when")),
    *(("global", firing, KEPT_EVENTS) for firing in ("when-only", "events")),
]


@pytest.mark.parametrize(("window", "firing", "aggregates"), TRIED)
def test_the_contract(window: str, firing: str, aggregates: dict[str, Any]) -> None:
    spec = WindowStep("per_key", (), WINDOWS[window], tuple(aggregates.items()), FIRINGS[firing])
    check_operator(lambda: ByWindowOperator(spec, stream()), batch(EVENTS, delay=12))


@pytest.mark.laws
@settings(max_examples=max(5, settings().max_examples // 4))
@given(scripts(), st.sampled_from(sorted(WINDOWS)), st.sampled_from(sorted(FIRINGS)), st.booleans())
def test_the_contract_whatever_comes(script: Any, window: str, firing: str, keeps: bool) -> None:
    if not _goes(window, firing):
        firing = "events" if window == "global" else "usual"
    aggregates = KEPT_EVENTS if keeps else EVERY
    spec = WindowStep("per_key", (), WINDOWS[window], tuple(aggregates.items()), FIRINGS[firing])
    check_operator(lambda: ByWindowOperator(spec, stream()), batch(script, delay=9))


def test_room_follows_the_windows_that_live_and_not_what_each_event_could_open() -> None:
    # A thousand events of one key in an hour's windows that slide by a second: 3,600 windows, not 3,600,000.
    window, count = Sliding("1h", every="1s"), (("n", agg.count()),)
    hours = WindowStep("hours", (), window, count, Firing(lateness_ms=1))
    operator = ByWindowOperator(hours, stream())
    operator.process([batch([Event(number % 7, "a") for number in range(1_000)], end=False)])
    assert operator.size()["windows"] == 3_600
    assert held_bytes(operator) < 8_000_000
    restored = ByWindowOperator(hours, stream())
    restored.restore([operator.snapshot()])
    assert restored.size() == operator.size()
    assert held_bytes(restored) < 8_000_000


def test_an_aggregate_of_nothing_but_computed_columns() -> None:
    doubled = (("doubled", agg.expr("SUM(number * 2)")), ("middle", agg.median("number * 2")))
    windows = WindowStep("doubled", (), Tumbling("10ms"), doubled)
    whole = batch([Event(1, number=3), Event(4, number=None), Event(5, number=5), Event(12, number=7)])
    check_operator(lambda: ByWindowOperator(windows, stream()), whole)
    out = ByWindowOperator(windows, stream()).process([whole]).ports["out"].frame
    assert out.select("doubled", "middle").rows() == [(16, 8.0), (14, 14.0)]
