"""The drawing of a flow as SVG: self-contained, without scripts, readable on light and dark pages.

Law: a flow has one SVG, to the byte. The group of each step carries `data-step="NAME"`; its line of figures is the text
that carries `data-figures`, where the live monitor writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from styx_lab.core.events import EventKind
from styx_lab.core.operator import LATE, OUT
from styx_lab.core.paint import MONO, SANS, Paint
from styx_lab.flow.drawing.label import counted, cut, one_line
from styx_lab.flow.drawing.layout import Box, Link, Point, lay_out, links
from styx_lab.flow.flow import Flow
from styx_lab.flow.steps import Port, Step, To
from styx_lab.flow.types import StreamType

__all__ = ["ACCENTS", "ICONS", "Figures", "svg"]

Figures = Mapping[str, Sequence[tuple[str, str]]]
"""What stands on the line under each step: label and number, in order."""

ACCENTS: Final[dict[EventKind, str]] = {
    # Told apart by the colour-blind too, and strong enough on white and on black.
    EventKind.RAW: "#3b82f6",
    EventKind.BUSINESS: "#8b5cf6",
    EventKind.RICH: "#db2777",
    EventKind.NOTIFICATION: "#0d9488",
}

_CARD: Final = (330, 66)
_PILL: Final = (220, 50)
_MARGIN: Final = 24
_HEAD: Final = 58
_LEGEND_LINE: Final = 24
_LEAST_WIDTH: Final = 400

ICONS: Final[dict[str, str]] = {
    "source": (
        "M2 4.5C2 3 4.7 2 8 2s6 1 6 2.5S11.3 7 8 7 2 6 2 4.5z"
        "M2 4.5v7C2 13 4.7 14 8 14s6-1 6-2.5v-7M2 8c0 1.5 2.7 2.5 6 2.5S14 9.5 14 8"
    ),
    "filter": "M2 3h12l-4.5 5.5v5L6.5 12V8.5z",
    "select": "M2.5 2.5h11v11h-11zM2.5 6h11M6.5 2.5v11",
    "with_columns": "M2.5 2.5h6v11h-6zM12.5 5.5v5M10 8h5",
    "key_by": "M5 11.5a3 3 0 1 1 2.6-4.5H14v2.5M11.5 7v2M7.6 7a3 3 0 0 1 0 3",
    "union": "M3 2v2.5C3 8 8 7 8 10.5V14M13 2v2.5C13 8 8 7 8 10.5",
    "window": "M8 2a6 6 0 1 1 0 12A6 6 0 0 1 8 2zM8 4.5V8l2.5 1.5",
    "detect": "M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9zM10.3 10.3L14 14",
    "process": "M5 4.5L1.5 8 5 11.5M11 4.5L14.5 8 11 11.5M9.2 2.5L6.8 13.5",
    "enrich": "M8 2.5v11M2.5 8h11M4 4l8 8M12 4l-8 8",
    "lookup": "M6.5 2a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM9.4 8.9L14 13.5M6.5 4.2V6l1.3.8",
    "score": "M2 12a6 6 0 1 1 12 0M8 12l3-4.5M2 12h1.5M12.5 12H14",
    "notify": "M8 2a4 4 0 0 0-4 4c0 4-1.5 5-1.5 5h11S12 10 12 6a4 4 0 0 0-4-4zM6.5 13.5a1.6 1.6 0 0 0 3 0",
    "to": "M6.5 2.5h7v11h-7M2 8h7.5M7 5.5L9.5 8 7 10.5",
    "split": "M8 2v4M8 6L3 11v3M8 6l5 5v3",
    "deduplicate": "M2.5 2.5h8v8h-8zM5.5 10.5v3h8v-8h-3",
    "cooldown": "M4 2.5h8M4 13.5h8M5 2.5c0 4 6 7 6 11M11 2.5c0 4-6 7-6 11",
    "sort": "M2.5 4h11M2.5 8h7M2.5 12h3",
    "top": "M2.5 13.5v-4h3.5v4M6 9.5v-6h4v10M10 7.5h3.5v6M2 13.5h12",
    "trend": "M2.5 2.5v11h11M4.5 10.5l3-3 2 2 4-5",
    "window_join": "M5 2.5h6v11H5zM1.5 6h13M1.5 10h13M8 6v4",
    "co_group": "M4 2.5H2v11h2M12 2.5h2v11h-2M4.8 5.5h2M4.8 8h2M4.8 10.5h2M9.2 5.5h2M9.2 8h2",
    "interval_join": (
        "M2 3.5h4.5M9.5 3.5H14M8 2a1.5 1.5 0 1 1 0 3 1.5 1.5 0 0 1 0-3zM8 5v6.5M3.5 9.5v4M12.5 9.5v4M3.5 11.5h9"
    ),
    "asof_join": "M10 1.5a1.5 1.5 0 1 1 0 3 1.5 1.5 0 0 1 0-3zM10 4.5v4.8M8.3 7.8L10 9.5l1.7-1.7M2 13.5h4v-4h8",
}
"""A small line picture for each verb, 16 by 16."""

# What each class paints: an attribute, for renderers that know no CSS variables; JupyterLab's variable, for its pages;
# and a light and a dark value for all others.
_PAINT: Final[dict[str, Paint]] = {
    "panel": ("fill", "--jp-layout-color1", "#f8fafc", "#1b2230"),
    "card": ("fill", "--jp-layout-color0", "#ffffff", "#111722"),
    "name": ("fill", "--jp-ui-font-color1", "#1e293b", "#e2e8f0"),
    "quiet": ("fill", "--jp-ui-font-color2", "#64748b", "#94a3b8"),
    "line": ("stroke", "--jp-ui-font-color2", "#64748b", "#94a3b8"),
    "edge": ("stroke", "--jp-border-color1", "#cbd5e1", "#3b475c"),
}


def svg(flow: Flow, *, figures: Figures | None = None, note: str | None = None) -> str:
    """The drawing as SVG, for a notebook or a page.

    >>> from styx_lab.flow.flow import flow
    >>> from styx_lab.flow.stream import source
    >>> payments = source("payments", schema={"ts": "int", "amount": "float"}, time="ts")
    >>> svg(flow("large", payments.to("all"))).count("data-step=")
    2

    Args:
        flow: the flow.
        figures: label and number of what to write under each step, in place of what the step gives.
        note: a line to write under the flow's name, in place of its size.

    Time and state: none.
    """
    types = flow.types()
    edges = links(flow)
    layout = lay_out({step.name: _PILL if isinstance(step, To) else _CARD for step in flow.steps}, edges)
    width = max(layout.width, _LEAST_WIDTH) + 2 * _MARGIN
    legend, legend_lines = _legend(flow, types, width - 2 * _MARGIN)
    left, top = (width - layout.width) // 2, _HEAD + 12
    legend_top = top + layout.height + 30
    height = legend_top + legend_lines * _LEGEND_LINE

    steps = [_step(step, layout.boxes[step.name], types, (figures or {}).get(step.name)) for step in flow.steps]
    paths = [_link(link, route, types[link.port]) for link, route in zip(edges, layout.routes, strict=True)]
    sizes = counted(len(flow.steps), "step"), counted(len(flow.sources), "source"), counted(len(flow.outputs), "output")
    note = ", ".join(sizes) if note is None else cut(note, (width - 2 * _MARGIN) // 6)
    # One page may hold several drawings: ids and style rules are this drawing's own.
    space = "styx-" + sha256("".join([flow.name, note, *steps, *paths]).encode()).hexdigest()[:10]
    told = "; ".join(
        f"{step.name} ({step.verb}" + (f" of {', '.join(map(str, step.inputs))})" if step.inputs else ")")
        for step in flow.steps
    )
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="styx-flow {space}" text-rendering="geometricPrecision"'
        f' width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" role="img" aria-labelledby="{space}-title {space}-desc"'
        f' font-family="{SANS}" style="max-width:100%;height:auto">'
    )
    return "\n".join(
        [
            opening,
            f'<title id="{space}-title">Flow {_escaped(flow.name)}</title>',
            f'<desc id="{space}-desc">{_escaped(told)}; dead letters (output of every step)</desc>',
            _style(space),
            _shape("rect", "panel edge", f'x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="12"'),
            _text(_MARGIN, 32, cut(flow.name, 40), "name", size=16, weight=600),
            _text(_MARGIN, 50, note, "quiet", size=11),
            f'<g transform="translate({left} {top})">',
            *paths,
            *steps,
            "</g>",
            f'<g transform="translate({_MARGIN} {legend_top})">',
            *legend,
            "</g>",
            "</svg>",
            "",
        ]
    )


def _style(space: str) -> str:
    rules = [
        f".{space} .{name}{{{what}:var({variable},var(--styx-{name}))}}"
        for name, (what, variable, _, _) in _PAINT.items()
    ]
    light = ";".join(f"--styx-{name}:{paint[2]}" for name, paint in _PAINT.items())
    dark = ";".join(f"--styx-{name}:{paint[3]}" for name, paint in _PAINT.items())
    return (
        f"<style>.{space}{{{light}}}@media (prefers-color-scheme:dark){{.{space}{{{dark}}}}}{''.join(rules)}"
        f".{space} .figure{{font-variant-numeric:tabular-nums}}</style>"
    )


def _escaped(text: str) -> str:
    return escape(one_line(text))


def _classes(names: str) -> str:
    paints = "".join(f' {_PAINT[name][0]}="{_PAINT[name][2]}"' for name in names.split() if name in _PAINT)
    return f' class="{names}"{paints}'


def _shape(tag: str, names: str, attributes: str) -> str:
    return f"<{tag}{_classes(names)} {attributes}/>"


def _text(x: int, y: int, line: str, names: str, *, size: float, weight: int = 400, more: str = "") -> str:
    bold = f' font-weight="{weight}"' if weight != 400 else ""
    return f'<text x="{x}" y="{y}"{_classes(names)} font-size="{size}"{bold}{more}>{_escaped(line)}</text>'


def _kind(step: Step, types: Mapping[Port, StreamType]) -> StreamType:
    """What the step gives; of an output, what it takes."""
    return types[step.inputs[0] if isinstance(step, To) else Port(step.name)]


def _given(stream: StreamType) -> str:
    """What a stream carries, in a line."""
    by = f" by {', '.join(stream.key)}" if stream.key else ""
    return f"{stream.kind}{by}"


def _step(step: Step, box: Box, types: Mapping[Port, StreamType], figures: Sequence[tuple[str, str]] | None) -> str:
    stream = _kind(step, types)
    accent = ACCENTS[stream.kind]
    pill = isinstance(step, To)
    title = f"{step.name}: {step.verb} {step.summary()} → {stream.kind}: {', '.join(stream.names)}"
    place = f'transform="translate({box.x} {box.y})"'
    parts = [f"<g data-step={quoteattr(one_line(step.name))} {place}>", f"<title>{_escaped(title)}</title>"]
    if pill:
        parts.append(
            f'<rect{_classes("card")} stroke="{accent}" stroke-width="1.5" width="{box.width}" height="{box.height}"'
            f' rx="{box.height // 2}"/>'
        )
    else:
        parts += [
            _shape("rect", "card edge", f'width="{box.width}" height="{box.height}" rx="8"'),
            f'<path d="M5 0H8a8 8 0 0 0-8 8v{box.height - 16}a8 8 0 0 0 8 8H5z" fill="{accent}"/>',
        ]
    pen = f'fill="none" stroke="{accent}" stroke-width="1.4" stroke-linecap="round" stroke-linejoin="round"'
    parts += [
        f'<path d="{ICONS[step.verb]}" transform="translate(17 {10 if pill else 11})" {pen}/>',
        _text(42, 23 if not pill else 21, cut(step.name, 22), "name", size=13, weight=600),
    ]
    if not pill:
        parts += [
            _text(box.width - 14, 23, step.verb, "quiet", size=11, more=' text-anchor="end"'),
            _text(42, 40, cut(step.summary(), 43), "name", size=10.5, more=f' font-family="{MONO}"'),
        ]
    parts += [
        _figures(figures, box.height - 12 if not pill else 38, cut(_given(stream), 46 if not pill else 26)),
        "</g>",
    ]
    return "\n".join(parts)


def _figures(figures: Sequence[tuple[str, str]] | None, y: int, otherwise: str) -> str:
    head = f'<text x="42" y="{y}" class="quiet figure" fill="{_PAINT["quiet"][2]}" font-size="11" data-figures="">'
    if figures is None:
        return f"{head}{_escaped(otherwise)}</text>"
    spans = [
        f"<tspan{' dx=' + quoteattr('9') if number else ''}>{_escaped(label)}</tspan>"
        f'<tspan dx="3"{_classes("name")}>{_escaped(value)}</tspan>'
        for number, (label, value) in enumerate(figures)
    ]
    return f"{head}{''.join(spans)}</text>"


def _link(link: Link, route: Sequence[Point], stream: StreamType) -> str:
    accent = ACCENTS[stream.kind]
    late = link.port.name == LATE
    (x, y), (end, bottom) = route[0], route[-1]
    commands = [f"M{x} {y}"]
    for (x0, y0), (x1, y1) in zip(route, [*route[1:-1], (end, bottom - 6)], strict=False):
        steep = (y1 - y0) * 3 // 4
        if y0 != y1 or x0 != x1:
            commands.append(f"V{y1}" if x0 == x1 else f"C{x0} {y0 + steep} {x1} {y1 - steep} {x1} {y1}")
    title = f"{link.port} → {link.reader}: {_given(stream)}"
    label = cut(link.port.name, 16)
    place = (x + 7, y + 14) if end < x else (x - 6 - 6 * len(label), y + 14)
    return "\n".join(
        [
            f"<g><title>{_escaped(title)}</title>",
            f'<path d="{"".join(commands)}" fill="none" stroke="{accent}" stroke-width="1.6"'
            + (' stroke-dasharray="4 3"/>' if late else "/>"),
            f'<path d="M{end - 4} {bottom - 8}L{end} {bottom - 1}L{end + 4} {bottom - 8}z" fill="{accent}"/>',
            *([_text(*place, label, "quiet", size=10.5)] if link.port.name != OUT else []),
            "</g>",
        ]
    )


def _legend(flow: Flow, types: Mapping[Port, StreamType], width: int) -> tuple[list[str], int]:
    """The kinds of event that there are, what a dashed line is, and the output that every flow has besides its own."""
    kinds = {stream.kind for stream in types.values()}
    marks = [
        (f'<circle cx="5" cy="-4" r="4.5" fill="{ACCENTS[kind]}"/>', kind.value) for kind in EventKind if kind in kinds
    ]
    if any(port.name == LATE for step in flow.steps for port in step.inputs):
        marks.append(
            (
                _shape("path", "line", 'd="M0 -4H14" stroke-width="1.6" stroke-dasharray="4 3" fill="none"'),
                "late events",
            )
        )
    marks.append((_shape("path", "line", 'd="M1 -8L9 0M9 -8L1 0" stroke-width="1.6"'), "dead letters of any step"))
    found, x, line = [], 0, 0
    for mark, label in marks:
        size = 28 + round(6.2 * len(label))
        if x and x + size > width:
            x, line = 0, line + 1
        shown = _text(18, 0, label, "quiet", size=11)
        found.append(f'<g transform="translate({x} {line * _LEGEND_LINE})">{mark}{shown}</g>')
        x += size + 8
    return found, line + 1
