"""The groups of `styx bench`: windows, joins and patterns, each case in turns with its limit, on one core.

Law: a ratio is to the limit of the same run. Of a million keys the ratio is to ten thousand keys, not to a limit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from styx_lab.bench.harness import Report, measure_apart
from styx_lab.bench.many_keys import many_keys
from styx_lab.bench.many_partials import many_partials
from styx_lab.bench.patterns import FLINK, FLINK_EVENTS, GENERAL, W3_FLINK, FlinkRates

__all__ = ["GROUPS", "Group", "joins", "patterns", "windows"]

Group = Callable[[int, int], dict[str, Any]]
"""From the number of payments and of repeats to reports as JSON, by what was measured."""

_BATCH: Final = 10_000
_SMALL_BATCH: Final = 100
_CASES: Final = "styx_lab.bench.group_cases"
_PATTERN_CASES: Final = "styx_lab.bench.pattern_cases"
_PARTIALS: Final = 1_000_000
_KEYS: Final = (10_000, 1_000_000)
_KEYED_EVENTS: Final = 3_000_000
_CARD_EVENTS: Final = 20_000
_SLIDING: Final = "W2"
_SESSIONS: Final = "sessions of 5 min"
_SHOP_PAIRS: Final = "pairs within 5 min of card, merchant, country"
_CARD_PAIRS: Final = "pairs within 5 min of a card"
_LIMITS: Final = "limit in force"


def windows(events: int, repeats: int) -> dict[str, Any]:
    """W2 in large and small batches, session windows, and a sliding window over a million keys.

    Args:
        events: how many payments; where there are few, the keys are fewer, too.
        repeats: how often each case is timed.
    """
    reports = {
        f"{_SLIDING}, batches of {batch:,}": _apart("sliding_cases", _SLIDING, batch, (batch, events), repeats)
        for batch in (_BATCH, _SMALL_BATCH)
    }
    reports[_SESSIONS] = _apart("session_cases", _SESSIONS, _BATCH, (_SESSIONS, _BATCH, events), repeats)
    many = min(_KEYS[1], events // 2)
    few = min(_KEYS[0], many // 10)
    keyed = many_keys(few=few, many=many, events=min(_KEYED_EVENTS, 2 * events), batch=_BATCH, repeats=repeats)
    return reports | {"many keys": keyed}


def joins(events: int, repeats: int) -> dict[str, Any]:
    """Interval joins with few and with many pairs an event, and an as-of join.

    Args:
        events: how many payments; of those that give many pairs the first 20,000 are taken.
        repeats: how often each case is timed.
    """
    few = min(events, _CARD_EVENTS)
    return {
        _SHOP_PAIRS: _apart("interval_cases", _SHOP_PAIRS, _BATCH, (_SHOP_PAIRS, True, _BATCH, events), repeats),
        _CARD_PAIRS: _apart("interval_cases", _CARD_PAIRS, _BATCH, (_CARD_PAIRS, False, _BATCH, few), repeats),
        _LIMITS: _apart("as_of_cases", _LIMITS, _BATCH, (_LIMITS, _BATCH, events), repeats),
    }


def patterns(events: int, repeats: int) -> dict[str, Any]:
    """W3 in large and small batches, the general patterns, and a million keys with a live partial match each.

    Flink's figures are recorded, not measured here, for it is Java. The ratio to them is of our rate per second of
    processor time, for the whole chain, to what `FlinkRates.measure` says.

    Args:
        events: how many payments; of the general patterns the first 500,000, for which Flink's answers are recorded.
        repeats: how often each case is timed.
    """
    reports: dict[str, Any] = {}
    for batch in (_BATCH, _SMALL_BATCH):
        limit = f"W3 by hand, batches of {batch:,}"
        report = measure_apart(f"{_PATTERN_CASES}:w3_cases", batch, events, repeats=repeats, base=limit)
        reports[f"W3, batches of {batch:,}"] = _beside_flink(report, W3_FLINK)
    few = min(events, FLINK_EVENTS)
    for name, general in GENERAL.items():
        report = measure_apart(f"{_PATTERN_CASES}:general_cases", name, _BATCH, few, repeats=repeats)
        reports[general.title] = _beside_flink(report, general.flink)
    return reports | {"many partial matches": many_partials(keys=min(_PARTIALS, events // 2), batch=_BATCH)}


def _beside_flink(report: Report, flink: FlinkRates) -> dict[str, Any]:
    """The report with Flink's recorded rates, and ours beside them."""
    plain = report.to_json()
    plain["flink"] = {"recorded": FLINK, **msgspec.to_builtins(flink), "measure": flink.measure}
    for case in plain["cases"]:
        if "flow" in case["name"] and case["rate"] is not None:
            case["rate_processor"] = case["rate"] / case["processors"]
            case["times_flink"] = case["rate_processor"] / flink.measure
    return plain


def _apart(function: str, work: str, batch: int, arguments: tuple[Any, ...], repeats: int) -> dict[str, Any]:
    limit = f"{work} by hand, batches of {batch:,}"
    return measure_apart(f"{_CASES}:{function}", *arguments, repeats=repeats, base=limit).to_json()


def _models(events: int, repeats: int) -> dict[str, Any]:
    from styx_lab.bench.models import models  # which stands on libraries that other groups do without

    return models(events, repeats)


GROUPS: Final[dict[str, Group]] = {"windows": windows, "joins": joins, "patterns": patterns, "models": _models}
