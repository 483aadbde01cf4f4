"""Explaining what a step made of one key: the way from its batches to an `Explanation`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from styx_lab.core.batch import Batch
from styx_lab.errors import StyxError
from styx_lab.flow.steps import Detect
from styx_lab.flow.types import StreamType
from styx_lab.operators.cep.choice import why_not_chain
from styx_lab.operators.cep.explain.around import Around
from styx_lab.operators.cep.explain.explanation import Explanation
from styx_lab.operators.cep.explain.follow import Followed, follow

__all__ = ["engine_of", "explain_key"]


def explain_key(
    step: Detect,
    stream: StreamType,
    outputs: Mapping[str, StreamType],
    batches: Sequence[Batch],
    *,
    key: str,
    around: Around | None = None,
    lost: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Explanation:
    """Explain what a step made of one key.

    Args:
        step: the step, with the pattern.
        stream: the type of its events.
        outputs: the ports of it that the flow reads.
        batches: the rows of the key as the step got them, with all watermark steps.
        key: the key, as text.
        around: the moment that is asked about.
        lost: the dead letters before the step that name the key, in words.
        notes: further lines for the text.

    Raises:
        RunError: when the run itself would end so: a skip misses, or the key has too many partial matches.
    """
    followed = follow(step, stream, batches)
    missed = _missed(followed, follow_forgiving(step, stream, batches)) if followed.late else ()
    engine = engine_of(step, outputs)
    return Explanation(followed, key=key, engine=engine, around=around, missed=missed, lost=lost, notes=notes)


def engine_of(step: Detect, outputs: Mapping[str, StreamType]) -> str:
    """Which operator runs a pattern, and why.

    >>> from styx_lab import Pattern
    >>> engine_of(Detect("d", (), Pattern.begin("a").followed_by_any("b"), ()), {})
    "compiled automaton, because 'b' is followed_by_any"
    >>> engine_of(Detect("d", (), Pattern.begin("a").followed_by("b"), ()), {})
    'compiled chain, because its partial matches never fork'
    """
    why = why_not_chain(step, outputs)
    return (
        "compiled chain, because its partial matches never fork"
        if why is None
        else (f"compiled automaton, because {why}")
    )


def follow_forgiving(step: Detect, stream: StreamType, batches: Sequence[Batch]) -> Followed | None:
    """The reading as if no event had been late; None where it cannot be known."""
    try:
        return follow(step, stream, batches, forgiving=True)
    except StyxError:
        return None


def _missed(followed: Followed, forgiving: Followed | None) -> list[Mapping[str, Sequence[int]]]:
    """The matches that late events would have been in."""
    if forgiving is None:
        return []
    return [
        one.parts
        for one in forgiving.emissions
        if one.kind == "match" and any(event in followed.late for events in one.parts.values() for event in events)
    ]
