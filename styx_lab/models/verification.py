"""Rows embedded in a PMML file at export must come out as they did then, or the model is not loaded.

Law: a model that an evaluator reads otherwise than its exporter never scores a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import polars as pl

from styx_lab.errors import ModelError
from styx_lab.models.answers import Answer
from styx_lab.models.summary import PmmlSummary, VerificationField

__all__ = ["FINEST_PRECISION", "verification_frame", "verify_answers"]

FINEST_PRECISION: Final = 1e-9
"""Files may ask for 1e-13, which another order of additions misses."""


def verification_frame(summary: PmmlSummary) -> pl.DataFrame | None:
    """The embedded rows' inputs as text, to be converted like any other input; `None` when there are no rows."""
    if summary.verification is None or not summary.verification.rows:
        return None
    rows = summary.verification.rows
    return pl.DataFrame(
        {name: pl.Series([row.get(name) for row in rows], dtype=pl.String) for name in summary.inputs}
        or {"_row": range(len(rows))}
    )


def verify_answers(
    summary: PmmlSummary, answer: Answer, replies: Sequence[dict[str, Any] | str], *, engine: str
) -> None:
    """Compare an evaluator's answers with the embedded ones.

    Raises:
        ModelError: at the first that differs by more than its precision, or when there is nothing to compare.
    """
    verification = summary.verification
    if verification is None:
        return
    where = f"model {summary.name!r}"
    hint = f"{engine} does not read this model right: choose another engine, or export it again"
    compared = 0
    for number, (row, reply) in enumerate(zip(verification.rows, replies, strict=True), 1):
        if isinstance(reply, str):
            raise ModelError(f"its embedded verification row {number} fails ({reply})", where=where, hint=hint)
        for each in verification.fields:
            if each.name in summary.inputs or each.name not in row:
                continue
            if each.name in reply:
                got = reply[each.name]
            elif each.name == summary.target and answer.kind != "probability":
                got = answer.value(reply)
            else:
                continue
            compared += 1
            if not _near(row[each.name], got, each):
                raise ModelError(
                    f"its embedded verification row {number} has {each.name} = {row[each.name]}, and {engine} gives "
                    f"{got}",
                    where=where,
                    hint=hint,
                )
    if not compared:
        raise ModelError(
            f"its embedded verification rows hold nothing that {engine} gives", where=where, hint="export it again"
        )


def _near(expected: str, got: Any, field: VerificationField) -> bool:
    if got is None:
        return False
    try:
        wanted, number = float(expected), float(got)
    except (TypeError, ValueError):
        return expected.lower() == str(got).lower() if isinstance(got, bool) else expected == str(got)
    precision = max(field.precision, FINEST_PRECISION)
    zero = max(field.zero_threshold, FINEST_PRECISION)
    if abs(wanted) <= zero:
        return abs(number) <= zero
    return abs(number - wanted) <= precision * abs(wanted)
