"""The cases of the groups: windows and joins as flows, each with the hand-written kernel beside it as the limit.

Law: as for the works, what is measured is what a user runs, and the references share no code with it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.bench.answers import Answer
from styx_lab.bench.cases import difference, handwritten_cases
from styx_lab.bench.handwritten_joins import AsOfJoining, IntervalJoining
from styx_lab.bench.handwritten_sessions import Sessioning
from styx_lab.bench.harness import Case
from styx_lab.bench.limits import LIMITS_SCHEMA, limits
from styx_lab.bench.payments import DISORDER_MS, SCHEMA, Payments, payments
from styx_lab.bench.reference_groups import APART_MS, GAP_MS, columns_answer, pairs, sessions, versions_in_force
from styx_lab.bench.workloads import flow_cases
from styx_lab.core.ports import Arrivals
from styx_lab.engines.chain import Chain
from styx_lab.engines.feed import Slice
from styx_lab.engines.plan import Inputs
from styx_lab.errors import RunError
from styx_lab.flow.aggregate import count
from styx_lab.flow.aggregate import sum as sum_of
from styx_lab.flow.flow import Flow, flow
from styx_lab.flow.stream import Stream, source
from styx_lab.flow.window import Session

__all__ = [
    "as_of_cases",
    "case_names",
    "interval_cases",
    "run_flow",
    "session_cases",
    "slices_of",
    "sliding_cases",
    "stream_of",
]

_SESSION: Final = ("card_id", "window_start", "window_end", "count", "sum")
_PAIR: Final = ("auth", "fail")
_VERSION: Final = ("event_id", "version")
_SHOP: Final = ("card_id", "merchant", "country")
_DELAY: Final = f"{DISORDER_MS}ms"


def case_names(work: str, batch: int) -> tuple[str, str]:
    """What the product's case and its limit are called."""
    return f"{work}, flow, batches of {batch:,}", f"{work} by hand, batches of {batch:,}"


def sliding_cases(batch: int, events: int) -> dict[str, Case]:
    """W2: five minutes every minute; count and sum per card."""
    return flow_cases("W2", batch, events) | handwritten_cases("W2", batch, events)


def session_cases(work: str, batch: int, events: int) -> dict[str, Case]:
    """Session windows with a gap of five minutes; count and sum per card."""
    data = payments(events)
    right = columns_answer(sessions(data.columns), _SESSION)
    frames = list(data.batches(batch))

    def hand() -> Iterator[pl.DataFrame]:
        sessioning = Sessioning(batch)
        for frame in frames:
            yield from sessioning.push(frame)
        yield from sessioning.push(frames[0].clear(), ending=True)

    def made() -> Flow:
        session = stream_of().window(Session(f"{GAP_MS}ms"), count=count(), sum=sum_of("amount"))
        return flow("sessions", session.to("out"))

    def told(found: Iterable[pl.DataFrame]) -> Answer:
        return columns_answer(pl.concat(found), _SESSION)

    includes = "from decoded frames to frames of sessions"
    return _both(case_names(work, batch), events, right, {
        includes: (partial(run_flow, made, ("payments",), slices_of(data, batch)), told),
        f"{includes}, at most two open a card": (hand, told),
    })  # fmt: skip


def interval_cases(work: str, by_shop: bool, batch: int, events: int) -> dict[str, Case]:
    """Auths with the fails of the same key up to five minutes before or after.

    Args:
        work: what it is called.
        by_shop: whether the key is card, merchant and country, or else the card.
        batch: events in a batch.
        events: how many payments.
    """
    data = payments(events)
    key = _SHOP if by_shop else _SHOP[:1]
    right = columns_answer(pairs(data.columns, key), _PAIR)
    frames = list(data.batches(batch))

    def hand() -> Iterator[np.ndarray]:
        joining = IntervalJoining(batch, by_shop=by_shop)
        for frame in frames:
            yield from joining.push(frame)

    def made() -> Flow:
        stream = stream_of(key)
        auths, fails = (stream.filter(f"kind = '{kind}'", name=kind) for kind in _PAIR)
        return flow("pairs", auths.interval_join(fails, f"-{APART_MS}ms", f"{APART_MS}ms").to("out"))

    def of_flow(outputs: Iterable[pl.DataFrame]) -> Answer:
        names = {"event_id": "auth", "event_id_right": "fail"}
        return columns_answer(pl.concat(part.select(*names).rename(names) for part in outputs), _PAIR)

    much = f"{right.count / events:.2f} pairs an event"
    return _both(case_names(work, batch), events, right, {
        f"from decoded frames to frames of pairs, with all columns of both; {much}": (
            partial(run_flow, made, ("payments",), slices_of(data, batch)), of_flow
        ),
        f"from decoded frames to arrays of pairs of ids; {much}": (hand, partial(_of_arrays, _PAIR)),
    })  # fmt: skip


