"""The drawing of a flow: as text for a terminal, as Mermaid for a page, as SVG for a notebook.

Law: a drawing is a function of the flow alone; every step, link and output of it is there, dead letters too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from styx_lab.core.events import EventKind
from styx_lab.core.operator import LATE, OUT
from styx_lab.flow.drawing.as_svg import ACCENTS
from styx_lab.flow.drawing.label import counted, cut, one_line, padded, width
from styx_lab.flow.drawing.layout import Link, links
from styx_lab.flow.flow import Flow
from styx_lab.flow.steps import Port, SourceStep, Step, To

__all__ = ["mermaid", "text"]

_COLUMNS: Final = 100
_NAME_COLUMNS: Final = 24
_MOST_RAILS: Final = 16
_MERMAID_COLUMNS: Final = 48


def text(flow: Flow) -> str:
    """The drawing for a terminal: at most 100 columns, one line a step, its links as rails on the left.

    >>> from styx_lab.flow.flow import flow
    >>> from styx_lab.flow.stream import source
    >>> payments = source("payments", schema={"ts": "int", "amount": "float"}, time="ts")
    >>> print(text(flow("large", payments.filter("amount > 500").to("large_payments"))))
    flow large: 3 steps, 1 source, 1 output
    <BLANKLINE>
    ○  payments        source  time ts, up to 0ms out of order
    │                          RawEvent
    ●  filter          filter  amount > 500
    ◉  large_payments  to      output
    <BLANKLINE>
    ×  dead letters            what a step could not take, with the reason

    Time and state: none.
    """
    rows = _rows(flow)
    left = max(width(rail) for rail, *_ in rows)
    names = min(_NAME_COLUMNS, max(width(name) for _, name, *_ in rows))
    verbs = max(width(verb) for _, _, verb, _ in rows)
    sizes = counted(len(flow.steps), "step"), counted(len(flow.sources), "source"), counted(len(flow.outputs), "output")
    lines = [f"flow {flow.name}: {', '.join(sizes)}"]
    for rail, name, verb, what in rows:
        row = f"{padded(rail, left)}  {padded(cut(name, names), names)}  {padded(verb, verbs)}  "
        lines.append((row + cut(what, _COLUMNS - width(row))).rstrip())
    # Air after the title and before the dead letters, which belong to no one step.
    return "\n".join([cut(lines[0], _COLUMNS), "", *lines[1:-1], "", lines[-1]])


def _rows(flow: Flow) -> list[tuple[str, str, str, str]]:
    """Rail, name, verb and summary of every row."""
    types = flow.types()
    rails = _Rails(links(flow), outputs=flow.outputs)
    rows = []
    for step in flow.steps:
        if joined := rails.join(step.name):
            rows.append((joined, "", "", ""))
        rows.append((rails.step(step.name, _glyph(step)), step.name, step.verb, step.summary()))
        if forked := rails.fork(step.name):
            rows.append((forked, "", "", ", ".join(rails.gives(step.name))))
        out = types.get(Port(step.name))
        if out is not None and {types[port].kind for port in step.inputs} != {out.kind} and rails.open:
            rows.append((rails.plain(), "", "", out.kind.value))
    if rails.most > _MOST_RAILS:
        # Too many rails to follow with the eye: each step then names what it reads.
        rows = [
            (_glyph(step), step.name, step.verb, " ← ".join([step.summary(), ", ".join(map(str, step.inputs))]))
            for step in flow.steps
        ]
    return [*rows, ("×", "dead letters", "", "what a step could not take, with the reason")]


def _glyph(step: Step) -> str:
    return "○" if isinstance(step, SourceStep) else "◉" if isinstance(step, To) else "●"


class _Rails:
    """The links that are open between two rows, each in a column of its own, drawn as `git log --graph` draws them."""

    def __init__(self, links: Sequence[Link], *, outputs: Iterable[str]) -> None:
        self._links = links
        self._outputs = frozenset(outputs)
        self._columns: list[Link | None] = []
        self.most = 0

    @property
    def open(self) -> bool:
        """Whether any link is still to be read."""
        return any(link is not None for link in self._columns)

    def gives(self, step: str) -> list[str]:
        """The ports of a step that something reads, but the way on."""
        ports = [link.port for link in self._links]
        return list(dict.fromkeys(port.name for port in ports if port.step == step and port.name != OUT))

    def plain(self) -> str:
        """The rails as they stand."""
        return self._row({})

    def join(self, step: str) -> str:
        """The row in which a step's inputs come together; empty where there is just one."""
        found = [at for at, link in enumerate(self._columns) if link is not None and link.reader == step]
        if len(found) < 2:
            return ""
        row = self._row({found[0]: "├", **dict.fromkeys(found[1:-1], "┴"), found[-1]: "╯"})
        for at in found[1:]:
            self._columns[at] = None
        return row

    def step(self, step: str, glyph: str) -> str:
        """The row of a step; its column is then free."""
        found = [at for at, link in enumerate(self._columns) if link is not None and link.reader == step]
        at = found[0] if found else self._free(0)
        self._columns[at] = None
        self._at = at
        return self._row({at: glyph})

    def fork(self, step: str) -> str:
        """Open the links of the step just drawn; the row where they part, empty where there is nothing to tell."""
        mine = sorted(
            (link for link in self._links if link.port.step == step),
            # The way on stays in its column; outputs and what is late turn off.
            key=lambda link: (link.port.name != OUT, link.reader in self._outputs),
        )
        for number, link in enumerate(mine):
            at = self._free(self._at + 1) if number else self._at
            self._columns[at] = link
        if not mine or (len(mine) == 1 and mine[0].port.name == OUT):
            self._trim()
            return ""
        found = sorted(at for at, link in enumerate(self._columns) if link in mine)
        return self._row({found[0]: "├", **dict.fromkeys(found[1:-1], "┬"), found[-1]: "╮"} if len(found) > 1 else {})

    def _free(self, start: int) -> int:
        for at in range(start, len(self._columns)):
            if self._columns[at] is None:
                return at
        self._columns += [None] * (max(start, len(self._columns)) + 1 - len(self._columns))
        self.most = max(self.most, len(self._columns))
        return len(self._columns) - 1

    def _trim(self) -> None:
        while self._columns and self._columns[-1] is None:
            self._columns.pop()

    def _row(self, signs: dict[int, str]) -> str:
        """One row: special signs by column, with a line between the first and the last of them."""
        first, last = (min(signs), max(signs)) if signs else (0, 0)
        cells = []
        for at in range(max([len(self._columns), *(at + 1 for at in signs)])):
            link = self._columns[at] if at < len(self._columns) else None
            rail = " " if link is None else "┆" if link.port.name == LATE else "│"
            if first < at < last:
                rail = "─" if link is None else "┼"
            cells.append(signs.get(at, rail) + ("─" if first <= at < last else " "))
        return "".join(cells).rstrip()


