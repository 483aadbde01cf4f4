"""Look-backs read in Python have the values of the compiled programs, to the last bit, nulls and NaN among them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from polars import col

from styx_lab.errors import FlowError
from styx_lab.flow.pattern import Pattern, matched
from styx_lab.flow.pattern.conditions import Where
from styx_lab.flow.steps import Detect
from styx_lab.flow.types import raw_type
from styx_lab.operators.cep.automaton.build import build_automaton
from styx_lab.operators.cep.compiled.matcher import Matcher
from styx_lab.operators.cep.compiled.operator import _matrices
from styx_lab.operators.cep.compiled.program import Events, evaluate
from styx_lab.operators.cep.compiled.tables import compile_automaton
from styx_lab.operators.cep.compiled.texts import Texts
from styx_lab.operators.cep.explain.leaves import Leaves

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SCHEMA: dict[str, pl.DataType] = {
    "x": pl.Float64(), "n": pl.Int64(), "u": pl.UInt64(), "s": pl.String(), "b": pl.Boolean(),
    "t": pl.Datetime("ms", "UTC"),
}  # fmt: skip
_VALUES: dict[str, list[Any]] = {
    "x": [0.0, 1.5, math.nan, -2.0, 0.1, None, 1e300, math.inf, -math.inf, 5e-324, -0.0],
    "n": [1, 0, -3, 2**53 + 1, None, -(2**62)],
    "u": [0, 7, 2**63 + 1, None],
    "s": ["a", "", "b", None, "\U0001f600", "\uffff", "\u00e9"],
    "b": [True, False, None],
    "t": [EPOCH, EPOCH + timedelta(seconds=3), EPOCH - timedelta(days=9), None, EPOCH + timedelta(seconds=3)],
}
EVENTS = [{name: values[place % len(values)] for name, values in _VALUES.items()} for place in range(24)]
"""Every value, in many company."""

LEAVES = st.one_of(
    st.sampled_from([col("x"), col("n"), col("u"), pl.lit(2), pl.lit(0.5), col("x") + col("n"), pl.lit(0)]),
    st.builds(
        lambda name, part, word: getattr(matched(part)[name], word)(),
        st.sampled_from(["x", "n", "u"]),
        st.sampled_from(["a", "b"]),
        st.sampled_from(["sum", "mean", "min", "max", "first", "last"]),
    ),
    st.builds(lambda part: matched(part).count(), st.sampled_from(["a", "b"])),
)
NUMBERS = st.one_of(
    LEAVES,
    st.builds(
        lambda op, one, other: [one + other, one - other, one * other, one / other, one.fill_null(other), -one][op],
        st.integers(0, 5),
        LEAVES,
        LEAVES,
    ),
)
FOLDED = {
    "s": st.sampled_from([matched("a").s.last(), matched("a").s.first(), matched("b").s.last(), col("s"), pl.lit("b")]),
    "t": st.sampled_from([matched("a").t.last(), matched("b").t.first(), col("t"), pl.lit(EPOCH)]),
    "b": st.sampled_from([matched("a").b.last(), col("b"), pl.lit(value=True)]),
}
COMPARED = [
    lambda a, b: a == b, lambda a, b: a != b, lambda a, b: a < b, lambda a, b: a <= b, lambda a, b: a > b,
    lambda a, b: a >= b,
]  # fmt: skip
COMPARISONS = st.one_of(
    st.builds(lambda how, a, b: how(a, b), st.sampled_from(COMPARED), NUMBERS, NUMBERS),
    st.builds(lambda how, a, b: how(a, b), st.sampled_from(COMPARED), LEAVES, LEAVES),
    st.sampled_from(["s", "t", "b"]).flatmap(
        lambda kind: st.builds(lambda how, a, b: how(a, b), st.sampled_from(COMPARED), FOLDED[kind], FOLDED[kind])
    ),
    st.builds(lambda one: one.is_null(), NUMBERS),
    st.builds(lambda one: one.is_not_null(), FOLDED["s"]),
)
TRUTHS = st.one_of(
    COMPARISONS,
    st.builds(lambda one: ~one, COMPARISONS),
    st.builds(lambda one, other: ~(one & other), COMPARISONS, COMPARISONS),
    st.builds(lambda one, other: ~(one | other), COMPARISONS, COMPARISONS),
)
TAKEN = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, len(EVENTS) - 1)), max_size=4)


FIXED = [
    [],
    [("a", 0), ("a", 1), ("b", 5), ("a", 2)],
    [("b", 3), ("a", 7), ("b", 8)],
    [("a", 5), ("a", 9), ("a", 4)],
]
"""What was taken: of none, of several, with nulls first and last."""


@pytest.mark.parametrize("word", ["sum", "mean", "min", "max", "first", "last"])
@pytest.mark.parametrize("name", ["x", "n", "u", "s", "t", "b"])
def test_every_fold_has_the_value_of_the_compiled_one(word: str, name: str) -> None:
    if name in ("s", "t", "b") and word not in ("first", "last"):
        return
    fold = getattr(matched("a")[name], word)()
    for compared in (col(name) > fold, col(name) == fold, fold.is_null()):
        _check(compared, FIXED)


@settings(max_examples=100, phases=[Phase.generate])
@given(TRUTHS, st.lists(TAKEN, min_size=4, max_size=4))
def test_programs_have_the_values_of_the_compiled_ones(condition: pl.Expr, taken: list[list[tuple[str, int]]]) -> None:
    _check(condition, [*FIXED, *taken])


def _check(condition: pl.Expr, taken: Sequence[Sequence[tuple[str, int]]]) -> None:
    first = Pattern.begin("a").one_or_more().followed_by("b").one_or_more().followed_by("c")
    try:
        pattern = first.where(condition)
        pattern.check(SCHEMA, where="test")
    except FlowError:
        return  # types that do not fit, or a constant condition
    stream = raw_type(SCHEMA.items(), ())
    frame = pl.DataFrame(EVENTS, schema=SCHEMA).with_columns(
        pl.lit(EPOCH).cast(pl.Datetime("ms", "UTC")).alias("_time")
    )
    automaton = build_automaton(pattern.parts, pattern.after_match)
    leaf = pattern.parts[-1].condition
    assert isinstance(leaf, Where)
    leaves = Leaves(Detect("d", (), pattern, ()), stream, automaton, frame)
    for accepted in taken:
        told = [leaves.holds(leaf, event, accepted) for event in range(len(EVENTS))]
        assert told == _compiled(pattern, frame, accepted)


def _compiled(pattern: Pattern, frame: pl.DataFrame, accepted: Sequence[Any]) -> list[bool]:
    """What the compiled program says of each event."""
    from styx_lab.flow.expression.values import evaluate as values_of

    texts = Texts()
    automaton = build_automaton(pattern.parts, pattern.after_match)
    compiled = compile_automaton(automaton, SCHEMA, texts, where="test")
    reads = {f"{place}": read.expression for place, read in enumerate(compiled.reads)}
    leaves = {f"leaf.{place}": leaf for place, leaf in enumerate(compiled.leaves)}
    values = values_of(frame, reads | leaves)
    height = frame.height
    told = [values[f"leaf.{place}"].fill_null(value=False).to_numpy() for place in range(len(compiled.leaves))]
    floats, ints, nulls = _matrices(
        [(read, values[f"{place}"]) for place, read in enumerate(compiled.reads)], height, texts
    )
    events = Events(
        np.zeros(height, np.int64), np.zeros(height, np.int64), np.arange(height), compiled.bits(told, height),
        floats, ints, nulls, texts.ranks(),
    )  # fmt: skip
    matcher = Matcher.empty(compiled, "test")
    nodes, node = matcher.nodes, -1
    for place, (part, event) in enumerate(accepted):
        nodes[place, :3] = (node, event, compiled.parts.index(part))
        node = place
        matcher.node_floats[place] = floats[event, : matcher.node_floats.shape[1]]
        matcher.node_ints[place] = ints[event, : matcher.node_ints.shape[1]]
        few = matcher.node_floats.shape[1]
        matcher.node_nulls[place, :few] = nulls[event, :few]
        matcher.node_nulls[place, few:] = nulls[event, floats.shape[1] : floats.shape[1] + matcher.node_ints.shape[1]]
    take = next(
        edge
        for number, state in enumerate(automaton.states)
        if state.part == "c"
        for edge in [compiled.tables.edges[compiled.tables.states[number, 3]]]
    )
    if take[3] >= 0:
        return [bool((compiled.bits(told, height)[event, take[2]] >> take[3]) & 1) for event in range(height)]
    none = np.zeros((len(nodes) + 1, 1), np.int64)
    said = []
    for event in range(height):
        stacks = (np.zeros(64, np.float64), np.zeros(64, np.int64), np.zeros(64, np.bool_))
        value = evaluate(
            take[4], event, node, compiled.code, events, nodes, matcher.node_floats, matcher.node_ints,
            matcher.node_nulls, none, none, np.zeros((1, 3), np.int64), *stacks, np.zeros(64, np.int64),
        )  # fmt: skip
        said.append(bool(value))
    return said
