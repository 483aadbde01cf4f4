"""Many keys with one live partial match each: the memory that they take.

Law: no figure is given for an answer that was not checked. The answer is checked in a process of its own, so that what
the check needs is not in the figures.

Each of the keys has two events, and both make one match: after the first round, every key has one partial match that
lives. In the second round the keys come in another order.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from time import process_time_ns
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.bench.harness import run_module
from styx_lab.bench.many_keys import megabytes, no_model, order_of, peak_bytes, times_of
from styx_lab.core.ports import Arrivals
from styx_lab.core.schema import Schema
from styx_lab.engines.chain import Chain
from styx_lab.engines.feed import Slice
from styx_lab.engines.plan import Inputs
from styx_lab.flow.flow import flow
from styx_lab.flow.pattern import Pattern
from styx_lab.flow.steps.detect import MOST_PARTIALS
from styx_lab.flow.stream import source

__all__ = ["many_partials", "run_partials"]

_FIRST_CARD: Final = 4_000_000_000_000_000
_SCHEMA: Final = Schema({"ts": "int", "card_id": "str", "kind": "str"})
_KINDS: Final = ("fail", "auth")
_MATCHERS: Final = ("chains", "all patterns")


def many_partials(*, keys: int = 1_000_000, batch: int = 10_000) -> dict[str, Any]:
    """Measure both matchers, each in a new process on one core, and give figures as JSON.

    Args:
        keys: how many.
        batch: events in a batch.

    Raises:
        RunError: when a process fails.
    """
    cases = []
    for matcher in _MATCHERS:
        task = {"keys": keys, "batch": batch, "matcher": matcher}
        answer = run_module("styx_lab.bench.many_partials", task | {"check": True})["answer"]
        figures = run_module("styx_lab.bench.many_partials", task) if answer == "right" else {}
        rate = 1e9 / figures["ns_an_event"] if figures else None
        cases.append(
            {
                "name": f"{keys:,} keys with a partial match each, matcher of {matcher}",
                "includes": "from decoded frames to frames of matches, the chain of a flow, one core; processor time",
                "answer": answer,
                "rate": rate,
                "slowest": rate,
                "fastest": rate,
                "keys": keys,
                **figures,
            }
        )
    return {"pattern": str(_pattern()), "batch": batch, "cases": cases, "goals": {"peak_mb": 1_000}}


def run_partials(keys: int, batch: int, matcher: str, *, check: bool = False) -> dict[str, Any]:
    """One case in this process: figures, or whether the answer is right.

    >>> run_partials(100, 70, "chains", check=True)
    {'answer': 'right'}

    Args:
        keys: how many.
        batch: events in a batch.
        matcher: `chains` or `all patterns`.
        check: compare every match with what it must be, and give no figures.
    """
    stream = source("events", schema=_SCHEMA, time="ts", key="card_id", max_delay="1ms")
    # A bound on partial matches that is not the usual one is beyond the matcher of chains.
    most = MOST_PARTIALS - (matcher != "chains")
    made = flow("many-partials", stream.detect(_pattern(), max_partials=most).to("out"))
    chain = Chain(made, {"events": Inputs((0,), "frame")}, no_model)
    started = peak_bytes()
    spent, matches = 0, 0
    found = []
    for piece in _slices(keys, batch):
        begun = process_time_ns()
        out = chain.feed(piece)["out"]
        spent += process_time_ns() - begun
        matches += out.height
        if check:
            found.append(out)
        del out
    last = chain.end(2 * keys)["out"]
    if check:
        return {"answer": _verdict(keys, pl.concat([*found, last]))}
    return {
        "events": 2 * keys,
        "matches": matches + last.height,
        "ns_an_event": spent / (2 * keys),
        "peak_mb": megabytes(peak_bytes()),
        "start_mb": megabytes(started),
    }


def _pattern() -> Pattern:
    return Pattern.begin("first").where("kind = 'fail'").followed_by("second").where("kind = 'auth'").within("20m")


def _slices(keys: int, batch: int) -> Iterator[Slice]:
    for number, kind in enumerate(_KINDS):
        order = order_of(keys, number)
        for start in range(0, keys, batch):
            part = order[start : start + batch]
            first = number * keys + start
            sequence = np.arange(first, first + len(part), dtype=np.int64)
            times = times_of(keys, first, first + len(part))
            cards = pl.Series("card_id", part + _FIRST_CARD).cast(pl.String)
            columns = pl.DataFrame([pl.Series("ts", times), cards]).with_columns(kind=pl.lit(kind))
            arrivals = Arrivals(np.zeros(len(part), np.int32), sequence, times, columns=columns)
            yield Slice({"events": arrivals}, {"events": sequence})


def _verdict(keys: int, found: pl.DataFrame) -> str:
    """Each key has one match, of its event of the first round and that of the second."""
    if found.height != keys:
        return f"wrong: {found.height} matches where {keys} are right"
    cards = found["card_id"].cast(pl.Int64).to_numpy() - _FIRST_CARD
    for number, part in enumerate(("first", "second")):
        times = np.empty(keys, np.int64)
        times[order_of(keys, number)] = times_of(keys, number * keys, (number + 1) * keys)
        if not np.array_equal(found[part].struct.field("ts").to_numpy(), times[cards]):
            return f"wrong: the events of part {part!r}"
    return "right" if len(np.unique(cards)) == keys else "wrong: a key has several matches"


if __name__ == "__main__":
    print(json.dumps(run_partials(**json.loads(sys.argv[1]))))  # noqa: T201 - the answer to who started this process
