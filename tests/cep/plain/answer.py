"""The answer to a case: what a pattern gives, in neutral form.

Law: an error is told by its phase, as another system tells it.
"""

from __future__ import annotations

from typing import Any, Final

from styx_lab.core.time import MAX_WATERMARK, MIN_WATERMARK
from styx_lab.errors import DataError, FlowError, StyxError
from styx_lab.operators.cep.automaton.build import build_automaton
from styx_lab.operators.cep.automaton.states import Automaton
from styx_lab.operators.cep.reading.keyed import KeyedReading
from styx_lab.testing.cep.case import Case
from tests.cep.plain.condition import Event, holds
from tests.cep.plain.pattern import after_match_of, parts_of

__all__ = ["answer"]

_PATTERN: Final = "pattern"
_RUNTIME: Final = "runtime"
_PLACE: Final = "\0place"
"""The name under which an event carries its place in the list; no field is called so."""


def answer(case: Case) -> dict[str, Any]:
    """What comes out of a case's pattern: `id`, `matches`, `timeouts` and `late`, or `error`.

    Raises:
        DataError: when what the pattern says is not of the form of a case.
    """
    try:
        automaton = build_automaton(parts_of(case.pattern), after_match_of(case.pattern))
    except FlowError as error:
        return {"id": case.id, "error": _told(_PATTERN, error)}
    except DataError as error:
        raise DataError(str(error), where=f"case {case.id!r}, pattern") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        hint = "compare it with a case that has an answer"
        problem = f"a pattern that says too little, or what it cannot: {error!r}"
        raise DataError(problem, where=f"case {case.id!r}, pattern", hint=hint) from error
    try:
        return {"id": case.id, **_run(case, automaton)}
    except StyxError as error:
        return {"id": case.id, "error": _told(_RUNTIME, error)}


def _told(phase: str, error: StyxError) -> dict[str, str]:
    return {"phase": phase, "class": type(error).__name__, "message": str(error)}


def _run(case: Case, automaton: Automaton) -> dict[str, Any]:
    order = None
    if case.order is not None:
        field = case.order

        def order(event: Event) -> Any:
            value: Any = event.get(field)
            return value.encode("utf-16-be") if isinstance(value, str) else value

    reading = KeyedReading[Event](automaton, holds, order=order, descending=case.descending)
    matches: list[dict[str, Any]] = []
    timeouts: list[dict[str, Any]] = []
    late: list[int] = []

    def move(mark: int) -> None:
        for pair, emission in reading.watermark(mark):
            assert isinstance(pair, tuple)
            found = {part: [event[_PLACE] for event in events] for part, events in emission.parts.items()}
            told, name = (matches, "match") if emission.kind == "match" else (timeouts, "partial")
            told.append(
                {
                    "seq": len(matches) + len(timeouts),
                    **({} if case.keyed is None else {"key": pair[1]}),
                    name: found,
                    "ts": emission.at,
                    "wm": mark,
                }
            )

    greatest = MIN_WATERMARK
    for place, entry in enumerate(case.events):
        if "wm" in entry:
            move(entry["wm"])
            continue
        key = None if case.keyed is None else entry.get(case.keyed)
        # True and 1 are two keys.
        if not reading.event((isinstance(key, bool), key), {**entry, _PLACE: place}, entry["t"]):
            late.append(place)
        greatest = max(greatest, entry["t"])
        if case.strategy == "bounded":
            move(greatest - case.delay - 1)
    move(MAX_WATERMARK)
    return {"matches": matches, "timeouts": timeouts, "late": late}
