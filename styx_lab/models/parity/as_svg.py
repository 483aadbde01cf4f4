"""A parity report as a picture: how far apart two answers are, in powers of ten, a band for each set and two.

Law: nothing of a row's text can end a tag; the picture is self-contained and readable on light and dark pages.
"""

from __future__ import annotations

import math
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from styx_lab.core.paint import SANS, style
from styx_lab.core.paint import number as _f

if TYPE_CHECKING:
    from styx_lab.models.parity.compare import PairReport
    from styx_lab.models.parity.report import ParityReport

__all__ = ["as_svg"]

_LEFT: Final = 196
_STEP: Final = 27
_ROW: Final = 54
_HIGH: Final = 26
_TOP: Final = 92
_RIGHT: Final = 20
_DECADES: Final = range(-17, 2)
_GAP: Final = 16

# What each class paints: light and dark; JupyterLab's own colour where it has one.
_PAINT: Final = {
    "text": ("fill", "--jp-ui-font-color0", "#0f172a", "#e5e9f0"),
    "soft": ("fill", "--jp-ui-font-color2", "#475569", "#a9b4c4"),
    "line": ("stroke", "--jp-border-color1", "#cbd5e1", "#475569"),
    "near": ("fill", "--jp-layout-color2", "#f1f5f9", "#1a2231"),
    "same": ("fill", "--jp-success-color1", "#15803d", "#4ade80"),
    "equal": ("fill", "--jp-brand-color1", "#2563eb", "#60a5fa"),
    "apart": ("fill", "--jp-error-color1", "#c2410c", "#fb923c"),
    "refused": ("fill", "--jp-ui-font-color3", "#94a3b8", "#64748b"),
    "limit": ("stroke", "--jp-error-color1", "#c2410c", "#fb923c"),
    "limittext": ("fill", "--jp-error-color1", "#c2410c", "#fb923c"),
}
_SAME: Final = _LEFT
_FIRST: Final = _LEFT + _STEP + _GAP
_END: Final = _FIRST + len(_DECADES) * _STEP
_LABEL: Final = _END + _GAP
_ALONE: Final = _LABEL + _STEP + 20


def as_svg(report: ParityReport) -> str:
    """The drawing."""
    pairs = report.pairs
    height = _TOP + _ROW * len(pairs) + 40
    width = _ALONE + 2 * _STEP + _RIGHT
    bottom = height - 40
    good = report.passed
    lines = _wrapped(report.verdict, 116)
    body = [_text(12, 24, f"parity of model {report.name!r}", "text", size=14, weight=600)]
    body += [
        _text(12, 43 + 14 * at, line, "soft" if good else "limittext", size=11.5) for at, line in enumerate(lines[:2])
    ]
    limit = _place(report.precision)
    area = f'x="{_SAME - 6}" y="{_TOP - 8}" width="{_f(limit - _SAME + 6)}" height="{bottom - _TOP + 8}"'
    body.append(_shape("rect", "near", area))
    for decade in _DECADES:
        x = _FIRST + (decade + 17) * _STEP
        if decade % 3 == 0:
            body.append(_shape("path", "line", f'd="M{_f(x + _STEP)} {_TOP - 8}V{bottom}" stroke-dasharray="1 4"'))
            body.append(_power(x + _STEP, bottom + 16, decade))
    body.append(_text(_SAME + _STEP / 2, bottom + 16, "same", "soft", size=10.5, anchor="middle"))
    body.append(_text(_LABEL + _STEP / 2, bottom + 16, "label", "soft", size=10.5, anchor="middle"))
    body.append(_text(_ALONE + _STEP, bottom + 16, "refused by", "soft", size=10.5, anchor="middle"))
    body.append(_text(_ALONE + _STEP, bottom + 30, "one alone", "soft", size=10.5, anchor="middle"))
    body.append(
        _text(
            (_FIRST + _END) / 2,
            bottom + 32,
            "how far apart, as a share of the answer",
            "soft",
            size=10.5,
            anchor="middle",
        )
    )
    body.append(
        _shape("path", "limit", f'd="M{_f(limit)} {_TOP - 8}V{bottom}" stroke-width="1.5" stroke-dasharray="5 3"')
    )
    body.append(_text(limit + 4, _TOP - 12, f"precision {report.precision:g}", "limittext", size=10.5))
    before = ""
    for place, pair in enumerate(pairs):
        body += _band(pair, _TOP + place * _ROW, report.precision, named=pair.set != before)
        before = pair.set
    space = "styx-" + sha256("".join(body).encode()).hexdigest()[:10]
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="styx-parity {space}" role="img" {size} '
        f'font-family="{SANS}"><title>{escape(report.verdict)}</title>{style(space, _PAINT)}{"".join(body)}</svg>'
    )


