"""An explanation as a timeline: the events on top, each partial match a bar below, from its first event to its end.

Law: nothing of an event's text can end a tag; the picture is self-contained and readable on light and dark pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from styx_lab.core.paint import SANS, style
from styx_lab.core.paint import number as _f
from styx_lab.core.time import MAX_WATERMARK
from styx_lab.flow.drawing.label import cut, one_line, width
from styx_lab.operators.cep.explain.causes import clock, moment
from styx_lab.operators.cep.reading import trace

if TYPE_CHECKING:
    from styx_lab.operators.cep.explain.explanation import Explanation
    from styx_lab.operators.cep.explain.lives import Life

__all__ = ["as_svg"]

_LEFT: Final = 190
_WIDE: Final = 620
_RIGHT: Final = 24
_ROW: Final = 46
_ROWS: Final = 12
_MARKS: Final = 400
_TICKS: Final = 5
_STEPS: Final = [
    size * unit
    for unit, sizes in (
        (1, (1, 2, 5, 10, 20, 50, 100, 200, 500)),
        (1_000, (1, 2, 5, 10, 15, 30)),
        (60_000, (1, 2, 5, 10, 15, 30)),
        (3_600_000, (1, 2, 3, 6, 12)),
        (86_400_000, (1, 2, 7, 14, 30, 90, 365)),
    )
    for size in sizes
]
"""How far apart the times on the axis may lie, ms."""
_SAID: Final = 118
_TOP: Final = 96

# What each class paints: light and dark; JupyterLab's own colour where it has one.
_PAINT: Final = {
    "bar": ("fill", "--jp-layout-color3", "#dbe3ee", "#334155"),
    "window": ("fill", "--jp-layout-color2", "#f1f5f9", "#1a2231"),
    "line": ("stroke", "--jp-border-color1", "#cbd5e1", "#475569"),
    "text": ("fill", "--jp-ui-font-color0", "#0f172a", "#e5e9f0"),
    "soft": ("fill", "--jp-ui-font-color2", "#475569", "#a9b4c4"),
    "event": ("fill", "--jp-ui-font-color3", "#94a3b8", "#64748b"),
    "taken": ("fill", "--jp-brand-color1", "#7c3aed", "#a78bfa"),
    "good": ("fill", "--jp-success-color1", "#15803d", "#4ade80"),
    "bad": ("fill", "--jp-error-color1", "#c2410c", "#fb923c"),
    "badline": ("stroke", "--jp-error-color1", "#c2410c", "#fb923c"),
    "goodline": ("stroke", "--jp-success-color1", "#15803d", "#4ade80"),
    "at": ("stroke", "--jp-warn-color1", "#b45309", "#fbbf24"),
    "attext": ("fill", "--jp-warn-color1", "#b45309", "#fbbf24"),
}
_ENDS: Final = {
    "matched": "matched", "timed_out": "timed out", "died": "died", "stopped": "stopped", "pruned": "skipped",
    "dropped": "dropped", "split": "split", "held_back": "held back", "alive": "alive",
}  # fmt: skip


def as_svg(one: Explanation) -> str:
    """The drawing."""
    lives = [*one.matches, *(one.lives.all[miss.partial] for miss in one.misses)]
    lives = lives or [life for life in one.chosen if life.end == "split"]
    shown = sorted(lives[:_ROWS], key=lambda life: life.number)
    scale = _Scale.over(one, shown)
    body = [_text(12, 24, cut(one.answer.splitlines()[0], 100), "text", size=14, weight=600)]
    body.append(_text(12, 44, cut(str(one.pattern), 124), "soft", size=11.5))
    height = _TOP + _ROW * len(shown) + 34
    body += _axis(scale, height - 30)
    body += _moment_line(one, scale, height - 30)
    body.append(_text(12, _TOP - 20, "events", "soft", size=11.5))
    body += _events(one, scale)
    for place, life in enumerate(shown):
        body += _life(one, life, scale, _TOP + 8 + place * _ROW)
    left = len(lives) - len(shown)
    if left > 0:
        body.append(_text(12, height - 8, f"and {left} more", "soft", size=11.5))
    total = _LEFT + _WIDE + _RIGHT
    space = "styx-" + sha256("".join(body).encode()).hexdigest()[:10]
    size = f'width="{total}" height="{height}" viewBox="0 0 {total} {height}"'
    title = escape(one_line(one.answer))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="styx-timeline {space}" role="img" {size} '
        f'font-family="{SANS}"><title>{title}</title>{style(space, _PAINT)}{"".join(body)}</svg>'
    )


class _Scale:
    """From times to places."""

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, max(high, low + 1)

    @staticmethod
    def over(one: Explanation, lives: Sequence[Life]) -> _Scale:
        """What is shown: the lives, and the moment that is asked about."""
        times = [at for life in lives for at in _ends(one, life)]
        if one.around is not None:
            times += [one.around.low, one.around.high]
        if not lives:
            near = one.followed.times
            if one.around is not None:
                far = 20 * (one.around.high - one.around.low + 1_000)
                near = [at for at in near if one.around.gap(at, at) <= far]
            times += [min(near), max(near)] if near else []
        low, high = (min(times), max(times)) if times else (0, 1)
        pad = max((high - low) // 20, 1)
        return _Scale(low - pad, high + pad)

    def __call__(self, at: int) -> float:
        share = (min(max(at, self.low), self.high) - self.low) / (self.high - self.low)
        return _LEFT + share * _WIDE

    def has(self, at: int) -> bool:
        """Whether a time is shown."""
        return self.low <= at <= self.high


def _ends(one: Explanation, life: Life) -> list[int]:
    """All times of a life that should be in sight."""
    times = [one.followed.times[event] for _, event in life.taken]
    if isinstance(life.last, trace.TimedOut):
        times.append(life.last.deadline)
    elif life.end_at is not None and life.end_at != MAX_WATERMARK:
        times.append(life.end_at)
    at = one.causes.of(life).at
    return [*times, at] if at is not None else times


def _axis(scale: _Scale, bottom: float) -> list[str]:
    body, before = [], None
    span = scale.high - scale.low
    step = next((step for step in _STEPS if span <= step * _TICKS), -(-span // _TICKS))
    first = -(-scale.low // step) * step
    for at in range(first, scale.high + 1, step):
        x = scale(at)
        body.append(_shape("path", "line", f'd="M{_f(x)} {_TOP - 34}V{_f(bottom)}" stroke-dasharray="1 4"'))
        body.append(_text(x, bottom + 16, clock(at, before), "soft", size=10.5, anchor="middle"))
        before = at
    return body


def _moment_line(one: Explanation, scale: _Scale, bottom: float) -> list[str]:
    if one.around is None:
        return []
    low, high = scale(one.around.low), scale(one.around.high)
    line = _shape("path", "at", f'd="M{_f(low)} {_TOP - 42}V{_f(bottom)}" stroke-width="1.5" stroke-dasharray="5 4"')
    band = ""
    if high - low > 2:
        place = f'x="{_f(low)}" y="{_TOP - 36}" width="{_f(high - low)}" height="{_f(bottom - _TOP + 36)}"'
        band = _shape("rect", "attext", f'{place} opacity="0.12"')
    anchor = "start" if low < _LEFT + _WIDE / 2 else "end"
    shift = 4 if anchor == "start" else -4
    return [band, line, _text(low + shift, _TOP - 38, f"asked: {one.around}", "attext", size=10.5, anchor=anchor)]


def _events(one: Explanation, scale: _Scale) -> list[str]:
    followed, body = one.followed, []
    y = _TOP - 24
    shown = [event for event, at in enumerate(followed.times) if scale.has(at)]
    for event in shown[:_MARKS]:
        at = followed.times[event]
        unseen = event in followed.late or event in followed.dead or event in followed.left_out
        what = "late" if event in followed.late else "dead" if unseen else "event"
        title = f"<title>{escape(_about(one, event))}</title>"
        body.append(_dot(scale(at), y, 3.5, "bad" if unseen else "event", title))
        if unseen and len(shown) <= _MARKS // 10:
            body.append(_text(scale(at), y - 7, what, "bad", size=10, anchor="middle"))
    return body


def _life(one: Explanation, life: Life, scale: _Scale, top: float) -> list[str]:
    followed, middle = one.followed, top + 10
    began = one.lives.start_of(life)
    end = life.end_at if life.end_at is not None and life.end_at != MAX_WATERMARK else None
    if isinstance(life.last, trace.TimedOut):
        end = life.last.deadline
    elif end is None and life.end_at == MAX_WATERMARK:
        end = followed.times[life.taken[-1][1]]
    good = life.end == "matched"
    body = [
        _text(12, middle + 4, f"#{life.number}  {_ENDS[life.end]}", "good" if good else "text", size=12, weight=600)
    ]
    body.append(_text(12, middle + 19, str(one.steps.progress(life.taken)), "soft", size=10.5))
    left, right = scale(began), scale(scale.high if end is None else end)
    place = f'x="{_f(left)}" y="{_f(middle - 4)}" width="{_f(max(right - left, 2))}" height="8" rx="4"'
    body.append(_shape("rect", "bar", place))
    for entry in life.entries:
        if isinstance(entry, trace.Ignored):
            title = f"<title>{escape(_about(one, entry.event))}</title>"
            body.append(_dot(scale(entry.at), middle, 2.5, "event", title))
    cause = one.causes.of(life)
    body.append(_end(life, right, middle, alive=end is None))
    if cause.kind in ("too_late", "late_event") and cause.at is not None:
        x = scale(cause.at)
        if x - right > 1:
            line = f'd="M{_f(right)} {_f(middle)}H{_f(x)}" stroke-width="1.5" stroke-dasharray="3 3"'
            body.append(_shape("path", "badline", line))
        body.append(_dot(x, middle, 5, "bad", f"<title>{escape(one_line(cause.text))}</title>"))
    labelled = -1e9
    for part, event in life.taken:
        x = scale(followed.times[event])
        title = f"<title>{escape(one_line(part))}: {escape(_about(one, event))}</title>"
        body.append(_dot(x, middle, 5, "taken", title))
        label = cut(part, 16)
        if x - labelled > 4:
            body.append(_text(x, middle - 8, label, "soft", size=10, anchor="middle"))
            labelled = x + width(label) * 5.5
    said = f"out at {moment(life.end_at)}" if good and life.end_at is not None else cause.text
    body.append(_text(_LEFT, middle + 20, cut(said, _SAID), "soft", size=10.5, title=said))
    return body


def _end(life: Life, x: float, y: float, *, alive: bool) -> str:
    if life.end == "matched":
        tick = f'd="M{_f(x + 8)} {_f(y)}l3 4l7 -9" fill="none" stroke-width="2"'
        return _shape("path", "goodline", tick)
    if alive:
        return _shape("path", "line", f'd="M{_f(x)} {_f(y - 6)}l6 6l-6 6" fill="none" stroke-width="1.5"')
    if life.end in ("timed_out", "held_back"):
        return _shape("path", "badline", f'd="M{_f(x)} {_f(y - 8)}V{_f(y + 8)}" stroke-width="2"')
    cross = f'd="M{_f(x + 6)} {_f(y - 4)}l8 8m0 -8l-8 8" stroke-width="2"'
    return _shape("path", "line" if life.end == "split" else "badline", cross)


def _about(one: Explanation, event: int) -> str:
    row = one.followed.leaves.event(event)
    said = ", ".join(f"{name}={value}" for name, value in row.items() if name != "_time")
    return one_line(f"event {event}, {moment(one.followed.times[event])}: {said}")


def _dot(x: float, y: float, radius: float, name: str, title: str) -> str:
    return _shape("circle", name, f'cx="{_f(x)}" cy="{_f(y)}" r="{radius}"', title)


def _shape(tag: str, name: str, attributes: str, inner: str = "") -> str:
    # The colour as an attribute too, for renderers that know no style sheets.
    what, _, light, _ = _PAINT[name]
    return f'<{tag} class="{name}" {what}="{light}" {attributes}>{inner}</{tag}>'


def _text(
    x: float, y: float, line: str, name: str, *, size: float, anchor: str = "start", weight: int = 400, title: str = ""
) -> str:
    inner = f"<title>{escape(one_line(title))}</title>" if title else ""
    return (
        f'<text class="{name}" fill="{_PAINT[name][2]}" x="{_f(x)}" y="{_f(y)}" font-size="{size}" '
        f'font-weight="{weight}" text-anchor="{anchor}">{escape(one_line(line))}{inner}</text>'
    )