def mermaid(flow: Flow) -> str:
    """The drawing as a Mermaid flowchart, for a page that knows Mermaid (GitHub, JupyterLab's Markdown).

    >>> from styx_lab.flow.flow import flow
    >>> from styx_lab.flow.stream import source
    >>> payments = source("payments", schema={"ts": "int", "amount": "float"}, time="ts")
    >>> print(mermaid(flow("large", payments.to("all"))).splitlines()[1])
      s0(["<b>payments</b> source<br>time ts, up to 0ms out of order"]):::raw

    Time and state: none.
    """
    types = flow.types()
    numbers = {step.name: number for number, step in enumerate(flow.steps)}
    lines = ["flowchart LR"]
    for step in flow.steps:
        before, after = _SHAPES.get(type(step), ("[", "]"))
        kind = types[step.inputs[0] if isinstance(step, To) else Port(step.name)].kind
        label = f"<b>{_entities(step.name)}</b> {step.verb}<br>{_entities(cut(step.summary(), _MERMAID_COLUMNS))}"
        lines.append(f'  s{numbers[step.name]}{before}"{label}"{after}:::{kind.name.lower()}')
    for link in links(flow):
        arrow = (
            "-. late .->" if link.port.name == LATE else "-->" if link.port.name == OUT else f"-- {link.port.name} -->"
        )
        lines.append(f"  s{numbers[link.port.step]} {arrow} s{numbers[link.reader]}")
    lines.append('  dead(["dead letters"]):::dead')
    lines += [f"  classDef {kind.name.lower()} stroke:{ACCENTS[kind]},stroke-width:2px" for kind in EventKind]
    lines.append("  classDef dead stroke-dasharray:4 3")
    return "\n".join(lines) + "\n"


_SHAPES: Final[dict[type[Step], tuple[str, str]]] = {SourceStep: ("([", "])"), To: ("([", "])")}


def _entities(text: str) -> str:
    # Mermaid has entities of its own; whatever could mean something to it or to HTML is written as one.
    return "".join(sign if sign.isalnum() or sign in " _.,…" else f"#{ord(sign)};" for sign in one_line(text))
