"""`styx run`: a promoted flow, headless, until its input ends or it is asked to stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from styx_lab.cli.failures import INTERRUPTED
from styx_lab.cli.options import (
    Amount,
    Folder,
    debug_option,
    epilog,
    event_total,
    input_option,
    inputs_of,
    json_option,
    lookup_option,
    lookups_of,
    store_option,
)
from styx_lab.cli.output import event_progress, note, print_json, print_line
from styx_lab.cli.tables import print_counters, print_drift, print_summary
from styx_lab.workbench.signals import StopOnSignal

__all__ = ["run"]


@click.command(
    epilog=epilog(
        "styx run card-fraud --input sample_data/payments.recording.parquet",
        when="after `styx promote ...`",
        exits="0 finished or stopped; 65 a changed bundle; 66 no such bundle or input; 70 the job runs "
        "already, or its input changed; 73 it cannot be written; 74 a checkpoint that cannot be trusted; "
        "130 Ctrl-C.",
    )
)
@click.argument("reference")
@input_option
@lookup_option
@click.option("--job", metavar="ID", help="The job's id; the flow's name where none is given.")
@click.option("--rate", type=Amount(), metavar="N", help="Events a second, at most.")
@click.option(
    "--commit-every",
    type=Amount(zero=True),
    default=0.1,
    show_default=True,
    metavar="S",
    help="Seconds between commits.",
)
@click.option(
    "--checkpoint-every",
    type=Amount(zero=True),
    default=10.0,
    show_default=True,
    metavar="S",
    help="Seconds between checkpoints.",
)
@click.option("--batch", type=click.IntRange(min=1), default=10_000, show_default=True, help="Events a slice, at most.")
@click.option("--savepoint", type=Folder, metavar="DIR", help="A savepoint to begin a new job with.")
@store_option
@json_option
@debug_option
def run(
    reference: str,
    inputs: tuple[str, ...],
    lookups: tuple[str, ...],
    job: str | None,
    savepoint: Path | None,
    store: Path | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Run a promoted flow headless, or go on with a job.

    REFERENCE is a bundle: card-fraud (the newest), card-fraud@3 or card-fraud@production. The job's journal,
    checkpoints and outputs are in jobs/ID beside the store. Started again after whatever ended it, the job goes on
    where it was: nothing is lost and nothing comes twice. --input and --lookup may be left out then.

    SIGTERM drains and ends with 0; the first Ctrl-C drains and ends with 130; a second one ends at once.
    """
    given, asked = inputs_of(inputs), lookups_of(lookups)
    with StopOnSignal(note) as signals:
        from styx_lab.engines.runner.runner import RunSettings
        from styx_lab.workbench import run_bundle

        signals.take()
        with event_progress(f"run {reference}", event_total(given)) as progress:
            report = run_bundle(
                reference,
                given,
                job=job,
                store=store,
                settings=RunSettings(**settings),
                savepoint=savepoint,
                stop=signals.stop,
                observers=[progress],
                lookups=asked,
            )
    outcome = report.outcome
    for warning in outcome.warnings:
        note(f"warning: {warning}")
    if as_json:
        print_json(report)
    else:
        print_line(f"{outcome.state}: job {report.job}, {report.bundle}, start {outcome.epoch}")
        if outcome.replayed:
            print_line(f"  {outcome.replayed:,} events were run again to come back to the last commit")
        print_line(f"  outputs are in {Path(report.folder) / 'out'}")
        if outcome.savepoint is not None:
            print_line(f"  the savepoint is {outcome.savepoint}")
        print_summary(outcome.summary)
        print_counters(outcome.counters)
        print_drift(outcome.figures)
    if outcome.state == "stopped" and signals.interrupted:
        raise click.exceptions.Exit(INTERRUPTED)
