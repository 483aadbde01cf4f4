"""The tables that several commands print: counters, summary and drift of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from styx_lab.cli.output import print_line, print_table

__all__ = ["greatest_drift", "inputs_of_models", "print_counters", "print_drift", "print_summary"]

_INPUTS = "inputs"
_FIRST = ("in", "processed", "late", "dead", "out")


def print_summary(summary: Mapping[str, int]) -> None:
    """The whole run in one line: `events = processed + late + dead`, then what was found."""
    print_line(", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in summary.items()))


def print_counters(counters: Mapping[str, Mapping[str, Any]]) -> None:
    """A line a step: what all steps count, then the step's own (`read`, `matches`, ...) by name."""
    rows = []
    for step, counted in counters.items():
        named = ((name, count) for name, count in counted.items() if name not in (*_FIRST, _INPUTS))
        own = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in named)
        rows.append((step, *(counted.get(name, 0) for name in _FIRST), own))
    print_table(("step", *_FIRST, ""), rows)


def inputs_of_models(counters: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Mapping[str, Any]]]:
    """Of a job's kept counters: what is known of the inputs of each step's model."""
    return {step: counted[_INPUTS] for step, counted in counters.items() if _INPUTS in counted}


def print_drift(figures: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """A line an input of a model: how often it was null or NaN, and how far from the rows that it was trained on."""
    rows = [
        (step, name, one["rows"], _percent(one["null_rate"]), _percent(one["nan_rate"]), _psi(one["psi"]), one["note"])
        for step, inputs in figures.items()
        for name, one in inputs.items()
    ]
    if rows:
        print_table(("step", "model input", "rows", "null", "NaN", "PSI", ""), rows)


def greatest_drift(figures: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """The input with the greatest PSI, as `0.31 amount`; nothing where none has one."""
    known = [
        (one["psi"], name) for inputs in figures.values() for name, one in inputs.items() if one["psi"] is not None
    ]
    return f"{_psi(max(known)[0])} {max(known)[1]}" if known else ""


def _percent(rate: float | None) -> str:
    return "" if rate is None else f"{100 * rate:.2f} %"


def _psi(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
