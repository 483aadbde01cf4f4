"""JupyterLab for a while: on loopback, on a free port, with a token, with settings of its own.

Law: nothing of the user's own Jupyter is read or written, and no server is left behind: who began it ends it.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.request import Request, urlopen

__all__ = ["LabServer", "LabServerError", "lab_server"]

_SETTINGS: Final[dict[str, dict[str, Any]]] = {
    # No question about news, no look for updates: nothing is fetched from anywhere.
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/apputils-extension/themes": {"theme": "JupyterLab Light"},
}


class LabServerError(RuntimeError):
    """JupyterLab did not start; the text has its last words."""


@dataclass(frozen=True)
class LabServer:
    """A running JupyterLab.

    Attributes:
        url: its address, on loopback.
        token: what it asks for.
        pid: its process.
    """

    url: str
    token: str
    pid: int

    def address(self, notebook: str) -> str:
        """The page of a notebook, by its path in the served folder."""
        return f"{self.url}/lab/workspaces/{secrets.token_hex(4)}/tree/{notebook}?token={self.token}"


@contextmanager
def lab_server(folder: Path, home: Path, *, dark: bool = False, seconds: float = 120) -> Iterator[LabServer]:
    """JupyterLab over a folder, until the block is left.

    Args:
        folder: what it serves; notebooks run in it.
        home: an empty folder for its settings, its runtime files and its log.
        dark: JupyterLab's dark theme.
        seconds: to wait for it to answer.

    Raises:
        LabServerError: when it ends before it answers, or does not answer in time.
    """
    _write_settings(home, dark=dark)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}",
        "--ServerApp.terminals_enabled=False", "--LabApp.extension_manager=readonly",
        "--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--ServerApp.jpserver_extensions={'notebook_shim': False}",
    ]  # fmt: skip
    log = home / "log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            command,
            cwd=home,
            env=_environment(home, token),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            server = LabServer(f"http://127.0.0.1:{port}", token, process.pid)
            _wait(server, process, log, seconds)
            yield server
        finally:
            # It ends its kernels first.
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _write_settings(home: Path, *, dark: bool) -> None:
    settings = {name: dict(value) for name, value in _SETTINGS.items()}
    if dark:
        settings["@jupyterlab/apputils-extension/themes"]["theme"] = "JupyterLab Dark"
    for name, value in settings.items():
        path = home / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))


def _environment(home: Path, token: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "STYX_"))}
    folders = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime",
               "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
               "IPYTHONDIR": "ipython"}  # fmt: skip
    return {**kept, **{name: str(home / place) for name, place in folders.items()}, "JUPYTER_TOKEN": token}


def _wait(server: LabServer, process: subprocess.Popen[bytes], log: Path, seconds: float) -> None:
    until = time.monotonic() + seconds
    ask = Request(f"{server.url}/api/status", headers={"Authorization": f"token {server.token}"})
    while True:
        try:
            with urlopen(ask, timeout=10):
                return
        except (URLError, OSError):
            if process.poll() is not None or time.monotonic() > until:
                how = "does not answer" if process.poll() is None else f"ended with {process.returncode}"
                raise LabServerError(f"JupyterLab {how}:\n{log.read_text(errors='replace')[-2000:]}") from None
            time.sleep(0.1)
