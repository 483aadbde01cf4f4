"""The general patterns of `styx bench patterns`: loop, combinations, group, look-back and not.

Law: each is the very pattern that Flink CEP ran on the same events, so its answer there is the right one here.

The figures of Flink are recorded, not measured beside ours: it is Java, and no part of this package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from styx_lab.bench.answers import Answer
from styx_lab.flow.pattern import AfterMatch, Pattern, matched

__all__ = ["FLINK", "FLINK_EVENTS", "GENERAL", "W3_FLINK", "Asked", "FlinkRates", "General", "Taken", "drains"]

Asked = Mapping[str, Any]
"""An event as a plain condition sees it."""
Taken = Sequence[tuple[str, Asked]]
"""What the partial match took so far: part and event."""

FLINK: Final = "Flink CEP 2.3.0, Java 17, recorded with the first 500,000 payments on a busy machine of two cores"
FLINK_EVENTS: Final = 500_000


@dataclass(frozen=True, slots=True)
class FlinkRates:
    """Events per second that Flink was recorded with.

    Attributes:
        pipeline: best wall rate of a local job: source, keyBy, pattern, a discarding sink.
        pipeline_processor: per second of processor time of all its threads.
        operator: best wall rate of the pattern operator alone, with nothing serialized.
        operator_processor: per second of processor time, what a free core would give: kindest to Flink.
        pipeline_quiet: wall rate of a local job on a quiet machine, where that was measured.
    """

    pipeline: int
    pipeline_processor: int
    operator: int
    operator_processor: int
    pipeline_quiet: int | None = None

    @property
    def measure(self) -> int:
        """What ratios are taken to: a job on a quiet machine, else the operator alone, with all of a core."""
        return self.pipeline_quiet or self.operator_processor


@dataclass(frozen=True, slots=True)
class General:
    """A pattern of the benchmark.

    Attributes:
        title: what it is called in reports.
        pattern: what is looked for.
        plain: of each part its condition once more, in plain Python, for the slow reading.
        answer: of Flink, for the first `FLINK_EVENTS` payments.
        flink: its rates.
    """

    title: str
    pattern: Pattern
    plain: Mapping[str, Callable[[Asked, Taken], bool]]
    answer: Answer
    flink: FlinkRates


def drains() -> Pattern:
    """W3: two fails and then an auth above 100, one right after the other, within 10 min."""
    return (
        Pattern.begin("first")
        .where("kind = 'fail'")
        .next("second")
        .where("kind = 'fail'")
        .next("drain")
        .where("kind = 'auth' AND amount > 100")
        .within("10m")
    )


def _kind(kind: str) -> Callable[[Asked, Taken], bool]:
    return lambda event, taken: bool(event["kind"] == kind)


def _thrice(part: str) -> Callable[[Asked, Taken], bool]:
    def told(event: Asked, taken: Taken) -> bool:
        return bool(event["amount"] > 3 * max(one["amount"] for name, one in taken if name == part))

    return told


W3_FLINK: Final = FlinkRates(59_400, 75_000, 54_000, 234_700, 127_000)
"""Of W3."""

GENERAL: Final[dict[str, General]] = {
    "loop": General(
        "loop: small payments, then a big one",
        Pattern.begin("small", after_match=AfterMatch.skip_past_last_event())
        .where("amount < 20")
        .one_or_more()
        .followed_by("big")
        .where("amount > 900")
        .within("10m"),
        {"small": lambda event, taken: event["amount"] < 20, "big": lambda event, taken: event["amount"] > 900},
        Answer(5_038, "3c03ec8de43a16a1ccef6c554d2777f03f3f3c34f7997a25dcf24cf7a48b5e30"),
        FlinkRates(17_700, 25_800, 20_600, 31_000),
    ),
    "combinations": General(
        "combinations: any two fails, then any auth above 500",
        Pattern.begin("first")
        .where("kind = 'fail'")
        .followed_by_any("second")
        .where("kind = 'fail'")
        .followed_by_any("drain")
        .where("kind = 'auth' AND amount > 500")
        .within("10s"),
        {
            "first": _kind("fail"),
            "second": _kind("fail"),
            "drain": lambda event, taken: event["kind"] == "auth" and event["amount"] > 500,
        },
        Answer(62_673, "b8112da21e48e06f72ca32bbd64f212cc389b65e75350e56911b233ad612c5f2"),
        FlinkRates(27_000, 41_800, 74_700, 99_800),
    ),
    "group": General(
        "group: twice a fail and an auth, then a reversal",
        Pattern.begin(Pattern.begin("fail").where("kind = 'fail'").followed_by("auth").where("kind = 'auth'"))
        .times(2)
        .followed_by("reversal")
        .where("kind = 'reversal'")
        .within("10m"),
        {kind: _kind(kind) for kind in ("fail", "auth", "reversal")},
        Answer(30_901, "d7353808a80065c953657aacae23378b367725bd926ca10a635c107ac6083944"),
        FlinkRates(50_500, 56_400, 21_500, 123_200),
    ),
    "look-back": General(
        "look-back: each payment three times the one before",
        Pattern.begin("a")
        .where("amount > 100")
        .followed_by("b")
        .where(pl.col("amount") > 3 * matched("a").amount.max())
        .followed_by("c")
        .where(pl.col("amount") > 3 * matched("b").amount.max())
        .within("1m"),
        {"a": lambda event, taken: event["amount"] > 100, "b": _thrice("a"), "c": _thrice("b")},
        Answer(8_819, "c2357db07d592c3fb555f56bf2a3d33814c64004e2cf5357e8ba9f823cba4cdb"),
        FlinkRates(18_500, 26_100, 32_800, 35_400),
    ),
    "not": General(
        "not: a fail and a reversal with no auth between them",
        Pattern.begin("fail")
        .where("kind = 'fail'")
        .not_followed_by("auth")
        .where("kind = 'auth'")
        .followed_by("reversal")
        .where("kind = 'reversal'")
        .within("10m"),
        {kind: _kind(kind) for kind in ("fail", "auth", "reversal")},
        Answer(2_426, "057c54c9837866778acf9b34eaabadf557f726aa6f6823bc667763376068e4fd"),
        FlinkRates(46_700, 69_700, 52_800, 211_900),
    ),
}
"""By the word that names them."""
