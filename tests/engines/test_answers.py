"""The file of answers: cut once nobody can ask again; a death at any moment of that shows in nothing but its length."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import styx_lab as styx
from styx_lab.connectors import MemorySource
from styx_lab.engines.runner import answers
from styx_lab.engines.runner.segments import read_output
from styx_lab.errors import CheckpointError
from tests.engines.kit import Died, run_job, watched_writes
from tests.engines.test_idle import FEWER

pytestmark = pytest.mark.laws
SCHEMA = {"ts": "int", "card": "str"}
EVENTS = [{"ts": 10 * n, "card": f"c{n * n % 40}"} for n in range(400)]


class Numbering:
    """Gives each answer a number of its own, whoever asks, and goes on with it after a crash: the world outside."""

    name = "numbering"
    schema = {"card": pl.String(), "number": pl.Int64()}

    def __init__(self) -> None:
        self.asked = 0

    def find(self, keys: pl.DataFrame) -> pl.DataFrame:
        numbers = range(self.asked, self.asked + keys.height)
        self.asked += keys.height
        return keys.with_columns(pl.Series("number", numbers, pl.Int64))

    def close(self) -> None:
        """Nothing is held."""


def flow() -> styx.Flow:
    cards = styx.source("cards", schema=SCHEMA, time="ts", key="card")
    found = cards.lookup("numbering", on="card", columns={"number": "int"}, expire_after="150ms")
    return styx.flow("numbered", found.to("found"))


FLOW = flow()


def job(folder: Path, world: Numbering, events: list[dict[str, Any]] = EVENTS) -> Any:
    source = MemorySource(events, FLOW.sources[0].schema)
    return run_job(folder, flow=FLOW, sources={"cards": source}, lookups={"numbering": world}, batch=2)


def numbers(folder: Path) -> list[int]:
    return [json.loads(line)["number"] for line in read_output(folder / "out", "found")]


def by_first(values: list[int]) -> list[int]:
    """Which row each value came with first: the same for two runs that asked for the same rows."""
    return [values.index(value) for value in values]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[int]:
    """The numbers of a run that nothing disturbed: each answer's is that of its question."""
    folder = tmp_path_factory.mktemp("whole") / "job"
    assert job(folder, Numbering()).state == "finished"
    found = numbers(folder)
    assert len(found) == len(EVENTS)
    assert len(set(found)) < len(found), "some answers are used again"
    return found


def test_the_file_does_not_grow_with_the_questions(whole: list[int], tmp_path: Path) -> None:
    world = Numbering()
    job(tmp_path / "job", world)
    size = (tmp_path / "job" / "answers").stat().st_size
    lines = (tmp_path / "job" / "answers").read_bytes().count(b"\n")
    assert size < 200_000
    assert lines < 100, "of some two hundred"
    assert not list((tmp_path / "job").glob("*.partial"))
    # What is there is enough for a start from either checkpoint.
    for newest in (False, True):
        copy = tmp_path / f"copy-{newest}"
        shutil.copytree(tmp_path / "job", copy)
        if newest:
            shutil.rmtree(max((copy / "checkpoints").iterdir()))
        assert job(copy, world).state == "finished"
        assert by_first(numbers(copy)) == by_first(whole)
    assert world.asked == len(set(whole)), "nothing was asked again"
    # Both gone: there is no way back, and that is said.
    for checkpoint in (tmp_path / "job" / "checkpoints").iterdir():
        shutil.rmtree(checkpoint)
    with pytest.raises(CheckpointError, match="not there any more"):
        job(tmp_path / "job", world)


@FEWER
@given(fatal=st.lists(st.integers(0, 3_000), min_size=1, max_size=3))
def test_death_at_any_write(whole: list[int], fatal: list[int]) -> None:
    world = Numbering()
    with TemporaryDirectory() as made:
        folder = Path(made) / "job"
        for one in fatal:
            with watched_writes(folder, fatal=one), suppress(Died):
                job(folder, world)
        assert job(folder, world).state == "finished"
        assert by_first(numbers(folder)) == by_first(whole)


@pytest.mark.parametrize("lost", [False, True], ids=["", "and the newest checkpoint is lost"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("act", ["write_aside", "publish", "sync_folder"])
def test_death_while_it_is_cut(
    whole: list[int], act: str, after: bool, lost: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, real = Numbering(), getattr(answers, act)
    calls = []

    def fatal(path: Path, *rest: bytes) -> Any:
        # The folder is also synced when the file is made.
        calls.append(path)
        dies = len(calls) == (2 if act == "sync_folder" else 1)
        if after or not dies:
            real(path, *rest)
        if dies:
            raise Died(act)

    acting: Callable[..., Any] = fatal
    with monkeypatch.context() as patched:
        patched.setattr(answers, act, acting)
        with pytest.raises(Died):
            job(tmp_path / "job", world)
    if lost:
        shutil.rmtree(max((tmp_path / "job" / "checkpoints").iterdir()))
    assert job(tmp_path / "job", world).state == "finished"
    assert by_first(numbers(tmp_path / "job")) == by_first(whole)
