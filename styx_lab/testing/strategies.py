"""Hypothesis strategies: events out of order, odd and broken ones, patterns, windows and whole flows.

Law: all that is drawn is valid to ask: a flow builds, a pattern fits the events. What comes in may be anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from hypothesis import strategies as st

from styx_lab.core.time import duration_text
from styx_lab.flow import aggregate as agg
from styx_lab.flow.aggregate import Aggregate
from styx_lab.flow.flow import Flow, flow
from styx_lab.flow.pattern import Pattern
from styx_lab.flow.stream import Stream, source
from styx_lab.flow.window import Sliding, Tumbling, Window
from styx_lab.testing.patterns import CONDITIONS, patterns_of_all_kinds
from styx_lab.testing.script import Script

__all__ = [
    "CONDITIONS",
    "arrangements",
    "flows",
    "interrupted",
    "patterns",
    "patterns_of_all_kinds",
    "payments",
    "scripts",
    "windows",
]

_FAR_MS: Final = 10 * 86_400_000
_BASE_MS: Final = 1_700_000_000_000


def payments(name: str = "payments", *, bound_ms: int = 0, keyed: bool = True) -> Stream:
    """The source that the drawn scripts are for.

    >>> list(payments(bound_ms=20).columns)
    ['ts', 'card_id', 'amount', 'status', 'tries']

    Args:
        name: the source's name.
        bound_ms: its bound of disorder, ms.
        keyed: whether it is keyed by `card_id`.
    """
    schema = {"ts": "int", "card_id": "str", "amount": "float", "status": "str", "tries": "int"}
    key = ("card_id",) if keyed else ()
    return source(name, schema=schema, time="ts", key=key, max_delay=duration_text(bound_ms))


def _fields(odd: bool) -> dict[str, st.SearchStrategy[Any]]:
    amounts: st.SearchStrategy[Any] = st.sampled_from([900.0, 500.5, 3.0, 700.1, 0.5, 499.99, 500.0])
    tries: st.SearchStrategy[Any] = st.integers(0, 4)
    statuses: st.SearchStrategy[Any] = st.sampled_from(["declined", "ok", "declined"])
    if odd:
        amounts = st.one_of(
            amounts, amounts, amounts, st.sampled_from([None, float("nan"), -0.0, 0.1, 1e16, -1e16, 5e-324, 1e300])
        )
        tries = st.one_of(tries, tries, tries, st.sampled_from([None, -(2**40), 2**40]))
        statuses = st.one_of(statuses, statuses, statuses, st.sampled_from([None, "", "é\u0000'\"\n"]))
    return {"amount": amounts, "status": statuses, "tries": tries}


_BROKEN: Final[dict[str, Callable[[dict[str, Any]], dict[str, Any] | bytes]]] = {
    "malformed": lambda _: b'{"ts": 1, "card_id": ',
    "binary": lambda _: b"\x00\xff\xfe",
    "empty": lambda _: b"",
    "wrong_type": lambda fields: {**fields, "amount": "12.50"},
    "null_time": lambda fields: {**fields, "ts": None},
    "null_key": lambda fields: {**fields, "card_id": None},
    "far_future": lambda fields: {**fields, "ts": fields["ts"] + _FAR_MS},
    "year_10000": lambda fields: {**fields, "ts": 2**60},
}
_FATES: Final = (*["plain"] * 16, "duplicate", *_BROKEN)


def _many(event: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[list[Any]]:
    """Lists that are long more often than not: by themselves hypothesis' are short, and then little happens."""
    return st.sampled_from([most, 3, most // 2, most]).flatmap(
        lambda size: st.lists(event, min_size=size // 2, max_size=size)
    )


@st.composite
def scripts(
    draw: st.DrawFn,
    *,
    sources: Sequence[str] = ("payments",),
    bound_ms: int = 20,
    beyond: bool = True,
    odd: bool = True,
    broken: bool = True,
    partitions: int = 3,
    keys: str = "abc",
    most: int = 30,
) -> Script:
    """Scripts of events for `payments(bound_ms=...)`, to the end of input.

    Args:
        sources: the names of the sources; with several, every event says which.
        bound_ms: how far out of order events come.
        beyond: whether some come later than that.
        odd: whether values may be null, NaN, huge or strange text.
        broken: whether payloads may be malformed, times missing or far off, keys null, events sent twice.
        partitions: how many partitions there are, at most.
        keys: the keys, a letter each.
        most: how many events there are, at most.
    """
    within = st.integers(0, bound_ms)
    event = st.tuples(
        st.sampled_from(sources),
        st.integers(0, 9),
        st.one_of(within, within, st.integers(bound_ms + 1, 3 * bound_ms + 3)) if beyond else within,
        st.sampled_from(keys[: draw(st.integers(1, len(keys)))]),
        st.fixed_dictionaries(_fields(odd)),
        # With several partitions the watermark moves seldom, and little is late.
        st.integers(0, draw(st.sampled_from([1, 1, partitions])) - 1),
        st.sampled_from(_FATES if broken and draw(st.booleans()) else _FATES[:1]),
    )
    drawn = draw(_many(event, most))
    timed = draw(st.booleans())
    script, now, before = Script(), _BASE_MS, None
    newest = dict.fromkeys(sources, now)
    for name, gap, delay, key, rest, partition, fate in drawn:
        now += gap
        where: dict[str, Any] = {"partition": partition, "arrival": now + 3 if timed else None}
        if len(sources) > 1:
            where["source"] = name
        # Less the bound at most, from the greatest time of the source so far: never late, unless `beyond`.
        newest[name] = max(newest[name], now)
        fields: dict[str, Any] = {"ts": newest[name] - delay, "card_id": key, **rest}
        if fate == "duplicate" and before is not None:
            fields = {**before}
        given = _BROKEN[fate](fields) if fate in _BROKEN else fields
        script = script.payload(given, **where) if isinstance(given, bytes) else script.event(given, **where)
        before = fields
    return script.end()


@st.composite
def arrangements(
    draw: st.DrawFn,
    *,
    sources: Sequence[str] = ("payments",),
    bound_ms: int = 20,
    keys: str = "abc",
    most: int = 30,
) -> tuple[Script, Script]:
    """Two scripts of the same events, in two orders of arrival within the bound; no two events of a key at one time."""
    event = st.tuples(
        st.sampled_from(sources),
        st.integers(1, 9),
        st.sampled_from(keys[: draw(st.integers(1, len(keys)))]),
        st.fixed_dictionaries(_fields(odd=True)),
        st.integers(0, bound_ms),
        st.integers(0, bound_ms),
    )
    drawn = draw(_many(event, most))
    found, now = [], _BASE_MS
    for name, gap, key, rest, *delays in drawn:
        now += gap
        found.append((name, {"ts": now, "card_id": key, **rest}, delays))
    made = []
    for way in range(2):
        script = Script()
        # In order of time plus delay: whatever overtakes an event is at most the bound ahead of it.
        for name, fields, _ in sorted(found, key=lambda one: one[1]["ts"] + one[2][way]):
            script = script.event(fields, source=name if len(sources) > 1 else None)
        made.append(script.end())
    return made[0], made[1]


@st.composite
def interrupted(draw: st.DrawFn, script: Script, *, most: int = 3) -> Script:
    """A script with crashes, restarts and idle moments put in anywhere before its end."""
    several = any(moment.source is not None for moment in script.moments)
    sources = sorted({moment.source for moment in script.moments if moment.source is not None})
    body = len(script.moments) - script.ended
    places = draw(
        st.lists(st.tuples(st.integers(0, body), st.sampled_from(["crash", "crash", "restart", "idle"])), max_size=most)
    )
    made = Script()
    for place, moment in enumerate(script.moments):
        for _, what in (one for one in places if one[0] == place):
            made = getattr(made, what)(source=draw(st.sampled_from(sources)) if several else None)
        made = Script((*made.moments, moment))
    return made


@st.composite
def patterns(draw: st.DrawFn, *, conditions: Sequence[str] = CONDITIONS, most: int = 3) -> Pattern:
    """Patterns of every word there is: begin, next, followed_by, where, times, consecutive, within.

    Args:
        conditions: SQL texts for `where`.
        most: how many parts a pattern has, at most.
    """
    pattern = Pattern.begin("p0")
    for place in range(draw(st.integers(1, most))):
        if place:
            pattern = pattern.next(f"p{place}") if draw(st.booleans()) else pattern.followed_by(f"p{place}")
        # Two conditions on one part often exclude each other.
        several = draw(st.sampled_from([1, 1, 1, 2]))
        for condition in draw(st.lists(st.sampled_from(conditions), max_size=several, unique=True)):
            pattern = pattern.where(condition)
        times = draw(st.one_of(st.none(), st.none(), st.integers(1, 3)))
        if times is not None:
            pattern = pattern.times(times)
            if draw(st.booleans()):
                pattern = pattern.consecutive()
    within = draw(st.one_of(st.none(), st.integers(1, 20), st.integers(20, 120)))
    return pattern if within is None else pattern.within(duration_text(within))


def windows() -> st.SearchStrategy[Window]:
    """Tumbling and sliding windows, also with gaps between them."""
    length = st.integers(1, 40).map(duration_text)
    return st.one_of(length.map(Tumbling), st.builds(Sliding, length, length))


_AGGREGATES: Final[dict[str, Aggregate]] = {
    "n": agg.count(),
    "filled": agg.count("amount"),
    "total": agg.sum("amount"),
    "tried": agg.sum("tries"),
    "average": agg.mean("amount"),
    "least": agg.min("amount"),
    "most": agg.max("amount"),
    "first_try": agg.min("tries"),
    "large": agg.sum("amount > 500"),
}


@st.composite
def flows(draw: st.DrawFn, *, bound_ms: int = 20, most: int = 4) -> Flow:
    """Flows over `payments`: a few steps, then a pattern, a window or neither; several outputs."""
    stream = payments(bound_ms=bound_ms)
    for place in range(draw(st.integers(0, most))):
        stream = _shaped(draw, stream, place)
    ends = [stream.to("raw")] if draw(st.booleans()) else []
    kind = draw(st.sampled_from(["detect", "window", "none"]))
    made = stream
    if kind == "detect":
        made = stream.detect(draw(patterns()))
    elif kind == "window":
        chosen = draw(st.lists(st.sampled_from(sorted(_AGGREGATES)), min_size=1, max_size=4, unique=True))
        aggregates: dict[str, Any] = {name: _AGGREGATES[name] for name in chosen}
        made = stream.window(draw(windows()), **aggregates)
    if kind != "none" and draw(st.booleans()):
        ends.append(made.late.to("late"))
    if draw(st.booleans()):
        made = made.notify("tell", message="{card_id}")
    return flow("drawn", *ends, made.to("out"))


def _shaped(draw: st.DrawFn, stream: Stream, place: int) -> Stream:
    verbs = ["filter", "with_columns", "select", "key_by", "union", "deduplicate", "cooldown", "sort", "split"]
    verb = draw(st.sampled_from(verbs))
    if verb == "filter":
        return stream.filter(draw(st.sampled_from(CONDITIONS)))
    if verb == "with_columns":
        return stream.with_columns(
            **{f"extra_{place}": draw(st.sampled_from(["amount * 2", "tries + 1", "amount > 500"]))}
        )
    if verb == "select":
        return stream.select("ts", "card_id", "amount", "status", "tries")
    if verb == "key_by":
        return stream.key_by("card_id", *draw(st.sampled_from([(), ("status",)])))
    if verb in ("deduplicate", "cooldown"):
        length = duration_text(draw(st.integers(1, 40)))
        return stream.deduplicate("tries", within=length) if verb == "deduplicate" else stream.cooldown(length)
    if verb == "sort":
        return stream.sort()
    if verb == "split":
        parts = stream.split(first=draw(st.sampled_from(CONDITIONS)), second=draw(st.sampled_from(CONDITIONS)))
        return parts.rest.union(parts.first)
    other = stream.filter(draw(st.sampled_from(CONDITIONS)))
    return stream.union(other)
