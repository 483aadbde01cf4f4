"""Real servers on this machine, for development and tests: started on loopback, ready or a clear error, ended by pid.

Law: `down` ends exactly what `up` started; data stay until they are removed by name.
"""

from __future__ import annotations

import fcntl
import os
import random
import re
import shutil
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self

import msgspec

from styx_lab.errors import MissingDependencyError, NotFoundError, RunError
from styx_lab.services.cassandra import Cassandra
from styx_lab.services.flink import Flink
from styx_lab.services.kafka import Kafka
from styx_lab.services.process import Running, start
from styx_lab.services.server import Server

__all__ = ["SERVERS", "Cluster", "ServerState", "default_cluster_folder"]

SERVERS: Final[Mapping[str, Server]] = {"kafka": Kafka(), "cassandra": Cassandra(), "flink": Flink()}
"""The servers that can be started, by name, in the order in which they are started."""

_LOOK_SECONDS: Final = 0.05
_LET_GO_SECONDS: Final = 15.0
_SERVER_PORTS: Final = range(20_000, 32_000)
_FAULT: Final = re.compile(r"\b(ERROR|FATAL)\b|Exception|^Error|^Caused by")


class _Kept(msgspec.Struct, frozen=True):
    """What is kept of a server that was started, in `server.json` in its folder."""

    version: str
    ports: dict[str, int]
    processes: list[Running]
    """Those that were started; empty once it was ended."""


@dataclass(frozen=True, slots=True)
class ServerState:
    """How one server is.

    Attributes:
        name: of the server.
        version: of what was started; of what would be, where nothing was.
        state: `up`, `down`, or `lost`: it was started, was not asked to end, and is gone.
        address: what clients connect to; empty where it was never started.
        pids: of its processes; empty when it does not run.
        memory: bytes of memory that it holds.
        log: the file with what it printed.
    """

    name: str
    version: str
    state: Literal["up", "down", "lost"]
    address: str
    pids: tuple[int, ...]
    memory: int
    log: Path


def default_cluster_folder() -> Path:
    """Where servers are kept when nobody says otherwise: `cluster` in the folder `STYX_HOME`, else in `./.styx`."""
    return Path(os.environ.get("STYX_HOME") or ".styx").expanduser().absolute() / "cluster"


