"""`styx replay`: a flow over recorded events, to see what it gives."""

from __future__ import annotations

from pathlib import Path

import click

from styx_lab.cli.options import (
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
from styx_lab.cli.output import event_progress, print_json, print_line, print_table
from styx_lab.cli.tables import print_counters, print_drift, print_summary

__all__ = ["replay"]


@click.command(
    epilog=epilog(
        "styx replay styx_lab.samples.card_fraud:sample_flow --input sample_data/payments.recording.parquet",
        when="after `styx sample cards` and `styx train fraud ...`",
        exits="0; 2 on a wrong option; 64 when the flow cannot be built; 65 or 66 when the input or a model is "
        "no good or not there; 73 when --out cannot be written; 130 on Ctrl-C.",
    )
)
@click.argument("flow")
@input_option
@lookup_option
@click.option("--limit", type=click.IntRange(min=1), help="Stop after so many events.")
@click.option("--batch", type=click.IntRange(min=1), default=10_000, show_default=True, help="Events a batch.")
@click.option("--out", type=Folder, metavar="FOLDER", help="Write each output there, as OUTPUT.jsonl.")
@click.option("--show", type=click.IntRange(min=0), default=5, show_default=True, help="Notifications to show.")
@store_option
@json_option
@debug_option
def replay(
    flow: str,
    inputs: tuple[str, ...],
    lookups: tuple[str, ...],
    limit: int | None,
    batch: int,
    out: Path | None,
    show: int,
    store: Path | None,
    as_json: bool,
) -> None:
    """Run a flow over recorded events and show what it gave.

    FLOW is package.module:attribute or path/to/file.py:attribute, where the attribute is a flow or a function that
    gives one, or a .json that Flow.to_json wrote.
    """
    from styx_lab.workbench import replay as run
    from styx_lab.workbench.flow_files import find_flow, write_outputs

    found = find_flow(flow).flow
    given = inputs_of(inputs)
    if given is None:
        names = " ".join(f"--input {step.name}=FILE" for step in found.sources)
        raise click.UsageError(f"the flow needs an input: {names}", click.get_current_context())
    with event_progress("replay", event_total(given, limit)) as progress:
        result = run(
            found, given, store=store, lookups=lookups_of(lookups), batch=batch, observers=[progress], limit=limit
        )
    files = {} if out is None else write_outputs(result, out)
    digests = {name: result.digest(name) for name in result.outputs}
    if as_json:
        rows = {name: {"rows": frame.height, "sha256": digests[name]} for name, frame in result.outputs.items()}
        for name, path in files.items():
            rows[name]["file"] = str(path)
        told = {"flow": found.name, "summary": result.summary, "steps": result.counters, "outputs": rows}
        print_json(told | ({"inputs": result.figures} if result.figures else {}))
        return
    print_summary(result.summary)
    print_counters(result.counters)
    print_drift(result.figures)
    for name in found.notification_outputs if show else ():
        frame = result.outputs[name]
        if frame.height:
            print_line(f"{name}: the first {min(show, frame.height)} of {frame.height:,}")
            print_table(
                ("event time", "message"),
                (
                    (f"{times['event']:%Y-%m-%d %H:%M:%S}", message)
                    for times, message in frame.head(show)["times", "message"].iter_rows()
                ),
            )
    print_table(
        ("output", "rows", "sha256", *(["file"] if files else [])),
        (
            (name, frame.height, digests[name], *([files[name]] if files else []))
            for name, frame in result.outputs.items()
        ),
    )
