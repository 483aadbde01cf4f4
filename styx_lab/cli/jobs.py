"""`styx jobs`, `styx savepoint`, `styx stop`: jobs, seen and asked from another process."""

from __future__ import annotations

from pathlib import Path

import click

from styx_lab.cli.options import Amount, debug_option, epilog, json_option, store_option
from styx_lab.cli.output import print_json, print_line, print_table, status
from styx_lab.cli.tables import greatest_drift, inputs_of_models

__all__ = ["jobs", "savepoint", "stop"]

_wait_option = click.option(
    "--wait", type=Amount(), default=60.0, show_default=True, metavar="S", help="Seconds to wait for the job's answer."
)


@click.command(epilog=epilog("styx jobs", exits="0; 74 when the store cannot be read."))
@store_option
@json_option
@debug_option
def jobs(store: Path | None, as_json: bool) -> None:
    """List the jobs.

    A job whose process is gone, or that has not been heard of for 30 s, is lost: `styx run` goes on with it.
    """
    from styx_lab.workbench import list_jobs

    found = list_jobs(store=store)
    if as_json:
        print_json({"jobs": found})
        return
    if not found:
        print_line("There are no jobs yet: styx run REFERENCE --input FILE")
        return
    print_table(
        ("job", "bundle", "state", "start", "events", "drift", "began", "last heard of", "why it ended"),
        (
            (
                one.job,
                one.bundle,
                one.state,
                one.epoch,
                sum(counted.get("read", 0) for counted in one.counters.values()),
                greatest_drift(inputs_of_models(one.counters)),
                _moment(one.started),
                _moment(one.heartbeat),
                one.reason,
            )
            for one in found
        ),
    )


@click.command(
    epilog=epilog(
        "styx savepoint card-fraud",
        when="while `styx run card-fraud ...` runs",
        exits="0; 66 when there is no such job; 70 when it does not run, or does not answer in time.",
    )
)
@click.argument("job")
@_wait_option
@store_option
@json_option
@debug_option
def savepoint(job: str, wait: float, store: Path | None, as_json: bool) -> None:
    """Take a savepoint of a running job.

    The job commits, writes its state to a folder of its own, and goes on. A new job can begin with it: `styx run
    REFERENCE --job NEW --savepoint DIR`.
    """
    from styx_lab.workbench import ask_savepoint

    with status(f"Asking job {job} for a savepoint"):
        path = ask_savepoint(job, store=store, wait=wait)
    if as_json:
        print_json({"job": job, "savepoint": path})
    else:
        print_line(str(path))


@click.command(
    epilog=epilog(
        "styx stop card-fraud --savepoint",
        when="while `styx run card-fraud ...` runs",
        exits="0; 66 when there is no such job; 70 when it does not run, or does not stop in time.",
    )
)
@click.argument("job")
@click.option("--savepoint", is_flag=True, help="Take a savepoint first.")
@_wait_option
@store_option
@json_option
@debug_option
def stop(job: str, savepoint: bool, wait: float, store: Path | None, as_json: bool) -> None:
    """Stop a running job: it drains, and can be gone on with.

    The job finishes and commits what is in hand and writes a checkpoint. `styx run` goes on with it.
    """
    from styx_lab.workbench import ask_stop

    with status(f"Asking job {job} to stop"):
        record, kept = ask_stop(job, store=store, savepoint=savepoint, wait=wait)
    if as_json:
        print_json({"job": record, "savepoint": kept})
        return
    print_line(f"{record.state}: job {record.job}, {record.reason}")
    if kept is not None:
        print_line(f"  the savepoint is {kept}")


def _moment(text: str) -> str:
    return text[:19].replace("T", " ")
