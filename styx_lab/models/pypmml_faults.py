"""What pypmml reads otherwise than the reference evaluator, without a word: refused here, loudly.

Law: where pypmml 1.5 is known to give a wrong score, the model or the row gets an error instead.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from styx_lab.errors import ModelError
from styx_lab.models.summary import PmmlSummary

__all__ = ["missing_errors", "refuse_misread"]

_MISREAD: Final = {
    "@x-mathContext=float": "its arithmetic is 32 bits wide, and pypmml reckons with 64: splits go another way",
    "Predicate@value=INF": "it compares with infinity (trained on gaps without an imputer), which pypmml cannot read",
    "@criterion=weightedMax": "its rule set chooses by weightedMax, which pypmml reads otherwise",
}


def refuse_misread(summary: PmmlSummary) -> None:
    """Refuse a model that pypmml would score wrongly.

    Raises:
        ModelError: with the reason.
    """
    for trait in sorted(summary.traits):
        for ending, reason in _MISREAD.items():
            if trait.endswith(ending):
                raise ModelError(
                    f"pypmml cannot score it right: {reason}",
                    where=f"model {summary.name!r}",
                    hint="choose another engine, or train a model of scikit-learn's own",
                )


def missing_errors(summary: PmmlSummary, clean: pl.DataFrame) -> list[pl.Series]:
    """For each row the error of a missing input that pypmml would score wrongly; empty when there is no such row."""
    if not _wrong_when_missing(summary):
        return []
    where = f"no valid target: model {summary.name!r}"
    reasons = [
        pl.when(pl.col(name).is_null()).then(pl.lit(f"{where} has none where field {name!r} is missing"))
        for name in summary.inputs
        if name in summary.used and clean.get_column(name).null_count()
    ]
    return [clean.select(pl.coalesce(reasons).alias("error")).to_series()] if reasons else []


def _wrong_when_missing(summary: PmmlSummary) -> bool:
    """Whether a missing input has no answer, and pypmml gives one."""
    if summary.kind == "GeneralRegressionModel" or "TreeModel@missingValueStrategy=aggregateNodes" in summary.traits:
        return True
    if "TreeModel@missingValueStrategy=nullPrediction" not in summary.traits:
        return False
    return summary.kind != "TreeModel" or "TreeModel@noTrueChildStrategy=returnLastPrediction" in summary.traits
