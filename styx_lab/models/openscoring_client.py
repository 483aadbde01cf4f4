"""Talking to an Openscoring server: whole answers or an error that stops the run, never half of one.

Law: a request is sent again only where that cannot do harm (each one asks, or puts what is there already), so many
times and so long as the settings say; a server that fails again and again is left alone for a while (the circuit is
open). What comes back is bounded in bytes and in time, from the address that was asked and from no other.
"""

from __future__ import annotations

import ipaddress
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from styx_lab.errors import MissingDependencyError, ModelError, RunError

if TYPE_CHECKING:
    import httpx

__all__ = ["OpenscoringClient", "OpenscoringSettings", "RefusedError"]

_RETRIED: Final = (502, 503, 504)
_INSTALL: Final = "pip install 'styx-lab[openscoring]'"


@dataclass(frozen=True, slots=True)
class OpenscoringSettings:
    """Where a remote scorer is, and how patient one is with it.

    >>> OpenscoringSettings("http://scores.example.com/o", token="secret")
    Traceback (most recent call last):
        ...
    styx_lab.errors.ModelError: openscoring at http://scores.example.com/o: a token goes over https only. Try: ...

    Attributes:
        url: of the server, up to and with `/openscoring`; the environment's STYX_OPENSCORING_URL where none is given.
        model: what the model is called there; made of its name, version and hash where none is given.
        upload: put the model there when it is not there, or another is.
        token: sent as a bearer token; the environment's STYX_OPENSCORING_TOKEN where none is given.
        ca_file: certificates (PEM) to trust instead of the usual ones, for https.
        connect_s: seconds to wait for a connection.
        timeout_s: seconds that one request may take in all.
        attempts: how often a request is sent at most.
        patience_s: seconds after which it is not sent again.
        rows: of one request.
        answer_bytes: of one answer at most.
        failures: in a row, after which the circuit opens.
        rest_s: seconds for which it stays open.
    """

    url: str = ""
    model: str | None = None
    upload: bool = True
    token: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    connect_s: float = 3.0
    timeout_s: float = 30.0
    attempts: int = 4
    patience_s: float = 60.0
    rows: int = 1_000
    answer_bytes: int = 64 * 1024 * 1024
    failures: int = 8
    rest_s: float = 30.0

    def __post_init__(self) -> None:
        url = (self.url or os.environ.get("STYX_OPENSCORING_URL", "")).rstrip("/")
        object.__setattr__(self, "url", url)
        if self.token is None:
            object.__setattr__(self, "token", os.environ.get("STYX_OPENSCORING_TOKEN"))
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ModelError(
                "a remote scorer needs the address of its server",
                where="engine 'openscoring'",
                got=url,
                hint="url='http://localhost:8080/openscoring', or STYX_OPENSCORING_URL in the environment",
            )
        if parts.username or parts.password:
            raise ModelError(
                "an address holds no password", where=f"openscoring at {parts.hostname}", hint="give a token"
            )
        if self.token and parts.scheme == "http" and not _is_local(parts.hostname):
            raise ModelError(
                "a token goes over https only", where=f"openscoring at {url}", hint="give an https address"
            )
        for name in ("connect_s", "timeout_s", "patience_s", "rest_s", "attempts", "rows", "answer_bytes", "failures"):
            if not getattr(self, name) > 0:
                raise ModelError(f"{name} is above 0", where="engine 'openscoring'", got=getattr(self, name))


