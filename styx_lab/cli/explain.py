"""`styx explain`: why a pattern matched or did not, for one key of a recording."""

from __future__ import annotations

from pathlib import Path

import click

from styx_lab.cli.options import debug_option, epilog, input_option, inputs_of, json_option, store_option
from styx_lab.cli.output import print_json, print_line

__all__ = ["explain"]


@click.command(
    epilog=epilog(
        "styx explain styx_lab.samples.card_fraud:sample_flow --input sample_data/payments.recording.parquet "
        "--key card-00674 --at 2024-03-04T17:27",
        "styx explain card-fraud --input sample_data/payments.recording.parquet --key card-00674 --svg why.svg",
        when="after `styx sample cards`; the second after `styx promote ...`",
        exits="0; 2 on a wrong option; 64 when the flow cannot be built or has no such step, or the key or time is "
        "none; 65 or 66 when the input or a bundle is no good or not there; 70 when the run itself would end so; 73 "
        "when --svg cannot be written; 130 on Ctrl-C.",
    )
)
@click.argument("flow")
@input_option
@click.option("--key", "keys", multiple=True, required=True, metavar="[COLUMN=]VALUE", help="The key; repeat it where "
              "it has several columns.")  # fmt: skip
@click.option("--at", metavar="TIME", help="The moment: 2024-03-04T17:27 means all of that minute (UTC, or +01:00).")
@click.option("--step", metavar="NAME", help="The detect step, where the flow has several.")
@click.option(
    "--svg", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write the timeline there."
)
@store_option
@json_option
@debug_option
def explain(
    flow: str,
    inputs: tuple[str, ...],
    keys: tuple[str, ...],
    at: str | None,
    step: str | None,
    svg: Path | None,
    store: Path | None,
    as_json: bool,
) -> None:
    """Explain why a pattern matched or did not, for one key of a recording.

    FLOW is a flow as for `styx replay` (package.module:attribute, path/to/file.py:attribute, a .json), or a promoted
    bundle (card-fraud, card-fraud@3). The answer comes first, then what became of every partial match.
    """
    given = inputs_of(inputs)
    if given is None:
        raise click.UsageError("an input is needed: --input FILE", click.get_current_context())
    from styx_lab.workbench.explaining import explain_reference, write_svg

    found = explain_reference(flow, given, key=_key(keys), at=at, step=step, store=store)
    if svg is not None:
        write_svg(found, svg)
    if as_json:
        print_json({**found.to_json(), **({} if svg is None else {"svg": str(svg)})})
        return
    for line in found.text.splitlines():
        print_line(line)


def _key(given: tuple[str, ...]) -> str | dict[str, str]:
    """The key: one value, or values by column."""
    if len(given) == 1:
        column, equals, value = given[0].partition("=")
        return {column: value} if equals and column.isidentifier() else given[0]
    named = dict(one.split("=", 1) for one in given if "=" in one)
    if len(named) != len(given):
        raise click.BadParameter("a key of several columns is COLUMN=VALUE, each once", param_hint="'--key'")
    return named
