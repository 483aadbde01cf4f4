"""The plain references: the right answers of W1, W2, W3 and W5, written to be read, one event at a time.

Law: event time is what counts. No event is late, for the bound is the disorder of the data, so a window or a match
depends on event times alone; events of one card with equal event time come in order of arrival.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from math import fsum
from typing import Any, Final, NamedTuple

import polars as pl

from styx_lab.bench.answers import (
    Answer,
    Match,
    derived_answer,
    matches_answer,
    notifications_answer,
    windows_answer,
)
from styx_lab.bench.payments import COUNT, DISORDER_MS, Payments
from styx_lab.bench.risk_model import risk
from styx_lab.errors import NotFoundError

__all__ = [
    "DRAIN_ABOVE",
    "EUR",
    "SIZE_MS",
    "SLIDE_MS",
    "WITHIN_MS",
    "WORKS",
    "Payment",
    "answer",
    "derived",
    "expected",
    "matches",
    "notifications",
    "windows",
]

EUR: Final = 0.9
SIZE_MS: Final = 300_000
SLIDE_MS: Final = 60_000
WITHIN_MS: Final = 600_000
DRAIN_ABOVE: Final = 100.0
WORKS: Final = ("W1", "W2", "W3", "W5")

_EXPECTED: Final[dict[int, dict[str, Answer]]] = {
    20_000: {
        "W1": Answer(19030, "11e91386af9f79b538b54b06efee025fbfdc1877a4af4d65bb4a432cb90815e0"),
        "W2": Answer(24419, "f92bf806bbcffbfe2a5aa41eb0d463dfc4591f92bfa2e99ef1e4d772bf890d44"),
        "W3": Answer(20, "73514fcc5d0ec51c68d2d9c1b5cb7efcd0c9e3e9a53fc62ece3a962f22d1f650"),
        "W5": Answer(20, "064d974fdb33c2acd85414d2cc76325eb5e21cdf0a696edd728e21e2b8609e86"),
    },
    COUNT: {
        "W1": Answer(1900210, "603a17e1f894f0430744a64654c3b0fd468e5b185c9dea950751b4038581aea1"),
        "W2": Answer(2205751, "42536dd84203affd8bea567150faca4202ea2cb7ea5a522dd8d756da28c9a4de"),
        "W3": Answer(2495, "f6064eb3eef6a2217c113f8fb59e3a5172c9009575c997d480ccb88ea69338d5"),
        "W5": Answer(2495, "cfbc91a1ddfb66c6ac8b310fbf23bc6b4efb84efb9c0e958af45d5b499263a0c"),
    },
}
"""Of the frozen payments, so that a benchmark need not wait for the references; a test works the smaller out anew."""


class Payment(NamedTuple):
    """A payment event, with the columns of the benchmark's data."""

    event_id: int
    ts: int
    card_id: str
    amount: float
    merchant: str
    country: str
    kind: str


def derived(payloads: Iterable[bytes]) -> list[tuple[int, float]]:
    """W1: decode, filter, derive: the id and the amount in euro of every payment that is no reversal."""
    kept = []
    for payload in payloads:
        event = json.loads(payload)
        if event["kind"] != "reversal":
            kept.append((event["event_id"], event["amount"] * EUR))
    return kept


def windows(events: Iterable[Payment]) -> list[tuple[str, int, int, float]]:
    """W2: (card, window end, count, correctly rounded sum) of all windows of 5 min every 1 min, as they fire."""
    open_windows: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    results = []

    def fire(end: int) -> None:
        for card, amounts in open_windows.pop(end).items():
            results.append((card, end, len(amounts), fsum(amounts)))

    latest = -(2**63)
    for event in events:
        first_end = event.ts - event.ts % SLIDE_MS + SLIDE_MS
        for end in range(first_end, first_end + SIZE_MS, SLIDE_MS):
            open_windows[end][event.card_id].append(event.amount)
        latest = max(latest, event.ts)
        watermark = latest - DISORDER_MS - 1
        for end in sorted(end for end in open_windows if end - 1 <= watermark):
            fire(end)
    for end in sorted(open_windows):
        fire(end)
    return results


def matches(events: Iterable[Payment], *, by_arrival: bool = False) -> list[tuple[Payment, Payment, Payment]]:
    """W3: fail, next fail, next auth above 100, all in less than 10 min, per card in event time.

    Args:
        events: in order of arrival.
        by_arrival: take each card's events as they arrive instead: the wrong answer that is to be counted.
    """
    cards: dict[str, list[Payment]] = defaultdict(list)
    for event in events:
        cards[event.card_id].append(event)
    found = []
    for history in cards.values():
        if not by_arrival:
            history.sort(key=lambda event: event.ts)
        for first, second, third in zip(history, history[1:], history[2:], strict=False):
            if (
                first.kind == "fail"
                and second.kind == "fail"
                and third.kind == "auth"
                and third.amount > DRAIN_ABOVE
                and third.ts - first.ts < WITHIN_MS
            ):
                found.append((first, second, third))
    return found


def notifications(events: Iterable[Payment]) -> list[dict[str, Any]]:
    """W5: a notification for each match of W3, with the score of its auth."""
    return [
        {
            "events": [first.event_id, second.event_id, drain.event_id],
            "card_id": drain.card_id,
            "risk": risk(drain.amount, drain.merchant, drain.country),
            "message": f"Card {drain.card_id}: {drain.amount:.2f} after two declines",
        }
        for first, second, drain in matches(events)
    ]


def answer(work: str, data: Payments) -> Answer:
    """Work the answer out: a minute for all four at 2,000,000 events.

    Args:
        work: one of `WORKS`.
        data: the payments.

    Raises:
        NotFoundError: on another work.
    """
    if work == "W1":
        kept = derived(data.payloads())
        return derived_answer([event_id for event_id, _ in kept], [amount for _, amount in kept])
    if work == "W2":
        fired = windows(_events(data))
        return windows_answer(pl.DataFrame(fired, ["card_id", "window_end", "count", "sum"], orient="row"))
    if work == "W3":
        return matches_answer(_ids(match) for match in matches(_events(data)))
    if work == "W5":
        return notifications_answer((tuple(made["events"]), made["risk"]) for made in notifications(_events(data)))
    raise NotFoundError("no such work", where="bench", got=work, hint=f"one of {', '.join(WORKS)}")


def expected(work: str, data: Payments) -> Answer:
    """The answer: the pinned one where the payments are frozen at this count, else worked out.

    >>> from styx_lab.bench.payments import payments
    >>> expected("W3", payments(20_000)).count
    20
    """
    pinned = _EXPECTED.get(len(data), {}).get(work)
    return answer(work, data) if pinned is None else pinned


def _ids(match: tuple[Payment, Payment, Payment]) -> Match:
    first, second, third = match
    return first.event_id, second.event_id, third.event_id


def _events(data: Payments) -> Iterator[Payment]:
    return map(Payment._make, data.columns.iter_rows())
