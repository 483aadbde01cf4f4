"""The spec of model scoring.

Law: which columns it adds, with their types, and what becomes of a row without a score is said in the flow; the model
is held to it when it is opened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, ClassVar, Final, Literal, get_args

import polars as pl

from styx_lab.core.operator import OUT
from styx_lab.core.schema import Schema
from styx_lab.errors import FlowError, SchemaError
from styx_lab.flow.steps.step import Port, Step, rich
from styx_lab.flow.types import StreamType, derived_type

__all__ = ["DEAD", "FAULTS", "NULL", "Fault", "OnFault", "Score", "ScoreOutput", "read_outputs", "read_policies"]

Fault = Literal["missing", "invalid", "failed"]
"""Why a row has no score: a value is missing, the model cannot take one, or it failed."""
FAULTS: Final[tuple[Fault, ...]] = get_args(Fault)
DEAD: Final = "dead"
NULL: Final = "null"
OnFault = Literal["dead", "null"] | float
"""What becomes of such a row: a dead letter, or it goes on with null or with this number."""

_NUMBERS: Final = ("probability(", "confidence(", "affinity(")


@dataclass(frozen=True, slots=True)
class ScoreOutput:
    """A further column: its name, which output of the model it is, and its type as a word (`float`, `str`, ...)."""

    column: str
    output: str
    kind: str

    @property
    def dtype(self) -> pl.DataType:
        """The type as Polars' own."""
        return Schema({"x": self.kind}).polars["x"]


@dataclass(frozen=True, slots=True)
class Score(Step):
    """Adds a model's answer to each event. What becomes of an event without one is said for each kind of fault."""

    model: str
    into: str | None
    outputs: tuple[ScoreOutput, ...] = ()
    on_error: tuple[tuple[Fault, OnFault], ...] = tuple((fault, DEAD) for fault in FAULTS)

    verb: ClassVar[str] = "score"

    @property
    def policies(self) -> dict[Fault, OnFault]:
        """What becomes of a row without a score, by the kind of fault."""
        return dict(self.on_error)

    @property
    def columns(self) -> list[tuple[str, pl.DataType]]:
        """The columns it adds, with their types."""
        score = [] if self.into is None else [(self.into, pl.Float64())]
        return [*score, *((each.column, each.dtype) for each in self.outputs)]

    def infer(self, inputs: Sequence[StreamType]) -> dict[str, StreamType]:
        """See `Step.infer`."""
        (stream,) = inputs
        if not isinstance(self.model, str) or not self.model:
            raise FlowError("a model is said by its name", where=self.where, got=self.model, hint='"fraud@champion"')
        if not self.columns:
            raise FlowError(
                "score() adds no column", where=self.where, hint='into="risk", or outputs={"label": ("fraud", "str")}'
            )
        for name, _ in self.columns:
            if name in stream.names:
                raise FlowError(
                    "the event has that column already",
                    where=self.where,
                    got=name,
                    hint="choose another into=" if name == self.into else "choose another name in outputs=",
                )
        derived_type(self.columns, ())
        for fault, policy in self.on_error:
            if policy not in (DEAD, NULL) and self.into is None:
                raise FlowError(
                    "a default is a number for the score, and this step keeps no score",
                    where=f"{self.where}, on_error of {fault!r}",
                    got=policy,
                    hint='say into= too, or on_error="null"',
                )
        return {OUT: rich(stream).with_columns([*stream.columns, *self.columns])}

    def details(self) -> dict[str, Any]:
        """See `Step.details`."""
        found: dict[str, Any] = {"model": self.model, "into": self.into}
        # What is not said is left out: so a flow that says neither has the JSON, and the hash, that it always had.
        if self.outputs:
            found["outputs"] = [{"column": one.column, "output": one.output, "type": one.kind} for one in self.outputs]
        if any(policy != DEAD for _, policy in self.on_error):
            found["on_error"] = dict(self.on_error)
        return found

    @classmethod
    def read(cls, name: str, inputs: tuple[Port, ...], details: Mapping[str, Any]) -> Score:
        """See `Step.read`."""
        outputs = tuple(ScoreOutput(one["column"], one["output"], one["type"]) for one in details.get("outputs", ()))
        return cls(
            name, inputs, details["model"], details["into"], outputs, read_policies(details.get("on_error", DEAD))
        )

    def summary(self) -> str:
        """See `Step.summary`."""
        return f"{self.model} into {', '.join(name for name, _ in self.columns)}"


def read_outputs(outputs: object) -> tuple[ScoreOutput, ...]:
    """The further columns of `score(outputs=...)`.

    >>> read_outputs({"p": "probability(1)", "label": ("fraud", "int")})[1]
    ScoreOutput(column='label', output='fraud', kind='int')

    Raises:
        FlowError: when it is neither a mapping nor a sequence of names, or a type is not known.
    """
    if outputs is None:
        return ()
    if isinstance(outputs, str) or not isinstance(outputs, Mapping | Sequence):
        raise _strange(outputs)
    pairs = list(outputs.items()) if isinstance(outputs, Mapping) else [(name, name) for name in outputs]
    return tuple(_read_output(column, said) for column, said in pairs)


def _read_output(column: object, said: object) -> ScoreOutput:
    name, kind = said if isinstance(said, tuple) and len(said) == 2 else (said, None)
    if not isinstance(column, str) or not isinstance(name, str):
        raise _strange({column: said})
    if kind is None:
        kind = "float" if name.startswith(_NUMBERS) else "str"
    try:
        return ScoreOutput(column, name, Schema({column: kind})[column])
    except SchemaError as error:
        raise FlowError(error.what, where=f"score(), outputs, {error.where}", got=kind, hint=error.hint) from None


def _strange(got: object) -> FlowError:
    return FlowError(
        "outputs are said by new column and output of the model, or by the outputs' names",
        where="score(), outputs",
        got=got,
        hint='{"label": ("fraud", "str"), "p_yes": "probability(1)"}, or ["probability(1)"]',
    )


def read_policies(said: object) -> tuple[tuple[Fault, OnFault], ...]:
    """What `score(on_error=...)` says for each kind of fault; those that a mapping leaves out are dead letters.

    >>> read_policies({"missing": None, "failed": 0.5})
    (('missing', 'null'), ('invalid', 'dead'), ('failed', 0.5))

    Raises:
        FlowError: on an unknown kind, or a policy that is neither `dead`, `null` nor a finite number.
    """
    if isinstance(said, Mapping):
        for fault in said:
            if fault not in FAULTS:
                raise FlowError(
                    "unknown kind of fault", where="score(), on_error", got=fault, hint=f"one of {', '.join(FAULTS)}"
                )
        return tuple((fault, _read_policy(said.get(fault, DEAD))) for fault in FAULTS)
    policy = _read_policy(said)
    return tuple((fault, policy) for fault in FAULTS)


def _read_policy(said: object) -> OnFault:
    if said is None or said == NULL:
        return NULL
    if said == DEAD:
        return DEAD
    if isinstance(said, int | float) and not isinstance(said, bool) and isfinite(said):
        return float(said)
    raise FlowError(
        "unknown choice", where="score(), on_error", got=said, hint='"dead", "null" or a finite number to put there'
    )
