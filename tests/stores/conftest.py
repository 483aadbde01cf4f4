"""A store in a folder of its own, a clock that stands still, and other processes that use the same store."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from styx_lab.stores import SqliteStore

ROOT = Path(__file__).resolve().parents[2]


class Clock:
    """Epoch ms that move only when told."""

    def __init__(self) -> None:
        self.now = 1_704_067_200_000

    def __call__(self) -> int:
        return self.now


class Process:
    """A Python process that says a line and waits for one, so that two of them can be let go together."""

    def __init__(self, code: str, *arguments: str) -> None:
        self.running = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert self.running.stdin is not None
        assert self.running.stdout is not None
        self.stdin, self.stdout = self.running.stdin, self.running.stdout

    def line(self) -> str:
        return self.stdout.readline().rstrip("\n")

    def go(self) -> None:
        self.stdin.write("go\n")
        self.stdin.flush()

    def end(self) -> str:
        # Not communicate(): it would leave out what readline() has read ahead.
        self.stdin.close()
        answer = self.stdout.read()
        self.stdout.close()
        self.running.wait()
        return answer


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "store.db"


@pytest.fixture
def store(path: Path, clock: Clock) -> Iterator[SqliteStore]:
    with SqliteStore(path, clock=clock) as store:
        yield store


@pytest.fixture
def process() -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def start(code: str, *arguments: str) -> Process:
        started.append(Process(code, *arguments))
        return started[-1]

    yield start
    for one in started:
        one.running.kill()
        one.running.wait()
        one.stdin.close()
        one.stdout.close()
