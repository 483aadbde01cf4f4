"""Openscoring's REST over the models of a server.

`GET /model`; `PUT|GET|DELETE /model/{id}`; `GET /model/{id}/pmml`; `POST /model/{id}`, `/batch`, `/csv`; all under
`/openscoring`. See https://github.com/openscoring/openscoring for the shape.

Law: whoever is not on this machine has a token, and changes no model; a body is read no further than its limit; every
error is JSON with a message.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from styx_lab.errors import DataError, StyxError
from styx_lab.models.guard import PmmlLimits
from styx_lab.server.served import Served, ServedModels
from styx_lab.workbench.scoring import read_texts

__all__ = ["make_application"]

_MOST_BYTES: Final = 64 * 1024 * 1024
_MOST_ROWS: Final = 1_000_000
_DELIMITERS: Final = (",", ";", "\t")
_WORDS_OF_SIGNS: Final = {"\\t": "\t", "\\'": "'", '\\"': '"'}
_SIGN: Final = re.compile(r"[\t\x20-\x7e]")
_ID: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.@-]{0,199}")

Endpoint = Callable[[Request], Awaitable[Response]]


def make_application(models: ServedModels, *, token: str | None = None, hosts: tuple[str, ...] = ()) -> Starlette:
    """The application: `make_application(models)` for loopback alone.

    Args:
        models: what is served; it may be added to while it runs.
        token: what every request must bring as a bearer token; None where only this machine can reach the server.
        hosts: names by which the server may be asked for, beside those of loopback; a page of another site that sends
            a browser here by a name of its own is refused.
    """
    routes = _Routes(models, token)
    return Starlette(
        routes=[
            Route("/openscoring/model", routes.list, methods=["GET"]),
            Route("/openscoring/model/{id}", routes.one, methods=["GET", "PUT", "DELETE", "POST"]),
            Route("/openscoring/model/{id}/pmml", routes.pmml, methods=["GET"]),
            Route("/openscoring/model/{id}/batch", routes.batch, methods=["POST"]),
            Route("/openscoring/model/{id}/csv", routes.csv, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _failed, StyxError: _refused, ClientDisconnect: _gone, Exception: _broken},
        middleware=[
            Middleware(
                TrustedHostMiddleware,
                allowed_hosts=["localhost", "127.0.0.1", "[::1]", *hosts],
                www_redirect=False,
            )
        ],
    )


class _Routes:
    def __init__(self, models: ServedModels, token: str | None) -> None:
        self._models = models
        self._token = token

    async def list(self, request: Request) -> Response:
        self._admit(request)
        return _json({"responses": [one.brief() for one in self._models.list()]})

    async def one(self, request: Request) -> Response:
        self._admit(request)
        if request.method == "PUT":
            return await self._put(request)
        model = self._model(request)
        if request.method == "GET":
            return _json(model.whole())
        if request.method == "DELETE":
            self._administer(request)
            self._models.remove(model.id)
            return _json({"message": f"model {model.id!r} is served no more"})
        asked = await _object(request)
        (answer,) = await run_in_threadpool(model.answer, [_arguments(asked)])
        if "message" in answer:
            raise HTTPException(400, answer["message"])
        return _json({**_named(asked), **answer})

    async def pmml(self, request: Request) -> Response:
        self._admit(request)
        return Response(self._model(request).pmml, media_type="application/xml")

    async def batch(self, request: Request) -> Response:
        self._admit(request)
        model = self._model(request)
        asked = await _object(request)
        requests = asked.get("requests")
        if not isinstance(requests, list) or not all(isinstance(one, dict) for one in requests):
            raise HTTPException(400, "a batch has 'requests', a list of objects")
        if len(requests) > _MOST_ROWS:
            raise HTTPException(413, f"a batch has {_MOST_ROWS:,} rows at most")
        answers = await run_in_threadpool(model.answer, [_arguments(one) for one in requests])
        responses = [{**_named(one), **answer} for one, answer in zip(requests, answers, strict=True)]
        return _json({**_named(asked), "responses": responses})

    async def csv(self, request: Request) -> Response:
        self._admit(request)
        model = self._model(request)
        asked = request.query_params
        signs = _Signs(asked.get("delimiterChar"), asked.get("quoteChar"))
        _only_utf8(request.headers.get("content-type", ""))
        body = await _body(request, _MOST_BYTES)
        found = await run_in_threadpool(_scored_csv, model, body, signs)
        return Response(found, media_type="text/plain; charset=utf-8")

    async def _put(self, request: Request) -> Response:
        self._administer(request)
        name = request.path_params["id"]
        if not _ID.fullmatch(name):
            raise HTTPException(400, "an id has letters, digits, '_', '.', '@' and '-'")
        pmml = await _body(request, PmmlLimits().bytes)
        made, new = await run_in_threadpool(self._models.put, name, pmml)
        return _json(made.whole(), 201 if new else 200)

    def _model(self, request: Request) -> Served:
        found = self._models.get(request.path_params["id"])
        if found is None:
            raise HTTPException(404, f"there is no model {request.path_params['id']!r}")
        return found

    def _admit(self, request: Request) -> None:
        if self._token is None:
            return
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            raise HTTPException(401, "a bearer token is needed")

    def _administer(self, request: Request) -> None:
        """Models are put and removed from this machine alone."""
        client = request.client
        try:
            local = client is not None and ipaddress.ip_address(client.host).is_loopback
        except ValueError:
            local = False
        if not local:
            raise HTTPException(403, "models are put and removed from the machine of the server alone")


async def _body(request: Request, most: int) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise HTTPException(413, f"a body has {most:,} bytes at most")
        parts.append(part)
    return b"".join(parts)


async def _object(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "the body is application/json")
    body = await _body(request, _MOST_BYTES)
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HTTPException(400, f"the body is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise HTTPException(400, "the body is an object")
    return found


def _arguments(asked: Mapping[str, Any]) -> dict[str, Any]:
    found = asked.get("arguments") or {}
    if not isinstance(found, dict):
        raise HTTPException(400, "'arguments' is an object of values by field")
    return found


def _named(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": asked["id"]} if isinstance(asked.get("id"), str) else {}


@dataclass(frozen=True, slots=True)
class _Signs:
    """How a table is written: what stands between two values, and around one; as the client says it."""

    delimiter: str | None
    quote: str | None

    def __post_init__(self) -> None:
        for what, sign in (("delimiterChar", self.delimiter), ("quoteChar", self.quote)):
            if sign is not None and (sign not in _WORDS_OF_SIGNS and not _SIGN.fullmatch(sign)):
                raise HTTPException(400, f"{what} is one sign of ASCII, not {sign!r}")
        if self.quotes() in self.delimiters():
            raise HTTPException(400, "delimiterChar and quoteChar are two signs")

    def delimiters(self) -> tuple[str, ...]:
        """Those to try, in this order."""
        return _DELIMITERS if self.delimiter is None else (_WORDS_OF_SIGNS.get(self.delimiter, self.delimiter),)

    def quotes(self) -> str:
        """What stands around a value that has a delimiter in it."""
        return '"' if self.quote is None else _WORDS_OF_SIGNS.get(self.quote, self.quote)


def _only_utf8(content_type: str) -> None:
    found = re.search(r"charset\s*=\s*\"?([^\s;\"]+)", content_type, re.IGNORECASE)
    if found and found[1].lower() not in ("utf-8", "utf8", "us-ascii", "ascii"):
        raise HTTPException(415, f"a table is UTF-8, not {found[1]}")


def _scored_csv(model: Served, body: bytes, signs: _Signs) -> bytes:
    """CSV in, CSV out: the `Id` column where there is one, then the results; a row without them is an error of all.

    Where the client does not say how it is written, the first line tells: it names a field of the model.
    """
    with tempfile.TemporaryDirectory(prefix="styx-serve-") as folder:
        path = Path(folder) / "rows.csv"
        path.write_bytes(body)
        for delimiter in signs.delimiters():
            try:
                rows = pl.concat(read_texts(path, separator=delimiter, quote=signs.quotes()))
            except DataError as error:
                said = HTTPException(400, f"the table cannot be read: {error.got}")
            else:
                if not model.scorer.inputs or any(name in rows.columns for name in model.scorer.inputs):
                    break
                said = HTTPException(400, f"the table has none of the model's fields: {', '.join(model.scorer.inputs)}")
        else:
            raise said
    # A column that is left out is missing in every row, as an argument is.
    without = [pl.lit(None, pl.String).alias(name) for name in model.scorer.inputs if name not in rows.columns]
    names = [*model.scorer.outputs]
    found = model.scorer.score(rows.with_columns(without).select(list(model.scorer.inputs)), names)
    wrong = found.errors.filter(found.errors.is_not_null() & ~found.errors.str.starts_with("no valid target"))
    if len(wrong):
        raise HTTPException(400, str(wrong[0]))
    ids = [rows["Id"]] if "Id" in rows.columns else []
    table = pl.DataFrame([*ids, *found.outputs.get_columns()])
    return table.write_csv(separator=delimiter, quote_char=signs.quotes()).encode()


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


async def _failed(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _json({"message": error.detail}, error.status_code)


async def _refused(_: Request, error: Exception) -> Response:
    return _json({"message": str(error)}, 400)


async def _gone(_: Request, error: Exception) -> Response:
    return _json({"message": "the client has gone"}, 400)


async def _broken(_: Request, __: Exception) -> Response:
    return _json({"message": "a fault of the server; its standard error says more"}, 500)
