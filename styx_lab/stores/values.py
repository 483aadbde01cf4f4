"""JSON values on their way into a store and back.

Law: what is read back equals what was put, or the store refused it. NaN, sets, times and numbers past 64 bits have no
JSON that reads back the same, so they are refused with the place they stand at.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from styx_lab.core.events import canonical_json
from styx_lab.errors import StoreError

__all__ = ["bytes_digest", "json_bytes", "json_text", "json_value", "kept_text", "proved_bytes", "readable_text"]


def json_bytes(value: Any, *, where: str) -> bytes:
    """The canonical JSON of a value (lists for tuples, dicts for mappings).

    >>> json_bytes({"b": (1, 2), "a": None}, where="doc")
    b'{"a":null,"b":[1,2]}'

    Args:
        value: null, bool, str, int of 64 bits, finite float, or lists and text-keyed mappings of these.
        where: what to name in an error.

    Raises:
        StoreError: when the value would not read back as it was put.
    """
    return canonical_json(_plain(value, where))


def json_text(value: Any, *, where: str) -> str:
    """The same as `json_bytes`, as text."""
    return json_bytes(value, where=where).decode()


def json_value(text: Any, *, where: str) -> Any:
    """The value of kept JSON.

    Raises:
        StoreError: when what was kept is no JSON any more.
    """
    try:
        return json.loads(text)
    except (ValueError, TypeError) as error:
        raise StoreError("the store is damaged: what was kept here is no JSON", where=where, hint=_DAMAGED) from error


def bytes_digest(data: bytes, *, where: str) -> str:
    """The sha256 of content that is to be kept, in hex.

    Raises:
        StoreError: when it is not bytes, or empty.
    """
    if not isinstance(data, bytes):
        raise StoreError(
            "content is kept as bytes", where=where, got=type(data).__name__, hint="pass Path.read_bytes()"
        )
    if not data:
        raise StoreError("there is nothing to keep", where=where, got=data, hint="look at how the file was written")
    return sha256(data).hexdigest()


def proved_bytes(data: Any, digest: str, *, where: str) -> bytes:
    """Content as it was kept, after its sha256 was computed again.

    Raises:
        StoreError: when the content is not what was put.
    """
    if not isinstance(data, bytes) or sha256(data).hexdigest() != digest:
        raise StoreError(
            "the store is damaged: the content has not the sha256 it was kept with", where=where, hint=_DAMAGED
        )
    return data


def kept_text(text: str, *, where: str) -> str:
    """The text itself, when it can be kept.

    Raises:
        StoreError: when it is no text, or has no UTF-8 (as a path with undecodable bytes).
    """
    if not isinstance(text, str):
        raise StoreError("not text", where=where, got=text, hint="pass a str")
    try:
        return text.encode().decode()
    except UnicodeEncodeError as error:
        hint = "decode it properly, or use another name"
        raise StoreError("text that has no UTF-8 cannot be kept", where=where, got=text, hint=hint) from error


def readable_text(text: str) -> str:
    r"""The text with what has no UTF-8 shown as `?`: a reason must be kept whatever is in it.

    >>> readable_text("no file caf\udce9")
    'no file caf?'
    """
    return str(text).encode(errors="replace").decode()


_DAMAGED: Final = "bring the store back from a backup, or put this again under a new version and do not use this one"


def _plain(value: Any, where: str) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return kept_text(value, where=where)
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise StoreError("a whole number must fit in 64 bits", where=where, got=value, hint="keep it as text")
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise StoreError("JSON has no such number", where=where, got=value, hint="put null, or text")
        return float(value)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise StoreError("keys of a JSON object are text", where=where, got=key, hint=f"write {str(key)!r}")
        return {_plain(key, where): _plain(inner, f"{where}, {key!r}") for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, f"{where}, place {place}") for place, inner in enumerate(value)]
    raise StoreError(
        "the store keeps JSON values",
        where=where,
        got=type(value).__name__,
        hint="text, numbers, bools, lists and dicts",
    )
