"""The answer to a case: what `detect` gives, in neutral form.

Laws: the size of the slices does not show (re-chunking); an error is told by its phase, as another system tells it.
"""

from __future__ import annotations

import json
from typing import Any, Final

import numpy as np

from styx_lab.core.batch import Batch
from styx_lab.core.events import ORIGIN
from styx_lab.core.operator import OUT, Emission
from styx_lab.core.time import MIN_WATERMARK
from styx_lab.errors import DataError, FlowError, StyxError
from styx_lab.flow.pattern import Pattern
from styx_lab.flow.steps import Detect, Port
from styx_lab.flow.steps.detect import TIMED_OUT
from styx_lab.operators.cep.compiled.operator import DetectOperator
from styx_lab.operators.cep.found import AT, KIND
from styx_lab.testing.cep.case import Case
from styx_lab.testing.cep.conditions import over_columns
from styx_lab.testing.cep.events import Columns, check_order, columns_of, one_batch
from styx_lab.testing.cuts import cut_at

__all__ = ["answer"]

_PATTERN: Final = "pattern"
_RUNTIME: Final = "runtime"
_MOST: Final = 1_000_000


def answer(case: Case, batch: int = 10_000) -> dict[str, Any]:
    """What comes out of a case's pattern: `id`, `matches`, `timeouts` and `late`, or `error`.

    Args:
        case: the case.
        batch: how many places of the sequence a slice has.

    Raises:
        DataError: when what the pattern says is not of the form of a case.
    """
    columns = columns_of(case)
    try:
        operator = _operator(case, columns)
    except FlowError as error:
        return {"id": case.id, "error": _told(_PATTERN, error)}
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        hint = "compare it with a case that has an answer"
        problem = f"a pattern that says too little, or what it cannot: {error!r}"
        raise DataError(problem, where=f"case {case.id!r}, pattern", hint=hint) from error
    try:
        return {"id": case.id, **_Run(case, columns).run(operator, batch)}
    except StyxError as error:
        return {"id": case.id, "error": _told(_RUNTIME, error)}


def _told(phase: str, error: StyxError) -> dict[str, str]:
    return {"phase": phase, "class": type(error).__name__, "message": str(error)}


def _operator(case: Case, columns: Columns) -> DetectOperator:
    pattern = Pattern.from_json(over_columns(case.pattern, columns), where="pattern", columns=columns.dtypes)
    by = None if case.order is None else next(iter(columns.fields.get(case.order, {}).values()), None)
    step = Detect(
        "detect",
        (Port("events"),),
        pattern,
        (),
        max_partials=_MOST,
        on_error="fail",
        order_by=by,
        descending=case.descending and by is not None,
    )
    stream = columns.stream
    return DetectOperator(step, stream, step.infer([stream]))


class _Run:
    """The results of a case so far."""

    def __init__(self, case: Case, columns: Columns) -> None:
        self._case = case
        self._columns = columns
        self._told: dict[str, list[dict[str, Any]]] = {OUT: [], TIMED_OUT: []}
        self._late: list[int] = []

    def run(self, operator: DetectOperator, size: int) -> dict[str, Any]:
        """Feed all events in slices."""
        whole = one_batch(self._case, self._columns)
        check_order(self._case)
        for (piece,) in cut_at([whole], np.arange(0, max(2 * len(self._case.events), 1), 2 * size)):
            self._take(operator.process([piece]), operator.emitted, whole)
        return {"matches": self._told[OUT], "timeouts": self._told[TIMED_OUT], "late": self._late}

    def _take(self, emission: Emission, emitted: np.ndarray, whole: Batch) -> None:
        marks = np.concatenate([np.array([MIN_WATERMARK], np.int64), whole.steps.mark])
        before = len(self._told[OUT]) + len(self._told[TIMED_OUT])
        for kind, (port, name) in enumerate(((OUT, "match"), (TIMED_OUT, "partial"))):
            given = emission.ports[port]
            places = np.flatnonzero(emitted[:, KIND] == kind)
            turns = (before + places).tolist()
            at = marks[np.searchsorted(whole.steps.order, given.order, side="right")].tolist()
            # Not the rows' own times, which are never behind the watermark.
            times = emitted[places, AT].tolist()
            for turn, mark, time, origin in zip(turns, at, times, given.frame[ORIGIN].to_list(), strict=True):
                _, key, parts = json.loads(origin)[:3]
                found = {part: [place for _, _, place in events] for part, events in parts.items()}
                keyed = {} if self._case.keyed is None else {"key": self._columns.keys[key[0]]}
                self._told[port].append({"seq": turn, **keyed, name: found, "ts": time, "wm": mark})
        self._late += (emission.late_order // 2).tolist()
