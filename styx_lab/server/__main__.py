"""`python -m styx_lab.server '{"models": [...], ...}'`: what `styx models serve` becomes."""

from __future__ import annotations

import ipaddress
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from styx_lab.errors import MissingDependencyError, RunError, StyxError

__all__ = ["serve"]


def serve(models: list[str], *, host: str, port: int, store: str | None, token: str | None) -> None:
    """Serve models until it is asked to end (SIGTERM, Ctrl-C): what is asked by then is answered.

    Args:
        models: references of the store, or paths of `.pmml` files; each is served under its name (`fraud`, or
            `fraud@3` where a version was named), a file under its own.
        host: the address to listen on; another than loopback needs a token.
        port: 0 for any that is free.
        store: the store; the default one where none is named.
        token: what every request must bring; None on loopback alone.

    Raises:
        RunError: on an address that others reach without a token, or a port that is taken.
        NotFoundError, ModelError, InputMissingError: when a model cannot be served.
        MissingDependencyError: without the extra `server`.
    """
    try:
        import uvicorn

        from styx_lab.server.application import make_application
    except ImportError as error:
        raise MissingDependencyError(
            f"models are served with the package {error.name}", where="serve", hint="pip install 'styx-lab[server]'"
        ) from error
    from styx_lab.server.served import ServedModels
    from styx_lab.workbench.models import find_model

    if not _is_loopback(host) and not token:
        raise RunError(
            "an address that others reach needs a token",
            where="serve",
            got=host,
            hint="put one into STYX_SERVE_TOKEN, or listen on 127.0.0.1",
        )
    served = ServedModels()
    for one in models:
        record = find_model(one, store=store)
        served.put(Path(one).stem if record.version == 0 else one, record.pmml)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise RunError(
                f"the address cannot be listened on ({error.strerror})",
                where="serve",
                got=f"{host}:{port}",
                hint="end the program that holds it, or take another: --port 0 is any that is free",
            ) from error
        listener.listen(128)
        shown = f"[{host}]" if ":" in host else host
        names = ", ".join(one.id for one in served.list()) or "no model yet"
        sys.stdout.write(f"Serving {names} at http://{shown}:{listener.getsockname()[1]}/openscoring\n")
        sys.stdout.flush()
        application = make_application(served, token=token, hosts=(shown,) if _is_loopback(host) else ("*",))
        settings = uvicorn.Config(
            application, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=10
        )
        uvicorn.Server(settings).run(sockets=[listener])


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _main(text: str) -> int:
    call: dict[str, Any] = json.loads(text)
    # Asked to end, at whatever moment: uvicorn answers what it has, then sends itself the signal once more.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        serve(**call, token=os.environ.get("STYX_SERVE_TOKEN") or None)
    except StyxError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
