"""What a family of operators gives the checker: an operator ready to run, and how its rows read in neutral form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from styx_lab.core.operator import Operator
from styx_lab.core.ports import Scorer
from styx_lab.errors import NotFoundError
from styx_lab.flow.flow import flow
from styx_lab.flow.stream import Stream
from styx_lab.operators.build import build
from styx_lab.testing.windows.case import Case
from styx_lab.testing.windows.script import ONE

__all__ = ["Family", "Running", "operator_of"]


@dataclass(frozen=True, slots=True)
class Running:
    """An operator made for a case.

    Attributes:
        operator: as an engine makes it.
        results: the rows of its main output as neutral results, in order, but for `wm`.
        sides: the sides that its input ports read (`ONE` or `TWO` of `script`).
    """

    operator: Operator
    results: Callable[[pl.DataFrame], list[dict[str, Any]]]
    sides: tuple[str, ...] = ONE


Family = Callable[[Case], Running]
"""Makes the operator of a case; raises FlowError for one that cannot be built."""


def operator_of(made: Stream) -> Operator:
    """The operator of a stream's last step, as an engine makes it."""
    whole = flow("case", made.to("out"))
    return build(whole.step(made.port.step), whole, whole.types(), _no_model)


def _no_model(reference: str) -> Scorer:
    raise NotFoundError("cases have no models", got=reference)
