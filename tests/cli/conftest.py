"""What the tests of the command share: calling it, here or in a process of its own, and a little sample data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from styx_lab.cli.main import main
from styx_lab.connectors import Recording
from styx_lab.samples import generate_cards

FLOW = """
import styx_lab as styx

payments = styx.source(
    "payments",
    schema={"payment_id": "str", "ts": "int", "card_id": "str", "amount": "float", "status": "str"},
    time="ts",
    key="card_id",
    max_delay="2s",
)
testing = (
    styx.Pattern.begin("declined").where("status = 'declined'").followed_by("drain").where("amount > 300").within("10m")
)
flow = styx.flow(
    "testing",
    payments.detect(testing, name="found", amount="drain.amount")
    .notify("tell", message="Card {card_id}: {amount:.2f}")
    .to("notifications"),
)


def make():
    return flow
"""


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Styx = Callable[..., Done]


@pytest.fixture
def styx(capfd: pytest.CaptureFixture[str]) -> Styx:
    """Call the command in this process."""

    def call(*arguments: object) -> Done:
        capfd.readouterr()
        code = main([str(one) for one in arguments])
        out, err = capfd.readouterr()
        return Done(code, out, err)

    return call


@pytest.fixture(scope="session")
def started() -> Callable[..., subprocess.Popen[str]]:
    """Start the command in a process of its own."""
    return _started


@pytest.fixture(scope="session")
def ended() -> Callable[[subprocess.Popen[str]], Done]:
    """Wait for such a process, and give what it said."""
    return _ended


def _started(*arguments: object, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "styx_lab.cli.main", *map(str, arguments)]
    # Output is held back until it is flushed, as it is for users, whatever this environment asks Python for.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    usual = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
    return subprocess.Popen(command, **(usual | options))


def _ended(process: subprocess.Popen[str]) -> Done:
    out, err = process.communicate(timeout=120)
    return Done(process.returncode, out, err)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 2,000 payments, as a recording and as JSON Lines, and a flow for them."""
    folder = tmp_path_factory.mktemp("cli")
    sample = generate_cards(2_000)
    sample.write(folder)
    recording = Recording.open(folder / "payments.recording.parquet")
    lines = [payload for rows in recording.blocks() for payload in rows["payload"].to_list()]
    (folder / "payments.jsonl").write_bytes(b"".join(line.replace(b"\n", b" ") + b"\n" for line in lines))
    (folder / "cli_flows.py").write_text(FLOW)
    return folder


@pytest.fixture(scope="session")
def promoted(data: Path) -> Path:
    """A store with the flow promoted in it."""
    store = data / "home" / "store.db"
    flow, golden = data / "cli_flows.py", data / "payments.recording.parquet"
    assert main(["promote", f"{flow}:flow", "--golden", str(golden), "--events", "300", "--store", str(store)]) == 0
    return store


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Path]:
    """A folder of the test's own, to be in."""
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)
