"""`styx train`: a model from examples, into the store."""

from __future__ import annotations

from pathlib import Path

import click

from styx_lab.cli.options import debug_option, epilog, json_option, store_option
from styx_lab.cli.output import print_json, print_line, print_table, status

__all__ = ["train"]


@click.command(
    epilog=epilog(
        "styx train fraud --examples sample_data/history.parquet --target fraud --alias champion",
        when="after `styx sample cards`",
        exits="0; 65 when the examples cannot be used; 66 when they are not there; 69 when scikit-learn or "
        "Java is not installed; 73 when the store cannot be written; 130 on Ctrl-C.",
    )
)
@click.argument("name")
@click.option("--examples", required=True, metavar="FILE", help="A .parquet, .csv or .jsonl file, one row an example.")
@click.option("--target", required=True, metavar="COLUMN", help="The column to predict.")
@click.option("--features", metavar="A,B,...", help="The columns to predict it from; all others where none are named.")
@click.option("--alias", metavar="NAME", help="An alias for the new version, such as champion.")
@store_option
@json_option
@debug_option
def train(
    name: str,
    examples: str,
    target: str,
    features: str | None,
    alias: str | None,
    store: Path | None,
    as_json: bool,
) -> None:
    """Train a model, export it to PMML, keep it in the store.

    A logistic regression over the columns as they are; the report is of examples that it was not fitted to. To train
    another kind of model, call styx_lab.train in Python.
    """
    columns = None if features is None else [column.strip() for column in features.split(",") if column.strip()]
    if columns == []:
        raise click.BadParameter("names no column", param_hint="'--features'")
    with status(f"Training {name} on {examples}"):
        from styx_lab.workbench import train as fit

        trained = fit(name, examples, target=target, features=columns, store=store, alias=alias)
    if as_json:
        print_json({"model": trained.model, "alias": alias, "sha256": trained.sha256, "report": trained.report})
        return
    print_line(
        f"{trained.model}" + ("" if alias is None else f", which is {trained.model.partition('@')[0]}@{alias} now")
    )
    facts = [(fact, value) for fact, value in trained.report.items() if isinstance(value, int | float | str)]
    print_table(("report", ""), ((fact.replace("_", " "), _shown(value)) for fact, value in facts))


def _shown(value: float | str) -> str:
    return f"{value:,.4f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else value
