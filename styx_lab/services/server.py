"""What a server is to `styx cluster`: its version, its ports, how it is set up, started, and known to be ready.

Law: a server listens on loopback alone, and all that it writes is in the one folder that it is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

__all__ = ["Server"]


class Server(Protocol):
    """One of the servers that `styx cluster` can start."""

    @property
    def name(self) -> str:
        """What the command calls it: `kafka`."""

    @property
    def version(self) -> str:
        """The version that is started."""

    @property
    def ports(self) -> Mapping[str, int]:
        """The ports that it listens on, by what they are for; 0 for one that nobody else needs to know."""

    @property
    def main_port(self) -> str:
        """Which of the ports is the one that its clients connect to."""

    def prepare(self, folder: Path, ports: Mapping[str, int]) -> Sequence[Sequence[str]]:
        """Write its settings, make its folders, and give the commands of its processes, in the order to start them.

        It may be called again for a folder that has data: they are kept.

        Raises:
            RunError, MissingDependencyError: when it cannot be set up.
        """

    def ready(self, log: str) -> bool:
        """Whether, by what it has printed since it was started, it serves its clients."""
