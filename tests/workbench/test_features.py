"""Features: what training gets is what serving gives the scorer, byte for byte; labels come from where they may."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import styx_lab as styx
from styx_lab import Flow, col, workbench
from styx_lab.connectors import MemorySource, RecordingSource
from styx_lab.connectors.recording_writer import RecordingWriter
from styx_lab.core.events import canonical_json, canonical_lines
from styx_lab.core.ports import ERROR_KIND, Scorer, Scores, Source
from styx_lab.core.schema import Schema
from styx_lab.engines import streamz
from styx_lab.engines.runner.runner import RunSettings, run
from styx_lab.errors import ExpressionError, FlowError, InputMissingError, ModelError, NotFoundError, StyxError
from tests.laws.kit import FEWER
from tests.laws.verbs import TriesScorer

SCHEMA = {"ts": "int", "card": "str", "amount": "float", "status": "str", "tries": "int"}
FEATURES = {
    "windows": {"n": pl.Int64(), "spent": pl.Float64(), "most": pl.Float64()},
    "matches": {"amount": pl.Float64(), "declines": pl.Int64()},
    "raw": {"amount": pl.Float64(), "tries": pl.Int64(), "status": pl.String()},
    "second": {"amount": pl.Float64(), "tries": pl.Int64(), "first": pl.Float64()},
}


class Watching:
    """A scorer that keeps what it is given, piece by piece."""

    name = "fraud@1"
    output = pl.Float64()
    outputs: dict[str, pl.DataType] = {}

    def __init__(self, inputs: dict[str, pl.DataType]) -> None:
        self.inputs = inputs
        self.given: list[pl.DataFrame] = []

    def score(self, frame: pl.DataFrame, outputs: Sequence[str] = ()) -> Scores:
        self.given.append(frame)
        height = frame.height
        nothing = pl.Series("error", [None] * height, dtype=pl.String)
        values = pl.Series("score", [0.5] * height, dtype=pl.Float64)
        return Scores(values, nothing, pl.DataFrame(), pl.Series("kind", [None] * height, dtype=ERROR_KIND))

    def close(self) -> None:
        """Nothing is held."""


def payments(name: str = "payments", **how: Any) -> Any:
    return styx.source(name, schema=SCHEMA, time="ts", key="card", **{"max_delay": "20ms", **how})


def flow_of(kind: str) -> Flow:
    stream = payments()
    if kind == "windows":
        stream = stream.window(
            styx.Sliding("40ms", every="20ms"), n=styx.count(), spent=styx.sum("amount"), most=styx.max("amount")
        ).filter("n > 1")
    elif kind == "matches":
        two = styx.Pattern.begin("declined").where("status = 'declined'").times(2).followed_by("drain")
        stream = stream.detect(
            two.where("amount > 50").within("400ms"),
            amount="drain.amount",
            declines=col("declined").struct.field("tries").list.sum(),
        )
    elif kind == "second":
        stream = stream.score("risk", into="first", name="first_judge").filter("first > 0.1")
    scored = stream.score("fraud", into="risk", name="judge")
    # What comes after the step, and beside it, must not matter.
    after = scored.filter("risk > 0.9").notify("tell", message="Card {card}").to("told")
    return styx.flow(kind, after, payments().window(styx.Tumbling("1s"), name="seconds", n=styx.count()).to("beside"))


def models(watching: Watching) -> Any:
    known: dict[str, Scorer] = {"fraud": watching, "risk": TriesScorer(), "other": Watching({"n": pl.Int64()})}
    return known.__getitem__


def served(flow: Flow, sources: dict[str, Source], engine: str, folder: Path, batch: int) -> pl.DataFrame:
    watching = Watching(FEATURES[flow.name])
    if engine == "streamz":
        streamz.replay(flow, sources, models(watching), batch=batch)
    else:
        run(flow, sources, models(watching), folder, settings=RunSettings(batch=batch, commit_every=0))
    return pl.concat(watching.given) if watching.given else pl.DataFrame(schema=watching.inputs)


EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "ts": st.one_of(st.integers(0, 400), st.just("no time")),
            "card": st.sampled_from(["a", "b", None]),
            "amount": st.sampled_from([None, float("nan"), 0.1, 51.0, 99.5]),
            "status": st.sampled_from(["declined", "ok"]),
            "tries": st.one_of(st.none(), st.integers(0, 5)),
        }
    ),
    max_size=40,
)


def training(flow: Flow, inputs: Any, batch: int) -> pl.DataFrame:
    opened = {"risk": TriesScorer()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("styx_lab.workbench.feature_rows.store_models", lambda _: opened.__getitem__)
        try:
            return workbench.features(flow, inputs, batch=batch, step="judge")
        except ModelError as error:
            if "no event reached the step" not in str(error):
                raise
            return pl.DataFrame(schema=FEATURES[flow.name])


@pytest.mark.laws
@pytest.mark.parametrize("kind", FEATURES)
@FEWER
@given(events=EVENTS, batch=st.sampled_from([1, 7, 10_000]))
def test_training_sees_what_serving_sees(
    kind: str, events: list[dict[str, Any]], batch: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    flow = flow_of(kind)
    found = training(flow, events, batch).select(list(FEATURES[kind]))
    for engine in ("streamz", "runner"):
        sources: dict[str, Source] = {"payments": MemorySource(events, flow.sources[0].schema)}
        given_it = served(flow, sources, engine, tmp_path_factory.mktemp("job") / "job", 10_000 if batch == 7 else 7)
        assert found.schema == given_it.schema
        assert canonical_lines(found) == canonical_lines(given_it)
        assert found.equals(given_it)


@pytest.mark.laws
@FEWER
@given(events=EVENTS)
def test_the_cut_does_not_show(events: list[dict[str, Any]]) -> None:
    for kind in FEATURES:
        flow = flow_of(kind)
        whole = training(flow, events, 10_000)
        for batch in (1, 7):
            assert canonical_lines(training(flow, events, batch)) == canonical_lines(whole)


def record(path: Path, name: str, rows: list[tuple[int, int] | None]) -> Path:
    """A recording of event times with their arrivals; None is the decision that the source is idle."""
    with RecordingWriter(path, name=name, schema=Schema(SCHEMA), time="ts") as writer:
        offset = 0
        for row in rows:
            if row is None:
                writer.idle(0, at=offset)
                continue
            payload = canonical_json({"ts": row[0], "card": "a", "amount": 60.0, "status": "ok", "tries": 1})
            writer.write([payload], partition=[0], offset=[offset], arrival=[row[1]])
            offset += 1
    return path


def test_a_source_that_only_meets_after_the_step_still_moves_the_time_before_it(tmp_path: Path) -> None:
    cards = payments("cards", idle_after="30s", max_delay="0s")
    scored = cards.window(styx.Tumbling("10ms"), n=styx.count(), spent=styx.sum("amount"), most=styx.max("amount"))
    scored = scored.score("fraud", into="risk").select("card", "n", name="some")
    other = payments("other", max_delay="0s").window(styx.Tumbling("10ms"), name="others", n=styx.count())
    other = other.score("other", into="risk", name="judge_others").select("card", "n")
    flow = styx.flow("windows", scored.union(other).to("both"))
    # The cards go quiet; the others go on, and take the cards' time along: what comes back at 7 is late for 0 to 10.
    paths = {
        "cards": record(tmp_path / "cards.recording.parquet", "cards", [(1, 0), None, (7, 30), (200, 31)]),
        "other": record(tmp_path / "other.recording.parquet", "other", [(1, 1), (90, 10), (95, 20), (210, 32)]),
    }
    sources: dict[str, Source] = {name: RecordingSource(path) for name, path in paths.items()}
    serving = served(flow, sources, "streamz", tmp_path / "job", 3)
    assert serving["n"].to_list() == [1, 1]
    for batch in (1, 3, 100):
        found = flow.features({name: str(path) for name, path in paths.items()}, batch=batch)
        assert found.select(list(FEATURES["windows"])).equals(serving)


ROWS = [
    {"ts": 10, "card": "a", "amount": 10.0, "status": "ok", "tries": 1},
    {"ts": 20, "card": "b", "amount": 600.0, "status": "declined", "tries": 2},
    {"ts": 30, "card": "a", "amount": None, "status": "ok", "tries": 3},
    {"ts": 40, "card": "c", "amount": 700.0, "status": "ok", "tries": 4},
]
RAW = styx.flow("raw", payments().score("fraud", into="risk", name="judge").to("out"))


def at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1_000, UTC)


def quiet(*args: Any, **how: Any) -> pl.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found: pl.DataFrame = RAW.features(ROWS, *args, **how)
    return found


def test_the_columns_and_their_order() -> None:
    assert quiet().columns == [*SCHEMA, "_time"]
    assert quiet(label="status").columns == ["ts", "card", "amount", "tries", "_time", "status"]
    assert quiet(label={"large": "tries > 2"})["large"].to_list() == [False, False, True, True]
    assert quiet(label="tries > 2").columns[-1] == "label"
    assert quiet(label=(col("tries") * 2).alias("x"))["label"].to_list() == [2, 4, 6, 8]
    rows = workbench.training_rows(RAW, ROWS, label="status")
    assert (rows.columns, rows.key, rows.label, rows.step) == (
        ("ts", "card", "amount", "tries"), ("card",), "status", "judge",
    )  # fmt: skip
    assert rows.counts == {"events": 4, "late": 0, "dead": 0, "reached": 4, "labelled": 4, "unlabelled": 0}


def test_what_cannot_be_reckoned_has_no_label() -> None:
    # A strict cast fails in the second row alone; that row is unlabelled, and the others are not.
    rows = [{**row, "status": "7" if place != 1 else "x"} for place, row in enumerate(ROWS)]
    found = workbench.training_rows(RAW, rows, label={"n": col("status").cast(pl.Int64)}, unlabelled="keep")
    assert found.frame["n"].to_list() == [7, None, 7, 7]
    assert found.counts["unlabelled"] == 1


def test_a_table_by_key_and_by_what_is_in_the_event() -> None:
    frauds = pl.DataFrame({"card": ["a", "z", None], "fraud": [True, True, True]})
    with pytest.warns(UserWarning, match="2 of 4 events have no label and are left out"):
        found = RAW.features(ROWS, label=(frauds, "fraud"))
    assert found["ts"].to_list() == [10, 30]
    assert quiet(label=(frauds, "fraud"), unlabelled="drop").equals(found)
    assert quiet(label=(frauds, "fraud"), unlabelled="keep")["fraud"].to_list() == [True, None, True, None]
    for no in (False, 0, "false"):
        assert quiet(label=(frauds, "fraud"), otherwise=no)["fraud"].to_list() == [True, False, True, False]
    counts = workbench.training_rows(RAW, ROWS, label=(frauds, "fraud"), otherwise=False).counts
    assert {name: counts[name] for name in ("labelled", "labelled_otherwise", "labels", "labels_unused")} == {
        "labelled": 2, "labelled_otherwise": 2, "labels": 2, "labels_unused": 1,
    }  # fmt: skip
    by_two = pl.DataFrame({"card": ["a", "a"], "ts": [10, 30], "y": [1, 2]}, schema_overrides={"ts": pl.Int32})
    assert quiet(label=(by_two, "y"), on=["card", "ts"], unlabelled="drop")["y"].to_list() == [1, 2]
    by_other = pl.DataFrame({"id": ["b!"], "y": ["bad"]})
    found = quiet(label=(by_other, "y"), on={"id": "card || '!'"}, unlabelled="drop")
    assert found.select("card", "y").rows() == [("b", "bad")]
    by_time = pl.DataFrame({"at": ["1970-01-01T00:00:00.020Z"], "y": [1.5]})
    assert quiet(label=(by_time, "y"), on={"at": "_time"}, unlabelled="drop")["card"].to_list() == ["b"]


def test_a_table_may_list_those_that_are_so() -> None:
    frauds = pl.DataFrame({"card": ["a", "z"]})
    assert quiet(label=(frauds, None))["label"].to_list() == [True, False, True, False]
    dated = frauds.with_columns(known=pl.lit(100))
    for cut, expected in ((99, None), (100, [True, False, True, False])):
        if expected is None:
            with pytest.raises(ModelError, match="no event has a label"):
                quiet(label=(dated, None), known_at="known", known_by=cut)
        else:
            assert quiet(label=(dated, None), known_at="known", known_by=cut)["label"].to_list() == expected


def test_a_table_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("card,fraud\na,1\nb,0\n")
    found = quiet(label=(str(tmp_path / "labels.csv"), "fraud"), unlabelled="drop")
    assert found["fraud"].to_list() == [1, 0, 1]
    with pytest.raises(InputMissingError):
        quiet(label=(tmp_path / "nowhere.csv", "fraud"))


def test_no_label_from_after_the_cut_is_used() -> None:
    table = pl.DataFrame(
        {
            "card": ["a", "a", "b", "c"],
            "fraud": [False, True, True, True],
            "known": [at(100), at(300), at(200), None],
        }
    )

    def told(**how: Any) -> list[Any]:
        found = quiet(label=(table, "fraud"), known_at="known", unlabelled="keep", **how)
        return found["fraud"].to_list()

    assert told() == [True, True, True, None]
    assert told(known_by=300) == [True, True, True, None]
    assert told(known_by=at(299)) == [False, True, False, None]
    assert told(known_by="1970-01-01T00:00:00.150Z") == [False, None, False, None]
    counts = workbench.training_rows(RAW, ROWS, label=(table, "fraud"), known_at="known", known_by=150).counts
    assert counts["labels_not_known"] == 3
    # The text, the number and the time of a table mean the same.
    for other in (
        table.with_columns(known=pl.col("known").dt.replace_time_zone(None)),
        table.with_columns(known=pl.col("known").dt.epoch("ms")),
        table.with_columns(known=pl.col("known").dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")),
    ):
        found = quiet(label=(other, "fraud"), known_at="known", known_by=299, unlabelled="keep")
        assert found["fraud"].to_list() == [False, True, False, None]
    # An event from after the cut was not there yet.
    assert quiet(label="status", known_by=25)["ts"].to_list() == [10, 20]


@pytest.mark.laws
@given(
    table=st.lists(st.tuples(st.sampled_from("abz"), st.integers(0, 5), st.one_of(st.none(), st.integers(0, 99)))),
    cut=st.integers(0, 100),
)
def test_the_label_known_last_by_hand(table: list[tuple[str, int, int | None]], cut: int) -> None:
    table = list({(card, known): (card, label, known) for card, label, known in table}.values())
    frame = pl.DataFrame(table, schema={"card": pl.String, "y": pl.Int64, "known": pl.Int64}, orient="row")
    newest: dict[str, tuple[int, int]] = {}
    for card, label, known in table:
        if known is not None and known <= cut and known >= newest.get(card, (-1, 0))[0]:
            newest[card] = (known, label)
    expected = [newest[row["card"]][1] if row["card"] in newest else None for row in ROWS if row["ts"] <= cut]
    try:
        found = quiet(label=(frame, "y"), known_at="known", known_by=cut, unlabelled="keep")["y"].to_list()
    except ModelError:
        found = [None] * len(expected)
    assert found == expected


def test_another_step_may_be_named() -> None:
    matched = flow_of("matches")
    assert set(training(matched, ROWS, 5).columns) >= {"amount", "declines"}
    raw = styx.flow("f", payments().filter("amount > 100", name="large").to("out"))
    for step in ("out", "large"):
        assert raw.features(ROWS, step=step)["ts"].to_list() == [20, 40]
    assert raw.features(ROWS, step="payments").height == 4
    assert raw.features(ROWS, step="payments", limit=2).height == 2


TWICE = pl.DataFrame({"card": ["a", "a"], "y": [1, 1], "known": [5, 5]})
FINE = pl.DataFrame({"card": ["a"], "y": [1], "no": [None], "when": ["soon"]}, schema_overrides={"no": pl.Int64})


@pytest.mark.parametrize(
    ("how", "kind", "says"),
    [
        ({"step": "jugde"}, FlowError, "no such step; got 'jugde'"),
        ({"label": "statsu"}, FlowError, "no such column; got 'statsu'.*did you mean 'status'"),
        ({"label": "amuont > 5"}, ExpressionError, "amuont"),
        ({"label": "AVG(amount) > 5"}, ExpressionError, "AVG"),
        ({"label": 7}, FlowError, "not a label; got 7"),
        ({"label": (FINE, "y", "z")}, FlowError, "not a label"),
        ({"label": {"a": "tries", "b": "tries"}}, FlowError, "not a label"),
        ({"label": {"card": "tries > 1"}}, FlowError, "label's name must be new"),
        ({"label": {"_x": "tries > 1"}}, FlowError, "label's name must be new"),
        ({"label": "tries > 1", "on": "card"}, FlowError, "for a table of labels"),
        ({"on": "card"}, FlowError, "are for labels"),
        ({"otherwise": 1}, FlowError, "are for labels"),
        ({"label": (FINE, "fraud")}, FlowError, "its table: no such column; got 'fraud'"),
        ({"label": (FINE, "y"), "on": "crad"}, FlowError, "no such column; got 'crad'"),
        ({"label": (FINE, "y"), "on": {"card": "crad"}}, ExpressionError, "crad"),
        ({"label": (FINE, "y"), "on": {"card": "tries"}}, FlowError, "another type.*String; the event's is Int64"),
        ({"label": (FINE, "card")}, FlowError, "its own key"),
        ({"label": (FINE.rename({"y": "amount"}), "amount")}, FlowError, "label's name must be new"),
        ({"label": (FINE, "y"), "known_by": 5}, FlowError, "known_by= needs known_at="),
        ({"label": (FINE, "y"), "known_at": "knwon"}, FlowError, "no such column; got 'knwon'"),
        ({"label": (FINE, "y"), "known_at": "when"}, FlowError, "no time"),
        ({"label": (FINE, "y"), "known_at": "card", "known_by": "soon"}, FlowError, "not a time; got 'soon'"),
        ({"label": (TWICE, "y")}, ModelError, "two labels for one key; got {'card': 'a'}"),
        ({"label": (TWICE, "y"), "known_at": "known"}, ModelError, "two labels for one key"),
        ({"label": (FINE, "no")}, ModelError, "no event has a label"),
        ({"label": (FINE.with_columns(card=pl.lit("q")), "y")}, ModelError, r"first event is \('a',\).*\('q',\)"),
        ({"label": {"n": pl.lit(None, pl.Int64)}}, ModelError, "no event has a label"),
        ({"label": (FINE, "y"), "unlabelled": "error"}, ModelError, "events without a label; got 2"),
        ({"label": (FINE, "y"), "unlabelled": "forget"}, FlowError, "unknown word"),
        ({"label": (FINE, "y"), "otherwise": "no"}, FlowError, "another type than the labels; got 'no'"),
        ({"label": (FINE, "y"), "otherwise": 0.5}, FlowError, "another type than the labels"),
        ({"known_by": 1}, ModelError, "no event reached the step.*after_cut"),
    ],
)
def test_bad_labels_are_refused(how: dict[str, Any], kind: type[StyxError], says: str) -> None:
    with pytest.raises(kind, match=says) as caught:
        RAW.features(ROWS, **how)
    assert caught.value.where is not None
    assert caught.value.where.startswith("flow 'raw'")


def test_bad_flows_and_inputs_are_refused() -> None:
    with pytest.raises(ModelError, match=r"no event reached the step; got {'events': 1, .*'payments: null_key': 1"):
        RAW.features([{**ROWS[0], "card": None}])
    told = styx.flow("told", payments().notify("tell", message="{card}").to("out"))
    with pytest.raises(FlowError, match=r"no score step.*step='out'"):
        told.features(ROWS)
    with pytest.raises(FlowError, match="a notification"):
        told.features(ROWS, step="out")
    second = flow_of("second")
    with pytest.raises(NotFoundError, match="risk"):
        second.features(ROWS, step="judge")
    assert second.features(ROWS, step="first_judge").height == 4
