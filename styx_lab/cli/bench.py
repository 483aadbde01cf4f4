"""`styx bench`: the benchmarks, with their answers checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import click

from styx_lab.cli.failures import UNSOUND
from styx_lab.cli.options import debug_option, epilog, json_option
from styx_lab.cli.output import print_json, print_line, print_table, status

__all__ = ["bench"]

_COLUMNS: Final = {
    "case": "name",
    "events/s": "rate",
    "slowest": "slowest",
    "fastest": "fastest",
    "ratio": "ratio",
    "answer": "answer",
}
_SOME: Final = {"peak MB": "peak_mb", "times Flink": "times_flink", "times pypmml": "times_pypmml"}
"""Columns that are shown where a case has them."""


@click.command(
    epilog=epilog(
        "styx bench W3 --events 100000 --repeats 3",
        "styx bench windows joins --json",
        exits="0; 1 when an answer is wrong; 66 on an unknown name; 69 when something that models are measured beside "
        "is not installed; 130 on Ctrl-C.",
    )
)
@click.argument("names", nargs=-1)
@click.option(
    "--events", type=click.IntRange(min=1_000), default=2_000_000, show_default=True, help="Payments in the work."
)
@click.option("--repeats", type=click.IntRange(min=1), default=5, show_default=True, help="How often each is timed.")
@json_option
@debug_option
def bench(names: tuple[str, ...], events: int, repeats: int, as_json: bool) -> None:
    """Run the benchmarks, checking the answers first.

    NAMES are W1, W2, W3, W5, windows, joins, patterns or models; all of them where none are named. Figures are medians,
    beside the machine's load, and are given for right answers only.
    """
    with status(f"Measuring {', '.join(names) or 'everything'} over {events:,} events; this takes its time"):
        from styx_lab.bench.workloads import run_benchmarks

        report = run_benchmarks(list(names), events, repeats)
    cases = list(_cases(report))
    if as_json:
        print_json(report)
    else:
        columns = _COLUMNS | {title: name for title, name in _SOME.items() if any(name in case for case in cases)}
        print_table(list(columns), ([case.get(name) for name in columns.values()] for case in cases))
        print_line("Figures of one machine at one time: compare within a run. --json has the load and the versions.")
    if any(case.get("rate") is None for case in cases):
        raise click.exceptions.Exit(UNSOUND)


def _cases(report: Any) -> Iterator[Mapping[str, Any]]:
    """The measured cases, wherever in the report they are."""
    if isinstance(report, Mapping):
        if "answer" in report and "name" in report:
            yield report
        else:
            for one in report.values():
                yield from _cases(one)
    elif isinstance(report, list | tuple):
        for one in report:
            yield from _cases(one)