def as_of_cases(work: str, batch: int, events: int) -> dict[str, Case]:
    """Payments with the limit of their card in force at their time: a second stream, a tenth as many."""
    data = payments(events)
    versions = limits(data)
    right = columns_answer(versions_in_force(data.columns, versions.columns), _VERSION)
    both = np.concatenate([data.arrival, versions.arrival])
    order = np.argsort(both, kind="stable")
    whole = len(both)
    pieces = []
    for start in range(0, whole, batch):
        taken = order[start : start + batch]
        at, other = np.sort(taken[taken < events]), np.sort(taken[taken >= events])
        places = np.argsort(taken, kind="stable")
        pieces.append((data.columns[at], versions.columns[other - events], places, start, both[at], both[other]))

    def hand() -> Iterator[np.ndarray]:
        joining = AsOfJoining(batch)
        for left, known, places, *_ in pieces:
            yield joining.push(left, known, places)
        left, known, *_ = pieces[0]
        yield joining.push(left.clear(), known.clear(), np.empty(0, np.int64), ending=True)

    def made() -> Flow:
        known = source("limits", schema=LIMITS_SCHEMA, time="at", key="card_id", max_delay=_DELAY)
        return flow("limits", stream_of().asof_join(known).to("out"))

    slices = []
    for left, known, places, start, left_arrival, known_arrival in pieces:
        parts = {"payments": (left, left_arrival), "limits": (known, known_arrival)}
        numbers = {"payments": start + places[: len(left)], "limits": start + places[len(left) :]}
        slices.append(Slice({name: _arrivals(*parts[name], numbers[name]) for name in parts}, numbers))

    def of_flow(outputs: Iterable[pl.DataFrame]) -> Answer:
        return columns_answer(pl.concat(part.select(*_VERSION) for part in outputs), _VERSION)

    return _both(case_names(work, batch), whole, right, {
        "from decoded frames of both streams to frames of payments with limits": (
            partial(run_flow, made, ("payments", "limits"), slices), of_flow
        ),
        "from decoded frames of both streams to arrays of pairs of ids": (hand, partial(_of_arrays, _VERSION)),
    })  # fmt: skip


def _both(
    names: Sequence[str],
    events: int,
    right: Answer,
    works: dict[str, tuple[Callable[[], Iterable[Any]], Callable[[Iterable[Any]], Answer]]],
) -> dict[str, Case]:
    """The cases, by what each includes: how it is done, and how its answer is read."""

    def case(includes: str, work: Callable[[], Iterable[Any]], told: Callable[[Iterable[Any]], Answer]) -> Case:
        def timed() -> int:
            # Outputs are let go as they come: the pairs of a whole run may not fit the memory.
            deque(work(), maxlen=0)
            return events

        return Case(timed, lambda: difference(told(work()), right), includes)

    return {
        name: case(includes, work, told) for name, (includes, (work, told)) in zip(names, works.items(), strict=True)
    }


def _of_arrays(names: Sequence[str], found: Iterable[np.ndarray]) -> Answer:
    whole = np.concatenate([np.empty((0, len(names)), np.int64), *found])
    return columns_answer(pl.DataFrame(whole, list(names), orient="row"), names)


def stream_of(key: Sequence[str] = ("card_id",)) -> Stream:
    """The payments as a source of a flow, keyed by these columns."""
    return source("payments", schema=SCHEMA, time="ts", key=tuple(key), max_delay=_DELAY)


def run_flow(made: Callable[[], Flow], sources: Sequence[str], slices: Sequence[Slice]) -> Iterator[pl.DataFrame]:
    """The frames that a flow puts out, through the chain, from slices of decoded frames."""
    chain = Chain(made(), {name: Inputs((0,), "frame") for name in sources}, _no_model)
    for piece in slices:
        yield chain.feed(piece)["out"]
    yield chain.end(sum(map(len, slices)))["out"]


def slices_of(data: Payments, batch: int) -> list[Slice]:
    """The payments as they arrive, cut into batches."""
    slices = []
    for number, frame in enumerate(data.batches(batch)):
        sequence = np.arange(number * batch, number * batch + frame.height, dtype=np.int64)
        arrivals = _arrivals(frame, data.arrival[sequence], sequence)
        slices.append(Slice({"payments": arrivals}, {"payments": sequence}))
    return slices


def _arrivals(frame: pl.DataFrame, arrival: np.ndarray, offsets: np.ndarray) -> Arrivals:
    return Arrivals(np.zeros(frame.height, np.int32), offsets, arrival, columns=frame)


def _no_model(reference: str) -> Any:
    raise RunError("this flow has no model", where="bench", got=reference)
