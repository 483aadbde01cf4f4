"""`styx sample`: sample data with a known truth."""

from __future__ import annotations

from pathlib import Path

import click

from styx_lab.cli.options import Folder, debug_option, epilog, json_option
from styx_lab.cli.output import print_json, print_line, status

__all__ = ["sample"]


@click.group(epilog=epilog("styx sample cards --events 20000 --to sample_data"))
def sample() -> None:
    """Make sample data with a known truth."""


@sample.command(
    epilog=epilog(
        "styx sample cards --events 20000 --to sample_data", exits="0; 73 when it cannot be written; 130 on Ctrl-C."
    )
)
@click.option("--events", type=click.IntRange(min=1_000), default=200_000, show_default=True, help="How many payments.")
@click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True, help="Where chance comes from.")
@click.option("--to", type=Folder, default="sample_data", show_default=True, metavar="FOLDER", help="Where to write.")
@json_option
@debug_option
def cards(events: int, seed: int, to: Path, as_json: bool) -> None:
    """Make card payments with card-testing attacks among them.

    Writes a recording of the payments, the customers, a history to train a model on, and the truth: which cards were
    attacked, and when. The same arguments give the same bytes for ever.
    """
    with status(f"Making {events:,} card payments"):
        from styx_lab.samples import generate_cards

        made = generate_cards(events, seed)
        paths = made.write(to)
    if as_json:
        print_json({"events": len(made), "attacks": len(made.truth), "sha256": made.content_sha256(), "files": paths})
        return
    print_line(f"{len(made):,} card payments with {len(made.truth):,} attacks among them:")
    for name, path in paths.items():
        print_line(f"  {name + ':':<11}{path}")
