"""Every operator keeps the public contract on scripts at random, and the contract refuses operators that do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings

from styx_lab.core.batch import Batch
from styx_lab.core.operator import OUT, Emission, Operator
from styx_lab.core.state import State
from styx_lab.flow.flow import flow
from styx_lab.flow.pattern import Pattern
from styx_lab.flow.stream import Stream
from styx_lab.flow.window import Sliding, Tumbling
from styx_lab.operators.build import build
from styx_lab.operators.outside import Outside
from styx_lab.testing import Script, check_operator
from styx_lab.testing.strategies import payments, scripts
from tests.laws.verbs import AGGREGATES, CARDS, MODELS, TESTING, lookups

FEWER = settings(max_examples=max(5, settings().max_examples // 8))
SOURCE = payments(bound_ms=20)

OURS: dict[str, Callable[[Stream], Stream]] = {
    "filter": lambda stream: stream.filter("amount > 500"),
    "select": lambda stream: stream.select("card_id", doubled="amount * 2"),
    "with_columns": lambda stream: stream.with_columns(doubled="amount * 2"),
    "key_by": lambda stream: stream.key_by("status", "tries"),
    "union": lambda stream: stream.union(stream),
    "interval join": lambda stream: stream.interval_join(stream, "-10ms", "25ms"),
    "interval join full": lambda stream: stream.interval_join(stream, "3ms", "25ms", how="full"),
    "asof join": lambda stream: stream.asof_join(stream, delete="status = 'ok'", how="left"),
    "window tumbling": lambda stream: stream.window(Tumbling("25ms"), **AGGREGATES),
    "window sliding": lambda stream: stream.window(Sliding("40ms", every="10ms"), **AGGREGATES),
    "window with gaps": lambda stream: stream.window(Sliding("5ms", every="20ms"), **AGGREGATES),
    "detect": lambda stream: stream.detect(TESTING, amount="drain.amount"),
    "detect next": lambda stream: stream.detect(Pattern.begin("a").where("tries > 1").next("b").within("30ms")),
    "split": lambda stream: stream.split(large="amount > 500", odd="tries % 2 = 1").rest,
    "deduplicate": lambda stream: stream.deduplicate("status", within="15ms"),
    "cooldown": lambda stream: stream.cooldown("30ms"),
    "sort": lambda stream: stream.sort(),
    "enrich": lambda stream: stream.enrich(CARDS, on="card_id"),
    "lookup": lambda stream: stream.lookup(
        "weights", on=["card_id", "status"], columns={"weight": "int"}, expire_after="30ms", keep=3, missing="dead"
    ),
    "score": lambda stream: stream.score("risk", into="risk"),
    "score outputs": lambda stream: stream.score(
        "profiled",
        into="risk",
        outputs={"label": "label", "rounds": ("rounds", "int")},
        on_error={"missing": None, "invalid": -1, "failed": "dead"},
    ),
    "notify": lambda stream: stream.notify("n", message="{card_id} {amount:.1f}"),
}


def operator_of(verb: Callable[[Stream], Stream]) -> Callable[[], Operator]:
    """Makes the operator of a verb's step, as an engine does."""
    made = flow("one", verb(SOURCE).to("out"))
    step = next(step for step in made.steps if step.name == made.steps[-1].inputs[0].step)
    return lambda: build(step, made, made.types(), lambda reference: MODELS[reference], Outside(lookups()))


@pytest.mark.laws
@pytest.mark.parametrize("name", OURS)
@FEWER
@given(script=scripts(bound_ms=20))
def test_our_operators_keep_the_contract(name: str, script: Script) -> None:
    batch = script.batch(SOURCE)
    two = name == "union" or "join" in name
    check_operator(operator_of(OURS[name]), [batch, batch] if two else batch, passes_late=name == "asof join")


class _Broken(Operator):
    """Sums `tries` per key and gives the sum with each event: with one thing wrong."""

    def __init__(self, fault: str) -> None:
        self._fault = fault
        self._sums: dict[str, int] = {}

    def process(self, inputs: Sequence[Batch]) -> Emission:
        (batch,) = inputs
        if self._fault == "by batch":
            self._sums = {}
        sums = []
        for key, tries in batch.frame.select("card_id", pl.col("tries").fill_null(0)).rows():
            self._sums[key] = self._sums.get(key, 0) + tries
            sums.append(self._sums[key])
        out = batch.with_frame(batch.frame.with_columns(pl.Series("sum", sums, pl.Int64)))
        counts = {"seen": len(batch)}
        late = np.empty(0, np.int64)
        match self._fault:
            case "order" if len(out):
                out = Batch(out.frame, out.order - 1, out.before, out.steps)
            case "steps" if len(out.steps):
                out = Batch(out.frame, out.order, out.before)
            case "late":
                late = batch.order + 10
            case "count by batch":
                counts = {"batches": 1}
            case "no port":
                return Emission({})
            case "one dead too many":
                return Emission({OUT: out}, dead_order=batch.order)
        return Emission({OUT: out}, late_order=late, counts=counts)

    def snapshot(self) -> State:
        from styx_lab.core.keys import key_json
        from styx_lab.core.state import GROUP, key_group

        keys = list(self._sums)[1:] if self._fault == "forgets a key" else list(self._sums)
        groups = [key_group(key_json((key,))) for key in keys]
        table = pl.DataFrame(
            {
                "key": pl.Series(keys, dtype=pl.String),
                "sum": pl.Series([self._sums[key] for key in keys], dtype=pl.Int64),
            }
        ).with_columns(pl.Series(GROUP, groups, pl.UInt8))
        if self._fault == "snapshot empties":
            self._sums = {}
        return State({}, {"sums": table})

    def restore(self, states: Sequence[State]) -> None:
        if self._fault == "first part only":
            states = states[:1]
        table = State.union(states, where="broken").tables["sums"]
        self._sums = dict(table.select("key", "sum").rows())


SCRIPT = Script()
for _number in range(12):
    SCRIPT = SCRIPT.event({"card_id": "abcd"[_number % 4], "tries": _number}, at=10 * _number)
SCRIPT = SCRIPT.end()


def test_an_operator_that_keeps_the_contract() -> None:
    check_operator(lambda: _Broken(""), SCRIPT.batch(SOURCE))


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("by batch", "re-chunking"),
        ("count by batch", "re-chunking"),
        ("order", "has the order of the event"),
        ("steps", "keeps all steps"),
        ("late", "nothing silent"),
        ("one dead too many", "nothing silent"),
        ("no port", "every slice gives"),
        ("forgets a key", "crash anywhere"),
        ("first part only", "crash anywhere"),
        ("snapshot empties", "a snapshot leaves"),
    ],
)
def test_the_contract_refuses_a_broken_operator(fault: str, rule: str) -> None:
    with pytest.raises(AssertionError, match=rule):
        check_operator(lambda: _Broken(fault), SCRIPT.batch(SOURCE))


def test_the_contract_refuses_an_operator_that_depends_on_arrival() -> None:
    turned = Script()
    for moment in (*SCRIPT.moments[1::-1], *SCRIPT.moments[2:-1]):
        fields: Any = moment.event
        turned = turned.event(fields, at=moment.at)
    with pytest.raises(AssertionError, match="order within the bound"):
        check_operator(
            lambda: _Broken(""), SCRIPT.batch(SOURCE), reordered=[turned.end().batch(SOURCE)], key=["status"]
        )
