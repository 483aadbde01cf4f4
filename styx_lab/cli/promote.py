"""`styx promote`: a flow becomes a bundle."""

from __future__ import annotations

from pathlib import Path

import click

from styx_lab.cli.options import debug_option, epilog, inputs_of, json_option, lookup_option, lookups_of, store_option
from styx_lab.cli.output import print_json, print_line, print_table, status

__all__ = ["promote"]


@click.command(
    epilog=epilog(
        "styx promote styx_lab.samples.card_fraud:sample_flow --golden sample_data/payments.recording.parquet",
        when="after `styx sample cards` and `styx train fraud ...`",
        exits="0; 64 when the flow cannot be built; 65 when the golden input is no recording, or the output "
        "differs; 66 when a file or model is not there; 73 when the store cannot be written; 130 on "
        "Ctrl-C.",
    )
)
@click.argument("flow")
@click.option(
    "--golden",
    multiple=True,
    required=True,
    metavar="[SOURCE=]FILE",
    help="The recording whose output is kept as the golden one; with the source's name where there are several.",
)
@click.option(
    "--events", type=click.IntRange(min=1), default=20_000, show_default=True, help="How much of its beginning to take."
)
@click.option("--alias", metavar="NAME", help="An alias for the new version, such as production.")
@lookup_option
@store_option
@json_option
@debug_option
def promote(
    flow: str,
    golden: tuple[str, ...],
    events: int,
    alias: str | None,
    lookups: tuple[str, ...],
    store: Path | None,
    as_json: bool,
) -> None:
    """Pack a flow with all it needs, verify it, keep it in the store.

    FLOW is as for `styx replay`. The bundle holds the flow, its models and tables, the source text of its module, the
    golden recording and its golden output. It is kept only if a clean process gives the same output, byte for byte.
    """
    with status(f"Promoting {flow}"):
        from styx_lab.workbench import promote as pack
        from styx_lab.workbench.flow_files import find_flow

        found = find_flow(flow)
        modules = [] if found.module is None else [found.module]
        recordings = inputs_of(golden)
        assert recordings is not None  # click asks for at least one
        promotion = pack(
            found.flow,
            recordings,
            store=store,
            events=events,
            modules=modules,
            alias=alias,
            lookups=lookups_of(lookups),
        )
    if as_json:
        print_json({**{name: getattr(promotion, name) for name in promotion.__slots__}, "alias": alias})
        return
    known_as = "" if alias is None else f", which is {found.flow.name}@{alias} now"
    print_line(f"{promotion.bundle}{known_as}")
    print_line(f"  a clean process gave the golden output of {promotion.golden_events:,} events, byte for byte")
    if promotion.models:
        print_line(f"  with {', '.join(promotion.models)} inside")
    print_line(f"  sha256 {promotion.sha256}")
    print_table(("golden output", "rows"), promotion.golden_outputs.items())
    print_line(f"Run it: styx run {promotion.bundle} --input FILE")
