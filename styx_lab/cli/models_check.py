"""`styx models check`: whether a model answers the same wherever it is scored."""

from __future__ import annotations

from pathlib import Path

import click

from styx_lab.cli.failures import UNSOUND
from styx_lab.cli.options import Amount, debug_option, epilog, json_option, store_option
from styx_lab.cli.output import print_json, print_line, status

__all__ = ["check"]


@click.command(
    epilog=epilog(
        "styx models check fraud@champion --examples sample_data/history.parquet",
        "styx models check model.pmml --reference pypmml --plot parity.svg",
        when="the first after `styx train ...`",
        exits="0 when all agree; 1 when they differ beyond the precision; 2 on a wrong option; 65 when the model or "
        "the examples cannot be used; 66 when they are not there; 69 when the reference is not installed; 73 when "
        "--plot cannot be written; 130 on Ctrl-C.",
    )
)
@click.argument("model")
@click.option("--examples", metavar="FILE", help="Rows to ask about: a .parquet, .csv or .jsonl file.")
@click.option(
    "--reference",
    type=click.Choice(["auto", "jpmml", "pypmml", "none"]),
    default="auto",
    show_default=True,
    help="What to hold the native evaluator against; auto is the first of jpmml and pypmml that is installed.",
)
@click.option(
    "--precision",
    type=Amount(zero=True),
    metavar="SHARE",
    help="How far apart two numbers may be; else 1e-9, or 1e-6 where the file reckons in 32 bits.",
)
@click.option(
    "--rows", type=click.IntRange(min=1), default=2_000, show_default=True, help="Most examples to ask about."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the generated rows.")
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write the picture there."
)
@store_option
@json_option
@debug_option
def check(
    model: str,
    examples: str | None,
    reference: str,
    precision: float | None,
    rows: int,
    seed: int,
    plot: Path | None,
    store: Path | None,
    as_json: bool,
) -> None:
    """Check that a model answers the same wherever it is scored.

    MODEL is a model of the store (fraud, fraud@3, fraud@champion) or a .pmml file. The native evaluator and the
    reference are asked about the training rows that were kept (or --examples), about generated rows, rows on every
    split boundary, and bad rows; the answers of scikit-learn are those embedded in the file.
    """
    from styx_lab.workbench.parity import check_model, write_plot

    with status(f"Asking about {model}"):
        report = check_model(
            model,
            examples=examples,
            store=store,
            reference=None if reference == "none" else reference,
            precision=precision,
            seed=seed,
            most_rows=rows,
        )
    if plot is not None:
        write_plot(report, plot)
    if as_json:
        print_json({**report.to_json(), **({} if plot is None else {"plot": str(plot)})})
    else:
        for line in report.text.splitlines():
            print_line(line)
        for each in report.examples().iter_rows(named=True):
            print_line(f"  {each['set']} row {each['row']}{_what(each['what'])}: {each['inputs']}")
            print_line(f"    {each['left']}: {each['left_answer']}")
            print_line(f"    {each['right']}: {each['right_answer']}")
    if not report.passed:
        raise click.exceptions.Exit(UNSOUND)


def _what(said: str) -> str:
    return f" ({said})" if said else ""
