"""What a condition needed and did not find, in words: `amount was 480.0, needed > 500`.

Law (true): whatever is said to be needed is false of the event: it was evaluated, and only what failed is named.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl

from styx_lab.core.time import duration_text
from styx_lab.errors import StyxError
from styx_lab.flow.expression import Expression
from styx_lab.flow.expression.literal import literal_text
from styx_lab.flow.expression.tree import Tree, columns_of, tree_text
from styx_lab.flow.pattern.conditions import Both, Call, Condition, Either, Negated, Where
from styx_lab.flow.pattern.given import condition_text
from styx_lab.flow.pattern.lookback import Program, shown
from styx_lab.operators.cep.explain.leaves import Leaves
from styx_lab.operators.cep.explain.programs import Asked

__all__ = ["Unmet", "Wanted", "value_text"]

_SIGNS: Final = {
    "equal": "=", "not_equal": "!=", "less": "<", "less_or_equal": "<=", "greater": ">", "greater_or_equal": ">=",
}  # fmt: skip
_OPPOSITE: Final = {"=": "!=", "!=": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_TURNED: Final = {"=": "=", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
_OF_SQL: Final = {
    "==": "equal", "!=": "not_equal", "<": "less", "<=": "less_or_equal", ">": "greater", ">=": "greater_or_equal",
    "+": "add", "-": "subtract", "*": "multiply",
}  # fmt: skip
_ARITHMETIC: Final = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}

Accepted = Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Unmet:
    """One thing that was needed and was not so.

    Attributes:
        text: in words.
        left: what was looked at: a column, or an expression.
        was: its value.
        sign: how it is compared with `right`; None where it is no comparison.
        right: what it was compared with.
        any_of: where any of several would have done: what each of them lacked.
    """

    text: str
    left: str = ""
    was: Any = None
    sign: str | None = None
    right: Any = None
    any_of: tuple[tuple[Unmet, ...], ...] = ()

    @property
    def distance(self) -> float:
        """How far off it was: of numbers the difference, as a share of what was needed; else 1."""
        if self.any_of:
            return min(sum(one.distance for one in alternative) for alternative in self.any_of)
        numbers = [value for value in (self.was, self.right) if isinstance(value, int | float)]
        both = len(numbers) == len((self.was, self.right)) and self.sign not in (None, "!=")
        if not both or isinstance(self.was, bool):
            return 1.0
        off = abs(float(self.was) - float(self.right)) / max(abs(float(self.right)), 1e-9)
        return off / (1 + off) if off == off and off != float("inf") else 1.0  # noqa: PLR0124


def value_text(value: Any) -> str:
    """A value as people write it.

    >>> [value_text(one) for one in (480.0, None, "ok", True, [1, "a"])]
    ['480.0', 'null', "'ok'", 'true', "[1, 'a']"]
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ").removesuffix("+00:00")
    if isinstance(value, timedelta):
        ms = value // timedelta(milliseconds=1)
        return duration_text(ms) if ms >= 0 else f"-{duration_text(-ms)}"
    if isinstance(value, list):
        return f"[{', '.join(value_text(one) for one in value)}]"
    return repr(value) if isinstance(value, str) else str(value)


