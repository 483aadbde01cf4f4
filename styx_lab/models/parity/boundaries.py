"""Rows on the boundaries that a file draws: each threshold, and its neighbours to the last bit.

Law: every threshold on numbers in the file is found; those that no single input reaches are counted, not passed over.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final
from xml.etree.ElementTree import Element

import numpy as np
import polars as pl

from styx_lab.models.parity.examples import ExampleSet, evenly, with_values
from styx_lab.models.summary import local_name

__all__ = ["Thresholds", "boundary_rows", "neighbours", "thresholds"]

_COMPARED: Final = ("lessThan", "lessOrEqual", "greaterThan", "greaterOrEqual", "equal", "notEqual")
_STEPS: Final = 3


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The boundaries of a file.

    Attributes:
        of: for each input the numbers at which something changes, sorted.
        inexact: of those, the ones that were reckoned back through a transformation: near the boundary, not on it.
        out_of_reach: thresholds on what several inputs make together, or what cannot be reckoned back.
    """

    of: Mapping[str, tuple[float, ...]]
    inexact: frozenset[tuple[str, float]]
    out_of_reach: int

    def __len__(self) -> int:
        return sum(len(values) for values in self.of.values())


def thresholds(root: Element) -> Thresholds:
    """Find the boundaries: splits, bins, intervals, limits of outliers, knots of piecewise linear functions."""
    data = {node.get("name", "") for node in root.iter() if local_name(node) == "DataField"}
    derived: dict[str, list[Element]] = {}
    for node in root.iter():
        if local_name(node) == "DerivedField":
            derived.setdefault(node.get("name", ""), []).extend(_expressions(node))
    found: dict[str, set[float]] = {}
    inexact: set[tuple[str, float]] = set()
    lost: set[tuple[str, float]] = set()
    for field, value in _drawn(root):
        reached = [(field, value, True)] if field in data else list(_back(field, value, derived, data, 0))
        for name, number, exact in reached:
            if math.isfinite(number):
                found.setdefault(name, set()).add(number)
                if not exact:
                    inexact.add((name, number))
        if not reached:
            lost.add((field, value))
    return Thresholds({name: tuple(sorted(values)) for name, values in found.items()}, frozenset(inexact), len(lost))


def _drawn(root: Element) -> Iterator[tuple[str, float]]:
    """Each field and a number at which something changes for it."""
    for node in root.iter():
        tag, field = local_name(node), node.get("field", node.get("name", ""))
        values: list[str | None] = []
        if tag == "SimplePredicate" and node.get("operator") in _COMPARED:
            values = [node.get("value")]
        elif tag == "Discretize":
            bins = [each for each in node.iter() if local_name(each) == "Interval"]
            values = [each.get(side) for each in bins for side in ("leftMargin", "rightMargin")]
        elif tag == "DataField":
            bins = [each for each in node if local_name(each) == "Interval"]
            values = [each.get(side) for each in bins for side in ("leftMargin", "rightMargin")]
        elif tag == "MiningField":
            values = [node.get("lowValue"), node.get("highValue")]
        elif tag == "NormContinuous":
            values = [each.get("orig") for each in node if local_name(each) == "LinearNorm"]
        elif tag == "Apply" and node.get("function") in _COMPARED:
            refs = [each.get("field") for each in node if local_name(each) == "FieldRef"]
            constants = [each.text for each in node if local_name(each) == "Constant"]
            if len(refs) == len(constants) == 1:
                field, values = refs[0] or "", list(constants)
        for text in values:
            number = _number(text)
            if number is not None:
                yield field, number


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _expressions(node: Element) -> list[Element]:
    return [each for each in node if local_name(each) not in ("Extension", "Value", "Interval")]


def _back(
    field: str, value: float, derived: Mapping[str, list[Element]], data: set[str], depth: int
) -> Iterator[tuple[str, float, bool]]:
    """The inputs at which a derived field has a value, where that can be reckoned back."""
    if depth > 50:
        return
    for expression in derived.get(field, ()):
        for name, number, exact in _inside(expression, value):
            if name in data:
                yield name, number, exact
            else:
                yield from ((a, b, exact and c) for a, b, c in _back(name, number, derived, data, depth + 1))


_UNDONE: Final[dict[str, Callable[[float], float]]] = {
    "ln": math.exp,
    "log10": lambda value: 10.0**value,
    "exp": math.log,
    "sqrt": lambda value: value * value,
    "ln1p": math.expm1,
    "expm1": math.log1p,
    "abs": lambda value: value,
    "floor": lambda value: value,
    "ceil": lambda value: value,
    "round": lambda value: value,
}


def _inside(node: Element, value: float) -> Iterator[tuple[str, float, bool]]:
    """The field inside an expression, and what it must be for the expression to have a value."""
    tag = local_name(node)
    if tag == "FieldRef":
        yield node.get("field", ""), value, True
    elif tag == "NormContinuous":
        knots = [
            (_number(each.get("orig")), _number(each.get("norm"))) for each in node if local_name(each) == "LinearNorm"
        ]
        points = [(a, b) for a, b in knots if a is not None and b is not None]
        for (a, low), (b, high) in pairwise(points):
            if low != high and (min(low, high) <= value <= max(low, high) or len(points) == 2):
                yield node.get("field", ""), a + (value - low) * (b - a) / (high - low), False
    elif tag == "Apply":
        yield from _applied(node, value)


