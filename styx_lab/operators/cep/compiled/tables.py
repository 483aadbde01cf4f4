"""An automaton as flat tables and little programs: what the compiled matcher runs.

Law (oracle): a condition has the same truth here, in columns and programs, as read one event at a time.

What depends on the event alone is told for a whole batch at once: each edge's condition, put together from the parts'
conditions, is one bit of the event. Only what looks back, or asks a function, is told when the matcher comes to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import polars as pl

from styx_lab.errors import FlowError
from styx_lab.flow.carried import Carried
from styx_lab.flow.expression import Expression
from styx_lab.flow.pattern.conditions import Both, Call, Condition, Either, Negated, Where
from styx_lab.flow.pattern.given import leaves
from styx_lab.flow.pattern.lookback import Lookback, folds_of
from styx_lab.operators.cep.automaton.states import Automaton
from styx_lab.operators.cep.compiled.layout import NO_ID, Tables
from styx_lab.operators.cep.compiled.program import Code, Op, code_of
from styx_lab.operators.cep.compiled.texts import Texts

__all__ = ["Beyond", "Compiled", "Kind", "Read", "compile_automaton"]

Kind = Literal["float", "int", "text"]
Beyond = Literal["error", "drop_oldest", "drop_newest"]

_WORD: Final = 62
_DEEP: Final = 60
_KINDS: Final = {"start": 0, "normal": 0, "final": 1, "stop": 2, "pending": 3}
_ACTIONS: Final = {"take": 0, "ignore": 1, "proceed": 2}
_SKIPS: Final = {"no_skip": 0, "skip_to_next": 1, "skip_past_last_event": 2, "skip_to_first": 3, "skip_to_last": 4}
_BEYOND: Final = {"error": 0, "drop_oldest": 1, "drop_newest": 2}
_FOLDS: Final = {"sum": 0, "mean": 1, "min": 2, "max": 3, "first": 4, "last": 5}
_COMPARISONS: Final = {
    "equal": 0, "not_equal": 1, "less": 2, "less_or_equal": 3, "greater": 4, "greater_or_equal": 5,
}  # fmt: skip
_ARITHMETIC: Final = {"add": Op.ADD, "subtract": Op.SUB, "multiply": Op.MUL, "divide": Op.DIV}


@dataclass(frozen=True, slots=True)
class Read:
    """What a program reads of an event: the values of an expression, as doubles, whole numbers, or numbers of texts."""

    expression: Expression
    dtype: pl.DataType

    @property
    def kind(self) -> Kind:
        """How its values are kept."""
        if self.dtype == pl.String:
            return "text"
        return "int" if self.dtype.is_integer() or self.dtype.is_temporal() or self.dtype == pl.Boolean else "float"


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """A pattern as the matcher runs it.

    Attributes:
        tables: its states, edges and rules.
        code: its programs.
        parts: what a match calls the events of each part, by number.
        leaves: the conditions of the event alone.
        columns: the conditions of edges that are made of leaves alone; the j-th is a bit of an event.
        takes, starts: the conditions of edges that take an event, and of those that a match can start by.
        fields: what look-backs read of events that were taken.
        inputs: what they read of the event in question.
        functions: the users' own.
        inert: whether an event for which no leaf is true changes nothing, and may be left out.
    """

    tables: Tables
    code: Code
    parts: tuple[str, ...]
    leaves: tuple[Expression, ...]
    columns: tuple[Condition, ...]
    takes: tuple[Condition, ...]
    starts: tuple[Condition, ...]
    fields: tuple[Read, ...]
    inputs: tuple[Read, ...]
    functions: tuple[Carried, ...]
    inert: bool

    @property
    def reads(self) -> tuple[Read, ...]:
        """Fields and inputs together."""
        return self.fields + self.inputs

    @property
    def compares_texts(self) -> bool:
        """Whether a program asks which of two texts is the greater."""
        return bool((self.code.ops[:, 0] == Op.RANK).any())

    @property
    def words(self) -> int:
        """How many int64 the bits of an event take."""
        return max(1, -(-len(self.columns) // _WORD))

    def bits(self, told: Sequence[np.ndarray], height: int) -> np.ndarray:
        """The bits of events, int64 (height, words), from the truth of each leaf."""
        truths = dict(zip(self.leaves, told, strict=True))
        made = np.zeros((height, self.words), np.int64)
        for place, condition in enumerate(self.columns):
            made[:, place // _WORD] |= _may_be(condition, truths, height, True).astype(np.int64) << (place % _WORD)
        return made

    def useful(self, told: Sequence[np.ndarray], height: int) -> np.ndarray:
        """Which events a match may have."""
        return self._any(self.takes, told, height)

    def can_start(self, told: Sequence[np.ndarray], height: int) -> np.ndarray:
        """Which events a match may start with."""
        return self._any(self.starts, told, height)

    def _any(self, conditions: Sequence[Condition], told: Sequence[np.ndarray], height: int) -> np.ndarray:
        truths = dict(zip(self.leaves, told, strict=True))
        made = np.zeros(height, np.bool_)
        for condition in conditions:
            made |= _may_be(condition, truths, height, True)
        return made


def _may_be(condition: Condition, truths: Mapping[Expression, np.ndarray], height: int, wanted: bool) -> np.ndarray:
    """Whether a condition may be true (or false): where a leaf is not known beforehand it may be either."""
    match condition:
        case Where(expression) if expression in truths:
            return truths[expression] if wanted else ~truths[expression]
        case Where() | Call():
            return np.ones(height, np.bool_)
        case Negated(inner):
            return _may_be(inner, truths, height, not wanted)
        case Both(of) | Either(of):
            every = isinstance(condition, Both) == wanted
            made = np.full(height, every)
            for one in of:
                if every:
                    made &= _may_be(one, truths, height, wanted)
                else:
                    made |= _may_be(one, truths, height, wanted)
            return made


def compile_automaton(
    automaton: Automaton,
    schema: Mapping[str, pl.DataType],
    texts: Texts,
    *,
    where: str,
    timeouts: bool = True,
    most: int = NO_ID,
    beyond: Beyond = "error",
) -> Compiled:
    """The tables of an automaton.

    Args:
        automaton: the pattern.
        schema: the columns of its events.
        texts: where texts get their numbers.
        where: the step, for errors.
        timeouts: whether partial matches that time out are wanted.
        most: how many partial matches a key may have.
        beyond: what to do when there would be more.
    """
    return _Compiler(automaton, schema, texts, where).compiled(timeouts, most, beyond)


@dataclass(slots=True)
class _Compiler:
    automaton: Automaton
    schema: Mapping[str, pl.DataType]
    texts: Texts
    where: str
    leaves: list[Expression] = field(default_factory=list)
    columns: list[Condition] = field(default_factory=list)
    fields: list[Read] = field(default_factory=list)
    inputs: list[Read] = field(default_factory=list)
    functions: list[Carried] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    programs: dict[Condition, int] = field(default_factory=dict)
    ops: list[tuple[int, int, int, int]] = field(default_factory=list)
    consts: list[float] = field(default_factory=list)

    def compiled(self, timeouts: bool, most: int, beyond: Beyond) -> Compiled:
        automaton = self.automaton
        for state in automaton.states:
            if state.kind not in ("final", "stop") and state.part not in self.parts:
                self.parts.append(state.part)
        conditions = [edge.condition for state in automaton.states for edge in state.edges]
        self._gather(conditions)
        states: list[tuple[int, ...]] = []
        edges: list[tuple[int, ...]] = []
        for state in automaton.states:
            part = self.parts.index(state.part) if state.part in self.parts else -1
            gap = -1 if state.gap_ms is None else state.gap_ms
            states.append((_KINDS[state.kind], part, gap, len(edges), len(edges) + len(state.edges)))
            for edge in state.edges:
                edges.append((_ACTIONS[edge.action], edge.target, *self._condition(edge.condition)))
        skip = automaton.after_match
        part = self.parts.index(skip.part) if skip.part in self.parts else -1
        rules = (
            automaton.start, automaton.final, automaton.within_ms, _SKIPS[skip.strategy], part,
            skip.throw_on_miss, timeouts, most, _BEYOND[beyond],
        )  # fmt: skip
        tables = Tables(
            np.array(states, np.int64).reshape(-1, 5),
            np.array(edges, np.int64).reshape(-1, 5),
            np.array(rules, np.int64),
        )
        takes = {
            edge.condition
            for state in automaton.states
            for edge in state.edges
            if edge.action == "take" and state.kind != "stop"
        }
        return Compiled(
            tables, code_of(self.ops, self.consts), tuple(self.parts), tuple(self.leaves), tuple(self.columns),
            tuple(takes), tuple(self._starts()), tuple(self.fields), tuple(self.inputs), tuple(self.functions),
            self._inert(),
        )  # fmt: skip

    def _gather(self, conditions: Sequence[Condition]) -> None:
        """Find the leaves, and all that look-backs read, before programs name them by number."""
        looking: list[Lookback] = []
        for leaf in dict.fromkeys(leaf for condition in conditions for leaf in leaves(condition)):
            if isinstance(leaf, Call):
                self.functions.append(leaf.function)
            elif folds_of(leaf.expression):
                looking.append(Lookback.of(leaf.expression, where=self.where))
            else:
                self.leaves.append(leaf.expression)
        for one in looking:
            for fold, dtype in zip(one.folds, one.fold_dtypes(self.schema, where=self.where), strict=True):
                if fold.column is not None:
                    exact = self.schema[fold.column] if fold.word in ("first", "last") else dtype
                    _known(self.fields, Read(Expression.of(pl.col(fold.column), where=self.where), exact))
            for expression, dtype in zip(one.inputs, one.input_dtypes(self.schema, where=self.where), strict=True):
                _known(self.inputs, Read(expression, dtype))

    def _starts(self) -> set[Condition]:
        """The conditions of edges that take an event and can be come to from the start."""
        automaton = self.automaton
        found: set[Condition] = set()
        seen = {automaton.start}
        todo = [automaton.start]
        while todo:
            for edge in automaton.states[todo.pop()].edges:
                if edge.action == "take":
                    found.add(edge.condition)
                elif edge.action == "proceed" and edge.target not in seen:
                    seen.add(edge.target)
                    todo.append(edge.target)
        return found

    def _inert(self) -> bool:
        """Whether an event for which no leaf is true leaves every partial match as it is, and is seen by no timer."""
        automaton = self.automaton
        if self.functions or self.fields or self.inputs or any(state.gap_ms is not None for state in automaton.states):
            return False
        false = {leaf: np.zeros(1, np.bool_) for leaf in self.leaves}
        for number, state in enumerate(automaton.states):
            if state.kind in ("final", "stop"):
                continue
            results, todo = [], [number]
            while todo:
                for edge in automaton.states[todo.pop()].edges:
                    if not _may_be(edge.condition, false, 1, True)[0]:
                        continue
                    if edge.action == "proceed":
                        todo.append(edge.target)
                    else:
                        results.append((edge.action, edge.target))
            if state.kind == "start":
                results = [one for one in results if one[0] == "take"]
            elif results == [("ignore", number)]:
                results = []
            else:
                return False
            if results:
                return False
        return True

    def _condition(self, condition: Condition) -> tuple[int, int, int]:
        """The word and bit of a condition of leaves alone, or its program."""
        if self._of_leaves(condition):
            place = _known(self.columns, condition)
            return place // _WORD, place % _WORD, 0
        if condition not in self.programs:
            self.programs[condition] = len(self.ops)
            self._program(condition, 0)
            self._op(Op.END)
        return 0, -1, self.programs[condition]

    def _of_leaves(self, condition: Condition) -> bool:
        return all(isinstance(leaf, Where) and leaf.expression in self.leaves for leaf in leaves(condition))

    def _op(self, op: int, a: int = 0, b: int = 0, c: int = 0) -> int:
        self.ops.append((op, a, b, c))
        return len(self.ops) - 1

    def _program(self, condition: Condition, depth: int) -> None:
        if self._of_leaves(condition):
            place = _known(self.columns, condition)
            self._op(Op.BIT, place // _WORD, place % _WORD)
            return
        match condition:
            case Where(expression):
                looking = Lookback.of(expression, where=self.where)
                _Arithmetic(self, looking).truth(depth)
            case Call(function):
                self._op(Op.CALL, self.functions.index(function))
            case Negated(inner):
                self._program(inner, depth)
                self._op(Op.NOT)
            case Both(of) | Either(of):
                jump = Op.JUMP_FALSE if isinstance(condition, Both) else Op.JUMP_TRUE
                jumps = []
                for number, one in enumerate(of):
                    if number:
                        jumps.append(self._op(jump))
                    self._program(one, depth)
                for at in jumps:
                    self.ops[at] = (jump, len(self.ops), 0, 0)


@dataclass(slots=True)
class _Arithmetic:
    """The program of a look-back: each value is a double, a whole number, or the number of a text."""

    to: _Compiler
    looking: Lookback

    def truth(self, depth: int) -> None:
        self._value(self.looking.program, self._kind(self.looking.program), depth + 1)
        self.to._op(Op.TRUTH)

    def _dtype(self, node: Any) -> pl.DataType:
        compiler, (what, place) = self.to, node
        dtypes = self.looking.input_dtypes if what == "input" else self.looking.fold_dtypes
        found: pl.DataType = dtypes(compiler.schema, where=compiler.where)[place]
        return found

    def _kind(self, node: Any) -> Kind | None:
        """What a value is; None of a null."""
        match node:
            case ("const", None):
                return None
            case ("const", value):
                return "text" if isinstance(value, str) else "float" if isinstance(value, float) else "int"
            case ("input" | "fold", _):
                return Read(Expression.of(pl.lit(0), where="kind"), self._dtype(node)).kind
            case ("add" | "subtract" | "multiply" | "divide" | "negate", *_):
                return "float"
            case ("coalesce", *args):
                kinds = {kind for kind in map(self._kind, args) if kind is not None}
                return "float" if kinds == {"float", "int"} else next(iter(kinds), None)
        return "int"

    def _value(self, node: Any, kind: Kind | None, depth: int) -> None:
        """Put a value on the stack, as a double where that is wanted."""
        if depth > _DEEP:
            raise FlowError("a condition that looks back is nested too deep", where=self.to.where, hint="split it")
        own = self._kind(node)
        self._own(node, own, depth)
        if kind == "float" and own == "int":
            self.to._op(Op.TO_F)

    def _own(self, node: Any, kind: Kind | None, depth: int) -> None:
        op = self.to._op
        match node:
            case ("const", value):
                if kind is None:
                    op(Op.NULL)
                elif kind == "float":
                    self.to.consts.append(float(value))
                    op(Op.CONST_F, len(self.to.consts) - 1)
                else:
                    op(Op.CONST_I, self.to.texts.number(value) if kind == "text" else int(value))
            case ("input", place):
                read = Read(self.looking.inputs[place], self._dtype(node))
                op(Op.IN_F if kind == "float" else Op.IN_I, self._column(read, self.to.inputs, self.to.fields))
            case ("fold", place):
                self._fold(place, self._dtype(node))
            case ("add" | "subtract" | "multiply" | "divide" as name, left, right):
                self._value(left, "float", depth)
                self._value(right, "float", depth + 1)
                op(_ARITHMETIC[name])
            case ("negate", inner):
                self._value(inner, "float", depth)
                op(Op.NEG)
            case ("and" | "or" as name, left, right):
                self._value(left, "int", depth)
                self._value(right, "int", depth + 1)
                op(Op.AND if name == "and" else Op.OR)
            case ("not", inner):
                self._value(inner, "int", depth)
                op(Op.NOT)
            case ("is_null" | "is_not_null" as name, inner):
                self._value(inner, self._kind(inner), depth)
                op(Op.IS_NULL if name == "is_null" else Op.IS_NOT_NULL)
            case ("coalesce", first, *others):
                self._value(first, kind, depth)
                for other in others:
                    self._value(other, kind, depth + 1)
                    op(Op.FILL)
            case (name, left, right):
                self._comparison(name, left, right, depth)

    def _comparison(self, name: str, left: Any, right: Any, depth: int) -> None:
        op = self.to._op
        kinds = {kind for kind in (self._kind(left), self._kind(right)) if kind is not None}
        if kinds >= {"text"} and kinds != {"text"}:
            op(Op.NULL)  # of two kinds of value
            return
        how, text = _COMPARISONS[name], kinds == {"text"}
        kind: Kind = "float" if "float" in kinds else "int"
        for place, side in enumerate((left, right)):
            self._value(side, "text" if text else kind, depth + place)
            if text and how > 1:
                op(Op.RANK)
        op(Op.CMP_F if kind == "float" else Op.CMP_I, how)

    def _fold(self, place: int, dtype: pl.DataType) -> None:
        fold = self.looking.folds[place]
        compiler = self.to
        part = compiler.parts.index(fold.part) if fold.part in compiler.parts else -2
        if fold.column is None:
            compiler._op(Op.COUNT, 0, part)
            return
        exact = compiler.schema[fold.column] if fold.word in ("first", "last") else dtype
        read = Read(Expression.of(pl.col(fold.column), where=compiler.where), exact)
        op = Op.FOLD_F if read.kind == "float" else Op.FOLD_I
        compiler._op(op, _FOLDS[fold.word], part, self._column(read, compiler.fields, []))

    @staticmethod
    def _column(read: Read, own: Sequence[Read], before: Sequence[Read]) -> int:
        """The place of a column among those that are kept as it is; `before` stand in front of its own."""
        exact = read.kind != "float"
        alike = [one for one in (*before, *own) if (one.kind != "float") == exact]
        offset = sum((one.kind != "float") == exact for one in before)
        return offset + alike[offset:].index(read)


def _known(known: list[Any], one: Any) -> int:
    """The place of a thing in a list, to which it is added where it is not there."""
    if one not in known:
        known.append(one)
    return known.index(one)
