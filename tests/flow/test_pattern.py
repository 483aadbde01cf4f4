"""A pattern's calls: what each says, what each refuses, what a flow makes of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import polars as pl
import pytest

import styx_lab as styx
from styx_lab import AfterMatch, Pattern, Stream, col, matched
from styx_lab.errors import ExpressionError, FlowError
from styx_lab.flow.expression import Expression
from styx_lab.flow.pattern import Both, Call, Either, Negated, Part, Quantifier, Where
from styx_lab.flow.steps.detect import Detect
from styx_lab.operators.carried import load_function
from tests.flow import styx_conditions

A = Pattern.begin("a")
SCHEMA: dict[str, pl.DataType] = {"amount": pl.Float64(), "status": pl.String(), "tags": pl.List(pl.String())}


def payments() -> Stream:
    schema = {"ts": "int", "card_id": "str", "amount": "float", "status": "str"}
    return styx.source("payments", schema=schema, time="ts", key="card_id")


def test_calls_take_effect_in_order() -> None:
    asked = A.where("amount > 1").or_where("amount < 0").where("status = 'ok'").parts[0].condition
    assert isinstance(asked, Both)
    assert isinstance(asked.of[0], Either)
    assert [str(part.condition is None) for part in A.next("b").parts] == ["True", "True"]
    assert A.optional().one_or_more().parts[0].quantifier == Quantifier("loop", 1, None)
    assert A.times(0, 2).parts[0].quantifier == Quantifier("times", 1, 2, optional=True)
    assert A.one_or_more().greedy().allow_combinations().parts[0].quantifier.inner == "any"
    # Said again of one part, the last counts; of several, the smallest.
    assert A.within("1s").within("2s").within_ms == 2_000
    assert A.within("1s").next("b").within("2s").within_ms == 1_000
    assert A.within(timedelta(0)).within_ms == 0
    assert A.within("5s", between=True).parts[0].gap_ms == 5_000
    assert A.within_ms is None


def test_a_group_is_a_part_and_what_follows_is_said_of_it() -> None:
    pattern = A.followed_by_any(Pattern.begin("b").next("c")).times(2, window="3s").consecutive().next("d")
    group = pattern.parts[1]
    assert [part.name for part in group.group] == ["b", "c"]
    assert group.quantifier == Quantifier("times", 2, 2, inner="strict", window_ms=3_000)
    assert str(pattern) == (
        "begin a -> followed by any (begin b -> next c)[2, consecutive, 3s apart at most] -> next d"
    )


def test_a_subtype_is_a_condition_on_a_column() -> None:
    asked = A.subtype("debit", "credit", column="status").parts[0].condition
    assert asked == A.where(col("status").is_in(["debit", "credit"])).parts[0].condition


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "no name": (lambda: Pattern.begin(""), "must be text"),
    "a reserved name": (lambda: Pattern.begin("_a"), "must be text"),
    "a name without a column": (lambda: Pattern.begin(":a"), "must be text"),
    "a number as a name": (lambda: Pattern.begin(1), "must be text"),  # type: ignore[arg-type]
    "a name twice": (lambda: A.next("a"), "same name"),
    "a name twice, in a group": (lambda: A.next(Pattern.begin("b").next("a")), "same name"),
    "the name of the end": (lambda: Pattern.begin("$endState$"), "the end's"),
    "no skip strategy": (lambda: Pattern.begin("a", after_match="skip"), "skip strategy"),  # type: ignore[arg-type]
    "skip to no part": (lambda: AfterMatch.skip_to_first(""), "name of a part"),
    "nothing begun": (lambda: Pattern(()).where("amount > 1"), "begins with"),
    "nothing begun, next": (lambda: Pattern(()).next("a"), "begins with"),
    "an empty group": (lambda: A.next(Pattern(())), "at least one part"),
    "a group as a not": (lambda: A.not_next(Pattern.begin("b")), "single part"),  # type: ignore[arg-type]
    "times of nothing": (lambda: A.times(0), "1 or more"),
    "times of a truth": (lambda: A.times(True), "1 or more"),
    "times of a fraction": (lambda: A.times(1.5), "1 or more"),  # type: ignore[arg-type]
    "times the wrong way round": (lambda: A.times(3, 2), "smaller number first"),
    "nought to nought": (lambda: A.times(0, 0), "1 or more"),
    "nought or more": (lambda: A.times_or_more(0), "1 or more"),
    "how often twice": (lambda: A.one_or_more().times(2), "said already"),
    "until without a loop": (lambda: A.times(2).until("amount > 1"), "loop without end"),
    "until twice": (lambda: A.one_or_more().until("amount > 1").until("amount > 2"), "said already"),
    "optional twice": (lambda: A.times(0, 2).optional(), "said already"),
    "optional behind greedy": (lambda: A.one_or_more().greedy().next("b").optional(), "'a'"),
    "an optional not": (lambda: A.not_next("n").optional(), "what may not"),
    "a not several times": (lambda: A.not_followed_by("n").one_or_more(), "what may not"),
    "a greedy not": (lambda: A.not_followed_by("n").greedy(), "what may not"),
    "greedy once": (A.greedy, "needs times"),
    "a greedy group": (lambda: Pattern.begin(A).times(2).greedy(), "a group cannot"),
    "greedy after combinations": (lambda: A.one_or_more().allow_combinations().greedy(), "cannot follow"),
    "consecutive once": (A.consecutive, "needs times"),
    "consecutive twice": (lambda: A.times(2).consecutive().consecutive(), "said already"),
    "both contiguities": (lambda: A.times(2).consecutive().allow_combinations(), "exclude"),
    "a not behind an optional part": (lambda: A.optional().not_next("n"), "may be left out"),
    "a not behind times(0, n)": (lambda: A.times(0, 2).not_followed_by("n"), "may be left out"),
    "where on a group": (lambda: Pattern.begin(A).where("amount > 1"), "not for a group"),
    "subtype on a group": (lambda: Pattern.begin(A).subtype("x"), "not for a group"),
    "subtype of nothing": (A.subtype, "needs a kind"),
    "a length that is none": (lambda: A.within("soon"), "not a duration"),
    "a negative window": (lambda: A.times(2, window="-5s"), "must be positive"),
    "no condition": (lambda: A.where(None), "not a condition"),  # type: ignore[arg-type]
    "a truth as a condition": (lambda: A.where(True), "not a condition"),  # type: ignore[arg-type]
    "a column, not what to make of it": (lambda: matched("a").amount > 3, "say which value"),
    "a look-back at no part": (lambda: matched(""), "name of a part"),
    "a look-back at no column": (lambda: matched("a")[""], "not a column"),
    "a lambda": (lambda: A.where(styx_conditions.small), "lambda"),
    "a closure": (lambda: A.where(_closure()), "inside a function"),
    "a method": (lambda: A.where(styx_conditions.Conditions.inside), "inside a function or class"),
    "a function of one argument": (lambda: A.where(styx_conditions.lonely), "the event and the match"),  # type: ignore[arg-type]
    "a function that answers later": (lambda: A.where(styx_conditions.later), "at once"),
    "a partial": (lambda: A.where(partial(styx_conditions.rising)), "plain function"),
    "a builtin": (lambda: A.where(max), "plain function"),
}


def _closure() -> Callable[[Any, Any], bool]:
    def inner(event: Any, match: Any) -> bool:
        return bool(event) and bool(match)

    return inner


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_when_it_is_said(name: str) -> None:
    make, word = REFUSED[name]
    with pytest.raises(FlowError, match=word) as refused:
        make()
    assert refused.value.where


WRONG: dict[str, tuple[Pattern, str]] = {
    "an unknown column": (A.where("amonut > 1"), "amonut"),
    "no truth": (A.where("amount + 1"), "true or false"),
    "an unknown column in until": (A.one_or_more().until("amonut > 1"), "part 'a', until"),
    "an unknown column in a group": (A.next(Pattern.begin("b").where("amonut > 1")), "part 'b'"),
    "a look-back at an unknown part": (A.where(col("amount") > matched("zz").amount.sum()), "does not have"),
    "a look-back at a group": (
        A.next(Pattern.begin("b")).next("c").where(matched("GroupPattern").count() > 1),
        "not have",
    ),
    "a look-back at an unknown column": (A.where(col("amount") > matched("a").amonut.sum()), "amonut"),
    "a sum of text": (A.where(col("amount") > matched("a").status.sum()), "of numbers"),
    "a look-back at a list": (A.where(matched("a").tags.last().is_null()), "numbers, text"),
    "types that do not fit": (A.where(col("status") > matched("a").amount.last()), "do not fit"),
    "no truth above a look-back": (A.where(matched("a").count() + 1), "true or false"),
    "skip to a part of a group": (
        Pattern.begin(A, after_match=AfterMatch.skip_to_last("a")).next("b"),
        "does not have at its top",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_the_events_is_said_when_the_flow_is_built(name: str) -> None:
    pattern, word = WRONG[name]
    with pytest.raises(FlowError, match=word):
        pattern.check(SCHEMA, where="step 'detect'")


def test_a_condition_may_be_a_function_that_the_flow_carries() -> None:
    pattern = A.where("amount > 0").where(styx_conditions.rising).one_or_more().within("1m")
    asked = pattern.parts[0].condition
    assert isinstance(asked, Both)
    call = asked.of[1]
    assert isinstance(call, Call)
    assert str(pattern) == "begin a[1 or more] where amount > 0 and rising(event, match), within 1m"
    found = payments().detect(pattern, name="rising")
    flow = styx.flow("rising", found.to("out"))
    again = styx.Flow.from_json(flow.to_json())
    assert again == flow
    step = again.step("rising")
    assert isinstance(step, Detect)
    assert step.pattern == pattern
    rising = load_function(call.function, where="here")
    assert rising({"amount": 3}, {"a": [{"amount": 2}]})
    assert not rising({"amount": 2}, {"a": [{"amount": 2}]})


def test_conditions_can_be_put_together_from_data() -> None:
    either = Either((Negated(Where(Expression.of("amount > 1", where="test"))), Both()))
    assert str(A.where(either)) == "begin a where not (amount > 1) or (true)"
    assert A.where(either).parts[0].condition == either


def test_what_an_expression_over_a_look_back_cannot_do_is_named_where_it_is_said() -> None:
    with pytest.raises(ExpressionError, match=r"str\.to_uppercase cannot be made") as refused:
        A.where(matched("a").status.last().str.to_uppercase() == "X")
    assert "function" in str(refused.value.hint)
    with pytest.raises(ExpressionError, match="SQL text cannot look back"):
        A.where('amount > "_matched(""a"")[""amount""].sum()"')


def test_a_look_back_outside_a_pattern_is_refused() -> None:
    with pytest.raises(ExpressionError, match="only a condition of a pattern"):
        payments().filter(col("amount") > matched("a").amount.sum())
    with pytest.raises(AttributeError, match="it has first"):
        matched("a").amount.std()


def test_a_match_has_a_column_for_each_part_that_takes_events() -> None:
    group = Pattern.begin("x").next("y")
    pattern = A.followed_by(group).times(2).next("c").optional().next("d").not_followed_by("n").within("1m")
    assert pattern.columns == {"a": False, "x": True, "y": True, "c": False, "d": False}
    assert A.next("b:first").next("b:second").columns == {"a": False, "b": True}
    stream = payments().detect(pattern)
    assert list(stream.columns) == ["card_id", "a", "x", "y", "c", "d"]
    assert stream.columns["x"] == pl.Struct(
        {
            "ts": pl.List(pl.Int64()),
            "card_id": pl.List(pl.String()),
            "amount": pl.List(pl.Float64()),
            "status": pl.List(pl.String()),
            "_time": pl.List(pl.Datetime("ms", "UTC")),
        }
    )
    assert dict(stream.timed_out.columns) == dict(stream.columns)
    assert list(payments().detect(pattern, big="d.amount > 1").timed_out.columns) == list(stream.columns)


def test_the_options_of_detect_are_stored_where_they_are_not_the_usual() -> None:
    plain = payments().detect(A).steps[-1]
    assert plain.details().keys() == {"pattern", "columns"}
    said = {"max_partials": 7, "overflow": "drop_oldest", "on_error": "fail", "order_by": "amount", "descending": True}
    step = payments().detect(A, **said).steps[-1]  # type: ignore[arg-type]
    stored = json.loads(json.dumps(step.details()))
    assert {name: stored[name] for name in said} == said
    assert type(step).read(step.name, step.inputs, stored) == step


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ({"max_partials": 0}, "1 or more"),
        ({"overflow": "explode"}, "'drop_oldest'"),
        ({"on_error": "ignore"}, "'dead'"),
        ({"order_by": "amonut"}, "amonut"),
        ({"descending": True}, "order_by"),
    ],
)
def test_options_that_cannot_be_are_refused(said: dict[str, Any], word: str) -> None:
    with pytest.raises(FlowError, match=word):
        payments().detect(A, **said)


def test_a_pattern_is_stored_as_version_0_1_did_where_that_had_words_for_it() -> None:
    before = A.where("amount > 1").where("amount < 5").times(2).consecutive().followed_by("b").within("1m")
    stored = payments().detect(before).steps[-1].details()["pattern"]
    assert stored["within_ms"] == 60_000
    assert [part["name"] for part in stored["parts"]] == ["a", "b"]
    assert Pattern.from_json(stored, where="again") == before
    for newer in (
        before.followed_by_any("c"),
        A.within("1s").next("b"),
        A.within("0s"),
        A.next("b b"),
        A.where(matched("a").count() < 1),
        A.where("amount > 1").or_where("amount < 0"),
        A.one_or_more(),
        A.times(1, 2),
        A.times(2).allow_combinations(),
        A.times(2, window="1s"),
        A.optional(),
        A.within("1s", between=True),
        Pattern.begin(A),
        Pattern.begin("a", after_match=AfterMatch.skip_to_next()),
    ):
        step = payments().detect(newer).steps[-1]
        assert step.details()["pattern"] == newer.to_json()
        assert type(step).read(step.name, step.inputs, step.details()) == step


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        {"steps": [{"rel": "after", "name": "a", "calls": []}]},
        {"steps": [{"rel": "begin", "calls": []}]},
        {"steps": [{"rel": "begin", "name": "a", "calls": [{"call": "shout"}]}]},
        {"steps": [{"rel": "begin", "name": "a", "calls": [{"call": "within", "ms": -1}]}]},
        {"steps": [{"rel": "begin", "name": "a", "calls": [{"call": "where", "cond": {"op": "throw"}}]}]},
        {"steps": [{"rel": "begin", "name": "a", "calls": {}}]},
        {"steps": [{"rel": "next", "name": "a"}]},
        {"steps": [{"rel": "begin", "name": "a"}, {"rel": "begin", "name": "b"}]},
        {"steps": [], "more": 1},
        {"steps": [{"rel": "begin", "name": "a"}], "skip": {"strategy": "leap"}},
        {"parts": [{"name": "a"}], "within_ms": None},
        {"parts": [], "within_ms": "1s"},
    ],
)
def test_damaged_json_is_refused(damaged: dict[str, Any]) -> None:
    with pytest.raises(FlowError):
        Pattern.from_json(damaged, where="stored").check_structure()


@pytest.mark.parametrize(
    ("cond", "kinds"),
    [
        ({"op": ">", "field": "gone", "value": 1}, Either()),
        ({"op": "==", "field": "status", "value": 1}, Either()),
        ({"op": "==", "field": "amount", "value": None}, Either()),
        ({"op": "<", "field": "amount", "value": "x"}, Either()),
        ({"op": "<", "field": "amount", "agg": {"fn": "avg", "of": "a", "field": "gone"}, "empty": True}, Both()),
        ({"op": "<", "field": "amount", "agg": {"fn": "min", "of": "a", "field": "status"}}, Either()),
        ({"op": "<", "field": "status", "agg": {"fn": "last", "of": "a", "field": "amount"}}, Either()),
    ],
)
def test_a_neutral_comparison_of_what_cannot_be_compared_is_false(cond: dict[str, Any], kinds: object) -> None:
    value = {"steps": [{"rel": "begin", "name": "a", "calls": [{"call": "where", "cond": cond}]}]}
    pattern = Pattern.from_json(value, where="case", columns=SCHEMA)
    assert pattern.parts[0].condition == kinds
    pattern.check(SCHEMA, where="case")


def test_a_part_knows_its_column() -> None:
    assert Part("a:b:c", "begin").column == "a"


def test_what_did_not_happen_is_a_pattern_with_a_not_at_its_end() -> None:
    stuck = payments().detect_absence("amount > 500", after=A.where("amount < 1"), within="10m", cents="a.amount * 100")
    step = stuck.steps[-1]
    assert isinstance(step, Detect)
    assert step.name == "detect_absence"
    assert step.pattern == A.where("amount < 1").not_followed_by("missing").where("amount > 500").within("10m")
    assert list(stuck.columns) == ["card_id", "cents", "a"]