class Wanted:
    """Says what conditions lacked.

    >>> from styx_lab import Pattern
    >>> from styx_lab.flow.steps import Detect
    >>> from styx_lab.flow.types import raw_type
    >>> from styx_lab.operators.cep.automaton.build import build_automaton
    >>> pattern = Pattern.begin("big").where("amount > 500 AND status = 'ok'")
    >>> stream = raw_type([("amount", pl.Float64()), ("status", pl.String())], ())
    >>> frame = pl.DataFrame({"amount": [480.0, 3.0], "status": ["ok", None], "_time": [1, 2]})
    >>> automaton = build_automaton(pattern.parts, pattern.after_match)
    >>> wanted = Wanted(Leaves(Detect("d", (), pattern, ()), stream, automaton, frame))
    >>> for event in (0, 1):
    ...     print("; ".join(one.text for one in wanted.unmet(pattern.parts[0].condition, event, ())))
    amount was 480.0, needed > 500
    amount was 3.0, needed > 500; status was null, needed = 'ok'

    Args:
        leaves: tells conditions.
    """

    def __init__(self, leaves: Leaves) -> None:
        self._leaves = leaves
        self._known: dict[str, list[Any]] = {}

    def met(self, condition: Condition, event: int, accepted: Accepted) -> bool:
        """Whether a condition holds; one whose function fails does not."""
        match condition:
            case Both(of):
                return all(self.met(one, event, accepted) for one in of)
            case Either(of):
                return any(self.met(one, event, accepted) for one in of)
            case Negated(inner):
                return not self.met(inner, event, accepted)
        try:
            return event not in self._leaves.dead and self._leaves.holds(condition, event, accepted)
        except StyxError:
            return False

    def unmet(self, condition: Condition, event: int, accepted: Accepted, *, wanted: bool = True) -> list[Unmet]:
        """What an event lacked; nothing where the condition is as wanted.

        Args:
            condition: the condition.
            event: the event.
            accepted: what the partial match has taken.
            wanted: whether it should hold, or should not.
        """
        if self.met(condition, event, accepted) == wanted:
            return []
        match condition:
            case Negated(inner):
                return self.unmet(inner, event, accepted, wanted=not wanted)
            case Both(of) | Either(of):
                lacking = [self.unmet(one, event, accepted, wanted=wanted) for one in of]
                if isinstance(condition, Both) == wanted:
                    return [one for each in lacking for one in each]
                return [_any_of(lacking)] if lacking else [Unmet("nothing can meet it")]
            case Call():
                return [Unmet(f"{condition_text(condition)} {'was not' if wanted else 'was'} true")]
        assert isinstance(condition, Where)
        asked = self._leaves.asked(condition)
        if asked is None:
            found = self._static(condition.expression.tree, event, wanted=wanted)
        else:
            found = self._looking(asked, asked.looking.program, event, accepted, wanted=wanted)
        return found or [self._as_a_whole(condition.expression, event, wanted)]

    # Of the event alone: a tree.

    def _value(self, tree: Tree, event: int) -> Any:
        """The value of a part of an expression.

        Raises:
            StyxError, polars.exceptions.PolarsError: when it cannot be evaluated by itself.
        """
        if "column" in tree:
            return self._leaves.frame[tree["column"]][event]
        text = json.dumps(tree)
        if text not in self._known:
            expression = Expression.from_json({"version": 1, "tree": tree}, where="explain")
            self._known[text] = self._leaves.column_of(expression)
        return self._known[text][event]

    def _static(self, tree: Tree, event: int, *, wanted: bool) -> list[Unmet]:
        """What a part of an expression lacked; nothing where it is as wanted, or cannot be looked into."""
        try:
            return self._of_tree(_plain(tree), event, wanted)
        except (StyxError, pl.exceptions.PolarsError):
            return []

    def _of_tree(self, tree: Tree, event: int, wanted: bool) -> list[Unmet]:
        while tree.get("call") == "alias":
            (tree,) = tree["of"]
        if self._value(tree, event) is wanted:
            return []
        name, of = tree.get("call"), tree.get("of", [])
        if name == "not":
            return self._of_tree(of[0], event, not wanted)
        if name == "cast" and tree["with"]["dtype"] == "bool" and self._value(of[0], event) is self._value(tree, event):
            return self._of_tree(of[0], event, wanted)  # SQL's NOT
        if name in ("and", "or", "all_horizontal", "any_horizontal"):
            lacking = [self._of_tree(one, event, wanted) for one in of]
            if (name in ("and", "all_horizontal")) == wanted:
                return [one for each in lacking for one in each]
            return [_any_of(lacking)]
        if name in _SIGNS:
            return [self._comparison(_SIGNS[name], of[0], of[1], event, wanted)]
        return [self._other(tree, event, wanted)]

    def _comparison(self, sign: str, left: Tree, right: Tree, event: int, wanted: bool) -> Unmet:
        if "literal" in left and "literal" not in right:
            left, right, sign = right, left, _TURNED[sign]
        was, than = self._value(left, event), self._value(right, event)
        sign = sign if wanted else _OPPOSITE[sign]
        said = literal_text(right["literal"]) if "literal" in right else f"{value_text(than)} ({tree_text(right)})"
        return _compared(tree_text(left), was, sign, than, said)

    def _other(self, tree: Tree, event: int, wanted: bool) -> Unmet:
        name, of = tree.get("call"), tree.get("of", [])
        needed = "true" if wanted else "false"
        left, was = tree_text(tree), self._value(tree, event)
        if name in ("is_null", "is_not_null"):
            left, was = tree_text(of[0]), self._value(of[0], event)
            needed = "null" if (name == "is_null") == wanted else "a value"
        elif name in ("is_in", "is_between"):
            left, was = tree_text(of[0]), self._value(of[0], event)
            said = [tree_text(one) for one in of[1:]]
            needed = f"one of {said[0]}" if name == "is_in" else f"between {said[0]} and {said[1]}"
            needed = needed if wanted else f"not {needed}"
        elif "column" not in tree:
            # A truth of its own: what it reads says more.
            reads = [f"{one} was {value_text(self._leaves.frame[one][event])}" for one in _columns(tree)]
            return Unmet(f"{', '.join(reads) or left}, needed {'' if wanted else 'not '}{left}", left, was)
        return Unmet(f"{left} was {value_text(was)}, needed {needed}", left, was)

    def _as_a_whole(self, expression: Expression, event: int, wanted: bool) -> Unmet:
        known = self._leaves.frame.columns
        reads = [f"{one} was {value_text(self._leaves.frame[one][event])}" for one in sorted(expression.columns())
                 if one in known]  # fmt: skip
        text = shown(expression)
        return Unmet(f"{', '.join(reads) or 'it was otherwise'}, needed {'' if wanted else 'not '}{text}", text)

    # A look-back: a program.

    def _looking(self, asked: Asked, node: Program, event: int, accepted: Accepted, *, wanted: bool) -> list[Unmet]:
        value = asked.value(event, accepted, node)
        if value is not None and bool(value) == wanted:
            return []
        match node:
            case ("input", place):
                return self._static(asked.looking.inputs[place].tree, event, wanted=wanted)
            case ("not", inner):
                return self._looking(asked, inner, event, accepted, wanted=not wanted)
            case ("and" | "or" as name, *sides):
                lacking = [self._looking(asked, one, event, accepted, wanted=wanted) for one in sides]
                if (name == "and") == wanted:
                    return [one for each in lacking for one in each]
                return [_any_of(lacking)] if all(lacking) else []
            case (name, left, right) if name in _SIGNS:
                sign = _SIGNS[name]
                if not _has_input(left) and _has_input(right):
                    left, right, sign = right, left, _TURNED[sign]
                sign = sign if wanted else _OPPOSITE[sign]
                was, than = (self._shown(asked, side, event, accepted) for side in (left, right))
                text = _program_text(asked, right)
                said = text if right[0] == "const" else f"{value_text(than)} ({text})"
                return [_compared(_program_text(asked, left), was, sign, than, said)]
        return []

    def _shown(self, asked: Asked, node: Program, event: int, accepted: Accepted) -> Any:
        """A value as the event has it: a time is one, not its microseconds."""
        match node:
            case ("input", place):
                return self._value(asked.looking.inputs[place].tree, event)
            case ("fold", place) if asked.looking.folds[place].word in ("first", "last"):
                fold = asked.looking.folds[place]
                taken = [one for part, one in accepted if part == fold.part]
                assert fold.column is not None
                one = taken[0 if fold.word == "first" else -1] if taken else None
                return None if one is None else self._leaves.frame[fold.column][one]
        return asked.value(event, accepted, node)


