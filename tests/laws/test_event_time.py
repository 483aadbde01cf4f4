"""Event time in every form it comes in: the same instants, whatever the form; what is no time is a counted letter."""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import styx_lab as styx
from styx_lab.connectors import RecordingSource
from styx_lab.connectors.recording_writer import RecordingWriter
from styx_lab.core.schema import Schema
from styx_lab.core.time import iso_ms, ms_iso
from styx_lab.errors import FlowError
from styx_lab.flow.event_time import TimeForm
from styx_lab.flow.flow import Flow
from styx_lab.operators.event_time import NO_TIME, column_times, source_times
from styx_lab.operators.iso_text import iso_times
from styx_lab.testing import ENGINES, Played, Script

pytestmark = pytest.mark.laws
NOW = 1_700_000_000_123
FIRST, LAST = -59_011_459_200_000, 250_246_627_199_999


def a_flow(word: str, **how: Any) -> Flow:
    schema = {"ts": word, "n": "int"}
    stream = styx.source("s", schema=schema, **{"time": "ts", **how})
    return styx.flow("f", stream.select("n", at="_time").to("out"))


def reasons(played: Played) -> Counter[str]:
    return Counter(row["reason"] for row in played.rows("dead_letters"))


def times(played: Played) -> list[int]:
    return [iso_ms(row["at"]) for row in played.rows("out")]


FORMS: list[tuple[str, dict[str, Any], Any]] = [
    ("int", {}, NOW),
    ("int", {"time_unit": "us"}, NOW * 1_000 + 999),
    ("int", {"time_unit": "ns"}, NOW * 1_000_000 + 999_999),
    ("float", {"time_unit": "s"}, NOW / 1_000),
    ("datetime", {}, datetime(2023, 11, 14, 22, 13, 20, 123_999, tzinfo=UTC)),
    ("str", {}, "2023-11-14T22:13:20.123999Z"),
    ("str", {}, "2023-11-14 23:13:20.123+01:00"),
    ("str", {"time_zone": "Europe/Berlin"}, "2023-11-14 23:13:20.123"),
    ("str", {"time_zone": "Europe/Berlin"}, "2023-11-14T22:13:20,123Z"),
    ("str", {"time_format": "%d.%m.%Y %H:%M:%S%.f"}, "14.11.2023 22:13:20.1239"),
    ("str", {"time_format": "%d.%m.%Y %H:%M:%S%.f %z"}, "15.11.2023 03:43:20.123 +0530"),
    ("str", {"time_format": "%d/%m/%y %H:%M:%S%.f", "time_zone": "America/New_York"}, "14/11/23 17:13:20.123"),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("word", "how", "value"), FORMS)
def test_every_form_is_the_same_instant(word: str, how: dict[str, Any], value: Any, engine: Any) -> None:
    flow = a_flow(word, **how)
    script = Script().event({"ts": value, "n": 1}).event({"n": 2}, at=NOW).event({"ts": None, "n": 3}).end()
    played = script.run(flow, engine=engine, batch=2)
    assert times(played) == [NOW, NOW]
    assert reasons(played) == {"no_time": 1}
    assert Flow.from_json(flow.to_json()) == flow


@pytest.mark.parametrize("engine", ENGINES)
def test_seconds(engine: Any) -> None:
    script = Script()
    for value in (1_700_000_000, -1, 2**62, -(2**62)):
        script = script.event({"ts": value, "n": 1})
    played = script.end().run(a_flow("int", time_unit="s"), engine=engine)
    assert times(played) == [1_700_000_000_000, -1_000]
    assert reasons(played) == {"bad_time": 2}


@pytest.mark.parametrize("engine", ENGINES)
def test_the_times_that_the_source_gave(engine: Any, tmp_path: Any) -> None:
    flow = a_flow("int", time=styx.SOURCE_TIMESTAMP)
    script = Script().event({"n": 1}, at=NOW).event({"n": 2}).event({"n": 3}, at=0).event({"n": 4}, at=2**61)
    played = script.end().run(flow, engine=engine, batch=3)
    assert times(played) == [NOW, 0]
    assert reasons(played) == {"no_time": 1, "bad_time": 1}
    path = tmp_path / "r.recording.parquet"
    with RecordingWriter(path, name="s", schema=Schema({"ts": "int", "n": "int"}), time="_timestamp") as writer:
        writer.write([b'{"n":1}'] * 2, partition=[0, 0], offset=[0, 1], arrival=[NOW, NOW + 1], timestamp=[NOW - 5, -1])
    RecordingSource(path).close()
    result = flow.replay(path)
    assert result.outputs["out"]["at"].dt.epoch("ms").to_list() == [NOW - 5]
    assert result.dead_letters["reason"].to_list() == ["no_time"]