def _band(pair: PairReport, top: float, precision: float, *, named: bool) -> list[str]:
    """One set and two who answered it: a bar for each power of ten, as high as the logarithm of its rows."""
    floor = top + 38
    body = []
    if named:
        body.append(_text(12, top + 16, pair.set, "text", size=12, weight=600))
        body.append(_shape("path", "line", f'd="M12 {_f(top - 1)}H{_ALONE + 2 * _STEP}" stroke-width="0.5"'))
    body.append(_text(12, top + 31, f"{pair.left} – {pair.right}", "soft", size=10.5))
    body.append(_text(12, top + 44, f"{pair.rows:,} rows, {pair.refused:,} refused by both", "soft", size=9.5))
    body.append(_shape("path", "line", f'd="M{_SAME} {_f(floor)}H{_ALONE + 2 * _STEP}"'))
    scale = math.log10(max(pair.rows, 2) + 1)

    def bar(x: float, wide: float, count: int, name: str, title: str) -> None:
        tall = max(_HIGH * math.log10(count + 1) / scale, 3)
        place = f'x="{_f(x + 1)}" y="{_f(floor - tall)}" width="{_f(wide - 2)}" height="{_f(tall)}" rx="1.5"'
        body.append(_shape("rect", name, place, f"<title>{escape(title)}</title>"))
        body.append(_text(x + wide / 2, floor - tall - 3, _short(count), "soft", size=9, anchor="middle"))

    for key, count in pair.decades.items():
        if key == "same":
            bar(_SAME, _STEP, count, "same", f"{count:,} rows: the same to the last bit")
        elif key == "label":
            bar(_LABEL, _STEP, count, "apart", f"{count:,} rows: another label")
        else:
            decade = int(key)
            name = "apart" if 10.0 ** (decade - 1) >= precision * (1 - 1e-9) else "equal"
            said = f"{count:,} rows: up to 1e{decade} apart"
            bar(_FIRST + (decade + 17) * _STEP, _STEP, count, name, said)
    for at, (count, who) in enumerate(((pair.only_left_refuses, pair.left), (pair.only_right_refuses, pair.right))):
        if count:
            bar(_ALONE + at * _STEP, _STEP, count, "refused", f"{count:,} rows: {who} alone refuses them")
            body.append(
                _text(_ALONE + (at + 0.5) * _STEP, floor + 10, _initials(who), "soft", size=8.5, anchor="middle")
            )
    return body


def _place(value: float) -> float:
    """Where a share stands on the axis: the right edge of its power of ten."""
    if value <= 0:
        return _FIRST
    return min(max(_FIRST + (math.log10(value) + 18) * _STEP, _FIRST), _END)


def _power(x: float, y: float, exponent: int) -> str:
    inner = f'10<tspan dy="-4" font-size="8">{exponent}</tspan>' if exponent else "1"
    place = f'x="{_f(x)}" y="{_f(y)}" font-size="10.5" text-anchor="middle"'
    return f'<text class="soft" fill="{_PAINT["soft"][2]}" {place}>{inner}</text>'


def _initials(who: str) -> str:
    return "sk" if who == "scikit-learn" else who[:6]


def _short(count: int) -> str:
    return f"{count:,}" if count < 10_000 else f"{count / 1000:.0f}k"


def _wrapped(line: str, most: int) -> list[str]:
    lines, now = [], ""
    for word in line.split(" "):
        if now and len(now) + 1 + len(word) > most:
            lines.append(now)
            now = ""
        now = f"{now} {word}" if now else word
    lines.append(now)
    if len(lines) > 2:
        lines[1] = lines[1][: most - 3] + "..."
    return lines


def _shape(tag: str, name: str, attributes: str, inner: str = "") -> str:
    # The colour as an attribute too, for renderers that know no style sheets.
    what, _, light, _ = _PAINT[name]
    return f'<{tag} class="{name}" {what}="{light}" {attributes}>{inner}</{tag}>'


def _text(x: float, y: float, line: str, name: str, *, size: float, anchor: str = "start", weight: int = 400) -> str:
    return (
        f'<text class="{name}" fill="{_PAINT[name][2]}" x="{_f(x)}" y="{_f(y)}" font-size="{size}" '
        f'font-weight="{weight}" text-anchor="{anchor}">{escape(line)}</text>'
    )