def _plain(tree: Tree) -> Tree:
    """SQL's own comparisons as ours, and its decimals as doubles; what has another value so is not looked into."""
    match tree:
        case {"call": "sql.operator", "of": of, "with": {"sign": sign}} if sign in _OF_SQL:
            return {"call": _OF_SQL[sign], "of": [_plain(one) for one in of]}
        case {"literal": ["decimal", digits, scale]}:
            return {"literal": ["float", int(digits) / 10**scale]}
        case {"of": of}:
            return {**tree, "of": [_plain(one) for one in of]}
    return tree


def _compared(left: str, was: Any, sign: str, than: Any, said: str) -> Unmet:
    return Unmet(f"{left} was {value_text(was)}, needed {sign} {said}", left, was, sign, than)


def _any_of(lacking: Sequence[Sequence[Unmet]]) -> Unmet:
    alternatives = tuple(tuple(each) for each in lacking)
    if len(alternatives) == 1 and len(alternatives[0]) == 1:
        return alternatives[0][0]
    said = [" and ".join(one.text for one in each) for each in alternatives]
    text = "neither (" + ") nor (".join(said) + ")"
    return Unmet(text, any_of=alternatives)


def _columns(tree: Tree) -> list[str]:
    return list(dict.fromkeys(columns_of(tree)))


def _has_input(node: Program) -> bool:
    return node[0] == "input" or any(isinstance(one, tuple) and _has_input(one) for one in node[1:])


def _program_text(asked: Asked, node: Program, *, inside: bool = False) -> str:
    match node:
        case ("const", value):
            return value_text(value)
        case ("input", place):
            text = asked.looking.inputs[place].text
            return f"({text})" if inside and " " in text else text
        case ("fold", place):
            return str(asked.looking.folds[place])
        case ("add" | "subtract" | "multiply" | "divide" as name, left, right):
            sides = [_program_text(asked, side, inside=True) for side in (left, right)]
            text = f"{sides[0]} {_ARITHMETIC[name]} {sides[1]}"
            return f"({text})" if inside else text
        case ("negate", inner):
            return f"-{_program_text(asked, inner, inside=True)}"
        case (name, *of):
            return f"{name}({', '.join(_program_text(asked, one) for one in of)})"
    raise AssertionError(node)
