"""`styx demo`: the whole loop on sample data, as a story."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from styx_lab.cli.options import Folder, debug_option, epilog, json_option
from styx_lab.cli.output import note, print_json, print_line, print_table, status
from styx_lab.cli.tables import print_counters

__all__ = ["demo"]


@click.command(
    epilog=epilog(
        "styx demo --events 20000",
        exits="0; 70 when the runs differ; 69 when scikit-learn or Java is not installed; 130 on Ctrl-C.",
    )
)
@click.option("--events", type=click.IntRange(min=1_000), default=200_000, show_default=True, help="How many payments.")
@click.option("--folder", type=Folder, metavar="DIR", help="Where to work; it is kept. Else a temporary folder.")
@click.option("--keep", is_flag=True, help="Keep the temporary folder, and say where it is.")
@json_option
@debug_option
def demo(events: int, folder: Path | None, keep: bool, as_json: bool) -> None:
    """Show the whole loop on sample data.

    Makes card payments, trains a model, replays a flow on streamz, promotes it, runs it headless, runs it again with
    three kills at random moments, and compares what came out: it must be the same bytes.
    """
    with _workplace(folder, keep=keep) as place:
        with status("Starting") as tell:
            from styx_lab.workbench.demonstration import demonstrate

            told = demonstrate(place, events=events, tell=tell)
        if as_json:
            print_json(told)
        else:
            _tell_story(told)


@contextmanager
def _workplace(folder: Path | None, *, keep: bool) -> Iterator[Path]:
    if folder is not None:
        yield folder
    elif keep:
        place = Path(tempfile.mkdtemp(prefix="styx-demo-"))
        note(f"Everything is kept in {place}")
        yield place
    else:
        with tempfile.TemporaryDirectory(prefix="styx-demo-", ignore_cleanup_errors=True) as name:
            yield Path(name)


def _tell_story(told: Mapping[str, Any]) -> None:
    model, digests = told["model"], told["sha256"]
    print_line()
    print_line(
        f"{told['events']:,} payments came in: {told['processed']:,} processed, {told['late']:,} too late, "
        f"{told['dead']:,} that could not be read or used."
    )
    print_line(
        f"{told['matches']:,} times a pattern was found; model {model['name']} judged them; "
        f"{told['notifications']:,} notifications were written."
    )
    print_line(
        f"Of {told['attacks']:,} attacks {told['attacks_found']:,} were found "
        f"(recall {told['recall']:.1%}, precision {told['precision']:.1%})."
    )
    print_counters(told["steps"])
    print_line("The notifications, as streamz and the runner wrote them (sha256):")
    print_table(("run", "sha256"), ((name.replace("_", " "), digest) for name, digest in digests.items()))
    kills = ", ".join(f"{one['committed']:,}" for one in told["killed_at"])
    print_line(f"All are equal. The killed runner had committed {kills} events when SIGKILL came.")
    print_table(("stage", "seconds"), ((name.replace("_", " "), spent) for name, spent in told["seconds"].items()))
    print_line(f"{told['total_seconds']:.0f} s in all, {told['peak_memory_mb']:,} MB at most.")
