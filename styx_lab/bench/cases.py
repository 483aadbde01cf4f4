"""The limits and the peer as cases: what the product's own cases are put beside.

Law: all that is not the work (making the data, cutting it into batches, starting Java) is done before the clock runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Literal

import numpy as np
import polars as pl

from styx_lab.bench.answers import Answer, derived_answer, matches_answer, notifications_answer, windows_answer
from styx_lab.bench.cards import CardsByDict
from styx_lab.bench.handwritten import Decoding, MatchCards, Matching, Pipeline, WindowCards, Windowing
from styx_lab.bench.harness import Case
from styx_lab.bench.payments import COUNT, Payments, payments
from styx_lab.bench.peers import StreamzByHand, pypmml_score
from styx_lab.bench.reference import DRAIN_ABOVE, expected

__all__ = ["difference", "handwritten_cases", "peer_cases"]


def difference(got: Answer, right: Answer) -> str | None:
    """What is wrong with an answer, in words; None when it is right."""
    if got == right:
        return None
    if got.count != right.count:
        return f"{got.count} outputs where {right.count} are right"
    return f"{got.count} outputs, as many as there should be, but not the right ones"


def handwritten_cases(work: str, batch: int, count: int = COUNT) -> dict[str, Case]:
    """The hand-written forms of a work, at batches of a size; W1 and W5 from payloads, W2 and W3 from decoded frames.

    Args:
        work: `W1`, `W2`, `W3` or `W5`.
        batch: events in a batch.
        count: how many payments.
    """
    data = _data(count)
    right = expected(work, data)
    name = f"{work} by hand, batches of {batch:,}"
    if work == "W1":
        cut = _cut(data, batch)
        return {f"{name}, {decoder}": _decoding(decoder, cut, right, len(data)) for decoder in ("msgspec", "polars")}
    if work == "W2":
        return {name: _windowing(data, batch, right), f"{name}, arrays": _window_arrays(data, batch, right)}
    if work == "W3":
        return {name: _matching(data, batch, right), f"{name}, arrays": _match_arrays(data, batch, right)}
    cut = _cut(data, batch)
    return {f"{name}, {decoder}": _pipeline(decoder, cut, batch, right, len(data)) for decoder in ("msgspec", "polars")}


def peer_cases(count: int = 20_000) -> dict[str, Case]:
    """W5 by hand with streamz and pypmml, over the first `count` payments: it is too slow for all.

    Args:
        count: how many payments.
    """
    data = _data(count)
    payloads, right, score = data.payloads(), expected("W5", data), pypmml_score()

    def work() -> list[str]:
        peer = StreamzByHand(score)
        peer.push(payloads)
        return peer.notifications

    def check() -> str | None:
        return difference(_notified(work()), right)

    includes = "from payloads, one at a time and as they arrive, to notifications; pypmml scores each match"
    return {"W5, streamz and pypmml": Case(_counted(work, len(data)), check, includes, may_be_wrong=True)}


@cache
def _data(count: int) -> Payments:
    return payments(count)


def _cut(data: Payments, batch: int) -> list[list[bytes]]:
    payloads = data.payloads()
    return [payloads[start : start + batch] for start in range(0, len(payloads), batch)]


def _counted(work: Callable[[], Any], count: int) -> Callable[[], int]:
    def run() -> int:
        work()
        return count

    return run


def _notified(notifications: Iterable[str | bytes]) -> Answer:
    made = map(json.loads, notifications)
    return notifications_answer((tuple(one["events"]), one["risk"]) for one in made)


def _decoding(decoder: Literal["msgspec", "polars"], cut: list[list[bytes]], right: Answer, count: int) -> Case:
    def work() -> list[tuple[np.ndarray, np.ndarray]]:
        decoding = Decoding(decoder)
        return [decoding.push(payloads) for payloads in cut]

    def check() -> str | None:
        ids, amounts = zip(*work(), strict=True)
        return difference(derived_answer(np.concatenate(ids), np.concatenate(amounts)), right)

    includes = "from payloads to arrays of two columns; three fields are decoded"
    return Case(_counted(work, count), check, includes)


def _windowing(data: Payments, batch: int, right: Answer) -> Case:
    frames = list(data.batches(batch))

    def work() -> list[pl.DataFrame]:
        windowing = Windowing(batch)
        fired = [part for frame in frames for part in windowing.push(frame)]
        return fired + windowing.push(frames[0].clear(), ending=True)

    def check() -> str | None:
        return difference(windows_answer(pl.concat(work())), right)

    return Case(_counted(work, len(data)), check, "from decoded frames to frames of windows")


def _window_arrays(data: Payments, batch: int, right: Answer) -> Case:
    cards, columns = _card_arrays(data)
    slots, times, amounts = columns[:3]
    starts = range(0, len(data), batch)
    cut = [(slots[at : at + batch], times[at : at + batch], amounts[at : at + batch]) for at in starts]

    def work() -> list[Any]:
        windows = WindowCards()
        fired = [part for rows in cut for part in windows.push(*rows, len(cards))]
        return fired + windows.push(slots[:0], times[:0], amounts[:0], len(cards), ending=True)

    def check() -> str | None:
        frames = [
            pl.DataFrame({"card_id": cards.names(w.slots), "window_end": w.ends, "count": w.counts, "sum": w.sums})
            for w in work()
        ]
        return difference(windows_answer(pl.concat(frames)), right)

    return Case(_counted(work, len(data)), check, "from arrays with cards as numbers to arrays of windows")


def _matching(data: Payments, batch: int, right: Answer) -> Case:
    frames = list(data.batches(batch))

    def work() -> np.ndarray:
        matching = Matching(batch)
        found = [matching.push(frame).ids for frame in frames]
        return np.concatenate([*found, matching.push(frames[0].clear(), ending=True).ids])

    def check() -> str | None:
        return difference(matches_answer(map(tuple, work().tolist())), right)

    return Case(_counted(work, len(data)), check, "from decoded frames to an array of matches")


def _match_arrays(data: Payments, batch: int, right: Answer) -> Case:
    cards, columns = _card_arrays(data)
    slots, times, amounts, kinds, ids = columns
    fails, drains = kinds == "fail", (kinds == "auth") & (amounts > DRAIN_ABOVE)
    cut = [slice(start, start + batch) for start in range(0, len(data), batch)]

    def work() -> np.ndarray:
        matches = MatchCards()
        found = [
            matches.push(slots[at], times[at], fails[at], drains[at], ids[at], len(cards), ending=at is cut[-1]).ids
            for at in cut
        ]
        return np.concatenate(found)

    def check() -> str | None:
        return difference(matches_answer(map(tuple, work().tolist())), right)

    return Case(_counted(work, len(data)), check, "from arrays with cards and conditions as numbers to matches")


def _pipeline(
    decoder: Literal["msgspec", "polars"], cut: list[list[bytes]], batch: int, right: Answer, count: int
) -> Case:
    def work() -> list[bytes]:
        pipeline = Pipeline(decoder, batch)
        made = [part for payloads in cut[:-1] for part in pipeline.push(payloads)]
        return made + pipeline.push(cut[-1], ending=True)

    def check() -> str | None:
        return difference(_notified(work()), right)

    includes = "from payloads to notifications, each match scored; all seven fields are decoded"
    return Case(_counted(work, count), check, includes)


def _card_arrays(data: Payments) -> tuple[CardsByDict, tuple[np.ndarray, ...]]:
    cards = CardsByDict()
    slots = cards.slots(data.columns["card_id"])
    return cards, (slots, *(data.columns[name].to_numpy() for name in ("ts", "amount", "kind", "event_id")))