class Cluster:
    """Servers of one folder: `Cluster(folder).up(["kafka"])`.

    >>> import tempfile
    >>> [(one.name, one.state) for one in Cluster(tempfile.mkdtemp()).status()]
    [('kafka', 'down'), ('cassandra', 'down'), ('flink', 'down')]

    Args:
        folder: where their settings, data, logs and pids are; the default one where none is said.

    State: the folder alone; any process can ask about servers that another one started.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder).absolute() if folder is not None else default_cluster_folder()

    def up(
        self, names: Sequence[str] = (), *, ports: Mapping[str, int] | None = None, wait: float = 90.0
    ) -> list[ServerState]:
        """Start servers and wait until they serve; those that run already are left as they are.

        Args:
            names: which; all where none is named.
            ports: the port that clients connect to, by server; 0 for any that is free. Where none is said: the one it
                had before, else the usual one.
            wait: seconds that each may take to be ready, once its artifacts are there.

        Returns:
            How they are, in the order of `SERVERS`.

        Raises:
            NotFoundError: on the name of no server.
            RunError: when a port is taken, or a server ends or is not ready in time; then it is ended, and the error
                has the end of its log.
            MissingDependencyError: without the extra `cluster`, or Java.
        """
        chosen = _chosen(names)
        asked = dict(ports or {})
        _chosen(list(asked))
        _needs_psutil()
        with self._locked():
            for server in chosen:
                if self._state(server).state != "up":
                    self._start(server, asked.get(server.name), wait)
        return [self._state(server) for server in chosen]

    def down(self, names: Sequence[str] = (), *, remove: bool = False) -> list[ServerState]:
        """End servers; those that do not run are left as they are.

        Args:
            names: which; all where none is named.
            remove: whether to remove their data and settings as well.

        Raises:
            NotFoundError: on the name of no server.
        """
        chosen = _chosen(names)
        with self._locked():
            for server in reversed(chosen):
                kept = self._kept(server)
                if kept is not None:
                    for running in reversed(kept.processes):
                        running.end()
                    self._keep(server, msgspec.structs.replace(kept, processes=[]))
                if remove and (self.folder / server.name).exists():
                    shutil.rmtree(self.folder / server.name)
        return [self._state(server) for server in chosen]

    def status(self, names: Sequence[str] = ()) -> list[ServerState]:
        """How servers are; all where none is named.

        Raises:
            NotFoundError: on the name of no server.
        """
        return [self._state(server) for server in _chosen(names)]

    def log(self, name: str) -> str:
        """What a server has printed since it was last started.

        Raises:
            NotFoundError: on the name of no server, or where it was never started.
        """
        (server,) = _chosen([name])
        if not self._log(server).exists():
            raise NotFoundError(
                "it was never started", where=name, got=str(self.folder), hint=f"styx cluster up {name}"
            )
        return self._log(server).read_text(errors="replace")

    def _start(self, server: Server, port: int | None, wait: float) -> None:
        folder = self.folder / server.name
        folder.mkdir(parents=True, exist_ok=True)
        kept = self._kept(server)
        for running in kept.processes if kept is not None else ():
            running.end()  # of a server that lost one of its processes
        ports = _free_ports(server, port, kept.ports if kept is not None else {})
        commands = server.prepare(folder, ports)
        log = self._log(server)
        log.unlink(missing_ok=True)
        end = time.monotonic() + wait
        processes: list[Running] = []
        try:
            for command in commands:
                processes.append(start(command, folder=folder, log=log, where=server.name))
                self._keep(server, _Kept(server.version, ports, processes))
            while not (server.ready(log.read_text(errors="replace")) and _answers(ports[server.main_port])):
                if not all(running.alive() for running in processes):
                    raise _failed("it ended while it was started", server, log)
                if time.monotonic() > end:
                    raise _failed(f"it is not ready after {wait:g} s", server, log)
                time.sleep(_LOOK_SECONDS)
        except BaseException:
            for running in reversed(processes):
                running.end(5.0)
            raise

    def _state(self, server: Server) -> ServerState:
        kept = self._kept(server)
        log = self._log(server)
        if kept is None:
            return ServerState(server.name, server.version, "down", "", (), 0, log)
        address = f"127.0.0.1:{kept.ports[server.main_port]}"
        alive = [running for running in kept.processes if running.alive()]
        if kept.processes and len(alive) == len(kept.processes):
            memory = sum(running.memory() for running in alive)
            return ServerState(
                server.name, kept.version, "up", address, tuple(running.pid for running in alive), memory, log
            )
        state: Literal["down", "lost"] = "lost" if kept.processes else "down"
        return ServerState(server.name, kept.version, state, address, (), 0, log)

    def _log(self, server: Server) -> Path:
        return self.folder / server.name / "server.log"

    def _kept(self, server: Server) -> _Kept | None:
        try:
            return msgspec.json.decode((self.folder / server.name / "server.json").read_bytes(), type=_Kept)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as error:
            raise RunError(
                f"what is kept of it cannot be read ({error})",
                where=server.name,
                got=str(self.folder / server.name / "server.json"),
                hint="end its process by hand and remove the file",
            ) from error

    def _keep(self, server: Server, kept: _Kept) -> None:
        path = self.folder / server.name / "server.json"
        partial = path.with_suffix(".partial")
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(kept)))
        partial.replace(path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One `up` or `down` of a folder at a time; another one waits."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _chosen(names: Sequence[str]) -> list[Server]:
    for name in names:
        if name not in SERVERS:
            raise NotFoundError(
                "there is no such server", where="cluster", got=name, hint=f"one of {', '.join(SERVERS)}"
            )
    return [server for server in SERVERS.values() if not names or server.name in names]


def _free_ports(server: Server, asked: int | None, before: Mapping[str, int]) -> dict[str, int]:
    """A port for each purpose: what was asked for, else the one before, else the usual one."""
    main = server.main_port
    ports: dict[str, int] = {}
    with _Sockets() as sockets:
        for purpose, usual in server.ports.items():
            wanted = asked if purpose == main and asked is not None else before.get(purpose, usual)
            try:
                ports[purpose] = sockets.take(wanted, patient=wanted == before.get(purpose))
            except OSError as error:
                if purpose != main:  # nobody but the server itself knows it
                    ports[purpose] = sockets.take(0)
                    continue
                raise RunError(
                    f"port {wanted} of 127.0.0.1 cannot be listened on ({error.strerror})",
                    where=server.name,
                    got=wanted,
                    hint=f"end the program that holds it, or take another: --port {server.name}={wanted + 10_000}",
                ) from error
    return ports


class _Sockets:
    """Ports held until all are chosen, so that none is given twice."""

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._held:
            one.close()

    def take(self, port: int, *, patient: bool = False) -> int:
        """Hold a port; for 0 any that is free. A server that was killed a moment ago may still be letting go of it."""
        if not port:
            return self._any()
        end = time.monotonic() + (_LET_GO_SECONDS if patient else 0.0)
        while True:
            try:
                return self._bind(port)
            except OSError:
                if time.monotonic() >= end:
                    raise
                time.sleep(_LOOK_SECONDS)

    def _any(self) -> int:
        # Not one that the system gives to clients: a client that tries again and again to reach a server that is away
        # is given its port some day, connects to itself, and holds it.
        for port in random.sample(_SERVER_PORTS, 100):
            with suppress(OSError):
                return self._bind(port)
        return self._bind(0)

    def _bind(self, port: int) -> int:
        one = socket.socket()
        self._held.append(one)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("127.0.0.1", port))
        return int(one.getsockname()[1])


def _answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
        return True
    return False


def _failed(what: str, server: Server, log: Path) -> RunError:
    """An error with the last line of the log that tells of a fault, else its last line."""
    lines = log.read_text(errors="replace").splitlines() or ["it printed nothing"]
    told = [line for line in lines if _FAULT.search(line)] or lines
    return RunError(f"{what}: {told[-1].strip()[:300]}", where=server.name, hint=f"read {log}")


def _needs_psutil() -> None:
    try:
        import psutil  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            "local servers need the package psutil", where="cluster", hint="pip install 'styx-lab[cluster]'"
        ) from error
