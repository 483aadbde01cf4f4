"""The contract of a scorer: each row has its answer, whatever rows it comes together with.

Law (nothing silent): a row has a value or an error, never neither, never a NaN; an error is of a kind, and a row with
an error has no further outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isnan
from typing import Any

import polars as pl

from styx_lab.core.ports import ERROR_KIND, Scorer, Scores
from styx_lab.errors import ModelError, StyxError

__all__ = ["check_scorer"]


def check_scorer(make: Callable[[], Scorer], frame: pl.DataFrame) -> None:
    """Try a scorer against its contract; returns when it keeps it.

    >>> class Doubling:
    ...     name, inputs, output = "doubling@1", {"amount": pl.Float64()}, pl.Float64()
    ...     outputs = {"half": pl.Float64()}
    ...     def score(self, frame, outputs=()):
    ...         if "amount" not in frame.columns or not set(outputs) <= {"half"}:
    ...             raise ModelError("no such column", where="doubling@1", got=["amount", *outputs], hint="half")
    ...         lost = frame["amount"].is_null()
    ...         errors = pl.Series([None, "no amount"], dtype=pl.String)[lost.cast(pl.Int8)]
    ...         kinds = pl.Series([None, "missing"], dtype=ERROR_KIND)[lost.cast(pl.Int8)]
    ...         further = frame.select(half=pl.col("amount") / 2).select(outputs)
    ...         return Scores(frame["amount"] * 2, errors, further, kinds)
    ...     def close(self): pass
    >>> check_scorer(Doubling, pl.DataFrame({"amount": [1.0, None, 3.0]}))

    Args:
        make: opens the scorer.
        frame: two rows or more, with at least the columns it needs; rows that it cannot score say more.

    Raises:
        AssertionError: naming the rule that is broken.
    """
    scorer = make()
    assert isinstance(scorer, Scorer), (
        f"a scorer has the members of `core.ports.Scorer`; {type(scorer).__name__} has not"
    )
    assert scorer.name, "a scorer has a name, for messages"
    missing = [name for name in scorer.inputs if name not in frame.columns]
    assert not missing, f"the frame to try it with has the columns it needs; it lacks {missing}"
    assert frame.height >= 2, "the frame to try it with has two rows or more"
    kept = frame.clone()
    whole = _answers(scorer, frame)
    assert frame.equals(kept), "score() leaves the frame as it was"
    assert _answers(scorer, frame) == whole, "the same rows have the same scores: a scorer keeps no state"
    for size in (1, 2, 3):
        pieces = [
            one for start in range(0, frame.height, size) for one in _answers(scorer, frame[start : start + size])
        ]
        assert pieces == whole, f"a row's score does not depend on the rows beside it; in slices of {size} it does"
    assert _answers(scorer, frame.reverse()) == whole[::-1], "scores come in the order of the rows"
    twice = _answers(scorer, pl.concat([frame, frame]))
    assert twice == whole + whole, "a row that comes twice has the same score twice"
    assert _answers(scorer, frame.clear()) == [], "no rows have no scores"
    wider = frame.with_columns(pl.lit("x").alias("a column that no model has"))
    assert _answers(scorer, wider) == whole, "columns that it does not need are passed over"
    turned = frame.select(reversed(frame.columns))
    assert _answers(scorer, turned) == whole, "columns are found by name, not by place"
    for name in scorer.inputs:
        _check_lacking(scorer, frame.drop(name), name)
        break
    _check_outputs(scorer, frame)
    other = make()
    assert _answers(other, frame) == whole, "a scorer opened anew gives the same scores"
    other.close()
    other.close()  # closing twice is allowed
    assert _answers(scorer, frame) == whole, "closing one scorer leaves another as it was"
    scorer.close()


def _answers(scorer: Scorer, frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    """For each row its value, its error, its error's kind, and all further outputs."""
    asked = list(scorer.outputs)
    scores = scorer.score(frame, asked)
    assert isinstance(scores, Scores), f"score() gives Scores; got {type(scores).__name__}"
    values, errors = scores.values, scores.errors
    assert len(values) == frame.height, f"there is one value a row; got {len(values)} for {frame.height}"
    assert len(errors) == frame.height, f"there is one error (or null) a row; got {len(errors)} for {frame.height}"
    assert values.dtype == scorer.output, f"values are of the type `output`, {scorer.output}; got {values.dtype}"
    found = list(zip(values.to_list(), errors.to_list(), strict=True))
    for row, (value, error) in enumerate(found):
        assert (value is None) != (error is None), (
            f"of value and error exactly one is null; row {row} has value {value!r} and error {error!r}"
        )
        assert not (isinstance(value, float) and isnan(value)), f"a NaN is an error, not a value; row {row} has one"
    _check_further(scorer, scores, frame.height)
    kinds = [None] * frame.height if scores.kinds is None else scores.kinds.to_list()
    further = scores.outputs.rows() if asked else [()] * frame.height
    return [(*answer, kind, *row) for answer, kind, row in zip(found, kinds, further, strict=True)]


