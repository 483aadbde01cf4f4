"""Every command line of docs/cli.md runs, from top to bottom, in one folder; its table of exit codes is complete."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from styx_lab.cli.failures import EXIT_CODES
from styx_lab.cli.main import COMMANDS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text()


def script() -> str:
    """What is typed in the page's console blocks."""
    lines = []
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith(("$ ", ">")):
                lines.append(line[2:])
    return "\n".join(lines) + "\n"


def test_the_page_shows_every_command_and_every_exit_code():
    typed = script()
    assert [name for name in COMMANDS if f"styx {name}" not in typed] == []
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)} == set(EXIT_CODES)


@pytest.mark.slow
def test_the_page_runs(tmp_path):
    # What the page has typed beside styx (cat, head, kill) is where POSIX says.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], os.defpath])
    # The demo takes longer than all the rest, and has tests of its own.
    typed = re.sub(r"(?m)^styx demo .*\n", "", script())
    done = subprocess.run(
        ["sh", "-eux", "-c", typed],
        cwd=tmp_path,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    for said in ("fraud@1, which is fraud@champion now", "finished: job card-fraud", "stopped: job slow"):
        assert said in done.stdout
