"""`styx doctor`: what Styx stands on, and how to mend it."""

from __future__ import annotations

from pathlib import Path

import click

from styx_lab.cli.failures import UNSOUND
from styx_lab.cli.options import debug_option, epilog, json_option, store_option
from styx_lab.cli.output import print_json, print_line, print_table, status

__all__ = ["doctor"]


@click.command(
    epilog=epilog("styx doctor", exits="0 all is sound (warnings included); 1 something that must be mended.")
)
@click.option("--port", type=click.IntRange(1, 65_535), default=8888, show_default=True, help="JupyterLab's port.")
@store_option
@json_option
@debug_option
def doctor(port: int, store: Path | None, as_json: bool) -> None:
    """Check what Styx stands on, and say how to mend it.

    Looks at Python, the libraries, Java, disk, memory, ports and the clock; changes nothing and uses no network.
    """
    with status("Looking at this machine"):
        from styx_lab.services import checkup
        from styx_lab.stores import default_store_path

        findings = checkup((store or default_store_path()).parent, port=port)
    faults = [one for one in findings if one.state == "fail"]
    if as_json:
        print_json({"sound": not faults, "findings": findings})
    else:
        signs = {"ok": "ok", "warn": "WARN", "fail": "FAIL"}
        print_table(("", "what", "found"), ((signs[one.state], one.name, one.found) for one in findings))
        for one in findings:
            if one.state != "ok":
                print_line(f"{signs[one.state]} {one.name}: {one.mend}")
        optional = [one for one in findings if one.state == "ok" and one.mend]
        for one in optional:
            print_line(f"{one.name}, {one.found}: {one.mend}")
        print_line("All is sound." if not faults else f"{len(faults)} to mend.")
    if faults:
        raise click.exceptions.Exit(UNSOUND)
