"""The stream builder: what each verb gives, and what each refuses, with words that say what to do."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import styx_lab as styx
from styx_lab import Pattern, Sliding, Tumbling, col
from styx_lab.core.events import EventKind
from styx_lab.errors import ExpressionError, FlowError, SchemaError
from styx_lab.flow.stream import Stream

SCHEMA = {"ts": "int", "card_id": "str", "amount": "float", "status": "str"}


def payments(**changes: Any) -> Stream:
    arguments: dict[str, Any] = {"schema": SCHEMA, "time": "ts", "key": "card_id", "max_delay": "2s"}
    return styx.source("payments", **(arguments | changes))


def drain() -> Pattern:
    return Pattern.begin("small").where("amount < 1").times(2).followed_by("drain").where("amount > 500").within("10m")


def test_a_stream_is_a_value() -> None:
    stream = payments()
    first, second = stream.filter("amount > 1"), stream.filter("amount > 1")
    assert first == second
    assert len(stream.steps) == 1


def test_steps_are_named_after_their_verb() -> None:
    stream = payments().filter("amount > 1").filter("amount > 2").filter("amount > 3", name="third")
    assert [step.name for step in stream.steps] == ["payments", "filter", "filter_2", "third"]


def test_kinds_follow_the_chain() -> None:
    match = payments().detect(drain(), amount="drain.amount")
    table = pl.DataFrame({"card_id": ["a"], "segment": ["gold"]})
    enriched = match.enrich(table, on="card_id")
    scored = enriched.score("fraud", into="risk")
    notified = scored.notify("tell", message="{card_id}: {risk:.0%}")
    kinds = [stream.type.kind for stream in (payments(), match, enriched, scored, notified)]
    assert kinds == [EventKind.RAW, EventKind.BUSINESS, EventKind.RICH, EventKind.RICH, EventKind.NOTIFICATION]


def test_parts_of_a_match_are_structs_and_of_lists_where_they_repeat() -> None:
    columns = (
        payments().detect(drain(), amount="drain.amount", sum=col("small").struct.field("amount").list.sum()).columns
    )
    assert columns["amount"] == pl.Float64()
    assert columns["sum"] == pl.Float64()
    small = {field.name: field.dtype for field in columns["small"].fields}  # type: ignore[attr-defined]
    assert small["amount"] == pl.List(pl.Float64)
    assert small["_time"] == pl.List(pl.Datetime("ms", "UTC"))


def test_select_keeps_the_key() -> None:
    assert list(payments().select("card_id", cents="amount * 100").columns) == ["card_id", "cents"]
    with pytest.raises(FlowError, match="must keep the key"):
        payments().select("amount")


def test_event_time_can_be_read() -> None:
    assert payments().filter("_arrival >= _time").type == payments().type


def refusals() -> list[tuple[str, Any, str]]:
    return [
        ("detect without a key", lambda: payments(key=()).detect(drain()), "needs a keyed stream.*key_by"),
        ("unknown column", lambda: payments().filter("amont > 5"), "amont.*amount"),
        ("condition that is none", lambda: payments().filter("amount + 1"), "true or false"),
        ("wrong type", lambda: payments().filter("status > 5"), "status"),
        ("duplicate name", lambda: payments().filter("amount > 1", name="payments"), "two steps have the same name"),
        ("an aggregate", lambda: payments().filter("amount > AVG(amount)"), "AVG.*window"),
        ("unknown key", lambda: payments(key="card"), "'card'.*card_id"),
        ("key of floats", lambda: payments().key_by("amount"), "a key must be"),
        ("unknown time", lambda: payments(time="when"), "'when'"),
        ("time of floats", lambda: payments(time="amount"), "event time must be"),
        ("a window that is none", lambda: payments().window("5m", n=styx.count()), "not a window.*Tumbling"),  # type: ignore[arg-type]
        ("no aggregates", lambda: payments().window(Tumbling("5m")), "at least one aggregate"),
        ("sum of text", lambda: payments().window(Tumbling("5m"), x=styx.sum("status")), "takes a number"),
        ("negative size", lambda: Tumbling("-5m"), "must be positive"),
        ("zero slide", lambda: Sliding("5m", every="0s"), "must be positive"),
        ("union of other schemas", lambda: payments().union(payments().select("card_id")), "only streams of one kind"),
        ("late of a filter", lambda: payments().filter("amount > 1").late, "have late events"),
        ("message with unknown field", lambda: payments().notify("n", message="{amont}"), "'amont'.*amount"),
        ("message with attribute", lambda: payments().notify("n", message="{card_id.__class__}"), "__class__"),
        ("message with bad format", lambda: payments().notify("n", message="{card_id:.2f}"), "cannot print"),
        ("message with open brace", lambda: payments().notify("n", message="{card_id"), "no template"),
        ("column of Styx", lambda: payments().with_columns(_x="amount"), "_x"),
        ("key replaced", lambda: payments().with_columns(card_id="status"), "must not replace the key"),
        ("no output", lambda: styx.flow("f", payments()), "needs an output"),
        ("no stream", lambda: styx.flow("f"), "made of streams"),
        ("a name with spaces", lambda: payments().filter("amount > 1", name="my filter"), "plain word"),
        ("bad delay", lambda: payments(max_delay="soon"), "not a duration.*2s"),
        ("two parts of one name", lambda: Pattern.begin("a").next("a"), "same name"),
        ("times of nothing", lambda: Pattern.begin("a").times(0), "1 or more"),
        ("times twice", lambda: Pattern.begin("a").times(2).times(2), "said already"),
        ("consecutive alone", lambda: Pattern.begin("a").consecutive(), "needs times"),
    ]


@pytest.mark.parametrize(("build", "words"), [pytest.param(*one[1:], id=one[0]) for one in refusals()])
def test_what_cannot_be_built_is_refused_with_words(build: Any, words: str) -> None:
    with pytest.raises((FlowError, ExpressionError, SchemaError), match=rf"(?s){words}"):
        build()


def test_a_table_with_a_key_twice_is_refused() -> None:
    twice = pl.DataFrame({"card_id": ["a", "a"], "x": [1, 2]})
    with pytest.raises(FlowError, match="two rows of the table have the same key"):
        payments().enrich(twice, on="card_id")


def test_a_table_that_is_missing_or_empty_is_refused(tmp_path: Any) -> None:
    with pytest.raises(styx.StyxError, match="no such file"):
        payments().enrich(tmp_path / "nowhere.parquet", on="card_id")
    with pytest.raises(styx.StyxError, match="no rows"):
        payments().enrich(pl.DataFrame(schema={"card_id": pl.String}), on="card_id")


def test_two_different_steps_of_one_name_cannot_meet() -> None:
    one, other = payments().filter("amount > 1"), payments().filter("amount > 2")
    with pytest.raises(FlowError, match=r"two different steps have the same name.*name="):
        one.union(other)
    assert len(one.union(payments().filter("amount > 2", name="other")).steps) == 4
