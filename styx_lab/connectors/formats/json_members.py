"""Replacing members of a JSON object where they stand.

Law: every byte that is not a replaced value stays: order, spaces, names that come twice, how numbers are written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

__all__ = ["is_object", "members", "replaced"]

_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s"{}\[\],:]+', re.DOTALL)


def is_object(payload: bytes) -> bool:
    """Whether a payload is one JSON object in UTF-8, whatever types it has.

    >>> is_object(b'{"a": 1}'), is_object(b'[1]'), is_object(b'{"a": ')
    (True, False, False)
    """
    try:
        payload.decode()
        return isinstance(msgspec.json.decode(payload), dict)
    except (ValueError, RecursionError):
        return False


def members(payload: bytes) -> Iterator[tuple[str, int, int]]:
    """The name of each member of an object, and where its value begins and ends; not of those inside of it.

    >>> [(name, b'{"a": [1, 2], "b":3.50}'[start:stop]) for name, start, stop in members(b'{"a": [1, 2], "b":3.50}')]
    [('a', b'[1, 2]'), ('b', b'3.50')]

    Args:
        payload: of which `is_object` is true.
    """
    depth, name, start, stop = 0, "", -1, -1
    named = False
    for token in _TOKEN.finditer(payload):
        text = token[0]
        if depth == 1 and text in (b",", b"}"):
            if named:
                yield name, start, stop
            named, start = False, -1
        elif depth == 1 and not named and text != b":":
            name, named = msgspec.json.decode(text, type=str), True
        elif depth and named and not (depth == 1 and text == b":"):
            start, stop = (token.start() if start < 0 else start), token.end()
        if text in (b"{", b"["):
            depth += 1
        elif text in (b"}", b"]"):
            depth -= 1


def replaced(payload: bytes, values: list[tuple[int, int, bytes]]) -> bytes:
    """The payload with other bytes from place to place.

    >>> replaced(b'{"a": 1, "b": 2}', [(6, 7, b"null")])
    b'{"a": null, "b": 2}'
    """
    parts, at = [], 0
    for start, stop, value in values:
        parts += [payload[at:start], value]
        at = stop
    return b"".join([*parts, payload[at:]])
