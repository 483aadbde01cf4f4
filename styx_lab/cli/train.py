"""`styx train`: a model from examples, or from a flow over a recording, into the store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from styx_lab.cli.options import (
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
from styx_lab.cli.output import event_progress, print_json, print_line, print_table, status

if TYPE_CHECKING:
    from styx_lab.workbench import Training, TrainingRows

__all__ = ["train"]


@click.command(
    epilog=epilog(
        "styx train fraud --examples sample_data/history.parquet --target fraud --alias champion",
        "styx train found --flow styx_lab.samples.card_fraud:sample_flow --input sample_data/payments.recording.parquet"
        " --labels sample_data/truth.jsonl --on drain_payment_id=drain.payment_id --model forest",
        when="after `styx sample cards`",
        exits="0; 2 on a wrong option; 64 when the flow or the label cannot be meant; 65 when the examples cannot be "
        "used; 66 when they are not there; 69 when scikit-learn or Java is not installed; 73 when the store cannot be "
        "written; 130 on Ctrl-C.",
    )
)
@click.argument("name")
@click.option("--examples", metavar="FILE", help="A .parquet, .csv or .jsonl file, one row an example.")
@click.option("--flow", metavar="FLOW", help="Train on what this flow makes of --input, up to the step that scores.")
@input_option
@lookup_option
@click.option("--step", metavar="STEP", help="Another step of the flow, or an output, whose events to train on.")
@click.option("--target", metavar="COLUMN", help="The column to predict, of --examples.")
@click.option(
    "--label",
    metavar="LABEL",
    help="What to predict, of --flow: a column of the event, SQL text over it, or a column of --labels; else whether "
    "the event is in --labels.",
)
@click.option("--labels", metavar="FILE", help="A .parquet, .csv or .jsonl file that says what became of events.")
@click.option(
    "--on",
    "on",
    multiple=True,
    metavar="COLUMN[=SQL]",
    help="A column of --labels that equals the event's of that name, or SQL text over the event (repeat it); else the "
    "flow's key.",
)
@click.option("--known-at", metavar="COLUMN", help="The column of --labels that says since when a label is known.")
@click.option("--known-by", metavar="TIME", help="Use no label that became known after this time.")
@click.option(
    "--unlabelled",
    type=click.Choice(["drop", "error"]),
    default="drop",
    show_default=True,
    help="What becomes of events without a label.",
)
@click.option("--otherwise", metavar="VALUE", help="The label of events that have none.")
@click.option("--features", metavar="A,B,...", help="The columns to predict it from; all others where none are named.")
@click.option(
    "--model",
    metavar="MODEL",
    help="logistic (the default), linear, tree, forest, boosting; or the MODULE:NAME of a scikit-learn estimator.",
)
@click.option(
    "--holdout",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.25,
    show_default=True,
    help="The share of rows to measure on.",
)
@click.option(
    "--holdout-by",
    type=click.Choice(["time", "random"]),
    help="Which rows: the last by time (where there is one), or any.",
)
@click.option("--time", metavar="COLUMN", help="The time to hold out by; else the event time.")
@click.option(
    "--unknown",
    type=click.Choice(["error", "ignore"]),
    default="error",
    show_default=True,
    help="What a text that training never saw does to a row.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="For all that is random.")
@click.option(
    "--sample-rows", type=click.IntRange(min=0), help="Training rows to keep beside the model; 200 where not said."
)
@click.option("--alias", metavar="NAME", help="An alias for the new version, such as champion.")
@store_option
@json_option
@debug_option
def train(name: str, store: Path | None, as_json: bool, **said: Any) -> None:
    """Train a model, export it to PMML, keep it in the store.

    Either on --examples, a file with a row for each and the --target in it; or on what a --flow makes of a recording,
    each event with its --label: then the model is trained on the very columns that it will be asked for. The report is
    of rows that it was not fitted to.
    """
    features = None if said["features"] is None else _names(said["features"])
    _check(said)
    rows = said["examples"] if said["flow"] is None else _from_flow(said, store)
    with status(f"Training {name} on {said['examples'] or said['flow']}"):
        from styx_lab.workbench import train as fit

        trained = fit(
            name,
            rows,
            target=said["target"],
            features=features,
            model=_model(said["model"]),
            store=store,
            **{each: said[each] for each in _TO_TRAIN},
        )
    if as_json:
        more = {} if trained.flow is None else {"flow": trained.flow}
        report = {"alias": said["alias"], "sha256": trained.sha256, "report": trained.report}
        print_json({"model": trained.model, **report, **more})
        return
    alias = "" if said["alias"] is None else f", which is {name}@{said['alias']} now"
    print_line(f"{trained.model}{alias}")
    _print_report(trained)


_TO_TRAIN = ("holdout", "holdout_by", "time", "unknown", "seed", "sample_rows", "alias")
_OF_FLOW = ("step", "label", "labels", "on", "known_at", "known_by", "otherwise", "inputs", "lookups")
_OF_LABELS = ("on", "known_at", "known_by")


def _names(text: str) -> list[str]:
    names = [column.strip() for column in text.split(",") if column.strip()]
    if not names:
        raise click.BadParameter("names no column", param_hint="'--features'")
    return names


def _check(said: Mapping[str, Any]) -> None:
    """Refuse options that do not go together."""

    def refuse(text: str) -> None:
        raise click.UsageError(text, click.get_current_context())

    if (said["examples"] is None) == (said["flow"] is None):
        refuse("say what to train on: --examples FILE, or --flow FLOW with --input FILE")
    if said["flow"] is None:
        for each in _OF_FLOW:
            if said[each]:
                refuse(f"{_option(each)} goes with --flow")
        if said["target"] is None:
            refuse("--examples needs --target, the column to predict")
    elif said["target"] is not None:
        refuse("with --flow, what to predict is said by --label")
    elif said["label"] is None and said["labels"] is None:
        refuse("--flow needs --label, what to predict, or --labels, a table of those that are so")
    for each in _OF_LABELS if said["labels"] is None else ():
        if said[each] and each != "known_by":
            refuse(f"{_option(each)} goes with --labels")


def _option(name: str) -> str:
    return {"inputs": "--input", "lookups": "--lookup"}.get(name, "--" + name.replace("_", "-"))


def _from_flow(said: Mapping[str, Any], store: Path | None) -> TrainingRows:
    from styx_lab.workbench import training_rows
    from styx_lab.workbench.flow_files import find_flow

    flow = find_flow(said["flow"]).flow
    given = inputs_of(said["inputs"])
    if given is None:
        names = " ".join(f"--input {step.name}=FILE" for step in flow.sources)
        raise click.UsageError(f"the flow needs an input: {names}", click.get_current_context())
    label = said["label"] if said["labels"] is None else (said["labels"], said["label"])
    pairs = [one.partition("=") for one in said["on"]]
    on = {column: value or column for column, _, value in pairs} or None
    with event_progress("features", event_total(given)) as progress:
        return training_rows(
            flow,
            given,
            label=label,
            on=on,
            known_at=said["known_at"],
            known_by=said["known_by"],
            unlabelled=said["unlabelled"],
            otherwise=said["otherwise"],
            step=said["step"],
            store=store,
            lookups=lookups_of(said["lookups"]),
            observers=[progress],
        )


def _model(said: str | None) -> Any:
    if said is None or ":" not in said:
        return said
    from styx_lab.workbench.flow_files import find_named

    found = find_named(
        said,
        what="estimator",
        is_one=lambda value: hasattr(value, "fit") and hasattr(value, "get_params") and not isinstance(value, type),
        hint="package.module:attribute or path/to/file.py:attribute",
        make="make one there: name = RandomForestClassifier(...)",
    )
    return found.value


def _print_report(trained: Training) -> None:
    report = trained.report
    facts = [(fact, value) for fact, value in report.items() if isinstance(value, int | float | str) and fact != "name"]
    print_table(("report", ""), ((fact.replace("_", " "), _shown(value)) for fact, value in facts))
    print_table(
        ("feature", "kind", "missing", "different", "mean", "importance"),
        (
            [one[fact] for fact in ("name", "kind", "missing", "distinct", "mean", "importance")]
            for one in report["features"]
        ),
    )
    if report["thresholds"]:
        print_table(
            ("threshold", "true +", "false +", "false -", "true -", "precision", "recall"),
            (list(one.values()) for one in report["thresholds"]),
        )
        print_table(
            ("score from", "to", "rows", "predicted", "observed"),
            (list(one.values()) for one in report["calibration"]),
        )
    elif report["confusion"]:
        classes, counts = report["confusion"]["classes"], report["confusion"]["counts"]
        print_table(("class, called", *classes), ([each, *row] for each, row in zip(classes, counts, strict=True)))
    if trained.flow is not None:
        counts = {**trained.flow["counts"], **trained.flow["dead"]}
        print_table(("events", ""), ((fact.replace("_", " "), count) for fact, count in counts.items()))
        if trained.flow["left_out"]:
            print_table(("left out", "because it is"), trained.flow["left_out"].items())


def _shown(value: float | str) -> str:
    return f"{value:,.4f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value
