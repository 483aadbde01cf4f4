"""The process that `measure_apart` starts: `python -m styx_lab.bench.child task.json report.json`.

Law: it prints nothing; the report goes to the file, so whatever a library says cannot spoil it.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import msgspec

from styx_lab.bench.harness import Task, measure

__all__ = ["main"]


def main(task_file: str, report_file: str) -> None:
    """Build the cases that a task names, measure them, write the report."""
    task = msgspec.json.decode(Path(task_file).read_bytes(), type=Task)
    module, _, function = task.build.partition(":")
    cases = getattr(import_module(module), function)(*task.arguments)
    report = measure(cases, task.repeats, base=task.base)
    Path(report_file).write_bytes(msgspec.json.encode(report))


if __name__ == "__main__":
    main(*sys.argv[1:])