def _applied(node: Element, value: float) -> Iterator[tuple[str, float, bool]]:
    function, arguments = node.get("function", ""), _expressions(node)
    if function == "if":  # a value in place of a missing one: the branches that have a field in them
        for branch in arguments[1:]:
            yield from _inside(branch, value)
        return
    try:
        if function in _UNDONE and len(arguments) == 1:
            yield from ((a, b, False) for a, b, _ in _inside(arguments[0], _UNDONE[function](value)))
        elif function in ("+", "-", "*", "/") and len(arguments) == 2:
            left, right = (_number(each.text) if local_name(each) == "Constant" else None for each in arguments)
            if right is not None:
                undone = {"+": value - right, "-": value + right, "*": value / (right or math.nan), "/": value * right}
                yield from ((a, b, False) for a, b, _ in _inside(arguments[0], undone[function]))
            elif left is not None:
                undone = {
                    "+": value - left,
                    "-": left - value,
                    "*": value / (left or math.nan),
                    "/": left / (value or math.nan),
                }
                yield from ((a, b, False) for a, b, _ in _inside(arguments[1], undone[function]))
    except (ValueError, OverflowError):  # the threshold is outside what the function gives
        return


def neighbours(value: float, *, single: bool, whole: bool = False, steps: int = 1) -> list[tuple[str, float]]:
    """A threshold and the numbers next to it, as doubles; in 32 bits too, where a file reckons so.

    >>> [label for label, _ in neighbours(0.1, single=False)]
    ['on', '1 up', '1 down']
    >>> [number for _, number in neighbours(2.5, single=False, whole=True)]
    [2.0, 3.0, 1.0]

    Args:
        value: the threshold.
        single: whether the input is read as a 32-bit number: then what rounds to the threshold, and what just does not.
        whole: whether the input is a whole number.
        steps: how many neighbours on each side.
    """
    if whole:
        return [
            ("below", float(math.floor(value))),
            ("above", math.floor(value) + 1.0),
            ("1 down", math.floor(value) - 1.0),
        ]
    found = [("on", value)]
    up = down = value
    for step in range(1, steps + 1):
        up, down = math.nextafter(up, math.inf), math.nextafter(down, -math.inf)
        found += [(f"{step} up", up), (f"{step} down", down)]
    if single:
        with np.errstate(over="ignore"):
            here = np.float32(value)
            above, below = np.nextafter(here, np.float32(np.inf)), np.nextafter(here, np.float32(-np.inf))
        found += [("on, 32 bits", float(here)), ("1 up, 32 bits", float(above)), ("1 down, 32 bits", float(below))]
        for label, other in (("up", above), ("down", below)):
            half = (float(here) + float(other)) / 2  # a tie between two numbers of 32 bits
            found += [(f"half {label}", half)]
            found += [
                (f"half {label}, {sign}", math.nextafter(half, to)) for sign, to in (("+", math.inf), ("-", -math.inf))
            ]
    return [(label, number) for label, number in found if math.isfinite(number)]


def boundary_rows(
    found: Thresholds,
    rows: pl.DataFrame,
    types: Mapping[str, str],
    *,
    reached: Mapping[tuple[str, float], Sequence[int]] | None = None,
    most: int = 6_000,
) -> ExampleSet:
    """Make rows on the boundaries and next to them: training rows near each, with that one value changed.

    A threshold is tried in rows that come to its split (see `reaching.py`); where none is known, in the two whose
    values are the nearest below and above it.

    Args:
        found: the boundaries.
        rows: rows to change; one or more.
        types: each input's PMML dataType: `float` is tried in 32 bits too.
        reached: rows that come to a threshold, by input and threshold.
        most: how many rows to make, evenly spread over all that could be made.
    """
    reached = reached or {}
    changes: list[tuple[int, dict[str, Any]]] = []
    labels: list[str] = []
    tried = {name: values for name, values in found.of.items() if name in rows.columns}
    for name, values in tried.items():
        if not rows.schema[name].is_numeric():
            continue
        seen = rows.get_column(name).cast(pl.Float64).fill_null(math.nan).to_numpy()
        order = np.argsort(seen, kind="stable")  # NaN last
        known = int(np.count_nonzero(~np.isnan(seen)))
        for value in values:
            at = int(np.searchsorted(seen[order[:known]], value, side="right"))
            near = set(reached.get((name, value), ())) or {
                int(order[max(at - 1, 0)]),
                int(order[min(at, len(order) - 1)]),
            }
            steps = _STEPS if (name, value) in found.inexact else 1
            whole = rows.schema[name].is_integer() or types.get(name) == "integer"
            for base in sorted(near):
                for label, number in neighbours(value, single=types.get(name) == "float", whole=whole, steps=steps):
                    changes.append((base, {name: int(number) if rows.schema[name].is_integer() else number}))
                    labels.append(f"{name} at {value!r}, {label}")
    notes = []
    if len(changes) > most:
        notes.append(f"{most:,} of {len(changes):,} rows")
        kept = evenly(pl.DataFrame({"at": range(len(changes))}), most)["at"].to_list()
        changes, labels = [changes[at] for at in kept], [labels[at] for at in kept]
    if found.out_of_reach:
        notes.append(f"{found.out_of_reach:,} thresholds on what several inputs make together are not tried")
    parts = (with_values(rows, changes),) if changes else ()
    return ExampleSet("boundaries", parts, tuple(labels), "; ".join(notes))
