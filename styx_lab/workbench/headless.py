"""Start a job in a process of its own, which goes on when the one that started it ends.

`python -m styx_lab.workbench.headless '{"reference": "card-fraud@1", ...}'` is that process: it runs the bundle,
drains on SIGTERM, and says how it went as one line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from styx_lab.engines.runner.runner import RunSettings
from styx_lab.errors import StyxError
from styx_lab.workbench.inputs import InputPaths
from styx_lab.workbench.signals import StopOnSignal

__all__ = ["start_job"]


def start_job(
    reference: str,
    inputs: InputPaths,
    *,
    job: str,
    store: str | Path | None = None,
    settings: RunSettings | None = None,
    lookups: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Run a promoted bundle in a new process (see `run_bundle` for the arguments); its output is one line of JSON."""
    call = {
        "reference": reference,
        "inputs": dict(inputs),
        "job": job,
        "store": None if store is None else str(store),
        "settings": asdict(settings or RunSettings()),
        "lookups": dict(lookups or {}),
    }
    command = [sys.executable, "-m", "styx_lab.workbench.headless", json.dumps(call)]
    # A session of its own: Ctrl-C in the notebook or terminal that started it does not reach it.
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )


def _main(text: str) -> int:
    from styx_lab.workbench.jobs import run_bundle

    call: dict[str, Any] = json.loads(text)
    try:
        with StopOnSignal() as signals:
            report = run_bundle(
                call["reference"],
                call["inputs"],
                job=call["job"],
                store=call["store"],
                settings=RunSettings(**call["settings"]),
                stop=signals.stop,
                lookups=call["lookups"],
            )
    except StyxError as error:
        sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
        return error.exit_code
    sys.stdout.write(json.dumps(asdict(report)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
