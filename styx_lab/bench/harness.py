"""Measuring: the answer first, then repeats of all cases in turns, in one run; figures are ratios and medians.

Law: a case whose answer is wrong or was not checked is marked so wherever its figure stands; a figure never stands
alone, but beside the load, the processors and the versions it was taken with.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter_ns, process_time_ns
from typing import Any, Final

import msgspec

from styx_lab.errors import NotFoundError, RunError

__all__ = [
    "ONE_CORE",
    "Case",
    "CaseReport",
    "Machine",
    "Report",
    "Task",
    "measure",
    "measure_apart",
    "run_module",
]

ONE_CORE: Final = {
    "POLARS_MAX_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
"""What keeps a process's libraries to one thread; they read it when they are loaded, so only in a new process."""

_LIBRARIES: Final = (
    "styx-lab", "polars", "numpy", "numba", "msgspec", "streamz", "pypmml", "scikit-learn", "onnxruntime", "skl2onnx",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to measure.

    Attributes:
        run: does the work once, from the start and with state of its own; gives the number of events it handled.
        check: does the work once and gives what is wrong with its answer, in words, or None when it is right.
        includes: what is in the figure and what is not: "from decoded frames to a frame of windows".
        may_be_wrong: report figures for a wrong answer too, marked as such (a peer that cannot do better).
    """

    run: Callable[[], int]
    check: Callable[[], str | None] | None = None
    includes: str = ""
    may_be_wrong: bool = False


@dataclass(frozen=True, slots=True)
class CaseReport:
    """The figures of one case.

    Attributes:
        name: the case.
        includes: what is in the figure.
        answer: `right`, `unchecked`, or `wrong: ` and what is wrong.
        events: events handled by one repeat.
        seconds: of each repeat, in order.
        rate: events per second, the median of the repeats; None where the answer is wrong and may not be.
        slowest: the lowest rate of a repeat.
        fastest: the highest one.
        processors: processor time over wall time, the median: below 1 means that the machine was busy with others.
        ratio: rate over that of the base case, the median of the repeats' own ratios.
    """

    name: str
    includes: str
    answer: str
    events: int = 0
    seconds: tuple[float, ...] = ()
    rate: float | None = None
    slowest: float | None = None
    fastest: float | None = None
    processors: float | None = None
    ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """What the figures were taken on, and how busy it was (load averages of one minute)."""

    processors: int
    one_core: bool
    load_before: float
    load_after: float
    system: str
    python: str
    libraries: dict[str, str]


@dataclass(frozen=True, slots=True)
class Report:
    """All cases of one run; `to_json` is what `styx bench --json` prints."""

    cases: tuple[CaseReport, ...]
    base: str | None
    repeats: int
    machine: Machine

    @property
    def right(self) -> bool:
        """False when a case gave a wrong answer that may not give one."""
        return all(case.rate is not None for case in self.cases)

    def case(self, name: str) -> CaseReport:
        """The figures of a case.

        Raises:
            NotFoundError: when there is none of that name.
        """
        for case in self.cases:
            if case.name == name:
                return case
        hint = f"one of {', '.join(case.name for case in self.cases)}"
        raise NotFoundError("no such case in the report", where="bench", got=name, hint=hint)

    def to_json(self) -> dict[str, Any]:
        """Plain dictionaries, lists, strings and numbers."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    @staticmethod
    def from_json(plain: dict[str, Any]) -> Report:
        """The report that `to_json` was called on."""
        return msgspec.convert(plain, Report, strict=False)


def measure(cases: Mapping[str, Case | Callable[[], int]], repeats: int = 5, *, base: str | None = None) -> Report:
    """Check every case, then run them in turns and report events per second.

    >>> report = measure({"slow": lambda: sum(1 for _ in range(50)), "quick": lambda: 50}, repeats=3, base="slow")
    >>> report.case("quick").events, report.case("slow").ratio, report.case("slow").answer
    (50, 1.0, 'unchecked')

    Args:
        cases: what to measure, by name. The check, or else one run that is not timed, comes first, so that nothing
            is compiled or loaded while the clock runs.
        repeats: how often each case is timed; every second round goes in reverse order.
        base: the case that the ratios are taken to.

    Raises:
        NotFoundError: when `base` is no case.
        RunError: when there are no cases or no repeats, or a case handles no events or another number each time.
    """
    ready = {name: case if isinstance(case, Case) else Case(case) for name, case in cases.items()}
    if not ready or repeats < 1:
        raise RunError("a benchmark needs a case and a repeat", where="bench", got=(list(ready), repeats))
    if base is not None and base not in ready:
        raise NotFoundError("the base is no case", where="bench", got=base, hint=f"one of {', '.join(ready)}")
    load_before = _load()
    answers = {name: _answer(case) for name, case in ready.items()}
    timed = [name for name, case in ready.items() if case.may_be_wrong or not answers[name].startswith("wrong")]
    rounds: dict[str, list[_Timing]] = {name: [] for name in timed}
    for number in range(repeats):
        for name in timed if number % 2 == 0 else reversed(timed):
            rounds[name].append(_timing(name, ready[name]))
    base_rates = [timing.rate for timing in rounds.get(base, ())] if base is not None else []
    reports = [
        _report(name, case, answers[name], rounds[name], base_rates)
        if name in rounds
        else CaseReport(name, case.includes, answers[name])
        for name, case in ready.items()
    ]
    return Report(tuple(reports), base, repeats, _machine(load_before))


def measure_apart(
    build: str, *arguments: Any, repeats: int = 5, base: str | None = None, one_core: bool = True
) -> Report:
    """`measure` in a new Python process, whose libraries may keep to one thread.

    >>> measure_apart("styx_lab.bench.nowhere:cases")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
        ...
    styx_lab.errors.RunError: bench: the measuring process failed

    Args:
        build: `module:function`, which gives the cases; it is called in the new process.
        arguments: its arguments, as JSON can hold them.
        repeats: as for `measure`.
        base: as for `measure`.
        one_core: set `ONE_CORE` in the new process's environment.

    Raises:
        RunError: when the process fails; its last line is in the message, all of it in a note.
    """
    task = Task(build, list(arguments), repeats, base)
    with tempfile.TemporaryDirectory(prefix="styx-bench-") as folder:
        asked, answered = Path(folder, "task.json"), Path(folder, "report.json")
        asked.write_bytes(msgspec.json.encode(task))
        _run_python(["styx_lab.bench.child", str(asked), str(answered)], one_core=one_core)
        return msgspec.json.decode(answered.read_bytes(), type=Report)


def run_module(module: str, task: Mapping[str, Any]) -> dict[str, Any]:
    """Run a module in a new Python process, kept to one core, on a task as JSON; gives the JSON that it prints.

    Args:
        module: what to run; it has the task as its one argument.
        task: what to do.

    Raises:
        RunError: when the process fails; its last line is in the message, all of it in a note.
    """
    told: dict[str, Any] = json.loads(_run_python([module, json.dumps(task)], one_core=True))
    return told


def _run_python(arguments: list[str], *, one_core: bool) -> str:
    environment = os.environ | (ONE_CORE if one_core else {})
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, "-m", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = done.stderr.strip()
        error = RunError("the measuring process failed", where="bench", got=said.rpartition("\n")[2])
        error.add_note(said)
        raise error
    return done.stdout


class Task(msgspec.Struct, frozen=True):
    """What `measure_apart` asks of the process that it starts."""

    build: str
    arguments: list[Any]
    repeats: int
    base: str | None


@dataclass(frozen=True, slots=True)
class _Timing:
    events: int
    wall_ns: int
    processor_ns: int

    @property
    def rate(self) -> float:
        return self.events * 1e9 / self.wall_ns


def _answer(case: Case) -> str:
    if case.check is None:
        case.run()
        return "unchecked"
    wrong = case.check()
    return "right" if wrong is None else f"wrong: {wrong}"


def _timing(name: str, case: Case) -> _Timing:
    # What an earlier case left behind must not be cleared away at this one's cost.
    gc.collect()
    processor, wall = process_time_ns(), perf_counter_ns()
    events = case.run()
    wall, processor = perf_counter_ns() - wall, process_time_ns() - processor
    if events < 1:
        raise RunError("a case must handle events", where=f"case {name!r}", got=events)
    return _Timing(events, max(wall, 1), processor)


def _report(name: str, case: Case, answer: str, timings: list[_Timing], base_rates: list[float]) -> CaseReport:
    handled = {timing.events for timing in timings}
    if len(handled) > 1:
        raise RunError("a case must handle the same events in each repeat", where=f"case {name!r}", got=sorted(handled))
    rates = [timing.rate for timing in timings]
    return CaseReport(
        name=name,
        includes=case.includes,
        answer=answer,
        events=timings[0].events,
        seconds=tuple(timing.wall_ns / 1e9 for timing in timings),
        rate=statistics.median(rates),
        slowest=min(rates),
        fastest=max(rates),
        processors=statistics.median(timing.processor_ns / timing.wall_ns for timing in timings),
        ratio=statistics.median(_ratios(rates, base_rates)) if base_rates else None,
    )


def _ratios(rates: list[float], base_rates: list[float]) -> list[float]:
    """Neighbours in time are compared, so that a busy minute weighs on both."""
    return [rate / base for rate, base in zip(rates, base_rates, strict=True)]


def _machine(load_before: float) -> Machine:
    libraries = {}
    for library in _LIBRARIES:
        try:
            libraries[library] = version(library)
        except PackageNotFoundError:
            libraries[library] = "not installed"
    return Machine(
        processors=os.cpu_count() or 1,
        one_core=all(os.environ.get(name) == value for name, value in ONE_CORE.items()),
        load_before=load_before,
        load_after=_load(),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        libraries=libraries,
    )


def _load() -> float:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else -1.0
