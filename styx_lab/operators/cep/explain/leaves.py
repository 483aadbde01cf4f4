"""Whether a leaf of a condition holds for an event of a key and a partial match, told as the operators tell it.

Laws (oracle): what depends on the event alone is evaluated once, as columns, by `values.evaluate`; what looks back is
asked when the reading comes to it; a function is the flow's own. A row that an expression cannot take is dead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from styx_lab.core.events import TIME
from styx_lab.errors import DataError
from styx_lab.flow.expression import Expression
from styx_lab.flow.expression.values import evaluate
from styx_lab.flow.pattern.conditions import Call, Where
from styx_lab.flow.pattern.given import leaves
from styx_lab.flow.pattern.lookback import Lookback, folds_of
from styx_lab.flow.steps import Detect
from styx_lab.flow.types import StreamType
from styx_lab.operators.carried import load_function
from styx_lab.operators.cep.automaton.states import Automaton
from styx_lab.operators.cep.explain.programs import Asked, Kind, column_values, kind_of
from styx_lab.operators.cep.reading.keyed import LeftOutError
from styx_lab.operators.values import refused_rows

__all__ = ["Leaves"]

_WHERE = "explain"


class Leaves:
    """All leaves of an automaton's conditions over the events of one key.

    >>> from styx_lab import Pattern
    >>> from styx_lab.flow.types import raw_type
    >>> from styx_lab.operators.cep.automaton.build import build_automaton
    >>> step = Detect("d", (), Pattern.begin("big").where("amount > 500"), ())
    >>> stream = raw_type([("amount", pl.Float64())], ())
    >>> automaton = build_automaton(step.pattern.parts, step.pattern.after_match)
    >>> told = Leaves(step, stream, automaton, pl.DataFrame({"amount": [900.0, 3.0], "_time": [1, 2]}))
    >>> [told.holds(step.pattern.parts[0].condition, event, ()) for event in (0, 1)]
    [True, False]

    Args:
        step: the step, with the pattern.
        stream: the type of its events.
        automaton: its automaton.
        frame: the events of a key; an event is the number of its row.
    """

    def __init__(self, step: Detect, stream: StreamType, automaton: Automaton, frame: pl.DataFrame) -> None:
        self._step = step
        self.stream = stream
        self.frame = frame
        conditions = [edge.condition for state in automaton.states for edge in state.edges]
        found = list(dict.fromkeys(leaf for condition in conditions for leaf in leaves(condition)))
        wheres = [leaf for leaf in found if isinstance(leaf, Where)]
        self._looking = {
            leaf: Lookback.of(leaf.expression, where=step.where) for leaf in wheres if folds_of(leaf.expression)
        }
        static = [leaf for leaf in wheres if leaf not in self._looking]
        expressions: dict[str, Expression] = {f"leaf.{place}": leaf.expression for place, leaf in enumerate(static)}
        inputs = list(dict.fromkeys(one for looking in self._looking.values() for one in looking.inputs))
        expressions |= {f"input.{place}": one for place, one in enumerate(inputs)}
        self.dead: dict[int, str] = refused_rows(frame, expressions) if expressions and frame.height else {}
        values = self._values(expressions)
        self._truths = {
            leaf: values[f"leaf.{place}"].fill_null(value=False).to_list() for place, leaf in enumerate(static)
        }
        columns = dict(zip(inputs, (values[f"input.{place}"] for place in range(len(inputs))), strict=True))
        self._asked = {leaf: self._ask(looking, columns) for leaf, looking in self._looking.items()}
        self._functions = {
            leaf: load_function(leaf.function, where=step.where) for leaf in found if isinstance(leaf, Call)
        }
        self._parts = list(
            dict.fromkeys(state.part for state in automaton.states if state.kind not in ("final", "stop"))
        )
        self._events: dict[int, Mapping[str, Any]] = {}
        # Leaves are asked about all the time, and to hash one takes longer than to answer. The automaton holds them.
        self._automaton = automaton
        self._quick = {
            id(leaf): self._truths[leaf]
            for condition in conditions
            for leaf in leaves(condition)
            if isinstance(leaf, Where) and leaf in self._truths
        }

    def _values(self, expressions: Mapping[str, Expression]) -> pl.DataFrame:
        """The values by row, nulls where a row is dead: such a row is never asked about."""
        if not expressions or not self.frame.height:
            return pl.DataFrame({name: pl.Series([], dtype=pl.Boolean) for name in expressions})
        if not self.dead:
            return evaluate(self.frame, expressions)
        good = np.array([row for row in range(self.frame.height) if row not in self.dead], np.int64)
        if not len(good):
            return pl.DataFrame({name: pl.Series([None] * self.frame.height) for name in expressions})
        places = np.full(self.frame.height, -1, np.int64)
        places[good] = np.arange(len(good))
        gathered = pl.Series(places).replace(-1, None)
        values = evaluate(self.frame[good], expressions)
        return pl.DataFrame([values[name].gather(gathered) for name in expressions])

    def _ask(self, looking: Lookback, columns: Mapping[Expression, pl.Series]) -> Asked:
        schema = self.stream.readable
        kinds = map(kind_of, looking.input_dtypes(schema, where=_WHERE))
        inputs = [column_values(columns[one], kind) for one, kind in zip(looking.inputs, kinds, strict=True)]
        fields: dict[tuple[str, Kind], list[Any]] = {}
        for fold, dtype in zip(looking.folds, looking.fold_dtypes(schema, where=_WHERE), strict=True):
            if fold.column is not None:
                kind = kind_of(dtype)
                fields[fold.column, kind] = column_values(self.frame[fold.column], kind)
        return Asked.of(looking, schema, inputs, fields)

    def holds(self, leaf: Where | Call, event: int, accepted: Sequence[tuple[str, int]]) -> bool:
        """Whether a leaf holds for an event, given what the partial match has taken.

        Raises:
            LeftOutError: when a function fails, and the step leaves such events out.
            DataError: when a function fails, and the step fails then.
        """
        quick = self._quick.get(id(leaf))
        if quick is not None:
            return bool(quick[event])
        if isinstance(leaf, Call):
            return self._call(leaf, event, accepted)
        if leaf in self._asked:
            return self._asked[leaf].holds(event, accepted)
        return bool(self._truths[leaf][event])

    def asked(self, leaf: Where) -> Asked | None:
        """The look-back of a leaf; None where it is of the event alone."""
        return self._asked.get(leaf)

    def event(self, number: int) -> Mapping[str, Any]:
        """An event as a function sees it: its own columns, and `_time`."""
        if number not in self._events:
            columns = [*dict(self.stream.columns), TIME]
            self._events[number] = self.frame.select(columns).row(number, named=True)
        return self._events[number]

    def _call(self, leaf: Call, event: int, accepted: Sequence[tuple[str, int]]) -> bool:
        match: dict[str, list[Mapping[str, Any]]] = {part: [] for part in self._parts}
        for part, one in accepted:
            match[part].append(self.event(one))
        try:
            told = self._functions[leaf](self.event(event), match)
            if isinstance(told, bool | np.bool_):
                return bool(told)
            said = f"it answered {told!r}, not True or False"
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            if self._step.on_error == "fail":
                raise self._failed(leaf, event, said) from error
        if self._step.on_error == "fail":
            raise self._failed(leaf, event, said)
        raise LeftOutError(f"the condition {leaf.function.name} failed: {said}", where=self._step.where)

    def _failed(self, leaf: Call, event: int, said: str) -> DataError:
        return DataError(
            f"the condition {leaf.function.name} failed on an event: {said}",
            where=self._step.where,
            got=dict(self.event(event)),
            hint="mend the function, or send such events to the dead letters: detect(on_error='dead')",
        )

    def column_of(self, expression: Expression) -> list[Any]:
        """The values of an expression of the event alone, by event; null where an event is dead.

        Raises:
            polars.exceptions.PolarsError: when it cannot be evaluated by itself.
        """
        return self._values({"value": expression})["value"].to_list()
