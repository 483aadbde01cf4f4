"""Many keys: the memory that a million keys take in a sliding window, and what an event costs beside ten thousand keys.

Law: no figure is given for an answer that was not checked. The answer is checked in a process of its own, so that what
the check needs is not in the figures.

Every key has one event in five minutes of event time, in another order each time, so all keys are open at once and
each event is in five results, however many keys there are: what differs between the cases is the number of keys alone.
Costs are of processor time: what else the machine does must not show in a ratio of two processes.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterator
from time import process_time_ns
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.bench.harness import run_module
from styx_lab.core.ports import Arrivals
from styx_lab.core.schema import Schema
from styx_lab.engines.chain import Chain
from styx_lab.engines.feed import Slice
from styx_lab.engines.plan import Inputs
from styx_lab.errors import RunError
from styx_lab.flow.aggregate import count, sum
from styx_lab.flow.flow import flow
from styx_lab.flow.stream import source
from styx_lab.flow.window import Sliding

__all__ = ["many_keys", "megabytes", "no_model", "order_of", "peak_bytes", "run_keys", "times_of"]

_SIZE_MS: Final = 300_000
_SLIDE_MS: Final = 60_000
_START_MS: Final = 1_748_736_000_000
_FIRST_CARD: Final = 4_000_000_000_000_000
_SCHEMA: Final = Schema({"ts": "int", "card_id": "str", "amount": "float"})
_SEED: Final = 20_250_602
_MB: Final = 1e6


def many_keys(
    *, few: int = 10_000, many: int = 1_000_000, events: int = 3_000_000, batch: int = 10_000, repeats: int = 3
) -> dict[str, Any]:
    """Measure few and many keys in turns, each time in a new process on one core, and give figures as JSON.

    Args:
        few: keys of the case that is the measure.
        many: keys of the case that is measured.
        events: events of each case, rounded up to whole rounds of all keys, of which there are at least two.
        batch: events in a batch.
        repeats: how often each case is timed.

    Raises:
        RunError: when a process fails.
    """
    answers = {keys: _apart(keys, events, batch, check=True)["answer"] for keys in (few, many)}
    right = all(answer == "right" for answer in answers.values())
    runs: dict[int, list[dict[str, Any]]] = {few: [], many: []}
    for number in range(repeats if right else 0):
        for keys in (few, many) if number % 2 == 0 else (many, few):
            runs[keys].append(_apart(keys, events, batch, check=False))
    cases = [_case(keys, answers[keys], runs[keys]) for keys in (few, many)]
    ratios = [late["ns_an_event"] / early["ns_an_event"] for early, late in zip(runs[few], runs[many], strict=True)]
    cost = statistics.median(ratios) if ratios else None
    for case, cheaper in zip(cases, (1.0, None if cost is None else 1 / cost), strict=True):
        case["ratio"] = cheaper if right else None
    return {
        "window": "5 minutes every minute, count and sum; each key once in five minutes",
        "batch": batch,
        "repeats": repeats,
        "base": cases[0]["name"],
        "cases": cases,
        "cost_ratio": cost,
        "goals": {"peak_mb": 1_000, "cost_ratio": 2},
    }


def run_keys(keys: int, events: int, batch: int, *, check: bool = False) -> dict[str, Any]:
    """One case in this process: figures, or whether the answer is right.

    >>> run_keys(100, 500, 70, check=True)["answer"]
    'right'

    Args:
        keys: how many.
        events: how many, rounded up to whole rounds of all keys.
        batch: events in a batch.
        check: compare every result with a plain reference, and give no figures.
    """
    rounds = max(2, -(-events // keys))
    windows = source("events", schema=_SCHEMA, time="ts", key="card_id", max_delay="1ms").window(
        Sliding("5m", every="1m"), count=count(), sum=sum("amount")
    )
    chain = Chain(flow("many-keys", windows.to("out")), {"events": Inputs((0,), "frame")}, no_model)
    started = peak_bytes()
    seen = _Results(keys, rounds) if check else None
    spent, results, settled = 0, 0, 0
    for piece in _slices(keys, rounds, batch):
        begun = process_time_ns()
        out = chain.feed(piece)["out"]
        passed = process_time_ns() - begun
        spent += passed
        # In the first five minutes keys are new, and windows not yet full.
        settled += passed if piece.sequence["events"][0] >= keys else 0
        results += out.height
        if seen:
            seen.take(out)
        del out
    running = peak_bytes()
    last = chain.end(keys * rounds)["out"]
    results += last.height
    if seen:
        seen.take(last)
        return {"answer": seen.verdict(results)}
    first = -(-keys // batch) * batch  # the batches that were not counted as settled
    return {
        "events": keys * rounds,
        "results": results,
        "ns_an_event": spent / (keys * rounds),
        "ns_an_event_settled": settled / max(keys * rounds - first, 1),
        "peak_mb": megabytes(running),
        "peak_mb_with_end": megabytes(peak_bytes()),
        "start_mb": megabytes(started),
    }


def _case(keys: int, answer: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """A case as all reports have it, and the medians of its runs' own figures; of memory the greatest."""
    figures: dict[str, Any] = {}
    for name in runs[0] if runs else ():
        values = [run[name] for run in runs]
        memory = name.startswith(("peak", "start")) and None not in values
        figures[name] = max(values) if memory else None if None in values else statistics.median(values)
    rates = [1e9 / run["ns_an_event"] for run in runs]
    return {
        "name": f"sliding windows, {keys:,} keys",
        "includes": "from decoded frames to frames of windows, the chain of a flow, one core; processor time",
        "answer": answer,
        "rate": statistics.median(rates) if rates else None,
        "slowest": min(rates, default=None),
        "fastest": max(rates, default=None),
        "keys": keys,
        **figures,
    }


