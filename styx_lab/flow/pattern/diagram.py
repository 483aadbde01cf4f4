"""The drawing of a pattern: text, SVG and Mermaid, from one tree of boxes.

Law: a pattern has one drawing of each kind, to the byte. A box is a part, a frame a group, an arrow says how the next
one follows; a loop over a box says how often, a line around it that it may be left out; what may not come is dashed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from styx_lab.core.time import duration_text
from styx_lab.flow.drawing.label import padded, width
from styx_lab.flow.pattern.after_match import NO_SKIP, AfterMatch
from styx_lab.flow.pattern.diagram_svg import pattern_svg
from styx_lab.flow.pattern.given import condition_text
from styx_lab.flow.pattern.parts import Part
from styx_lab.flow.pattern.words import bounds, how_often, relation_words

__all__ = ["Diagram"]


@dataclass(frozen=True, slots=True, repr=False)
class Diagram:
    """A pattern, drawn; Jupyter shows it by itself.

    >>> from styx_lab import Pattern
    >>> diagram = Pattern.begin("a").next(Pattern.begin("b").followed_by("c")).times(2).diagram()
    >>> print(diagram)
    begin  a
    next   group  [2]
             begin        b
             followed by  c
    >>> diagram.svg.startswith("<svg"), diagram.mermaid.splitlines()[0]
    (True, 'stateDiagram-v2')
    """

    parts: tuple[Part, ...]
    after_match: AfterMatch
    within_ms: int | None

    @property
    def text(self) -> str:
        """The pattern as lines of text: a line for each part, the parts of a group below it."""
        return "\n".join([*_lines(self.parts, ""), *self._notes()])

    @property
    def svg(self) -> str:
        """The pattern as SVG: self-contained, readable on light and dark pages."""
        return pattern_svg(self.parts, self._notes())

    @property
    def mermaid(self) -> str:
        """The pattern as a Mermaid state diagram, for Markdown pages."""
        lines = ["stateDiagram-v2", "  direction LR"]
        _Mermaid(lines).pattern(self.parts, self._notes())
        return "\n".join(lines) + "\n"

    def _notes(self) -> list[str]:
        notes = [f"within {duration_text(self.within_ms)}"] if self.within_ms else []
        return notes + ([f"after a match {self.after_match}"] if self.after_match != NO_SKIP else [])

    def _repr_svg_(self) -> str:
        return self.svg

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text


def _lines(parts: Sequence[Part], indent: str) -> list[str]:
    rows = [
        (relation_words(part), "group" if part.group else part.name, _repeats(part), _asked(part)) for part in parts
    ]
    widths = [max(width(row[column]) for row in rows) for column in range(3)]
    lines = []
    for part, row in zip(parts, rows, strict=True):
        cells = [padded(row[column], widths[column]) for column in range(3) if widths[column]]
        lines.append((indent + "  ".join([*cells, row[3]])).rstrip())
        if part.group:
            lines += _lines(part.group, indent + " " * (widths[0] + 5))
    return lines


def _repeats(part: Part) -> str:
    words = how_often(part.quantifier)
    return f"[{', '.join(words)}]" if words else ""


def _asked(part: Part) -> str:
    said = [] if part.condition is None else [condition_text(part.condition)]
    return ", ".join(said + bounds(part))


class _Mermaid:
    """Writes a pattern's states; a group is a state with states in it."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._count = 0

    def pattern(self, parts: Sequence[Part], notes: Sequence[str]) -> None:
        """All of it."""
        last = self._chain(parts, "  ")
        if notes:
            self._lines += [f"  note right of {last}", *(f"    {_escaped(note)}" for note in notes), "  end note"]

    def _chain(self, parts: Sequence[Part], indent: str) -> str:
        before = "[*]"
        for part in parts:
            name = self._state(part, indent)
            words = [] if before == "[*]" else [relation_words(part)]
            self._edge(before, name, words, indent)
            repeats = [word for word in how_often(part.quantifier) if word != "optional"]
            if repeats:
                self._edge(name, name, [", ".join(repeats)], indent)
            before = name
        self._edge(before, "[*]", [], indent)
        return before

    def _edge(self, start: str, end: str, words: Sequence[str], indent: str) -> None:
        said = "".join(f" : {_escaped(word)}" for word in words)
        self._lines.append(f"{indent}{start} --> {end}{said}")

    def _state(self, part: Part, indent: str) -> str:
        self._count += 1
        name = f"s{self._count}"
        title = "group" if part.group else f"not {part.name}" if part.is_not else part.name
        title += " (optional)" if part.quantifier.optional else ""
        if part.group:
            self._lines.append(f'{indent}state "{_escaped(title)}" as {name} {{')
            self._chain(part.group, indent + "  ")
            self._lines.append(f"{indent}}}")
        else:
            self._lines.append(f'{indent}state "{_escaped(title)}" as {name}')
            if part.condition is not None:
                self._lines.append(f"{indent}{name} : {_escaped(condition_text(part.condition))}")
        self._lines += [f"{indent}{name} : {_escaped(word)}" for word in bounds(part) if not part.group]
        return name


def _escaped(text: str) -> str:
    """Text that cannot end what it stands in: Mermaid reads `#58;` as a colon."""
    plain = text.isascii() and all(sign.isalnum() or sign in " _.,()=+*/'-[]" for sign in text)
    if plain:
        return text
    return "".join(
        sign if sign.isalnum() or sign in " _.,()=+*/'-[]" else f"#{ord(sign)};" for sign in " ".join(text.split())
    )
