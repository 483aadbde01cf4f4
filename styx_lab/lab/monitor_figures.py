"""What a monitor shows, worked out from counters: figures of each step, totals, events per second.

Law: figures are a function of the counters last seen and of when they were seen; nothing here keeps a clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from styx_lab.core.operator import Figures
from styx_lab.core.time import MAX_WATERMARK, MIN_WATERMARK, duration_text, ms_iso
from styx_lab.flow.flow import Flow
from styx_lab.flow.steps import Detect, Notify, Score, SourceStep, Step, To

__all__ = [
    "NONE",
    "Counters",
    "Rates",
    "Totals",
    "delay_text",
    "number_text",
    "step_figures",
    "totals",
    "watermark_text",
    "with_drift",
]

Counters = Mapping[str, Mapping[str, int]]
"""Per step, per counter: how many."""

NONE: Final = "–"
"""Stands where there is no figure (yet)."""

_POINTS: Final = 60
_FINEST_S: Final = 0.1
_COARSEST_S: Final = 1.0
_RATE_S: Final = 1.0
# The times that ISO 8601 can write: years 1 to 9999.
_FIRST_MS: Final = -62_135_596_800_000
_LAST_MS: Final = 253_402_300_799_999


def number_text(value: float) -> str:
    """A count as people read it: in full below ten million, then in millions or milliards.

    >>> number_text(1234567), number_text(12_345_678), number_text(3_200_000_000)
    ('1,234,567', '12.3M', '3.20G')
    """
    whole = round(value)
    if whole < 10_000_000:
        return f"{whole:,}"
    return f"{whole / 1e6:.1f}M" if whole < 1_000_000_000 else f"{whole / 1e9:.2f}G"


def watermark_text(watermark: int) -> str:
    """The watermark (epoch ms) as ISO 8601; before any event and at the end of input, words.

    >>> watermark_text(1_704_067_200_123)
    '2024-01-01T00:00:00.123Z'
    """
    if watermark == MAX_WATERMARK:
        return "end of input"
    if not _FIRST_MS <= watermark <= _LAST_MS:
        return NONE if watermark == MIN_WATERMARK else f"{watermark} ms"
    return ms_iso(watermark)


def delay_text(delay: int | None) -> str:
    """How far the watermark is behind the newest event (ms of event time).

    >>> delay_text(2_001), delay_text(200_000), delay_text(None)
    ('2.0 s', '3m20s', '–')
    """
    if delay is None:
        return NONE
    return f"{delay / 1000:.1f} s" if abs(delay) < 60_000 else duration_text(delay // 1000 * 1000)


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts of a whole flow: events read by its sources, and what became of them."""

    events: int = 0
    late: int = 0
    dead: int = 0
    matches: int = 0
    notifications: int = 0


def totals(flow: Flow, counters: Counters) -> Totals:
    """Add up the counters of a flow's steps."""

    def added(verb: str | None, *names: str) -> int:
        steps = (counters.get(step.name, {}) for step in flow.steps if verb in {step.verb, None})
        return sum(next((one[name] for name in names if name in one), 0) for one in steps)

    return Totals(
        events=added(SourceStep.verb, "read", "in"),
        late=added(None, "late"),
        dead=added(None, "dead"),
        matches=added(Detect.verb, "matches", "out"),
        notifications=added(Notify.verb, "notifications", "out"),
    )


def step_figures(step: Step, counters: Mapping[str, int]) -> list[tuple[str, int]]:
    """Label and count of what stands under a step."""
    if isinstance(step, SourceStep):
        return [(name, counters.get(name, 0)) for name in ("read", "decoded", "dead")]
    if isinstance(step, To):
        return [("in", counters.get("in", 0))]
    out = {Detect: "matches", Notify: "notifications"}.get(type(step), "out")
    return [
        ("in", counters.get("in", 0)),
        (out, counters.get(out, counters.get("out", 0))),
        ("late", counters.get("late", 0)),
        ("dead", counters.get("dead", 0)),
    ]


def with_drift(step: Step, told: list[tuple[str, str]], inputs: Figures | None) -> list[tuple[str, str]]:
    """The figures of a step that scores, with the greatest drift of an input (PSI) where others have `late`.

    Scoring lets no event be late.
    """
    if not isinstance(step, Score):
        return told
    known = [one["psi"] for one in (inputs or {}).values() if one["psi"] is not None]
    drift = f"{max(known):.2f}" if known else NONE
    return [("PSI", drift) if name == "late" else (name, text) for name, text in told]


class Rates:
    """Events per second, from totals seen at some moments: now, on the whole, and as points of a small curve."""

    def __init__(self, now: float, total: int) -> None:
        self._first = now, total
        self._recent = deque([self._first])
        self._samples = [self._first]
        self._spacing = _FINEST_S

    def add(self, now: float, total: int) -> None:
        """Take a total (events) seen at a moment (s)."""
        self._recent.append((now, total))
        while len(self._recent) > 2 and self._recent[1][0] <= now - _RATE_S:
            self._recent.popleft()
        if now - self._samples[-1][0] < self._spacing:
            return
        self._samples.append((now, total))
        if len(self._samples) > _POINTS + 1:
            if self._spacing < _COARSEST_S:
                # A short run is shown as a whole; of a long one, the last minutes.
                self._spacing *= 2
                self._samples = self._samples[::2]
            else:
                del self._samples[0]

    def per_second(self) -> float | None:
        """Over about the last second; None before there are two moments."""
        (then, before), (now, total) = self._recent[0], self._recent[-1]
        return (total - before) / (now - then) if now > then else None

    def mean(self, now: float, total: int) -> float | None:
        """Since the beginning; None when that is now."""
        then, before = self._first
        return (total - before) / (now - then) if now > then else None

    def points(self) -> list[int]:
        """At most 60 events per second, the newest last."""
        pairs = zip(self._samples, self._samples[1:], strict=False)
        return [round((total - before) / (now - then)) for (then, before), (now, total) in pairs]
