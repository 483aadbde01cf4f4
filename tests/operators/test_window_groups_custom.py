"""Aggregates of a user's own: what they give, what goes wrong in them, and that a flow carries them.

Laws: what runs is the source that the flow carries; an error in it says where, and never becomes a value.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from styx_lab.core.events import canonical_json
from styx_lab.errors import DataError, FlowError
from styx_lab.flow import aggregate as agg
from styx_lab.flow.aggregate import Aggregate
from styx_lab.flow.example_aggregate import GeometricMean
from styx_lab.flow.types import raw_type
from styx_lab.operators.window.groups import Groups
from styx_lab.testing import check_aggregate

WHERE = "step 'doc'"
STREAM = raw_type([("value", pl.Float64()), ("text", pl.String())], ())
SOURCE = '''
from __future__ import annotations


class Path:
    """The texts, joined in order of arrival."""

    output = {"list": "str"}

    def create(self):
        return []

    def add(self, acc, value):
        acc.append(value)
        return acc

    def merge(self, acc, other):
        return acc + other

    def result(self, acc):
        return acc


class Longest(Path):
    output, ordered = "int", False

    def create(self):
        return 0

    def add(self, acc, value):
        return max(acc, len(value))

    def merge(self, acc, other):
        return max(acc, other)


class Fails(Longest):
    def add(self, acc, value):
        return acc + 1 // (len(value) - 1)


class Lies(Longest):
    def result(self, acc):
        return "many"


class Needs(Longest):
    def __init__(self, size):
        self.size = size


class Odd(Longest):
    output = "number"
'''


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    import importlib

    (tmp_path / "styx_users_texts.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "styx_users_texts", raising=False)
    return importlib.import_module("styx_users_texts")


def compute(aggregate: Aggregate, groups: list[list[Any]], column: str = "text") -> pl.Series:
    running = Groups((("own", aggregate),), STREAM, WHERE)
    assert list(running.schema) == [column]
    members = pl.DataFrame({column: [value for values in groups for value in values]}, schema=running.schema)
    counts = np.array([len(values) for values in groups], np.int64)
    (found,) = running.compute(members, counts, lambda group: f"group {group}")
    assert (found.name, found.dtype) == ("own", aggregate.dtype(STREAM.readable, where=WHERE))
    return found


def test_values_come_in_order_without_nulls(users: Any) -> None:
    groups = [["b", None, "a"], [None], ["c"]]
    assert compute(agg.custom(users.Path, "text"), groups).to_list() == [["b", "a"], [], ["c"]]
    assert compute(agg.custom(users.Longest, "text"), groups).to_list() == [1, 0, 1]
    assert compute(agg.custom(GeometricMean, "value"), [[2.0, 8.0], [None]], "value").to_list() == [4.0, None]
    assert agg.custom(users.Path, "text").ordered
    assert not agg.custom(users.Longest, "text").ordered
    assert not agg.custom(users.Longest, "text").mergeable


def test_a_flow_carries_the_source(users: Any) -> None:
    made = agg.custom(users.Path, "text")
    text = canonical_json(made.to_json())
    del sys.modules["styx_users_texts"]
    sys.path.pop(0)
    again = Aggregate.from_json(msgspec.json.decode(text), where=WHERE)
    assert (again, str(again)) == (made, "Path(text)")
    assert compute(again, [["x"]]).to_list() == [["x"]]


def test_a_changed_source_is_refused(users: Any) -> None:
    stored = agg.custom(users.Path, "text").to_json()
    stored["options"]["class"]["source"].append("print('more')")
    with pytest.raises(FlowError, match="source that the flow carries was changed"):
        Aggregate.from_json(stored, where=WHERE)


def test_an_error_says_of_which_group_it_is(users: Any) -> None:
    for own, groups, what in [
        (users.Fails, [["abc"], ["a"]], "Fails fails: ZeroDivisionError"),
        (users.Lies, [["abc"]], "Lies fails: TypeError"),
    ]:
        with pytest.raises(DataError, match=what) as caught:
            compute(agg.custom(own, "text"), groups)
        assert caught.value.where == f"step 'doc', 'own', group {len(groups) - 1}"


def test_a_class_that_wants_arguments_is_refused_when_an_operator_is_built(users: Any) -> None:
    with pytest.raises(
        FlowError, match=r"'own', class Needs: an object of the class cannot be made: TypeError.*takes nothing"
    ):
        compute(agg.custom(users.Needs, "text"), [["a"]])


def test_what_is_no_aggregate_is_refused(users: Any) -> None:
    class Local(users.Path):  # type: ignore[misc]
        pass

    for bad, what in [(int, "not an aggregate"), (Local, "%%styx module"), (users.Odd, "no type"), (None, "not an")]:
        with pytest.raises(FlowError, match=what):
            agg.custom(bad, "text")


def test_the_kit_proves_merge_and_order(users: Any) -> None:
    check_aggregate(users.Path, ["a", "b", "c", "d"])
    check_aggregate(users.Longest, ["a", "", "abc"])
    check_aggregate(GeometricMean, [1.0, 2.0, 0.1, 7.5])

    class Unordered(users.Path):  # type: ignore[misc]
        ordered = False

    class Backwards(users.Path):  # type: ignore[misc]
        def merge(self, acc: Any, other: Any) -> Any:
            return other + acc

    for wrong in (Unordered, Backwards):
        with pytest.raises(AssertionError, match="gives"):
            check_aggregate(wrong, ["a", "b", "c"])
    with pytest.raises(FlowError, match="create, add, merge"):
        check_aggregate(dict, [1, 2])
