"""Which operator runs a pattern.

Law (oracle): the choice shows in no result, only in what is said of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from styx_lab.core.operator import Operator
from styx_lab.flow.pattern import Both, Part, Where
from styx_lab.flow.pattern.after_match import NO_SKIP
from styx_lab.flow.pattern.conditions import Call
from styx_lab.flow.pattern.lookback import folds_of
from styx_lab.flow.steps import Detect
from styx_lab.flow.steps.detect import MOST_PARTIALS, TIMED_OUT
from styx_lab.flow.types import StreamType

__all__ = ["detect_operator", "why_not_chain"]


def detect_operator(step: Detect, stream: StreamType, outputs: Mapping[str, StreamType]) -> Operator:
    """The operator of a `Detect`.

    Args:
        step: the step.
        stream: what comes in.
        outputs: the ports that are wanted, with their types.
    """
    # Kernels are loaded by who runs a pattern, and only those that it needs.
    if why_not_chain(step, outputs) is None:
        from styx_lab.operators.cep.chain.operator import ChainOperator

        return ChainOperator(step, stream, outputs)
    from styx_lab.operators.cep.compiled.operator import DetectOperator

    return DetectOperator(step, stream, outputs)


def why_not_chain(step: Detect, outputs: Mapping[str, StreamType]) -> str | None:
    """Why a pattern needs the automaton; None where it is a chain, whose partial matches never fork.

    >>> from styx_lab import Pattern
    >>> step = Detect("d", (), Pattern.begin("a").followed_by_any("b"), ())
    >>> print(why_not_chain(step, {}))
    'b' is followed_by_any
    """
    if TIMED_OUT in outputs:
        return "partial matches that time out are wanted"
    if step.pattern.after_match != NO_SKIP:
        return f"matches {step.pattern.after_match.strategy}"
    if step.order_by is not None:
        return f"events of one time are in order of {step.order_by!r}"
    if step.max_partials != MOST_PARTIALS:
        return "the partial matches of a key are bounded"
    return next((said for part in step.pattern.parts if (said := _forks(part)) is not None), None)


def _forks(part: Part) -> str | None:
    quantifier = part.quantifier
    if part.group:
        return "it has a group"
    if part.relation not in ("begin", "next", "followed_by"):
        return f"{part.name!r} is {part.relation}"
    if part.gap_ms is not None or quantifier.window_ms is not None:
        return f"{part.name!r} has a window of its own"
    if quantifier.kind == "loop" or quantifier.least != quantifier.most:
        return f"{part.name!r} repeats more or less often"
    if quantifier.optional:
        return f"{part.name!r} is optional"
    if quantifier.inner == "any":
        return f"{part.name!r} allows combinations"
    condition = part.condition
    alternatives = condition.of if isinstance(condition, Both) else () if condition is None else (condition,)
    for one in alternatives:
        if isinstance(one, Call):
            return f"a condition of {part.name!r} is a function"
        if not isinstance(one, Where):
            return f"{part.name!r} has alternatives"
        if folds_of(one.expression):
            return f"a condition of {part.name!r} looks back"
    return None
