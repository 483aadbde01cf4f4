"""`styx cluster up|down|status|logs`: real servers on this machine, for development and tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from styx_lab.cli.options import Amount, Folder, debug_option, epilog, json_option
from styx_lab.cli.output import print_json, print_line, print_table, status

if TYPE_CHECKING:
    from styx_lab.services import ServerState

__all__ = ["cluster"]

_folder_option = click.option(
    "--folder",
    type=Folder,
    metavar="DIR",
    help="Where they keep settings, data and logs; else `cluster` in the folder STYX_HOME names, else in .styx.",
)
_names = click.argument("servers", nargs=-1, metavar="[SERVER]...")


@click.group(epilog=epilog("styx cluster up kafka", "styx cluster status", "styx cluster down"))
def cluster() -> None:
    """Start, end and look at servers on this machine: Kafka, Cassandra, Flink.

    Real servers from their own jars, without Docker: fetched once into a cache, on loopback, ended by the pids that
    were started. compose.yaml has the same versions for those who have Docker.
    """


@cluster.command(
    epilog=epilog(
        "styx cluster up kafka --port kafka=19092",
        exits="0 all of them serve; 66 no such server; 69 a package or Java is not installed; 70 one does not start.",
    )
)
@_names
@click.option("--port", "ports", multiple=True, metavar="SERVER=PORT", help="The port for clients; 0 for a free one.")
@click.option(
    "--wait", type=Amount(), default=90.0, show_default=True, metavar="S", help="Seconds each may take to be ready."
)
@_folder_option
@json_option
@debug_option
def up(servers: Sequence[str], ports: Sequence[str], wait: float, folder: Path | None, as_json: bool) -> None:
    """Start servers and wait until they serve; all of them where none is named."""
    from styx_lab.services import Cluster

    with status(f"Starting {', '.join(servers) or 'all servers'} (the first time fetches them)"):
        found = Cluster(folder).up(servers, ports=_ports(ports), wait=wait)
    _tell(found, as_json)


@cluster.command(epilog=epilog("styx cluster down kafka --remove", exits="0; 66 no such server."))
@_names
@click.option("--remove", is_flag=True, help="Remove their data, settings and logs as well.")
@_folder_option
@json_option
@debug_option
def down(servers: Sequence[str], remove: bool, folder: Path | None, as_json: bool) -> None:
    """End servers; all of them where none is named. Data are kept."""
    from styx_lab.services import Cluster

    with status(f"Ending {', '.join(servers) or 'all servers'}"):
        found = Cluster(folder).down(servers, remove=remove)
    _tell(found, as_json)


@cluster.command("status", epilog=epilog("styx cluster status", exits="0; 66 no such server."))
@_names
@_folder_option
@json_option
@debug_option
def show_status(servers: Sequence[str], folder: Path | None, as_json: bool) -> None:
    """Show which servers run, where, and what they hold.

    One that is lost was started and not asked to end, and is gone: `styx cluster logs` tells why.
    """
    from styx_lab.services import Cluster

    _tell(Cluster(folder).status(servers), as_json)


@cluster.command(epilog=epilog("styx cluster logs kafka --lines 20", exits="0; 66 no such server, or never started."))
@click.argument("server")
@click.option("--lines", type=click.IntRange(1), default=50, show_default=True, metavar="N", help="The last N lines.")
@_folder_option
@json_option
@debug_option
def logs(server: str, lines: int, folder: Path | None, as_json: bool) -> None:
    """Print the end of what a server printed since it was last started."""
    from styx_lab.services import Cluster

    found = Cluster(folder).log(server).splitlines()[-lines:]
    if as_json:
        print_json({"server": server, "lines": found})
        return
    for line in found:
        print_line(line)


def _ports(given: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in given:
        name, equals, port = one.partition("=")
        if not equals or not port.isdecimal() or int(port) > 65_535:
            raise click.BadParameter(f"{one!r} does not say SERVER=PORT: kafka=19092", param_hint="'--port'")
        found[name] = int(port)
    return found


def _tell(found: Sequence[ServerState], as_json: bool) -> None:
    if as_json:
        print_json({"servers": found})
        return
    print_table(
        ("server", "version", "state", "address", "pid", "memory, MB", "log"),
        (
            (
                one.name,
                one.version,
                one.state,
                one.address,
                " ".join(map(str, one.pids)),
                one.memory // 1_000_000,
                str(one.log),
            )
            for one in found
        ),
    )
