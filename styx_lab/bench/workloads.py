"""The product's side of the benchmarks: the works as flows, through the chain of operators, from memory to memory.

Law: what is measured is what a user runs: a flow of the public verbs, driven by the chain that the runner drives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.bench.answers import Answer, derived_answer, matches_answer, notifications_answer, windows_answer
from styx_lab.bench.cases import difference, handwritten_cases, peer_cases
from styx_lab.bench.groups import GROUPS
from styx_lab.bench.harness import Case, measure_apart
from styx_lab.bench.payments import COUNT, DISORDER_MS, SCHEMA, Payments, payments
from styx_lab.bench.reference import expected
from styx_lab.bench.risk_model import pmml
from styx_lab.core.events import canonical_lines
from styx_lab.core.ports import Arrivals, EncodedFormat, ModelRecord, Scorer
from styx_lab.engines.chain import Chain
from styx_lab.engines.feed import Slice
from styx_lab.engines.plan import Inputs
from styx_lab.errors import NotFoundError
from styx_lab.flow.aggregate import count, sum
from styx_lab.flow.flow import Flow, flow
from styx_lab.flow.pattern import Pattern
from styx_lab.flow.stream import Stream, source
from styx_lab.flow.window import Sliding
from styx_lab.models import open_scorer

__all__ = ["WORKS", "all_cases", "flow_cases", "run_benchmarks"]

WORKS: Final = ("W1", "W2", "W3", "W5")
_BATCH: Final = 10_000
_PEER_EVENTS: Final = 20_000
Outputs = list[dict[str, pl.DataFrame]]


def run_benchmarks(names: Sequence[str], events: int = COUNT, repeats: int = 5) -> dict[str, Any]:
    """Run works and groups, in processes of their own that keep to one core, and give their reports as JSON by name.

    Args:
        names: of `WORKS` and `GROUPS`; all of them where none are named. A group has several reports, by name.
        events: how many payments.
        repeats: how often each case is timed.

    Raises:
        NotFoundError: on an unknown name.
    """
    known = (*WORKS, *GROUPS)
    for name in names:
        if name not in known:
            raise NotFoundError("no such benchmark", where="bench", got=name, hint=f"one of {', '.join(known)}")
    reports: dict[str, Any] = {}
    for name in names or known:
        if name in GROUPS:
            reports[name] = GROUPS[name](events, repeats)
            continue
        task = ("styx_lab.bench.workloads:all_cases", name, _BATCH, events)
        reports[name] = measure_apart(*task, repeats=repeats, base=_name(name, _BATCH)).to_json()
    return reports


def all_cases(work: str, batch: int, events: int) -> dict[str, Case]:
    """The product's case, the hand-written limit beside it, and for W5 the peer."""
    cases = flow_cases(work, batch, events) | handwritten_cases(work, batch, events)
    return cases | (peer_cases(min(events, _PEER_EVENTS)) if work == "W5" else {})


def flow_cases(work: str, batch: int, events: int = COUNT) -> dict[str, Case]:
    """A work as a flow through the chain; W1 and W5 from payloads, W2 and W3 from decoded frames."""
    data = payments(events)
    right = expected(work, data)
    made, answer, format, includes = _WORKS[work]
    slices = _slices(data, batch, format)

    def run() -> Outputs:
        chain = Chain(made(), {"payments": Inputs((0,), format)}, _open_model)
        outputs = [_written(work, chain.feed(piece)) for piece in slices]
        return [*outputs, _written(work, chain.end(len(data)))]

    def timed() -> int:
        run()
        return len(data)

    return {_name(work, batch): Case(timed, lambda: difference(answer(run()), right), includes)}


def _name(work: str, batch: int) -> str:
    return f"{work}, flow, batches of {batch:,}"


def _slices(data: Payments, batch: int, format: EncodedFormat) -> list[Slice]:
    frames = list(data.batches(batch)) if format == "frame" else []
    payloads = data.payloads() if format == "json" else []
    slices = []
    for number, start in enumerate(range(0, len(data), batch)):
        stop = min(start + batch, len(data))
        sequence = np.arange(start, stop, dtype=np.int64)
        arrivals = Arrivals(
            np.zeros(stop - start, np.int32),
            sequence,
            data.arrival[start:stop],
            payloads=payloads[start:stop] if payloads else None,
            columns=frames[number] if frames else None,
        )
        slices.append(Slice({"payments": arrivals}, {"payments": sequence}))
    return slices


def _written(work: str, outputs: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    if work == "W5":
        # The notification as JSON is part of the work.
        canonical_lines(outputs["out"])
    return outputs


@cache
def _open_model(reference: str) -> Scorer:
    return open_scorer(ModelRecord(reference, 1, pmml(), "", "", {}))


def _payments() -> Stream:
    return source("payments", schema=SCHEMA, time="ts", key="card_id", max_delay=f"{DISORDER_MS}ms")


def _derive() -> Flow:
    return flow("w1", _payments().filter("kind != 'reversal'").with_columns(amount_eur="amount * 0.9").to("out"))


def _window() -> Flow:
    return flow("w2", _payments().window(Sliding("5m", every="1m"), count=count(), sum=sum("amount")).to("out"))


def _matched() -> Stream:
    pattern = (
        Pattern.begin("first")
        .where("kind = 'fail'")
        .next("second")
        .where("kind = 'fail'")
        .next("drain")
        .where("kind = 'auth' AND amount > 100")
        .within("10m")
    )
    return _payments().detect(
        pattern, amount="drain.amount", merchant="drain.merchant", country="drain.country", kind="drain.kind"
    )


def _match() -> Flow:
    return flow("w3", _matched().to("out"))


def _notify() -> Flow:
    scored = _matched().score("risk", into="risk")
    return flow("w5", scored.notify("block", message="Card {card_id}: {amount:.2f} (risk {risk:.2f})").to("out"))


def _whole(outputs: Outputs) -> pl.DataFrame:
    return pl.concat(output["out"] for output in outputs)


def _derived(outputs: Outputs) -> Answer:
    whole = _whole(outputs)
    return derived_answer(whole["event_id"].to_numpy(), whole["amount_eur"].to_numpy())


def _windows(outputs: Outputs) -> Answer:
    whole = _whole(outputs)
    return windows_answer(whole.with_columns(pl.col("window_end").cast(pl.Int64)))


def _ids(events: pl.Series) -> list[Any]:
    parts = [events.struct.field(part).struct.field("event_id").to_list() for part in ("first", "second", "drain")]
    return list(zip(*parts, strict=True))


def _matches(outputs: Outputs) -> Answer:
    return matches_answer(_ids(_whole(outputs).to_struct()))


def _notifications(outputs: Outputs) -> Answer:
    events = _whole(outputs)["event"]
    return notifications_answer(zip(_ids(events), events.struct.field("risk").to_list(), strict=True))


_Work = tuple[Callable[[], Flow], Callable[[Outputs], Answer], EncodedFormat, str]
_WORKS: Final[dict[str, _Work]] = {
    "W1": (_derive, _derived, "json", "from payloads to frames; all seven fields are decoded and every event stamped"),
    "W2": (_window, _windows, "frame", "from decoded frames to frames of windows"),
    "W3": (_match, _matches, "frame", "from decoded frames to frames of matches, with all columns of their events"),
    "W5": (
        _notify,
        _notifications,
        "json",
        "from payloads to notifications as JSON; the native engine scores each match",
    ),
}