def _apart(keys: int, events: int, batch: int, *, check: bool) -> dict[str, Any]:
    asked = {"keys": keys, "events": events, "batch": batch, "check": check}
    return run_module("styx_lab.bench.many_keys", asked)


def no_model(reference: str) -> Any:
    """For a flow without models."""
    raise RunError("this flow has no model", where="bench", got=reference)


def order_of(keys: int, number: int) -> np.ndarray:
    """The keys in the order in which they come in a round."""
    # PCG64's raw numbers are the same for ever, and so is a stable sort of them.
    return np.argsort(np.random.PCG64(np.random.SeedSequence([_SEED, number])).random_raw(keys), kind="stable")


def times_of(keys: int, first: int, stop: int) -> np.ndarray:
    """Event times, spread evenly: `keys` of them in five minutes."""
    return _START_MS + np.arange(first, stop, dtype=np.int64) * _SIZE_MS // keys


def _amounts(order: np.ndarray, number: int) -> np.ndarray:
    """Whole numbers as floats, so that any sum of them is exact."""
    return (order * 7 % 1_000 + number).astype(np.float64)


def _slices(keys: int, rounds: int, batch: int) -> Iterator[Slice]:
    for number in range(rounds):
        order = order_of(keys, number)
        for start in range(0, keys, batch):
            part = order[start : start + batch]
            first = number * keys + start
            sequence = np.arange(first, first + len(part), dtype=np.int64)
            times = times_of(keys, first, first + len(part))
            columns = pl.DataFrame(
                {
                    "ts": times,
                    "card_id": pl.Series(part + _FIRST_CARD).cast(pl.String),
                    "amount": _amounts(part, number),
                }
            )
            arrivals = Arrivals(np.zeros(len(part), np.int32), sequence, times, columns=columns)
            yield Slice({"events": arrivals}, {"events": sequence})


class _Results:
    """Compares results, window by window, with sums that NumPy takes over all events of the window."""

    def __init__(self, keys: int, rounds: int) -> None:
        self._keys, self._rounds = keys, rounds
        # When each round begins and ends: most are far from a window.
        rims = times_of(keys, 0, keys * rounds)
        self._begins, self._ends = rims[::keys].copy(), rims[keys - 1 :: keys].copy()
        self._due = 0
        self._wrong: str | None = None

    def take(self, results: pl.DataFrame) -> None:
        for (end,), part in results.with_columns(pl.col("window_end").to_physical()).group_by("window_end"):
            self._due += part.height
            counts, sums = self._right(int(end))
            places = part["card_id"].cast(pl.Int64).to_numpy() - _FIRST_CARD
            given = np.zeros(self._keys, np.int64), np.zeros(self._keys)
            given[0][places], given[1][places] = part["count"].to_numpy(), part["sum"].to_numpy()
            same = np.array_equal(given[0], counts) and np.array_equal(given[1], sums)
            if part.height != np.count_nonzero(counts) or not same:
                self._wrong = self._wrong or f"wrong: the window that ends at {end} ms"

    def _right(self, end: int) -> tuple[np.ndarray, np.ndarray]:
        counts, sums = np.zeros(self._keys, np.int64), np.zeros(self._keys)
        near = (self._ends >= end - _SIZE_MS) & (self._begins < end)
        for number in np.flatnonzero(near).tolist():
            times = times_of(self._keys, number * self._keys, (number + 1) * self._keys)
            inside = (times >= end - _SIZE_MS) & (times < end)
            order = order_of(self._keys, number)[inside]
            counts[order] += 1
            sums[order] += _amounts(order, number)
        return counts, sums

    def verdict(self, results: int) -> str:
        first, last = (int(edge) // _SLIDE_MS for edge in times_of(self._keys, 0, self._keys * self._rounds)[[0, -1]])
        ends = range((first + 1) * _SLIDE_MS, last * _SLIDE_MS + _SIZE_MS + 1, _SLIDE_MS)
        due = np.sum([np.count_nonzero(self._right(end)[0]) for end in ends])
        if self._wrong is None and not due == self._due == results:
            self._wrong = f"wrong: {results} results where {due} are right"
        return self._wrong or "right"


def peak_bytes() -> int | None:
    """The most memory that this process had so far; None where the system does not say."""
    try:
        import resource
    except ImportError:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def megabytes(count: int | None) -> float | None:
    """In MB, to one digit."""
    return None if count is None else round(count / _MB, 1)


if __name__ == "__main__":
    print(json.dumps(run_keys(**json.loads(sys.argv[1]))))  # noqa: T201 - the answer to who started this process
