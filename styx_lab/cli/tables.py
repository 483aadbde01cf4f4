"""The tables that several commands print: counters and summary of a run."""

from __future__ import annotations

from collections.abc import Mapping

from styx_lab.cli.output import print_line, print_table

__all__ = ["print_counters", "print_summary"]

_FIRST = ("in", "processed", "late", "dead", "out")


def print_summary(summary: Mapping[str, int]) -> None:
    """The whole run in one line: `events = processed + late + dead`, then what was found."""
    print_line(", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in summary.items()))


def print_counters(counters: Mapping[str, Mapping[str, int]]) -> None:
    """A line a step: what all steps count, then the step's own (`read`, `matches`, ...) by name."""
    rows = []
    for step, counted in counters.items():
        own = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counted.items() if name not in _FIRST)
        rows.append((step, *(counted.get(name, 0) for name in _FIRST), own))
    print_table(("step", *_FIRST, ""), rows)
