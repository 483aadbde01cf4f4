"""What tests of the reading share: patterns of letters, random and by hand, and a reading of a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from styx_lab.errors import FlowError
from styx_lab.flow.carried import Carried
from styx_lab.flow.pattern.after_match import NO_SKIP, AfterMatch
from styx_lab.flow.pattern.conditions import Call, Where
from styx_lab.flow.pattern.parts import GROUP, ONCE, Part, Quantifier, Relation
from styx_lab.operators.cep.automaton.build import build_automaton
from styx_lab.operators.cep.automaton.states import Automaton
from styx_lab.operators.cep.reading.reading import Emission, Reading
from styx_lab.operators.cep.reading.trace import Tracer

LETTERS = "abc"


@dataclass(frozen=True)
class Letter:
    """An event: a letter at a time."""

    name: str
    at: int


def is_(letters: str) -> Call:
    """That an event is one of some letters."""
    return Call(Carried("tests", letters, ""))


def holds(leaf: Where | Call, event: Letter, accepted: Sequence[tuple[str, Letter]]) -> bool:
    """Whether a leaf of `is_` holds."""
    assert isinstance(leaf, Call)
    return event.name in leaf.function.name


def word(text: str, *, step: int = 1) -> list[Letter]:
    """Letters at times 1, 1 + step, ..."""
    return [Letter(name, 1 + step * place) for place, name in enumerate(text)]


def read(
    parts: Sequence[Part], events: Sequence[Letter], skip: AfterMatch = NO_SKIP, tracer: Tracer | None = None
) -> list[Emission[Letter]]:
    """What comes out of a word, time passing before each event."""
    reading = Reading(build_automaton(tuple(parts), skip), holds, tracer)
    return run(reading, events)


def run(reading: Reading[Letter], events: Sequence[Letter]) -> list[Emission[Letter]]:
    """The same of a reading."""
    out: list[Emission[Letter]] = []
    last = None
    for event in events:
        if event.at != last:
            out += reading.advance(event.at)
            last = event.at
        out += reading.take(event, event.at)
    return out


def told(emissions: Sequence[Emission[Letter]], kind: str = "match") -> list[str]:
    """Emissions as text: `a=a1 b=b2,b3`."""
    return [
        " ".join(f"{part}={','.join(f'{e.name}{e.at}' for e in events)}" for part, events in one.parts.items())
        for one in emissions
        if one.kind == kind
    ]


_RELATIONS: tuple[Relation, ...] = ("next", "followed_by", "followed_by_any")


@st.composite
def quantifiers(draw: st.DrawFn, *, group: bool) -> Quantifier:
    """Any quantifier that the language lets one say."""
    kind = draw(st.sampled_from(["single", "single", "times", "loop"]))
    optional = draw(st.sampled_from([False, False, True]))
    if kind == "single":
        return replace(ONCE, optional=optional)
    least = draw(st.integers(1, 2))
    most = None if kind == "loop" else least + draw(st.integers(0, 2))
    inner: Any = draw(st.sampled_from(["strict", "relaxed", "any"]))
    greedy = not group and inner != "any" and draw(st.booleans())
    window = draw(st.sampled_from([None, None, 2, 3]))
    return Quantifier(kind, least, most, optional=optional, greedy=greedy, inner=inner, window_ms=window)  # type: ignore[arg-type]


@st.composite
def chains(draw: st.DrawFn, depth: int = 1, prefix: str = "p") -> tuple[Part, ...]:
    """Parts in a row, with groups and nots."""
    parts: list[Part] = []
    for place in range(draw(st.integers(1, 3))):
        relation: Relation = "begin" if place == 0 else draw(st.sampled_from(_RELATIONS))
        name = f"{prefix}{place}"
        letters = draw(st.sampled_from(["a", "b", "c", "ab", "abc"]))
        if place and not parts[-1].quantifier.optional and draw(st.integers(0, 4)) == 0:
            relation = draw(st.sampled_from(["not_next", "not_followed_by"]))
            parts.append(Part(name, relation, is_(letters)))
            continue
        grouped = depth > 0 and draw(st.integers(0, 3)) == 0
        quantifier = draw(quantifiers(group=grouped))
        if place and parts[-1].quantifier.greedy:
            quantifier = replace(quantifier, optional=False)
        until = is_("c") if quantifier.kind == "loop" and draw(st.booleans()) else None
        if grouped:
            content = draw(chains(depth - 1, name))
            parts.append(Part(GROUP, relation, None, until, quantifier, group=content))
        else:
            gap = draw(st.sampled_from([None, None, None, 2]))
            parts.append(Part(name, relation, is_(letters), until, quantifier, gap_ms=gap))
    return tuple(parts)


SKIPS = st.sampled_from(["no_skip", "skip_to_next", "skip_past_last_event", "skip_to_first", "skip_to_last"])


@st.composite
def automata(draw: st.DrawFn) -> Automaton:
    """Automata of random patterns; what is refused is tried again without its windows and nots."""
    parts = draw(chains())
    within = draw(st.sampled_from([None, 3, 5, 20]))
    parts = (*parts[:-1], replace(parts[-1], within_ms=within))
    strategy = draw(SKIPS)
    skip = AfterMatch(strategy, parts[0].name if strategy in {"skip_to_first", "skip_to_last"} else None)
    try:
        return build_automaton(parts, skip)
    except FlowError:
        return build_automaton((Part("p0", "begin", is_("a")), Part("p1", "followed_by", is_("b"))), NO_SKIP)


WORDS = st.lists(st.tuples(st.sampled_from(LETTERS), st.sampled_from([0, 1, 1, 2])), max_size=8).map(
    lambda steps: [Letter(name, 1 + sum(gap for _, gap in steps[: place + 1])) for place, (name, _) in enumerate(steps)]
)
"""Words whose letters come at times that do not go back."""