ODD: list[tuple[str, dict[str, Any], Any, str]] = [
    ("int", {}, -(2**63), "bad_time"),
    ("int", {}, LAST + 1, "bad_time"),
    ("int", {}, FIRST - 1, "bad_time"),
    ("int", {}, "now", "wrong_type"),
    ("int", {}, 1.5, "wrong_type"),
    ("int", {"time_unit": "ns"}, True, "wrong_type"),
    ("int", {"time_unit": "us"}, LAST * 1_000 + 1_000, "bad_time"),
    ("float", {"time_unit": "s"}, float("nan"), "bad_time"),
    ("float", {"time_unit": "s"}, 1e300, "bad_time"),
    ("float", {"time_unit": "s"}, -1e12, "bad_time"),
    ("float", {"time_unit": "s"}, "1.5", "wrong_type"),
    ("str", {}, "yesterday", "bad_time"),
    ("str", {}, "", "bad_time"),
    ("str", {}, "2023-02-29", "bad_time"),
    ("str", {}, "0000-01-01", "bad_time"),
    ("str", {}, "10000-01-01", "bad_time"),
    ("str", {}, "9999-12-31T23:59:59Z", "bad_time"),
    ("str", {}, "9899-12-31T23:59:59-01:00", "bad_time"),
    ("str", {}, "0100-01-01T00:00:00+01:00", "bad_time"),
    ("str", {}, "٢٠٢٤-٠١-٠١", "bad_time"),
    ("str", {}, 17, "wrong_type"),
    ("str", {"time_zone": "Europe/Berlin"}, "2024-03-31T02:30:00", "bad_time"),
    ("str", {"time_format": "%d.%m.%Y"}, "2023-11-14", "bad_time"),
    ("datetime", {}, "soon", "wrong_type"),
    ("datetime", {}, LAST + 1, "bad_time"),
    ("datetime", {}, "9999-12-31T23:59:59Z", "bad_time"),
    ("datetime", {}, 2**60, "out_of_range"),
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("word", "how", "value", "reason"), ODD)
def test_what_is_no_time_is_a_letter_and_moves_nothing(
    word: str, how: dict[str, Any], value: Any, reason: str, engine: Any
) -> None:
    stream = styx.source("s", schema={"ts": word, "n": "int"}, time="ts", **how)
    counted = stream.key_by("n").window(styx.Tumbling("1h"), count=styx.count())
    flow = styx.flow("f", counted.to("out"), counted.late.to("late"))
    script = Script().event({"n": 1}, at=NOW).event({"ts": value, "n": 1}).event({"n": 1}, at=NOW).end()
    played = script.run(flow, engine=engine, batch=2)
    assert reasons(played) == {reason: 1}
    assert played.summary["late"] == 0
    assert [row["count"] for row in played.rows("out")] == [2]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("at", [FIRST, LAST])
def test_a_window_around_any_time_can_be_written(at: int, engine: Any) -> None:
    """A notification's JSON has its window's edges."""
    stream = styx.source("s", schema={"ts": "int", "n": "int"}, time="ts", key="n")
    counted = stream.window(styx.Sliding("700d", every="100d"), count=styx.count())
    flow = styx.flow("f", counted.notify("tell", message="{count}").to("out"))
    played = Script().event({"n": 1}, at=at).end().run(flow, engine=engine)
    assert len(played.rows("out")) == 7


def test_the_clocks_of_a_zone() -> None:
    """Skipped: none. Shown twice: the earlier one. What has an offset of its own is not read in the zone."""
    found, refused = column_times(
        pl.Series(["2024-10-27T02:30:00", "2024-10-27T02:30:00+01:00", "2024-03-31T02:30:00", "2024-03-31T03:00:00"]),
        TimeForm(zone="Europe/Berlin"),
    )
    assert [ms_iso(ms) for ms in found[[0, 1, 3]].tolist()] == [
        "2024-10-27T00:30:00.000Z",
        "2024-10-27T01:30:00.000Z",
        "2024-03-31T01:00:00.000Z",
    ]
    assert refused == {2: "bad_time: '2024-03-31T02:30:00' does not exist in Europe/Berlin"}


