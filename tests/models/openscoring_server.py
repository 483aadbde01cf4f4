"""A small HTTP server of Openscoring's shape with our own evaluator; faults can be put into its way, one a request."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import polars as pl

from styx_lab.errors import ModelError
from styx_lab.models.native_scorer import NativeScorer

__all__ = ["Openscoring", "serving"]


class Openscoring:
    """What the server has, and what it is to do wrong.

    `faults` holds names of faults; each is taken by the next request whose line begins as it says ("POST slow").
    """

    def __init__(self) -> None:
        self.url = ""
        self.models: dict[str, bytes] = {}
        self.scorers: dict[str, NativeScorer] = {}
        self.faults: list[str] = []
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.token: str | None = None
        self.says = "file.checksum"
        self.hold = threading.Event()  # what is slow waits for it

    def fault(self, method: str) -> str | None:
        """The fault that this request is to meet."""
        if self.faults and self.faults[0].split()[0] in (method, "*"):
            return self.faults.pop(0).partition(" ")[2]
        return None

    def describe(self, name: str) -> dict[str, Any]:
        """What is said of a model."""
        known = self.models[name]
        checksum = hashlib.md5(known) if "md5" in self.says else hashlib.sha256(known)
        return {"id": name, "miningFunction": "x", "properties": {self.says: checksum.hexdigest()}}

    def put(self, name: str, pmml: bytes) -> None:
        """Take a model."""
        self.scorers[name] = NativeScorer(name, pmml)
        self.models[name] = pmml

    def answer(self, name: str, request: dict[str, Any]) -> dict[str, Any]:
        """One row's answer."""
        scorer = self.scorers[name]
        if "poison" in request["arguments"].values():
            raise ModelError("this row fells the whole batch")
        given = {column: [request["arguments"].get(column)] for column in scorer.inputs}
        scores = scorer.score(pl.DataFrame(given, strict=False), list(scorer.outputs))
        error = scores.errors[0]
        if error is not None and not error.startswith("no valid target"):
            return {"id": request["id"], "message": f"org.jpmml.evaluator.SomeException: {error}"}
        row = scores.outputs.row(0, named=True)
        for column in list(row):
            if column.startswith("probability("):
                row[f"probability_{column[12:-1]}"] = row[column]
        return {"id": request["id"], "results": row}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: Openscoring

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def _serve(self) -> object:
        state, method = self.state, self.command
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        state.requests.append(f"{method} {self.path}")
        state.headers.append({key.lower(): value for key, value in self.headers.items()})
        state.bodies.append(body)
        match state.fault(method):
            case None:
                pass
            case "slow":
                state.hold.wait(60)
                self.close_connection = True
                return None
            case "drip":
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                while not state.hold.wait(0.05):
                    self.wfile.write(b" ")
                self.close_connection = True
                return None
            case "torn":
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b'{"id"')
                self.close_connection = True
                return None
            case "closed":
                self.close_connection = True
                return None
            case "huge":
                return self._send(200, b'{"x":"' + b"x" * 200_000 + b'"}')
            case "packed":
                return self._send(200, b"\x1f\x8b", ("Content-Encoding", "gzip"))
            case "html":
                return self._send(200, b"<html>Welcome</html>")
            case "list":
                return self._send(200, b"[]")
            case "few":
                return self._send(200, b'{"responses": []}')
            case "turned":
                return self._send(200, b'{"responses": [{"id": "1", "results": {}}]}')
            case "neither":
                return self._send(200, b'{"responses": [{"id": "0"}]}')
            case "elsewhere":
                return self._send(302, b"", ("Location", "http://127.0.0.1:9/"))
            case "forget":
                state.models.clear()
            case "swap":
                name = self.path.split("/")[3]
                state.models[name] += b"<!-- another -->"
            case status:
                return self._send(int(status), b'{"message": "made for the test"}')
        if state.token is not None and self.headers.get("Authorization") != f"Bearer {state.token}":
            return self._send(401, b'{"message": "Unauthorized"}')
        parts = self.path.split("/")[2:]
        name = parts[1] if len(parts) > 1 else ""
        if method == "PUT":
            try:
                state.put(name, body)
            except ModelError as error:
                return self._json(400, {"message": f"org.jpmml.model.InvalidElementException: {error}"})
            return self._json(201, state.describe(name))
        if name not in state.models:
            return self._json(404, {"message": "Not Found"})
        if method == "GET":
            return self._json(200, state.describe(name))
        given = json.loads(body)
        try:
            responses = [state.answer(name, each) for each in given["requests"]]
        except ModelError as error:
            return self._json(400, {"message": error.what})
        return self._json(200, {"id": given["id"], "responses": responses})

    do_GET = do_PUT = do_POST = _serve

    def _json(self, status: int, content: object) -> None:
        self._send(status, json.dumps(content).encode())

    def _send(self, status: int, content: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for key, value in (("Content-Length", str(len(content))), *headers):
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def serving() -> Iterator[Openscoring]:
    """A server on a free port of loopback; `url` ends with `/openscoring`."""
    state = Openscoring()
    handler = type("Handler", (_Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}/openscoring"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        state.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()
