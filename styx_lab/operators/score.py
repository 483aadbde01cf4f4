"""Model scoring. BusinessEvents -> RichBusinessEvents.

Law (nothing silent): a row that the model cannot score is counted by why, and is a dead letter that names the model
unless the flow says what stands there instead; it is never a NaN.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from styx_lab.core.batch import Batch
from styx_lab.core.events import dead_letters
from styx_lab.core.operator import OUT, Emission, Figures, Operator
from styx_lab.core.ports import Scorer, Scores
from styx_lab.core.state import State
from styx_lab.errors import ModelError
from styx_lab.flow.steps import Score
from styx_lab.flow.steps.score import DEAD, FAULTS, NULL, Fault, ScoreOutput
from styx_lab.flow.types import StreamType
from styx_lab.models.profile import profile_of
from styx_lab.operators.score_inputs import InputCounts

__all__ = ["ScoreOperator"]

_VERSION: Final = 1

Bools = npt.NDArray[np.bool_]


class ScoreOperator(Operator):
    """Runs a `Score` with an opened scorer; counts the rows without a score as `missing`, `invalid` or `failed`.

    State: what was counted of the model's inputs (see `InputCounts`), which belongs to no key.

    Raises:
        ModelError: when the events lack a column that the model needs or have it in a type that the model cannot take;
            when the model has no such output, or gives it in another type than the flow says.
    """

    def __init__(self, step: Score, stream: StreamType, output: StreamType, scorer: Scorer) -> None:
        self._step = step
        self._scorer = scorer
        self._names = list(output.schema)
        where = f"{step.where}, model {scorer.name!r}"
        _check_inputs(scorer, dict(stream.columns), where)
        if step.into is not None and not scorer.output.is_numeric():
            raise ModelError(
                "the model's answer is no number",
                where=where,
                got=str(scorer.output),
                hint=f"leave into= out, and say outputs= of {', '.join(map(repr, scorer.outputs))}",
            )
        for each in step.outputs:
            _check_output(each, scorer, where)
        self._inputs = list(scorer.inputs)
        known = dict(stream.columns)
        self._given = InputCounts({name: known[name] for name in self._inputs}, profile_of(scorer))
        self._asked = list(dict.fromkeys(each.output for each in step.outputs))

    def process(self, inputs: Sequence[Batch]) -> Emission:
        """See `Operator.process`."""
        (batch,) = inputs
        if not len(batch):
            empty = [pl.lit(None, dtype).alias(name) for name, dtype in self._step.columns]
            return Emission({OUT: batch.with_frame(batch.frame.with_columns(empty).select(self._names))})
        given = batch.frame[self._inputs]  # a fifth of what select() takes
        self._given.add(given)
        scores = _numbers_only(self._scorer.score(given, self._asked), self._scorer.name)
        columns = [_in_type(scores.outputs.get_column(one.output), one) for one in self._step.outputs]
        faults = None if scores.errors.null_count() == len(batch) else _faults(scores)
        if self._step.into is not None:
            columns.append(self._values(scores.values.cast(pl.Float64), faults).alias(self._step.into))
        scored = batch.with_frame(batch.frame.hstack(columns)[self._names])
        if faults is None:
            return Emission({OUT: scored})
        counts: dict[str, int] = {kind: int(where.sum()) for kind, where in faults.items() if where.any()}
        fatal = [where for kind, where in faults.items() if self._step.policies[kind] == DEAD and where.any()]
        if not fatal:
            return Emission({OUT: scored}, counts=counts)
        dead = np.logical_or.reduce(fatal)
        reasons = [f"not_scored: {error}" for error in scores.errors.filter(pl.Series(dead)).to_list()]
        return Emission(
            {OUT: scored.keep(~dead)},
            dead=dead_letters(self._step.name, batch.frame.filter(pl.Series(dead)), reasons),
            dead_order=batch.order[dead],
            counts=counts,
        )

    def figures(self) -> Figures:
        """See `Operator.figures`: null rate, NaN rate and drift of each input of the model."""
        return self._given.figures()

    def snapshot(self) -> State:
        """See `Operator.snapshot`."""
        return State({"given": self._given.to_json()})

    def restore(self, states: Sequence[State]) -> None:
        """See `Operator.restore`."""
        state = State.saved(states, version=_VERSION, where=self._step.where)
        # A state from before inputs were counted is empty.
        self._given.from_json(state.meta.get("given", {}))

    def _values(self, values: pl.Series, faults: Mapping[Fault, Bools] | None) -> pl.Series:
        """The scores, with what is said to stand where there is none."""
        for kind, policy in self._step.policies.items():
            if faults is not None and policy not in (DEAD, NULL) and faults[kind].any():
                values = values.set(pl.Series(faults[kind]), float(policy))
        return values


def _faults(scores: Scores) -> dict[Fault, Bools]:
    """In which rows there is no score, by why; of a scorer that cannot tell, all have failed."""
    kinds = scores.kinds
    if kinds is None:
        failed = scores.errors.is_not_null().to_numpy()
        none = np.zeros(len(failed), dtype=np.bool_)
        return {"missing": none, "invalid": none, "failed": failed}
    return {fault: (kinds == fault).fill_null(value=False).to_numpy() for fault in FAULTS}


def _numbers_only(scores: Scores, name: str) -> Scores:
    """A NaN that a scorer gives all the same is an error."""
    values = scores.values
    # A null is a NaN in NumPy, too.
    if not values.dtype.is_float() or np.count_nonzero(np.isnan(values.to_numpy())) == values.null_count():
        return scores
    nan = values.is_nan().fill_null(value=False)
    kinds = None if scores.kinds is None else scores.kinds.set(nan, "failed")
    errors = scores.errors.set(nan, f"no valid target: model {name!r} gave NaN")
    return Scores(values.set(nan, None), errors, scores.outputs, kinds)


def _in_type(series: pl.Series, output: ScoreOutput) -> pl.Series:
    """An output as the column that the flow says."""
    if isinstance(series.dtype, pl.Datetime) and series.dtype.time_zone is None:
        series = series.dt.replace_time_zone("UTC")
    series = series.cast(output.dtype).alias(output.column)
    return series.fill_nan(None) if series.dtype.is_float() else series


def _check_inputs(scorer: Scorer, known: Mapping[str, pl.DataType], where: str) -> None:
    for name, wanted in scorer.inputs.items():
        if name not in known:
            raise ModelError(
                "the model needs a column that the events lack",
                where=where,
                got=name,
                hint=f"{_near(name, known)}the events have {', '.join(known)}; add it with with_columns() or "
                f"detect(..., {name}=...)",
            )
        if known[name] != wanted and not (known[name].is_numeric() and wanted.is_numeric()):
            raise ModelError(
                "the model needs a column in another type",
                where=f"{where}, column {name!r}",
                got=f"{known[name]}; the model takes {wanted}",
                hint="cast it with with_columns()",
            )


def _check_output(said: ScoreOutput, scorer: Scorer, where: str) -> None:
    given = scorer.outputs.get(said.output)
    if given is None:
        known = ", ".join(map(repr, scorer.outputs)) or "none"
        raise ModelError(
            "the model has no such output",
            where=where,
            got=said.output,
            hint=f"{_near(said.output, scorer.outputs)}it gives {known}",
        )
    if not _fits(given, said.dtype):
        word = next((word for word in ("str", "int", "float", "bool", "datetime") if _fits(given, _dtype(word))), "str")
        raise ModelError(
            "the model gives an output in another type than the flow says",
            where=f"{where}, output {said.output!r}",
            got=f"{given}; the flow says {said.kind!r}",
            hint=f'say its type: outputs={{"{said.column}": ("{said.output}", "{word}")}}',
        )


def _dtype(word: str) -> pl.DataType:
    return ScoreOutput("x", "x", word).dtype


def _fits(given: pl.DataType, said: pl.DataType) -> bool:
    """Whether every value of the one type is the same value in the other."""
    if isinstance(said, pl.Float64):
        return given.is_numeric()
    if isinstance(said, pl.Datetime):
        return isinstance(given, pl.Date | pl.Datetime)
    # A time of day has no word of its own.
    return given == said or (isinstance(said, pl.String) and isinstance(given, pl.Time))


def _near(name: str, known: Iterable[str]) -> str:
    """What was meant, perhaps: a name in other case goes before one that only looks alike."""
    same = [each for each in known if each.lower() == name.lower()]
    near = same or get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}? " if near else ""