@given(
    st.lists(st.datetimes(datetime.fromisoformat("1950-01-01"), datetime.fromisoformat("2030-01-01")), max_size=8),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
def test_a_zone_is_pythons(clocks: list[datetime], zone: str) -> None:
    found, refused = column_times(
        pl.Series([clock.isoformat() for clock in clocks], dtype=pl.String), TimeForm(zone=zone)
    )
    for row, clock in enumerate(clocks):
        moment = clock.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)
        exists = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == clock
        assert exists == (row not in refused)
        if exists:
            assert found[row] == (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def plain_iso(text: str) -> int | None:
    try:
        return iso_ms(text)
    except ValueError:
        return None


_SHAPES = st.one_of(
    st.datetimes().map(datetime.isoformat),
    st.datetimes(timezones=st.sampled_from([UTC, ZoneInfo("Asia/Kolkata"), ZoneInfo("America/Caracas")])).map(
        datetime.isoformat
    ),
    st.from_regex(
        r"[0-2]\d{3}-[01]\d-[0-3]\d([T ][0-2]\d(:[0-6]\d(:[0-6]\d([.,]\d{0,10})?)?)?(Z|z|[+-][0-2]\d(:?[0-6]\d)?)?)?",
        fullmatch=True,
    ),
    st.text(alphabet="0123456789-:TZ+. W\u0661é", max_size=30),
)


@given(st.lists(_SHAPES, max_size=30))
def test_text_is_read_as_python_reads_it(texts: list[str]) -> None:
    found, local, wrong = iso_times(pl.Series(texts, dtype=pl.String))
    for row, text in enumerate(texts):
        expected = plain_iso(text)
        assert (expected is None) == (row in wrong), text
        if expected is not None:
            assert found[row] == expected, text
            assert local[row] == (datetime.fromisoformat(text).tzinfo is None), text


@given(st.lists(st.floats() | st.none(), max_size=20))
def test_float_seconds_are_the_nearest_millisecond(values: list[float | None]) -> None:
    found, refused = column_times(pl.Series(values, dtype=pl.Float64), TimeForm("s"))
    for row, value in enumerate(values):
        if value is None or not math.isfinite(value * 1_000) or not FIRST <= round(value * 1_000) <= LAST:
            assert found[row] == NO_TIME
            assert refused[row].startswith("no_time" if value is None else "bad_time")
        else:
            assert found[row] == round(value * 1_000)
            assert row not in refused


@given(
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20),
    st.sampled_from([("s", 1), ("ms", 0), ("us", -1), ("ns", -2)]),
)
def test_whole_numbers_floor(values: list[int], unit: Any) -> None:
    name, power = unit
    found, refused = column_times(pl.Series(values, dtype=pl.Int64), TimeForm(name))
    for row, value in enumerate(values):
        ms = value * 1_000 if power == 1 else value // 1_000 ** (-power)
        assert (row in refused) == (not FIRST <= ms <= LAST)
        assert found[row] == (NO_TIME if row in refused else ms)


@given(
    st.lists(
        st.one_of(st.datetimes().map(lambda moment: moment.strftime("%d.%m.%Y %H:%M:%S.%f")), st.text(max_size=12)),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from([TimeForm(format="%d.%m.%Y %H:%M:%S%.f"), TimeForm(format="%d.%m.%Y %H:%M:%S%.f", zone="EST5EDT")]),
)
def test_a_text_is_read_by_itself(texts: list[str], form: TimeForm) -> None:
    whole, refused = column_times(pl.Series(texts, dtype=pl.String), form)
    for row, text in enumerate(texts):
        alone, reason = column_times(pl.Series([text]), form)
        assert alone[0] == whole[row]
        assert reason.get(0) == refused.get(row)


def test_a_source_without_timestamps_has_no_times() -> None:
    found, refused = source_times(None, 2)
    assert found.tolist() == [NO_TIME, NO_TIME]
    assert list(refused) == [0, 1]


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("int", {"time_unit": "m"}, "unknown unit.*s, ms, us, ns"),
    ("float", {}, "in seconds where it is a float"),
    ("bool", {}, "event time must be"),
    ("str", {"time_unit": "s"}, "a unit is of numbers"),
    ("datetime", {"time_unit": "us"}, "a unit is of numbers"),
    ("str", {"time_zone": "Europe/Berln"}, "unknown time zone.*'Europe/Berlin'"),
    ("str", {"time_zone": ""}, "unknown time zone"),
    ("str", {"time_zone": 3}, "unknown time zone"),
    ("int", {"time_zone": "Europe/Berlin"}, "for text without an offset"),
    ("datetime", {"time_zone": "Europe/Berlin"}, "for text without an offset.*replace_time_zone"),
    ("int", {"time_format": "%d.%m.%Y"}, "a format is of text"),
    ("str", {"time_format": "%H:%M"}, "year, month and day"),
    ("str", {"time_format": "nonsense"}, "year, month and day"),
    ("str", {"time_format": "%Q"}, "not a format"),
    ("str", {"time_format": 5}, "not a format"),
    ("str", {"time_format": "%d.%m.%Y %H:%M %z", "time_zone": "UTC"}, "has an offset already"),
    ("int", {"time": "_timestamp", "time_unit": "s"}, "a unit is of numbers"),
    ("str", {"time": "_timestamp", "time_zone": "UTC"}, "for text"),
    ("int", {"time": "_time"}, "no such column"),
]


@pytest.mark.parametrize(("word", "how", "words"), REFUSED)
def test_what_cannot_be_a_time_is_refused_when_built(word: str, how: dict[str, Any], words: str) -> None:
    with pytest.raises(FlowError, match=rf"(?s){words}"):
        a_flow(word, **how)


def test_a_flow_that_says_nothing_of_it_is_stored_as_before() -> None:
    details = a_flow("int").sources[0].details()
    assert list(details) == ["schema", "time", "key", "max_delay_ms", "max_future_ms"]
