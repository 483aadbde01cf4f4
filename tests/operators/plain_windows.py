"""Windows written the plain way, one event and one timer at a time: what Flink's WindowOperator does, to be read.

It knows the neutral cases of windows, window joins and co-groups, but for aggregates other than `collect`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from styx_lab.core.time import MAX_WATERMARK, MIN_WATERMARK
from styx_lab.testing.windows.case import Case

Window = tuple[int, int]
GLOBAL: Window = (MIN_WATERMARK, MAX_WATERMARK)


def last(window: Window) -> int:
    return MAX_WATERMARK if window == GLOBAL else window[1] - 1


@dataclass
class Open:
    """An open window of a key."""

    contents: list[int] = field(default_factory=list)
    count: int = 0
    next: int | None = None
    timers: set[int] = field(default_factory=set)


class PlainWindows:
    """The windows of a case."""

    def __init__(self, case: Case) -> None:
        op = case.op
        self.case, self.assigner, self.lateness = case, op["assigner"], op.get("lateness", 0)
        trigger, self.purging = op.get("trigger"), False
        while trigger is not None and trigger["type"] == "purging":
            trigger, self.purging = trigger["of"], True
        kind = self.assigner["type"]
        if kind == "count":
            # With a slide the window holds the last so many, else it is emptied when it fires.
            trigger = {"type": "count", "n": self.assigner.get("slide", self.assigner["size"])}
            self.purging = "slide" not in self.assigner
        self.trigger = trigger or {"type": {"global": "never", "globalEnd": "end"}.get(kind, "eventTime")}
        self.whole = kind in ("count", "global", "globalEnd")
        self.windows: dict[tuple[Any, Window], Open] = {}
        self.marks = {"l": MIN_WATERMARK, "r": MIN_WATERMARK}
        self.mark = MIN_WATERMARK
        self.out: list[dict[str, Any]] = []
        self.late: list[int] = []

    def run(self) -> dict[str, Any]:
        greatest = {"l": MIN_WATERMARK, "r": MIN_WATERMARK}
        for place, event in enumerate(self.case.events):
            if "wm" in event:
                self.move([event["side"]] if "side" in event and self.joins else ["l", "r"], event["wm"])
                continue
            self.take(place, event)
            side = event.get("side", "l")
            for each in [side] if self.case.apart else ["l", "r"]:
                greatest[each] = max(greatest[each], event["t"])
            if self.case.strategy == "bounded":
                sides = [side] if self.case.apart and self.joins else ["l", "r"]
                self.move(sides, greatest[side] - self.case.delay - 1)
        if self.case.ends:
            self.move(["l", "r"], MAX_WATERMARK)
        return {"out": self.out, "late": self.late}

    @property
    def joins(self) -> bool:
        return self.case.kind != "window"

    def assign(self, event: Any) -> list[Window]:
        t, a = event["t"], self.assigner
        if self.whole:
            return [GLOBAL]
        if a["type"] == "session":
            return [(t, t + (event["gap"] if "gapField" in a else a["gap"]))]
        offset = a.get("offset", 0)
        if a["type"] == "cumulating":
            start = t - (t - offset) % a["size"]
            return [(start, end) for end in range(start + a["step"], start + a["size"] + 1, a["step"]) if end > t]
        slide = a.get("slide", a["size"])
        first = t - (t - offset) % slide
        return [(start, start + a["size"]) for start in range(first, t - a["size"], -slide)]

    def cleanup(self, window: Window) -> int:
        return min(last(window) + self.lateness, MAX_WATERMARK)

    def is_late(self, window: Window) -> bool:
        return not self.whole and self.cleanup(window) <= self.mark

    def take(self, place: int, event: Any) -> None:
        key = event.get("key") if self.case.keyed else None
        took = False
        for assigned in self.assign(event):
            window = self.merge(key, assigned) if self.assigner["type"] == "session" else assigned
            if self.is_late(window):
                continue
            took = True
            held = self.windows.setdefault((key, window), Open())
            held.contents.append(place)
            if self.assigner["type"] == "count" and "slide" in self.assigner:
                held.contents = held.contents[-self.assigner["size"] :]
            if self.on_event(window, held, event["t"]):
                self.fire(key, window, held)
            if self.cleanup(window) < MAX_WATERMARK:
                held.timers.add(self.cleanup(window))
        if not took and event["t"] + self.lateness <= self.mark:
            self.late.append(place)

    def merge(self, key: Any, window: Window) -> Window:
        touched = [w for k, w in self.windows if k == key and w[0] <= window[1] and window[0] <= w[1]]
        if not touched:
            return window
        merged = (min(w[0] for w in (window, *touched)), max(w[1] for w in (window, *touched)))
        if touched == [merged]:
            return merged
        old = [self.windows.pop((key, w)) for w in touched]
        held = self.windows[key, merged] = Open(sorted(place for one in old for place in one.contents))
        held.count = sum(one.count for one in old)
        held.next = min((one.next for one in old if one.next is not None), default=None)
        if held.next is not None:
            held.timers.add(held.next)
        if self.trigger["type"] == "eventTime" and last(merged) > self.mark:
            held.timers.add(last(merged))
        return merged

    def on_event(self, window: Window, held: Open, t: int) -> bool:
        kind = self.trigger["type"]
        if kind == "count":
            held.count += 1
            if held.count >= self.trigger["n"]:
                held.count = 0
                return True
            return False
        if kind == "never":
            return False
        if kind != "end" and last(window) <= self.mark:
            return True
        held.timers.add(last(window))
        if kind == "continuousEventTime" and held.next is None:
            interval = self.trigger["interval"]
            toward_nought = t - (abs(t) % interval) * (1 if t >= 0 else -1)
            held.next = min(toward_nought + interval, last(window))
            held.timers.add(held.next)
        return False

    def move(self, sides: list[str], mark: int) -> None:
        for side in sides:
            self.marks[side] = max(self.marks[side], mark)
        if min(self.marks.values()) <= self.mark:
            return
        self.mark = min(self.marks.values())
        while True:
            due = [(time, *name) for name, held in self.windows.items() for time in held.timers if time <= self.mark]
            if not due:
                return
            time, key, window = min(due, key=lambda one: one[0])
            self.on_time(time, key, window)

    def on_time(self, time: int, key: Any, window: Window) -> None:
        held = self.windows[key, window]
        held.timers.discard(time)
        kind = self.trigger["type"]
        fires = False
        if time == last(window):
            fires = kind in ("eventTime", "continuousEventTime", "end")
        elif kind == "continuousEventTime" and held.next == time:
            held.next = min(time + self.trigger["interval"], last(window))
            held.timers.add(held.next)
            fires = True
        if fires:
            self.fire(key, window, held)
        if not self.whole and time == self.cleanup(window):
            del self.windows[key, window]

    def fire(self, key: Any, window: Window, held: Open) -> None:
        if not held.contents:
            return
        row: dict[str, Any] = {"key": key} if self.case.keyed else {}
        stamp = {"ts": last(window), "wm": self.mark}
        if not self.joins:
            edges = None if self.whole else list(window)
            self.out.append({**row, "window": edges, "values": {"collect": list(held.contents)}, **stamp})
        else:
            left, right = ([p for p in held.contents if self.case.events[p]["side"] == side] for side in "lr")
            if self.case.kind == "coGroup":
                self.out.append({**row, "left": left, "right": right, **stamp})
            else:
                self.out += [{**row, "left": one, "right": other, **stamp} for one in left for other in right]
        if self.purging:
            held.contents = []
