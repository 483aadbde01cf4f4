"""Every verb of a flow with flows that use it: the laws are tried on each. A verb without an entry fails the suite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from styx_lab.connectors import MemoryLookup
from styx_lab.core.ports import ERROR_KIND, Lookup, Scorer, Scores
from styx_lab.errors import ModelError
from styx_lab.flow import aggregate as agg
from styx_lab.flow.flow import Flow, flow
from styx_lab.flow.pattern import AfterMatch, Pattern, matched
from styx_lab.flow.stream import Stream
from styx_lab.flow.table import table
from styx_lab.flow.trigger import AtEndOfInput, Every, EveryEvents, When
from styx_lab.flow.window import Calendar, Counted, Cumulating, Global, Session, Sliding, Tumbling
from styx_lab.models.profile import ProfiledScorer, profile_rows
from styx_lab.testing.strategies import payments
from tests.laws.conditions import more_tries, settled, unchanged
from tests.laws.steps import Clocked, ClockedAlone, Everything, Paid, Refunded

BOUND = 20
"""The bound of disorder of every source here, ms."""


class TriesScorer:
    """A deterministic scorer in this process: rows without an amount, with few and with four tries have errors."""

    name = "risk@1"
    inputs = {"amount": pl.Float64(), "tries": pl.Int64()}
    output = pl.Float64()
    outputs = {"label": pl.String(), "probability(1)": pl.Float64(), "rounds": pl.Int64()}

    def score(self, frame: pl.DataFrame, outputs: Sequence[str] = ()) -> Scores:
        for name in self.inputs:
            if name not in frame.columns:
                raise ModelError("the model needs a column that is not there", where="model 'risk@1'", got=name)
        for name in outputs:
            if name not in self.outputs:
                raise ModelError(
                    "no such output", where="model 'risk@1'", got=name, hint=f"one of {list(self.outputs)}"
                )
        missing = pl.col("amount").is_null() | pl.col("tries").is_null()
        kind = pl.when(missing).then(pl.lit("missing")).when(pl.col("tries") == 4).then(pl.lit("failed"))
        kind = (
            kind.when(pl.col("tries") < 0)
            .then(pl.lit("invalid"))
            .when(pl.col("amount").is_nan())
            .then(pl.lit("failed"))
        )
        answered = frame.with_columns(kind.cast(ERROR_KIND).alias("kind")).select(
            "kind",
            (pl.col("amount") * 0.001 + pl.col("tries")).alias("value"),
            pl.when(pl.col("kind").is_not_null()).then(pl.lit("no amount, no tries, or too many")).alias("error"),
            pl.when(pl.col("tries") > 1).then(pl.lit("many")).otherwise(pl.lit("few")).alias("label"),
            (1 / (1 + pl.col("tries").abs())).alias("probability(1)"),
            (pl.col("tries") * 2).alias("rounds"),
        )
        good = pl.col("kind").is_null()
        answered = answered.with_columns(pl.when(good).then(pl.col("value", *self.outputs)))
        return Scores(answered["value"], answered["error"], answered.select(outputs), answered["kind"])

    def close(self) -> None:
        """Nothing is held."""


TRAINED_ON = pl.DataFrame({"amount": [0.5, 1.0, None, 900.0, 500.0, 0.25], "tries": [0, 1, 2, 3, None, 1]})
MODELS: dict[str, Scorer] = {
    "risk": TriesScorer(),
    "profiled": ProfiledScorer(TriesScorer(), profile_rows(TRAINED_ON)),
}


class Changing:
    """A lookup that has another answer each time it is asked for the same key: so no answer may be asked for again."""

    name = "changing"
    schema = {"card_id": pl.String(), "status": pl.String(), "asked_for": pl.Int64(), "note": pl.String()}

    def __init__(self) -> None:
        self.asked: dict[tuple[str | None, ...], int] = {}

    def find(self, keys: pl.DataFrame) -> pl.DataFrame:
        rows = []
        for key in keys.rows():
            times = self.asked[key] = self.asked.get(key, 0) + 1
            if (len(str(key)) + times) % 4:
                named = dict(zip(keys.columns, key, strict=True))
                rows.append({**named, "asked_for": times, "note": f"{key[0]} {times}"})
        return pl.DataFrame(rows, schema=self.schema)

    def close(self) -> None:
        """Nothing is held."""


def lookups() -> dict[str, Lookup]:
    """What the flows look up in, for one play."""
    schema = {"card_id": "str", "status": "str", "weight": "int"}
    rows = [{"card_id": "a", "status": status, "weight": weight} for status, weight in (("ok", 1), ("declined", 5))]
    return {"changing": Changing(), "weights": MemoryLookup(rows, schema, key=["card_id", "status"])}


CARDS = table("cards", pl.DataFrame({"card_id": ["a", "b"], "limit": [100.0, None], "owner": ["Ann", "Bo"]}))
STATUSES = table("statuses", pl.DataFrame({"status": ["ok", "declined"], "weight": [1, 5]}))

TESTING = (
    Pattern.begin("declined")
    .where("status = 'declined'")
    .times(2)
    .consecutive()
    .followed_by("drain")
    .where("amount > 500")
    .within("120ms")
)
AGGREGATES = {
    "n": agg.count(),
    "filled": agg.count("amount"),
    "total": agg.sum("amount"),
    "average": agg.mean("amount"),
    "least": agg.min("amount"),
    "most": agg.max("amount"),
    "tried": agg.sum("tries"),
    "tried_mean": agg.mean("tries"),
    "tried_least": agg.min("tries"),
    "tried_most": agg.max("tries"),
    "declined": agg.sum("status = 'declined'"),
}
MORE_AGGREGATES = {
    "spread": agg.var("amount"),
    "deviation": agg.std("tries", ddof=0),
    "middle": agg.median("amount"),
    "most_of": agg.quantile("tries", 0.9),
    "statuses": agg.n_unique("status"),
    "highest": agg.top_k("tries", 2),
    "range": agg.expr("MAX(amount) - MIN(amount)"),
}


def _source(name: str = "payments", *, keyed: bool = True) -> Stream:
    return payments(name, bound_ms=BOUND, keyed=keyed)


def _two_sources() -> Stream:
    both = _source("payments").select("ts", "card_id", "amount", "status", "tries", name="left")
    return both.union(_source("refunds").select("ts", "card_id", "amount", "status", "tries", name="right"))


@dataclass(frozen=True)
class Case:
    """A flow to try the laws on.

    Attributes:
        name: what to call it.
        flow: the flow.
        sources: its sources.
        ordered: whether per key also the order of its output is the same whatever the order of arrival within the
            bound; of the others only which rows there are.
        by_arrival: whether the output depends on the order of arrival by meaning (the table of steps says so).
    """

    name: str
    flow: Flow
    sources: tuple[str, ...] = ("payments",)
    ordered: bool = False
    by_arrival: bool = False

    def __str__(self) -> str:
        return self.name


def _source_cases() -> list[Case]:
    return [
        Case("source", flow("source", _source().to("out"))),
        Case("source-without-key", flow("source", _source(keyed=False).to("out"))),
        Case(
            "two-sources",
            flow("source", _source("payments").to("out"), _source("refunds").to("refunded")),
            sources=("payments", "refunds"),
        ),
    ]


def _filter_cases() -> list[Case]:
    stream = _source()
    kept = stream.filter("amount > 500 AND status <> 'ok'").filter(pl.col("tries") >= 1)
    return [Case("filter", flow("filter", kept.to("out"), stream.filter("amount IS NULL", name="empty").to("nulls")))]


def _select_cases() -> list[Case]:
    stream = _source().select("card_id", "amount", euros="amount * 0.9", large=pl.col("amount") > 500)
    return [Case("select", flow("select", stream.to("out")))]


def _with_columns_cases() -> list[Case]:
    stream = _source().with_columns(
        pl.col("status").str.to_uppercase().alias("shout"),
        thousands="amount / 1000",
        parity="tries % 2",
        size="CASE WHEN amount > 500 THEN 'large' ELSE 'small' END",
        known="COALESCE(amount, 0) + COALESCE(tries, 0)",
    )
    return [Case("with_columns", flow("with_columns", stream.to("out")))]


def _key_by_cases() -> list[Case]:
    stream = _source(keyed=False).key_by("status", "tries")
    matched = stream.detect(Pattern.begin("first").followed_by("second").within("30ms"))
    return [Case("key_by", flow("key_by", stream.to("keyed"), matched.to("out")), ordered=True)]


def _union_cases() -> list[Case]:
    stream = _source()
    declined, large = stream.filter("status = 'declined'", name="declined"), stream.filter("amount > 500", name="large")
    both = _two_sources()
    windowed = both.window(Tumbling("30ms"), **AGGREGATES)
    matched = both.detect(TESTING)
    two = ("payments", "refunds")
    return [
        Case("union-with-itself", flow("union", stream.union(stream).to("out"))),
        Case("union-of-branches", flow("union", declined.union(large, stream).to("out"))),
        Case("union-of-sources", flow("union", both.to("out")), sources=two),
        Case("union-then-window", flow("union", windowed.to("out"), windowed.late.to("late")), two, ordered=True),
        Case("union-then-detect", flow("union", matched.to("out"), matched.late.to("late")), two, ordered=True),
        Case(
            "union-of-windows",
            flow(
                "union",
                stream.window(Tumbling("10ms"), name="short", n=agg.count())
                .union(stream.window(Tumbling("40ms"), name="long", n=agg.count()))
                .to("out"),
            ),
        ),
    ]


def _interval_join_cases() -> list[Case]:
    stream = _source()
    declined, large = stream.filter("status = 'declined'", name="declined"), stream.filter("amount > 500", name="large")
    pairs = declined.interval_join(large, "-10ms", "30ms", upper_exclusive=True)
    alone = declined.interval_join(large, "0ms", "30ms", how="left", name="followed")
    both = _source("payments").interval_join(_source("refunds"), "-25ms", "-5ms", how="full")
    itself = stream.interval_join(stream, "0ms", "15ms")
    late = pairs.side("late_left").to("late_left"), pairs.side("late_right").to("late_right")
    again = both.key_by("card_id").window(Tumbling("50ms"), name="per_card", n=agg.count(), total=agg.sum("amount"))
    return [
        Case("interval-join", flow("join", pairs.to("out"), *late)),
        Case("interval-join-left", flow("join", alone.to("out"))),
        Case("interval-join-of-sources", flow("join", both.to("out")), sources=("payments", "refunds")),
        Case("interval-join-with-itself", flow("join", itself.to("out"))),
        Case("interval-join-then-window", flow("join", again.to("out")), sources=("payments", "refunds")),
    ]


def _asof_join_cases() -> list[Case]:
    stream = _source()
    limits = stream.filter("amount < 500", name="limits").select("card_id", limit="amount", ended="status = 'declined'")
    known = stream.asof_join(limits, delete="ended", how="left")
    near = _source("payments").asof_join(_source("refunds"), tolerance="20ms")
    return [
        Case("asof-join", flow("join", known.to("out"))),
        Case("asof-join-of-sources", flow("join", near.to("out")), sources=("payments", "refunds")),
    ]


def _window_cases() -> list[Case]:
    tumbling = _source().window(Tumbling("25ms"), **AGGREGATES)
    sliding = _source().window(Sliding("40ms", every="10ms"), **AGGREGATES)
    gaps = _source().window(Sliding("5ms", every="20ms"), n=agg.count(), total=agg.sum("amount"))
    unkeyed = _source(keyed=False).window(Tumbling("25ms"), **AGGREGATES)
    again = tumbling.key_by("card_id").window(
        Tumbling("100ms"), name="again", windows=agg.count(), sum=agg.sum("total")
    )
    return [
        Case("window-tumbling", flow("window", tumbling.to("out"), tumbling.late.to("late")), ordered=True),
        Case("window-sliding", flow("window", sliding.to("out"), sliding.late.to("late")), ordered=True),
        Case("window-with-gaps", flow("window", gaps.to("out"), gaps.late.to("late")), ordered=True),
        Case("window-without-key", flow("window", unkeyed.to("out"), unkeyed.late.to("late")), ordered=True),
        Case("window-of-windows", flow("window", again.to("out"), again.late.to("late")), ordered=True),
        *_windows_by_themselves(),
        *_windows_that_fire_often(),
    ]


def _windows_by_themselves() -> list[Case]:
    moved = _source().window(Tumbling("25ms", offset="-7ms"), **AGGREGATES)
    growing = _source().window(Cumulating("40ms", step="10ms"), **AGGREGATES)
    sessions = _source().window(Session("15ms"), **AGGREGATES, **MORE_AGGREGATES)
    patient = _source().window(Session(gap_from="tries * 5"), n=agg.count(), total=agg.sum("amount"))
    days = _source().window(Calendar("day", zone="Asia/Kathmandu"), n=agg.count(), least=agg.min("amount"))
    every = _source(keyed=False).window(Sliding("30ms", every="10ms"), **MORE_AGGREGATES)
    listed = _source().window(Tumbling("25ms"), all=agg.collect("tries"), events=agg.collect(), n=agg.count())
    return [
        Case("window-offset", flow("window", moved.to("out"), moved.late.to("late")), ordered=True),
        Case("window-cumulating", flow("window", growing.to("out"), growing.late.to("late")), ordered=True),
        Case("window-session", flow("window", sessions.to("out"), sessions.late.to("late")), ordered=True),
        Case("window-session-from", flow("window", patient.to("out"), patient.late.to("late")), ordered=True),
        Case("window-day", flow("window", days.to("out"), days.late.to("late")), ordered=True),
        Case("window-of-events", flow("window", every.to("out"), every.late.to("late")), ordered=True),
        Case("window-collect", flow("window", listed.to("out"), listed.late.to("late")), by_arrival=True),
    ]


def _windows_that_fire_often() -> list[Case]:
    again = _source().window(Tumbling("25ms"), allowed_lateness="20ms", n=agg.count(), total=agg.sum("amount"))
    parts = _source().window(Sliding("40ms", every="20ms"), trigger=Every("15ms"), discarding=True, n=agg.count())
    early = _source().window(
        Session("20ms"), trigger=EveryEvents(2, at_end=True), n=agg.count(), all=agg.collect("tries")
    )
    large = _source().window(Cumulating("60ms", step="20ms"), trigger=When("amount > 500"), most=agg.max("amount"))
    whole = _source().window(Global(), trigger=AtEndOfInput(), n=agg.count(), total=agg.sum("amount"))
    three = _source().window(Counted(3), n=agg.count(), total=agg.sum("amount"))
    last = _source().window(Counted(4, every=2), mean=agg.mean("amount"), first=agg.first("tries"))
    told = again.notify("tell", message="{card_id}: {n}, for the {window_firing}th time")
    return [
        Case("window-late", flow("window", told.to("out"), again.late.to("late"))),
        Case("window-every", flow("window", parts.to("out"), parts.late.to("late")), by_arrival=True),
        Case("window-every-events", flow("window", early.to("out"), early.late.to("late")), by_arrival=True),
        Case("window-when", flow("window", large.to("out"), large.late.to("late")), by_arrival=True),
        Case("window-global", flow("window", whole.to("out")), ordered=True),
        Case("window-counted", flow("window", three.to("out")), by_arrival=True),
        Case("window-counted-sliding", flow("window", last.to("out")), by_arrival=True),
    ]


def _window_join_cases() -> list[Case]:
    stream = _source()
    declined, large = stream.filter("status = 'declined'", name="declined"), stream.filter("amount > 500", name="large")
    pairs = declined.window_join(large, Tumbling("20ms"))
    late = pairs.side("late_left").to("late_left"), pairs.side("late_right").to("late_right")
    both = _source("payments").window_join(_source("refunds"), Session("10ms"), how="full", allowed_lateness="15ms")
    early = declined.window_join(large, Sliding("40ms", every="20ms"), how="left", trigger=EveryEvents(3))
    return [
        Case("window-join", flow("join", pairs.to("out"), *late)),
        Case("window-join-of-sources", flow("join", both.to("out")), sources=("payments", "refunds")),
        Case("window-join-early", flow("join", early.to("out")), by_arrival=True),
    ]


def _co_group_cases() -> list[Case]:
    stream = _source()
    declined, large = stream.filter("status = 'declined'", name="declined"), stream.filter("amount > 500", name="large")
    grouped = declined.co_group(large, Session("15ms"), left="declined", right="large")
    late = grouped.side("late_left").to("late_left"), grouped.side("late_right").to("late_right")
    counts = grouped.select(
        "card_id", "window_end", fails=pl.col("declined").list.len(), drains=pl.col("large").list.len()
    )
    two = _source("payments").co_group(_source("refunds"), Cumulating("30ms", step="10ms"))
    return [
        Case("co-group", flow("group", grouped.to("out"), *late), by_arrival=True),
        Case("co-group-counted", flow("group", counts.to("out")), ordered=True),
        Case("co-group-of-sources", flow("group", two.to("out")), sources=("payments", "refunds"), by_arrival=True),
    ]


def _detect_cases() -> list[Case]:
    testing = _source().detect(
        TESTING, amount="drain.amount", first=pl.col("declined").struct.field("tries").list.sum()
    )
    strict = _source().detect(Pattern.begin("a").where("tries >= 2").next("b").where("amount > 500"))
    single = _source().detect(Pattern.begin("any"))
    endless = _source().detect(Pattern.begin("a").where("status = 'ok'").followed_by("b").where("status = 'declined'"))
    late = testing.late.filter("amount > 500").notify("too_late", message="{card_id} {amount}")
    windows = _source().window(Tumbling("10ms"), n=agg.count(), total=agg.sum("amount"))
    rising = windows.detect(Pattern.begin("few").where("n = 1").next("many").where("n > 1").within("1s"))
    return [
        Case("detect", flow("detect", testing.to("out"), late.to("late")), ordered=True),
        Case("detect-next", flow("detect", strict.to("out"), strict.late.to("late")), ordered=True),
        Case("detect-single", flow("detect", single.to("out"), single.late.to("late")), ordered=True),
        Case("detect-without-within", flow("detect", endless.to("out")), ordered=True),
        Case("detect-in-windows", flow("detect", rising.to("out"), rising.late.to("late")), ordered=True),
        *_detect_any_cases(),
        *_detect_what_did_not_come_cases(),
        *_detect_by_condition_cases(),
    ]


def _three(name: str, stream: Stream, **how: bool) -> Case:
    """A detect with all its outputs, so that it is the automaton that runs."""
    return Case(name, flow("detect", stream.to("out"), stream.late.to("late"), stream.timed_out.to("timed_out")), **how)


def _detect_any_cases() -> list[Case]:
    """Loops, groups and skips; the same chain as above on the automaton."""
    forced = _source().detect(TESTING, amount="drain.amount")
    loop = Pattern.begin("many").where("tries >= 1").one_or_more().greedy().until("tries = 4").consecutive()
    loops = _source().detect(loop.followed_by("end").where("status = 'ok'").within("60ms"))
    rounds = Pattern.begin("low").where("amount < 100").followed_by_any("high").where("amount > 500")
    groups = Pattern.begin("first").where("tries < 3").next(Pattern.begin(rounds)).times(1, 2).optional()
    grouped = _source().detect(groups.followed_by("last").where("status = 'ok'").within("50ms"))
    # A strategy holds a match back while another that began before may still become one.
    skip = AfterMatch.skip_past_last_event()
    held = Pattern.begin("a", after_match=skip).where("tries >= 1").times_or_more(2).allow_combinations()
    skips = _source().detect(held.followed_by("b").where("status = 'ok'").within("40ms"))
    to_last = Pattern.begin("a", after_match=AfterMatch.skip_to_last("a")).one_or_more().followed_by("b")
    nexts = _source().detect(to_last.where("amount > 500").within("30ms"))
    few = _source().detect(
        Pattern.begin("a").followed_by_any("b").where("tries = 4"), max_partials=2, overflow="drop_oldest"
    )
    fewer = _source().detect(to_last.where("tries = 0"), max_partials=3, overflow="drop_newest")
    return [
        _three("detect-chain-as-automaton", forced, ordered=True),
        _three("detect-loops", loops, ordered=True),
        _three("detect-groups", grouped, ordered=True),
        Case("detect-skips", flow("detect", skips.to("out"), skips.late.to("late")), ordered=True),
        # Which partial matches a skip drops before they time out depends on how far the watermark goes at once.
        _three("detect-skips-to", nexts, by_arrival=True),
        Case("detect-drop-oldest", flow("detect", few.to("out")), ordered=True),
        Case("detect-drop-newest", flow("detect", fewer.to("out")), ordered=True),
    ]


def _detect_what_did_not_come_cases() -> list[Case]:
    pages = Pattern.begin("first").where("tries = 1").followed_by("second").where("tries = 2")
    stuck = _source().detect_absence("tries = 3", after=pages, within="30ms", on_error="fail")
    between = Pattern.begin("a").where("tries < 2").not_followed_by("no").where("status = 'ok'")
    between = between.followed_by("b").where("amount > 500").not_next("nor").where("tries = 0").within("60ms")
    nots = _source().detect(between)
    gap = Pattern.begin("a").where("tries < 3").followed_by("b").where("amount > 500").within("8ms", between=True)
    gaps = _source().detect(gap.followed_by("c").where("status = 'ok'").times(2, window="12ms").within("60ms"))
    counted = gaps.timed_out.window(Tumbling("20ms"), n=agg.count())
    again = stuck.detect(Pattern.begin("one").followed_by("other").within("90ms"), name="twice")
    return [
        Case("detect-absence", flow("detect", stuck.to("out"), stuck.late.to("late")), ordered=True),
        Case("detect-absence-twice", flow("detect", again.to("out"), again.timed_out.to("timed_out")), ordered=True),
        _three("detect-nots", nots, ordered=True),
        # A gap that is too long is seen when the key is looked at again: that depends on the steps of the watermark.
        _three("detect-gaps", gaps, by_arrival=True),
        Case("detect-gaps-counted", flow("detect", counted.to("out"), counted.late.to("late")), by_arrival=True),
    ]


def _detect_by_condition_cases() -> list[Case]:
    rise = pl.col("amount") > matched("first").amount.mean()
    other = pl.col("status") >= matched("first").status.last()
    rising = Pattern.begin("first").where("tries > 0").times(1, 2).followed_by("more").where(rise & other)
    looking = _source().detect(rising.within("40ms"))
    asked = Pattern.begin("first").where(more_tries).times(1, 3).not_followed_by("no").where(settled)
    asked = asked.followed_by("end").where(unchanged).where("amount > 500").within("60ms")
    functions = _source().detect(asked)
    chain = Pattern.begin("a").followed_by("b").where("tries > 1").within("40ms")
    placed = _source().detect(chain, order_by="amount", descending=True)
    return [
        _three("detect-looks-back", looking, ordered=True),
        _three("detect-asks-functions", functions, ordered=True),
        _three("detect-ordered", placed, ordered=True),
    ]


def _process_cases() -> list[Case]:
    one = _source().process(Everything)
    told = one.filter("what <> 'declined'").notify("tell", message="{card_id} {what}")
    unkeyed = _source(keyed=False).process(Everything)
    further = {"refund": _source("refunds")}
    both = _source().process(Refunded, others=further, broadcast={"rule": _source("rules", keyed=False)})
    branches = _source().filter("amount > 500", name="large")
    itself = _source().process(Refunded, others={"refund": branches}, broadcast={"rule": branches})
    paid = _source().key_by("card_id", "status").process(Paid, name="paid")
    after = _source().process(Everything).window(Tumbling("20ms"), n=agg.count(), most=agg.max("n"))
    windows = _source().window(Tumbling("10ms"), n=agg.count(), amount=agg.sum("amount")).process(Paid)
    clocked = _source().process(ClockedAlone)
    sums = clocked.window(Tumbling("20ms"), n=agg.count(), most=agg.max("n"))
    meeting = _source().process(Clocked, others=further)
    return [
        Case("process", flow("process", one.to("out"), told.to("told")), by_arrival=True),
        Case("process-without-key", flow("process", unkeyed.to("out")), by_arrival=True),
        Case(
            "process-inputs", flow("process", both.to("out")), sources=("payments", "refunds", "rules"), by_arrival=True
        ),
        Case("process-with-itself", flow("process", itself.to("out")), by_arrival=True),
        Case("process-by-two", flow("process", paid.to("out")), ordered=True),
        Case("process-then-window", flow("process", after.to("out"), after.late.to("late")), by_arrival=True),
        Case("process-windows", flow("process", windows.to("out")), ordered=True),
        Case(
            "process-by-the-clock",
            flow(
                "process",
                clocked.to("out"),
                clocked.notify("tell", message="{what}").to("told"),
                sums.to("sums"),
                sums.late.to("late"),
            ),
            by_arrival=True,
        ),
        Case(
            "process-inputs-by-the-clock",
            flow("process", meeting.to("out")),
            sources=("payments", "refunds"),
            by_arrival=True,
        ),
    ]


def _enrich_cases() -> list[Case]:
    raw = _source().enrich(CARDS, on="card_id").enrich(STATUSES, on="status", name="weigh")
    matched = _source().detect(TESTING).enrich(CARDS, on="card_id")
    return [
        Case("enrich", flow("enrich", raw.to("out"))),
        Case("enrich-matches", flow("enrich", matched.to("out")), ordered=True),
    ]


def _lookup_cases() -> list[Case]:
    wanted = {"note": "str", "asked_for": "int"}
    raw = _source().lookup("changing", on="card_id", columns=wanted, expire_after="25ms")
    few = _source(keyed=False).lookup(
        "changing", on=["status", "card_id"], columns=wanted, expire_after="40ms", keep=2, missing="drop"
    )
    matched = _source().detect(TESTING).lookup("changing", on="card_id", columns=wanted, expire_after="1s")
    fixed = _source().lookup(
        "weights", on=["card_id", "status"], columns={"weight": "int"}, expire_after="10ms", missing="dead"
    )
    both = _two_sources().lookup("changing", on="card_id", columns=wanted, expire_after="30ms", keep=1)
    return [
        Case("lookup", flow("lookup", raw.to("out")), by_arrival=True),
        Case("lookup-few", flow("lookup", few.to("out")), by_arrival=True),
        Case("lookup-matches", flow("lookup", matched.to("out")), by_arrival=True),
        Case("lookup-fixed", flow("lookup", fixed.to("out")), by_arrival=True),
        Case("lookup-of-sources", flow("lookup", both.to("out")), sources=("payments", "refunds"), by_arrival=True),
    ]


def _score_cases() -> list[Case]:
    raw = _source().score("risk", into="risk")
    matched = _source().detect(TESTING, amount="drain.amount", tries="drain.tries").score("risk", into="risk")
    wanted = {"label": "label", "p": "probability(1)", "rounds": ("rounds", "int")}
    told = _source().score("profiled", into="risk", outputs=wanted, on_error={"missing": None, "failed": 9.5})
    twice = told.score("risk", into="again", outputs=["probability(1)"], on_error="null").filter("risk = again")
    labels = _source().score("risk", outputs={"told": "label"}, on_error={"failed": None})
    return [
        Case("score", flow("score", raw.filter("risk > 1").to("out"))),
        Case("score-matches", flow("score", matched.to("out")), ordered=True),
        Case("score-outputs", flow("score", told.to("out"))),
        Case("score-twice", flow("score", twice.to("out"))),
        Case("score-labels", flow("score", labels.to("out"))),
    ]


def _notify_cases() -> list[Case]:
    raw = _source().notify("seen", message="{card_id}: {amount:.2f} {status}")
    matched = _source().detect(TESTING, amount="drain.amount").notify("block", message="Card {card_id}: {amount:.2f}")
    return [
        Case("notify", flow("notify", raw.to("out"))),
        Case("notify-matches", flow("notify", matched.to("out")), ordered=True),
    ]


def _to_cases() -> list[Case]:
    stream = _source().to("first").to("second")
    return [Case("to", flow("to", stream.filter("tries > 1").to("third"), stream.notify("n", message="x").to("out")))]


def _split_cases() -> list[Case]:
    parts = _source().split(large="amount > 500", declined=pl.col("status") == "declined", odd="tries % 2 = 1")
    again = parts.large.union(parts.rest).split(again="tries > 1", name="second")
    ends = [parts.large.to("large"), parts.declined.to("declined"), parts.odd.to("odd"), parts.rest.to("out")]
    matched = parts.declined.detect(Pattern.begin("one").times(2).within("50ms"))
    return [
        Case("split", flow("split", *ends)),
        Case("split-again", flow("split", again.again.to("again"), again.rest.to("out"))),
        Case("split-then-detect", flow("split", matched.to("out"), matched.late.to("late")), ordered=True),
    ]


def _deduplicate_cases() -> list[Case]:
    keyed = _source().deduplicate("status", within="15ms")
    unkeyed = _source(keyed=False).deduplicate("card_id", "tries", within="60ms")
    windows = _source().window(Tumbling("10ms"), n=agg.count()).deduplicate("n", within="25ms")
    # Of one time there is one event a key, so that nothing is a repeat and the order of arrival cannot show.
    single = _source().deduplicate(within="1ms")
    return [
        Case("deduplicate", flow("deduplicate", keyed.to("out"), keyed.late.to("late")), by_arrival=True),
        Case("deduplicate-without-key", flow("deduplicate", unkeyed.to("out")), by_arrival=True),
        Case("deduplicate-windows", flow("deduplicate", windows.to("out"), windows.late.to("late"))),
        Case("deduplicate-nothing", flow("deduplicate", single.to("out"), single.late.to("late"))),
    ]


def _cooldown_cases() -> list[Case]:
    raw = _source().cooldown("30ms")
    matched = _source().detect(TESTING, amount="drain.amount").cooldown("100ms")
    told = matched.notify("block", message="Card {card_id}: {amount:.2f}").key_by("key").cooldown("1s", name="again")
    windows = _source().window(Sliding("20ms", every="10ms"), n=agg.count()).cooldown("25ms")
    both = _two_sources().cooldown("40ms")
    return [
        Case("cooldown", flow("cooldown", raw.to("out"), raw.late.to("late")), ordered=True),
        Case("cooldown-of-matches", flow("cooldown", matched.to("out"), matched.late.to("late")), ordered=True),
        Case("cooldown-of-notifications", flow("cooldown", told.to("out")), ordered=True),
        Case("cooldown-of-windows", flow("cooldown", windows.to("out")), ordered=True),
        Case("cooldown-of-sources", flow("cooldown", both.to("out")), ("payments", "refunds"), ordered=True),
    ]


def _sort_cases() -> list[Case]:
    stream = _source().sort()
    again = stream.filter("amount > 500").sort(name="again").window(Tumbling("25ms"), **AGGREGATES)
    unkeyed = _source(keyed=False).sort().with_columns(thousands="amount / 1000")
    told = _source().notify("seen", message="{card_id} {tries}").sort()
    return [
        Case("sort", flow("sort", stream.to("out"), stream.late.to("late")), ordered=True),
        Case("sort-then-window", flow("sort", again.to("out"), again.late.to("late")), ordered=True),
        Case("sort-without-key", flow("sort", unkeyed.to("out")), ordered=True),
        Case("sort-notifications", flow("sort", told.to("out"))),
    ]


def _top_cases() -> list[Case]:
    windows = _source().window(Sliding("40ms", every="20ms"), n=agg.count(), total=agg.sum("amount"))
    greatest, least = windows.top(2, by="total"), windows.top(1, by="n", descending=False, name="least")
    long = _source().window(Tumbling("40ms"), name="long", n=agg.count(), total=agg.sum("amount"))
    mixed = windows.union(long).top(2, by="n")
    return [
        Case("top", flow("top", greatest.to("out"), greatest.late.to("late"), least.to("lowest")), ordered=True),
        Case("top-then-cooldown", flow("top", greatest.cooldown("30ms").to("out")), ordered=True),
        # Two windows with the same bounds: the last to come counts, by the order of the union's ports.
        Case("top-of-several-windows", flow("top", mixed.to("out"), mixed.late.to("late")), ordered=True),
    ]


def _trend_cases() -> list[Case]:
    windows = _source().window(Tumbling("10ms"), n=agg.count(), average=agg.mean("amount"))
    counts = windows.trend("n", over=4)
    averages = windows.trend("average", over=3, fill=None)
    unkeyed = _source(keyed=False).window(Sliding("20ms", every="5ms"), total=agg.sum("amount")).trend("total", over=6)
    rising = counts.filter("slope > 0").top(1, by="slope")
    return [
        Case("trend", flow("trend", counts.to("out"), counts.late.to("late")), ordered=True),
        Case("trend-without-fill", flow("trend", averages.to("out")), ordered=True),
        Case("trend-without-key", flow("trend", unkeyed.to("out")), ordered=True),
        Case("trend-then-top", flow("trend", rising.to("out")), ordered=True),
    ]


VERBS: dict[str, Callable[[], list[Case]]] = {
    "source": _source_cases,
    "filter": _filter_cases,
    "select": _select_cases,
    "with_columns": _with_columns_cases,
    "key_by": _key_by_cases,
    "union": _union_cases,
    "interval_join": _interval_join_cases,
    "asof_join": _asof_join_cases,
    "window": _window_cases,
    "window_join": _window_join_cases,
    "co_group": _co_group_cases,
    "detect": _detect_cases,
    "process": _process_cases,
    "enrich": _enrich_cases,
    "lookup": _lookup_cases,
    "score": _score_cases,
    "notify": _notify_cases,
    "to": _to_cases,
    "split": _split_cases,
    "deduplicate": _deduplicate_cases,
    "cooldown": _cooldown_cases,
    "sort": _sort_cases,
    "top": _top_cases,
    "trend": _trend_cases,
}


def all_cases() -> Sequence[Case]:
    """Every flow of the table."""
    return [case for make in VERBS.values() for case in make()]
