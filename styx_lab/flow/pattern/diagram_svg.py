"""The drawing of a pattern as SVG: boxes from left to right, groups as frames.

Law: nothing of a pattern's text can end a tag; every box has room for what stands in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from xml.sax.saxutils import escape

from styx_lab.core.paint import MONO, SANS, style
from styx_lab.core.paint import number as _f
from styx_lab.flow.drawing.label import cut, one_line, width
from styx_lab.flow.pattern.given import condition_text
from styx_lab.flow.pattern.parts import Part
from styx_lab.flow.pattern.words import bounds, how_often, relation_words

__all__ = ["pattern_svg"]

_SIGN: Final = 6.7  # one column of the small fixed-width text
_WORD: Final = 6.4  # one column of the labels on arrows
_TITLE: Final = 8.6
_LINE: Final = 16
_MOST: Final = 42
_LINES: Final = 4
_PAD: Final = 12
_FRAME: Final = 16
_LEAST: Final = 96
_ABOVE: Final = 34
_BELOW: Final = 34
_MARGIN: Final = 20
_END: Final = 9

# What each class paints, light and dark; JupyterLab's own colour where it has one.
_PAINT: Final = {
    "box": ("fill", "--jp-layout-color1", "#ffffff", "#1b2230"),
    "frame": ("fill", "--jp-layout-color2", "#f1f5f9", "#141a26"),
    "rim": ("stroke", "--jp-brand-color1", "#7c3aed", "#a78bfa"),
    "not": ("stroke", "--jp-error-color1", "#c2410c", "#fb923c"),
    "line": ("stroke", "--jp-ui-font-color2", "#64748b", "#94a3b8"),
    "head": ("fill", "--jp-ui-font-color2", "#64748b", "#94a3b8"),
    "text": ("fill", "--jp-ui-font-color0", "#0f172a", "#e5e9f0"),
    "soft": ("fill", "--jp-ui-font-color2", "#475569", "#a9b4c4"),
}


@dataclass(frozen=True, slots=True)
class _Box:
    """A part laid out: its size, with room above and below for its loop and for the way around it."""

    part: Part
    title: str
    lines: tuple[str, ...]
    inner: tuple[_Box, ...]
    width: float
    height: float
    above: float
    below: float


def pattern_svg(parts: Sequence[Part], notes: Sequence[str]) -> str:
    """The drawing, with notes under it."""
    boxes = [_laid(part) for part in parts]
    up = max(box.height / 2 + box.above for box in boxes)
    down = max(box.height / 2 + box.below for box in boxes)
    middle = _MARGIN + up
    body: list[str] = []
    left = float(_MARGIN)
    body.append(_shape("circle", "head", f'cx="{_f(left + _END)}" cy="{_f(middle)}" r="{_END}"'))
    right = _draw_chain(body, boxes, left + 2 * _END, middle, first_gap=34)
    end = right + 34
    body.append(_arrow(right, end, middle))
    body.append(
        _shape("circle", "line", f'cx="{_f(end + _END)}" cy="{_f(middle)}" r="{_END}" fill="none" stroke-width="1.5"')
    )
    body.append(_shape("circle", "head", f'cx="{_f(end + _END)}" cy="{_f(middle)}" r="{_END - 4}"'))
    total = end + 2 * _END + _MARGIN
    bottom = middle + down + _MARGIN
    for note in notes:
        line = cut(note, 90)
        total = max(total, 2 * _MARGIN + width(line) * _WORD + 8)
        body.append(_text(_MARGIN, bottom + 4, line, "soft", size=12))
        bottom += 20
    size = f'width="{_f(total)}" height="{_f(bottom)}" viewBox="0 0 {_f(total)} {_f(bottom)}"'
    space = "styx-" + sha256("".join(body).encode()).hexdigest()[:10]
    title = escape(one_line(", ".join([_spoken(parts), *notes])))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="styx-pattern {space}" role="img" {size} font-family="{SANS}">'
        f"<title>{title}</title>{style(space, _PAINT)}{''.join(body)}</svg>"
    )


def _spoken(parts: Sequence[Part]) -> str:
    return ", ".join(f"{relation_words(part)} {'a group' if part.group else part.name}" for part in parts)


def _laid(part: Part) -> _Box:
    repeats = [word for word in how_often(part.quantifier) if word != "optional"]
    above = _ABOVE if repeats else 6
    below = _BELOW if part.quantifier.optional else 6
    label = width(_loop_label(part)) * _WORD
    if part.group:
        inner = tuple(_laid(one) for one in part.group)
        gaps = sum(_gap(one.part, first=not place) for place, one in enumerate(inner))
        wide = sum(one.width for one in inner) + gaps + 2 * _FRAME
        lines = tuple(cut(word, 60) for word in bounds(part))
        # Its middle is that of the parts in it, so the room above and below is made alike.
        half = max(one.height / 2 + max(one.above, one.below) for one in inner)
        height = 2 * half + 2 * 14 + 2 * _LINE * bool(lines)
        return _Box(part, "", lines, inner, max(wide, label + 20), height, above, below)
    title = cut(f"not {part.name}" if part.is_not else part.name, _MOST)
    said = ([] if part.condition is None else _wrapped(condition_text(part.condition))) + [
        line for word in bounds(part) for line in _wrapped(word)
    ]
    wide = max([_LEAST, width(title) * _TITLE + 2 * _PAD, label + 20, *(width(one) * _SIGN + 2 * _PAD for one in said)])
    return _Box(part, title, tuple(said), (), wide, 36 + _LINE * len(said) + (4 if said else 0), above, below)


def _wrapped(text: str) -> list[str]:
    """The text in lines that fit a box; cut where it is too long."""
    lines, line = [], ""
    for word in one_line(text).split(" "):
        piece = cut(word, _MOST)
        if line and width(line) + 1 + width(piece) > _MOST:
            lines.append(line)
            line = piece
        else:
            line = f"{line} {piece}" if line else piece
    lines.append(line)
    return lines if len(lines) <= _LINES else [*lines[: _LINES - 1], cut(" ".join(lines[_LINES - 1 :]), _MOST - 1)]


def _gap(part: Part, *, first: bool) -> float:
    return 0 if first else width(relation_words(part)) * _WORD + 30


def _loop_label(part: Part) -> str:
    return ", ".join(word for word in how_often(part.quantifier) if word != "optional")


def _draw_chain(body: list[str], boxes: Sequence[_Box], left: float, middle: float, *, first_gap: float) -> float:
    """Draw boxes from left to right; gives the right side of the last."""
    for place, box in enumerate(boxes):
        gap = _gap(box.part, first=not place) or first_gap
        if gap:
            body.append(_arrow(left, left + gap, middle, dashed=box.part.is_not))
            if place:
                label = relation_words(box.part)
                body.append(_text(left + gap / 2, middle - 7, label, "soft", size=11.5, anchor="middle"))
        _draw(body, box, left + gap, middle)
        left += gap + box.width
    return left


def _draw(body: list[str], box: _Box, left: float, middle: float) -> None:
    top, right, centre = middle - box.height / 2, left + box.width, left + box.width / 2
    part = box.part
    label = _loop_label(part)
    if label:
        high = f"{_f(right - 18)} {_f(top - 22)} {_f(left + 18)} {_f(top - 22)}"
        arc = f"M{_f(right - 18)} {_f(top)}C{high} {_f(left + 18)} {_f(top)}"
        body.append(_shape("path", "line", f'd="{arc}" fill="none" stroke-width="1.3"'))
        body.append(_head(left + 18, top, "down"))
        body.append(_text(centre, top - 20, label, "soft", size=11.5, anchor="middle"))
    if part.quantifier.optional:
        bottom = middle + box.height / 2
        arc = (
            f"M{_f(left - 12)} {_f(middle)}C{_f(left - 12)} {_f(bottom + 22)} {_f(left)} {_f(bottom + 16)} "
            f"{_f(left + 14)} {_f(bottom + 16)}H{_f(right - 14)}"
            f"C{_f(right)} {_f(bottom + 16)} {_f(right + 12)} {_f(bottom + 22)} {_f(right + 12)} {_f(middle)}"
        )
        body.append(_shape("path", "line", f'd="{arc}" fill="none" stroke-width="1.3" stroke-dasharray="2 3"'))
        body.append(_text(centre, bottom + 30, "optional", "soft", size=11.5, anchor="middle"))
    rim = "not" if part.is_not else "rim"
    dashes = ' stroke-dasharray="5 4"' if part.is_not else ""
    at = f'x="{_f(left)}" y="{_f(top)}" width="{_f(box.width)}" height="{_f(box.height)}"'
    at += f' rx="8" stroke-width="1.5"{dashes}'
    body.append(_shape("rect", f"{'frame' if part.group else 'box'} {rim}", at))
    if part.group:
        inner = sum(one.width for one in box.inner) + sum(
            _gap(one.part, first=not i) for i, one in enumerate(box.inner)
        )
        _draw_chain(body, box.inner, centre - inner / 2, middle, first_gap=0)
        for place, line in enumerate(box.lines):
            body.append(_text(left + _PAD, top + 15 + place * _LINE, line, "soft", size=11.5))
        return
    body.append(_text(centre, top + 23, box.title, "text", size=14, anchor="middle", weight=600))
    for place, line in enumerate(box.lines):
        body.append(_text(centre, top + 42 + place * _LINE, line, "soft", size=11, anchor="middle", mono=True))


def _arrow(start: float, end: float, y: float, *, dashed: bool = False) -> str:
    dashes = ' stroke-dasharray="5 4"' if dashed else ""
    line = _shape(
        "path", "not" if dashed else "line", f'd="M{_f(start)} {_f(y)}H{_f(end - 5)}" stroke-width="1.5"{dashes}'
    )
    return line + _head(end, y, "right")


def _head(x: float, y: float, way: str) -> str:
    if way == "right":
        shape = f"M{_f(x)} {_f(y)}L{_f(x - 8)} {_f(y - 4)}V{_f(y + 4)}Z"
    else:
        shape = f"M{_f(x)} {_f(y)}L{_f(x - 4)} {_f(y - 8)}H{_f(x + 4)}Z"
    return _shape("path", "head", f'd="{shape}"')


def _shape(tag: str, names: str, attributes: str) -> str:
    # Attributes too, for renderers that know no style sheets.
    plain = " ".join(
        f'{_PAINT[name][0]}="{_PAINT[name][2]}"' for name in names.split() if f"{_PAINT[name][0]}=" not in attributes
    )
    return f'<{tag} class="{names}" {plain} {attributes}/>'


def _text(
    x: float,
    y: float,
    line: str,
    names: str,
    *,
    size: float,
    anchor: str = "start",
    weight: int = 400,
    mono: bool = False,
) -> str:
    family = f' font-family="{MONO}"' if mono else ""
    return (
        f'<text class="{names}" fill="{_PAINT[names][2]}" x="{_f(x)}" y="{_f(y)}" font-size="{size}" '
        f'font-weight="{weight}" text-anchor="{anchor}"{family}>{escape(one_line(line))}</text>'
    )
