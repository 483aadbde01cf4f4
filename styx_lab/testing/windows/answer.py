"""The answer to a case: what the operator gives, in neutral form.

Laws: the size of the slices does not show (re-chunking); an error is told by its phase, as another system tells it.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.core.operator import OUT
from styx_lab.core.time import MIN_WATERMARK
from styx_lab.errors import DataError, FlowError, StyxError
from styx_lab.operators.union import lowest_steps
from styx_lab.testing.cuts import cut_at
from styx_lab.testing.windows.case import Case
from styx_lab.testing.windows.families import FAMILIES
from styx_lab.testing.windows.family import Running
from styx_lab.testing.windows.script import batches

__all__ = ["answer"]

_SPEC: Final = "spec"
_RUNTIME: Final = "runtime"


class _DeadLetterError(StyxError):
    """An event that the operator could not take."""


def answer(case: Case, batch: int = 10_000) -> dict[str, Any]:
    """What comes out of a case's operator: `id`, `out` and `late`, or `error`.

    Args:
        case: the case.
        batch: how many places of the sequence a slice has.

    Raises:
        DataError: when what the operator says is not of the form of a case.
    """
    try:
        if case.kind not in FAMILIES:
            raise FlowError("no such operator", where=f"case {case.id!r}", got=case.kind, hint=", ".join(FAMILIES))
        running = FAMILIES[case.kind](case)
    except FlowError as error:
        return {"id": case.id, "error": _told(_SPEC, error)}
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        hint = "compare it with a case that has an answer"
        problem = f"an operator that says too little, or what it cannot: {error!r}"
        raise DataError(problem, where=f"case {case.id!r}, op", hint=hint) from error
    try:
        out, late = _run(case, running, batch)
    except StyxError as error:
        return {"id": case.id, "error": _told(_RUNTIME, error)}
    return {"id": case.id, "out": out, "late": late}


def _told(phase: str, error: StyxError) -> dict[str, str]:
    return {"phase": phase, "class": type(error).__name__.removeprefix("_"), "message": str(error)}


def _run(case: Case, running: Running, size: int) -> tuple[list[dict[str, Any]], list[int]]:
    sides = batches(case, running.sides)
    steps = lowest_steps(sides)
    marks = np.concatenate([np.array([MIN_WATERMARK], np.int64), steps.mark])
    out: list[dict[str, Any]] = []
    late: list[int] = []
    for slices in cut_at(sides, np.arange(0, max(2 * len(case.events), 1), 2 * size)):
        emission = running.operator.process(slices)
        if emission.dead is not None and emission.dead.height:
            raise _DeadLetterError(_reason(emission.dead), where=f"case {case.id!r}")
        given = emission.ports[OUT]
        # A row that a step fired has that step's mark, any other the mark before it.
        wm = marks[np.searchsorted(steps.order, given.order, side="right")].tolist()
        for row, mark in zip(running.results(given.frame), wm, strict=True):
            out.append({"seq": len(out), **row, "wm": mark})
        late += (emission.late_order // 2).tolist()
    return out, late


def _reason(letters: pl.DataFrame) -> str:
    first = letters.row(0, named=True)
    return f"{first['reason']}: {first['detail']}" if first["detail"] else str(first["reason"])