def _check_further(scorer: Scorer, scores: Scores, height: int) -> None:
    """The further outputs and the kinds of errors of an answer in which all outputs were asked for."""
    asked, further, errors = dict(scorer.outputs), scores.outputs, scores.errors
    assert further.columns == list(asked), f"the columns are those that were asked for; got {further.columns}"
    assert not asked or further.height == height, f"outputs have a row a row; got {further.height} for {height}"
    failed = errors.is_not_null()
    for name, dtype in asked.items():
        column = further.get_column(name)
        assert column.dtype == dtype, f"output {name!r} is of the type it says, {dtype}; got {column.dtype}"
        assert not column.filter(failed).is_not_null().any(), f"output {name!r} is null where the row has an error"
        wrong = dtype.is_float() and not column.is_finite().all()
        assert not wrong, f"an output is a finite number or null; {name!r} has {column.to_list()}"
    if scores.kinds is None:
        return
    assert scores.kinds.dtype == ERROR_KIND, f"kinds are of the type `ERROR_KIND`; got {scores.kinds.dtype}"
    assert scores.kinds.is_not_null().to_list() == failed.to_list(), "there is a kind exactly where there is an error"


def _check_outputs(scorer: Scorer, frame: pl.DataFrame) -> None:
    """Outputs are given when they are asked for, and only then."""
    whole = scorer.score(frame, list(scorer.outputs)).outputs
    assert scorer.score(frame).outputs.width == 0, "what was not asked for is not given"
    for name in scorer.outputs:
        alone = scorer.score(frame, [name])
        wanted = whole.select(name)
        assert alone.outputs.equals(wanted), f"output {name!r} is the same whatever else is asked for"
    if scorer.outputs:
        turned = list(scorer.outputs)[::-1]
        assert scorer.score(frame, turned).outputs.columns == turned, "outputs come in the order they are asked for"
    unknown = "an output that no model has"
    error = _raised(lambda: scorer.score(frame, [unknown]))
    assert isinstance(error, ModelError), f"an output that is not known is a ModelError; got {error!r}"
    lacking = [name for name in (unknown, *scorer.outputs) if name not in str(error)]
    assert not lacking, f"the error names the output that was asked for, and those there are; not {lacking}: {error}"


def _raised(attempt: Callable[[], object]) -> StyxError | None:
    try:
        attempt()
    except StyxError as raised:
        return raised
    return None


def _check_lacking(scorer: Scorer, frame: pl.DataFrame, name: str) -> None:
    error = _raised(lambda: scorer.score(frame))
    assert error is not None, f"an input column that is not there is a ModelError; without {name!r} it scored"
    assert isinstance(error, ModelError), f"an input column that is not there is a ModelError; got {error!r}"
    assert name in str(error), f"the error names the column that is not there, {name!r}; it says {error}"