class RefusedError(Exception):
    """The server answered that it does not do what it was asked: a status of 400 or 404."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(f"{status}: {message}")


class _AwayError(Exception):
    """A request that may be sent again."""


class OpenscoringClient:
    """One server, one connection pool.

    Args:
        settings: where it is.
        who: the model, for errors: `model 'fraud@3'`.

    Raises:
        MissingDependencyError: when the extra `openscoring` is not installed.
    """

    def __init__(self, settings: OpenscoringSettings, who: str) -> None:
        try:
            import httpx
            import pybreaker
            import stamina
        except ImportError as error:
            raise MissingDependencyError(
                f"a remote scorer needs the package {error.name}", where="openscoring", hint=_INSTALL
            ) from error
        self._settings = settings
        self._where = f"{who}, openscoring at {settings.url}"
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if settings.token:
            headers["Authorization"] = f"Bearer {settings.token}"
        self._http = httpx.Client(
            headers=headers,
            timeout=httpx.Timeout(settings.timeout_s, connect=settings.connect_s),
            follow_redirects=False,
            trust_env=False,  # no proxy and no .netrc of the environment sees rows or tokens
            verify=_certificates(settings.ca_file, self._where),
        )
        self._retrying = stamina.RetryingCaller(
            attempts=settings.attempts, timeout=settings.patience_s, wait_jitter=0.2
        )
        storage = _circuits.setdefault(settings.url, pybreaker.CircuitMemoryStorage(pybreaker.STATE_CLOSED))
        # A breaker holds its lock while it calls: each client has its own; those of one server share what they know.
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=settings.failures,
            reset_timeout=settings.rest_s,
            exclude=[lambda error: not isinstance(error, _AwayError)],
            state_storage=storage,
            throw_new_error_on_trip=False,
        )
        self._open_error = pybreaker.CircuitBreakerError

    @property
    def where(self) -> str:
        """The model and the server, for errors."""
        return self._where

    def ask(self, method: str, path: str, body: bytes | None = None, *, xml: bool = False) -> dict[str, Any]:
        """The JSON object that the server answers.

        Raises:
            RefusedError: on a status of 400 or 404.
            RunError: when there is no sound answer: the server is away, slow, or says something else.
        """
        kind = "application/xml" if xml else "application/json"
        try:
            status, content = self._retrying(_AwayError, self._breaker.call, self._once, method, path, body, kind)
        except _AwayError as error:
            raise RunError(
                f"the server did not answer, {self._settings.attempts} times asked at most: {error}",
                where=self._where,
                hint="see whether it runs; the job goes on from its last checkpoint when it is started again",
            ) from error
        except self._open_error as error:
            raise RunError(
                f"the server failed {self._settings.failures} times in a row and is left alone for "
                f"{self._settings.rest_s:g} s (the circuit is open)",
                where=self._where,
                hint="see whether it runs, and start the job again then",
            ) from error
        return self._decode(status, content, f"{method} {path}")

    def close(self) -> None:
        """Let go of the connections. May be called twice."""
        self._http.close()

    def _once(self, method: str, path: str, body: bytes | None, kind: str) -> tuple[int, bytes]:
        import httpx

        try:
            with self._http.stream(
                method, f"{self._settings.url}{path}", content=body, headers={"Content-Type": kind} if body else None
            ) as response:
                content = self._read(response)
                status = response.status_code
        except httpx.TimeoutException as error:
            raise _AwayError(f"no answer within {self._settings.timeout_s:g} s ({type(error).__name__})") from error
        except httpx.TransportError as error:
            raise _AwayError(f"{type(error).__name__}: {error}") from error
        if status in _RETRIED:
            raise _AwayError(f"status {status}")
        return status, content

    def _read(self, response: httpx.Response) -> bytes:
        """The body, within the limits of bytes and time."""
        until = time.monotonic() + self._settings.timeout_s
        most = self._settings.answer_bytes
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise self._unsound("a packed answer, which was not asked for")
        parts, size = [], 0
        for part in response.iter_raw():
            size += len(part)
            if size > most:
                raise RunError(
                    f"the server's answer is bigger than {most:,} bytes",
                    where=self._where,
                    hint="ask for fewer rows at a time (rows=...), or pass a wider answer_bytes",
                )
            if time.monotonic() > until:
                raise _AwayError(f"no whole answer within {self._settings.timeout_s:g} s")
            parts.append(part)
        return b"".join(parts)

    def _decode(self, status: int, content: bytes, request: str) -> dict[str, Any]:
        if status in (401, 403):
            raise RunError(
                f"the server refuses {request}",
                where=self._where,
                got=status,
                hint="give the token of an administrator to upload, of a user to score; or put the model there "
                "yourself and pass upload=False",
            )
        if 300 <= status < 400:
            raise RunError(
                "the server sends us elsewhere, and no redirect is followed",
                where=self._where,
                got=status,
                hint="give the address itself",
            )
        try:
            answer = msgspec.json.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError):
            answer = None
        if status in (400, 404):
            said = answer.get("message") if isinstance(answer, dict) else None
            raise RefusedError(status, str(said or "it does not say why")[:300])
        if status not in (200, 201):
            raise self._unsound(f"status {status} to {request}")
        if not isinstance(answer, dict):
            raise self._unsound(f"no JSON object to {request}: {content[:60]!r}")
        return answer

    def _unsound(self, what: str) -> RunError:
        return RunError(
            f"the server does not answer as Openscoring does: {what}",
            where=self._where,
            hint="see whether the address ends with /openscoring",
        )

    def unsound(self, what: str) -> RunError:
        """The error for an answer that is none."""
        return self._unsound(what)


_circuits: Final[dict[str, Any]] = {}
"""What is known of each server's failures, in this process."""


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _certificates(ca_file: str | None, where: str) -> Any:
    if ca_file is None:
        return True
    import ssl

    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ModelError(f"the certificates cannot be read ({error})", where=where, got=ca_file) from error
