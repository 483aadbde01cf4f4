"""What the tests of joins share: scripts of events and watermarks as cases, and joins written the plain way.

The plain way keeps lists and looks at all of them, one event and one watermark at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from styx_lab.core.time import MAX_WATERMARK, MIN_WATERMARK
from styx_lab.testing.windows.case import Case

__all__ = ["PlainAsOf", "PlainInterval", "cases", "play"]


@st.composite
def cases(draw: st.DrawFn, op: dict[str, Any], *, most: int = 40) -> Case:
    """Cases of two sides: watermarks of every kind, times that mostly rise, few keys."""
    rising = draw(st.sampled_from([0, 1, 3]))
    event = st.fixed_dictionaries(
        {
            "t": st.integers(-15, 25),
            "key": st.sampled_from("ab"),
            "value": st.integers(0, 5),
            "side": st.sampled_from("lr"),
            "delete": st.sampled_from([True, False, False, None]),
        }
    )
    mark = st.fixed_dictionaries({"wm": st.integers(-25, 30)}, optional={"side": st.sampled_from("lr")})
    size = draw(st.sampled_from([5, most // 2, most, most]))
    entries = draw(st.lists(st.one_of(event, event, event, mark), min_size=size // 2, max_size=size))
    for place, entry in enumerate(entries):
        name = "t" if "t" in entry else "wm"
        entry[name] += rising * place
    watermark: dict[str, Any] = {"strategy": draw(st.sampled_from(["bounded", "explicit"]))}
    if watermark["strategy"] == "bounded":
        watermark |= {"delay": draw(st.integers(0, 12)), "per": draw(st.sampled_from(["all", "input"]))}
    return Case.of({"id": "drawn", "op": op, "watermark": watermark, "events": entries, "end": draw(st.booleans())})


@dataclass
class Said:
    """What a join said."""

    out: list[dict[str, Any]] = field(default_factory=list)
    late: list[int] = field(default_factory=list)


def play(case: Case, join: Any) -> Said:
    """One event and one watermark at a time: `join.event(place, event, wm, said)`, `join.move(wm, said)`."""
    said = Said()
    marks = {"l": MIN_WATERMARK, "r": MIN_WATERMARK}
    greatest: dict[str, int] = {}
    wm = MIN_WATERMARK
    for place, entry in enumerate([*case.events, *([{"wm": MAX_WATERMARK}] if case.ends else [])]):
        sides = ["l", "r"]
        if "wm" in entry:
            target = entry["wm"]
            sides = [entry["side"]] if "side" in entry else sides
        else:
            join.event(place, entry, wm, said)
            if case.strategy == "explicit":
                continue
            greatest[entry["side"]] = max(entry["t"], greatest.get(entry["side"], entry["t"]))
            sides = [entry["side"]] if case.apart else sides
            target = (greatest[entry["side"]] if case.apart else max(greatest.values())) - case.delay - 1
        for side in sides:
            marks[side] = max(marks[side], target)
        if min(marks.values()) > wm:
            wm = min(marks.values())
            join.move(wm, said)
    return said


class PlainInterval:
    """An interval join: bounds after an exclusive one moved by 1; `how` says who comes out alone."""

    def __init__(self, lower: int, upper: int, how: str = "inner") -> None:
        self._lower, self._upper = lower, upper
        self._alone = {"inner": "", "left": "l", "full": "lr"}[how]
        self._kept: list[dict[str, Any]] = []

    def event(self, place: int, event: dict[str, Any], wm: int, said: Said) -> None:
        """An event comes, under the watermark `wm`."""
        if event["t"] < wm:
            said.late.append(place)
            return
        mine = {**event, "place": place, "matched": False}
        partners = [one for one in self._kept if one["side"] != event["side"] and one["key"] == event["key"]]
        for other in sorted(partners, key=lambda one: (one["t"], one["place"])):
            left, right = (mine, other) if event["side"] == "l" else (other, mine)
            if self._lower <= right["t"] - left["t"] <= self._upper:
                left["matched"] = right["matched"] = True
                ts = max(left["t"], right["t"])
                said.out.append(
                    {"key": event["key"], "left": left["place"], "right": right["place"], "ts": ts, "wm": wm}
                )
        self._kept.append(mine)

    def move(self, wm: int, said: Said) -> None:
        """The watermark moves: what no event from now on needs goes."""
        keep = {"l": max(self._upper, 0), "r": max(-self._lower, 0)}
        gone = [one for one in self._kept if wm >= one["t"] + keep[one["side"]]]
        self._kept = [one for one in self._kept if one not in gone]
        for one in sorted(gone, key=lambda one: (one["t"], one["place"])):
            if not one["matched"] and one["side"] in self._alone:
                left = one["place"] if one["side"] == "l" else None
                right = one["place"] if one["side"] == "r" else None
                said.out.append({"key": one["key"], "left": left, "right": right, "ts": one["t"], "wm": wm})


class PlainAsOf:
    """An as-of join with one timer a key."""

    def __init__(self, *, outer: bool, tolerance: int | None = None) -> None:
        self._outer, self._tolerance = outer, tolerance
        self._lefts: list[dict[str, Any]] = []
        self._versions: dict[tuple[str, int], dict[str, Any]] = {}
        self._timers: dict[str, int] = {}

    def event(self, place: int, event: dict[str, Any], wm: int, said: Said) -> None:
        """An event or a version comes."""
        del wm, said
        mine = {**event, "place": place}
        if event["side"] == "l":
            self._lefts.append(mine)
        else:
            self._versions[event["key"], event["t"]] = mine
        self._timers[event["key"]] = min(event["t"], self._timers.get(event["key"], event["t"]))

    def move(self, wm: int, said: Said) -> None:
        """The watermark moves: keys whose timer it has reached wake."""
        woken = [key for key, time in self._timers.items() if time <= wm]
        ready = [one for one in self._lefts if one["key"] in woken and one["t"] <= wm]
        self._lefts = [one for one in self._lefts if one not in ready]
        for one in ready:
            known = [version for (key, t), version in self._versions.items() if key == one["key"] and t <= one["t"]]
            version = max(known, key=lambda version: version["t"], default=None)
            if version is not None and version["delete"]:
                version = None
            if version is not None and self._tolerance is not None and one["t"] - version["t"] > self._tolerance:
                version = None
            if version is not None or self._outer:
                right = None if version is None else version["place"]
                said.out.append({"key": one["key"], "left": one["place"], "right": right, "ts": one["t"], "wm": wm})
        for key in woken:
            passed = sorted(t for name, t in self._versions if name == key and t <= wm)
            for t in passed[:-1]:
                del self._versions[key, t]
            del self._timers[key]
            waiting = [one["t"] for one in self._lefts if one["key"] == key]
            if waiting:
                self._timers[key] = min(waiting)
