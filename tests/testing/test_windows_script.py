"""The checker of neutral cases: how a case becomes a sequence, and what it says of bad files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from styx_lab.core.time import MAX_WATERMARK
from styx_lab.errors import DataError
from styx_lab.testing.windows.__main__ import main
from styx_lab.testing.windows.answer import answer
from styx_lab.testing.windows.case import Case, read_cases
from styx_lab.testing.windows.script import TWO, batches


def _case(events: list[dict[str, Any]], **rest: Any) -> Case:
    plain = {"id": "x", "op": {"type": "none"}, "watermark": {"strategy": "explicit"}, "events": events}
    return Case.of(plain | rest)


def _steps(case: Case, sides: tuple[str, ...] = ("all",)) -> list[list[tuple[int, int]]]:
    return [list(zip(one.steps.order.tolist(), one.steps.mark.tolist(), strict=True)) for one in batches(case, sides)]


def test_a_bounded_watermark_follows_the_events_and_never_goes_back() -> None:
    case = _case([{"t": 10}, {"t": 4}, {"wm": 3}, {"wm": 8}, {"t": 20}], watermark={"strategy": "bounded", "delay": 5})
    assert _steps(case) == [[(1, 4), (7, 8), (9, 14), (11, MAX_WATERMARK)]]


def test_without_an_end_the_last_watermark_is_left_out() -> None:
    assert _steps(_case([{"t": 10}, {"wm": 3}], end=False)) == [[(3, 3)]]


@pytest.mark.parametrize(
    ("per", "left", "right"),
    [("all", [(1, 9), (3, 19)], [(1, 9), (3, 19), (5, 30)]), ("input", [(1, 9)], [(3, 19), (5, 30)])],
)
def test_each_side_has_its_own_steps(per: str, left: list[Any], right: list[Any]) -> None:
    watermark = {"strategy": "bounded", "delay": 0, "per": per}
    events = [{"t": 10, "side": "l"}, {"t": 20, "side": "r"}, {"wm": 30, "side": "r"}]
    assert _steps(_case(events, watermark=watermark, end=False), TWO) == [left, right]


def test_rows_are_what_a_source_gives() -> None:
    whole, other = batches(_case([{"wm": 1}, {"t": 7, "side": "l", "key": "a", "value": 3, "delete": True}]), TWO)
    row = whole.frame.with_columns(whole.frame["_time"].to_physical(), whole.frame["_arrival"].to_physical()).row(
        0, named=True
    )
    assert row == {
        "t": 7,
        "key": "a",
        "value": 3.0,
        "index": 1,
        "gap": None,
        "delete": True,
        "_time": 7,
        "_arrival": 1,
        "_source": "l",
        "_partition": 0,
        "_offset": 1,
    }
    assert (whole.order.tolist(), len(other)) == ([2], 0)


def test_an_event_of_a_join_names_its_side() -> None:
    with pytest.raises(DataError, match="names its side"):
        batches(_case([{"t": 1}]), TWO)


def test_an_unknown_operator_is_an_error_of_the_spec() -> None:
    assert answer(_case([]))["error"]["phase"] == "spec"


def test_the_command_answers_a_line_a_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        json.dumps({"id": name, "op": {"type": "none"}, "watermark": {"strategy": "explicit"}, "events": []})
        for name in ("one", "two")
    ]
    packed = tmp_path / "cases.jsonl.gz"
    packed.write_bytes(gzip.compress("\n\n".join(lines).encode()))
    assert main([str(packed)]) == 0
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == ["one", "two"]
    assert main([str(packed), "--only", "tw", "--batch", "1"]) == 0
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == ["two"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"id": 1}\n', "line 1: this is no case: KeyError('watermark')"),
        (b"\n{", "line 2: this cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b'{"id":"x","op":{"type":"n"},"watermark":{"strategy":"none"},"events":[]}', "no such watermark"),
        (b'{"id":"x","op":{"type":"n"},"watermark":{"strategy":"explicit"},"events":[{}]}', "neither an event nor"),
        (
            b'{"id":"x","op":{"type":"n"},"watermark":{"strategy":"bounded","delay":"q"},"events":[]}',
            "no case: ValueError",
        ),
        (
            b'{"id":"x","op":{"type":"n"},"watermark":{"strategy":"explicit"},"events":[{"t":1.5}]}',
            "whole milliseconds",
        ),
        (b'{"id":"x","op":{"type":"n"},"watermark":{"strategy":"explicit"},"events":[{"wm":1e999}]}', "in 64 bits"),
    ],
)
def test_a_bad_file_is_told_with_its_line(
    content: bytes, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_bytes(content)
    assert main([str(path)]) == 65
    error = capsys.readouterr().err
    assert str(path) in error
    assert told in error


@pytest.mark.parametrize(
    "op",
    [
        {"type": "window"},
        {"type": "window", "assigner": {"type": "sliding", "size": 5, "slide": "a"}},
        {"type": "window", "assigner": {"type": "tumbling", "size": 5}, "trigger": {"type": "purging", "of": 3}},
        {"type": "intervalJoin", "lower": 1},
    ],
    ids=json.dumps,
)
def test_an_operator_that_says_too_little_is_told_with_its_case(op: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="case 'x', op: an operator that says too little"):
        answer(Case.of({"id": "x", "op": op, "watermark": {"strategy": "explicit"}, "events": []}))


def test_a_file_that_is_missing_or_badly_packed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.jsonl")]) == 66
    path = tmp_path / "cases.jsonl.gz"
    for content in (b"no gzip", gzip.compress(b"{" * 99)[:-9]):
        path.write_bytes(content)
        with pytest.raises(DataError, match="cannot be read"):
            list(read_cases(path))
    assert "no such file" in capsys.readouterr().err
