"""JSON payloads to columns: all of them in one decode where that is sound, else one by one.

Law: the answer depends on each payload alone, never on which payloads are decoded together.

One decode of `[p1,p2,…]` is sound when every payload begins with `{` and ends with `}`, there are as many `{` and as
many `}` bytes as payloads, and as many objects come out. For then each `{` stands at the start of a payload and each
of the objects needs one, so the i-th object begins where the i-th payload does; and each `}` stands at the end of one,
so it ends there too. Nothing can be hidden in a text that runs over a border: its `{` would be missing an object.

Names and rules: a name that comes twice in one object counts the last time; names that the schema does not have are
ignored; a column that is missing is null; NaN is no JSON. See `values.py` for the types.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Annotated, Any, Final

import msgspec
import numpy as np
import polars as pl

from styx_lab.connectors.formats.decoded import Decoded, split_good
from styx_lab.connectors.formats.values import FIRST_MS, LAST_MS, WrongValue, time_ms, typed_row
from styx_lab.core.schema import TIME_DTYPE, Schema

__all__ = ["DEEPEST", "decode_json"]

DEEPEST: Final = 64
"""Levels of nesting that are taken. A fixed number, since Python's own limit depends on who calls."""

_TOGETHER: Final = 512
"""Payloads in one decode: their bytes stay in the cache, and one bad payload costs its neighbours little."""

_INT64: Final = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_TYPES: Final[dict[str, Any]] = {
    "str": str | None,
    "int": _INT64 | None,
    "float": float | None,
    "bool": bool | None,
    "datetime": int | str | None,
}
_TEXT_OR_BRACKET: Final = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)


def decode_json(payloads: Sequence[bytes], schema: Schema) -> Decoded:
    """The columns of the schema from JSON objects, one a payload.

    >>> decoded = decode_json([b'{"card":"a","amount":3}', b'{"card":"b","amount":"3"}'],
    ...                       Schema({"card": "str", "amount": "float"}))
    >>> decoded.frame.rows(), decoded.dead
    ([('a', 3.0)], {1: 'wrong_type: amount: expected float, got str'})

    Args:
        payloads: UTF-8 JSON, one object each.
        schema: the columns to take, with their types.

    Keeps no state. Times are ISO 8601 text or whole epoch ms and become `Datetime("ms", "UTC")`. What cannot be
    decoded is in `dead`, never raised.
    """
    plan = _plan(schema)
    events: list[Any] = []
    dead: dict[int, str] = {}
    for start in range(0, len(payloads), _TOGETHER):
        part = payloads[start : start + _TOGETHER]
        found = plan.together(part)
        if found is None:
            found, refused = plan.one_by_one(part)
            dead |= {start + index: reason for index, reason in refused.items()}
        events += found
    return plan.columns(events, len(payloads), dead)


class _Plan:
    """What is made once a schema: a type for msgspec with one optional field a column."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        # Column names need not be names of Python, so the fields have their own.
        self._fields = {name: f"f{index}" for index, name in enumerate(schema)}
        self._take = {name: _taker(field) for name, field in self._fields.items()}
        event: Any = msgspec.defstruct(
            "Event",
            [(self._fields[name], _TYPES[word], None) for name, word in schema.items()],
            rename={field: name for name, field in self._fields.items()},
            gc=False,
        )
        self._event = event
        self._one: msgspec.json.Decoder[Any] = msgspec.json.Decoder(event)
        self._many: msgspec.json.Decoder[list[Any]] = msgspec.json.Decoder(list[event])

    def together(self, payloads: Sequence[bytes]) -> list[Any] | None:
        """The events of all payloads by one decode; `None` when that is not sound or any of them is bad."""
        count = len(payloads)
        joined = b"[" + b",".join(payloads) + b"]"
        lengths = np.fromiter(map(len, payloads), np.int64, count)
        if not lengths.all():
            return None
        text = np.frombuffer(joined, np.uint8)
        last = np.cumsum(lengths + 1) - 1
        if not ((text[last - lengths + 1] == ord("{")).all() and (text[last] == ord("}")).all()):
            return None
        if np.count_nonzero(text == ord("{")) != count or np.count_nonzero(text == ord("}")) != count:
            return None
        if np.count_nonzero(text == ord("[")) >= DEEPEST:
            return None
        try:
            # msgspec does not look at the bytes of names and texts that it skips.
            if not joined.isascii():
                joined.decode()
            events = self._many.decode(joined)
        except ValueError:
            return None
        return events if len(events) == count else None

    def one_by_one(self, payloads: Sequence[bytes]) -> tuple[list[Any], dict[int, str]]:
        """The events of the good payloads, each decoded by itself, and the reasons of the others."""
        events: list[Any] = []
        dead: dict[int, str] = {}
        add, decode = events.append, self._one.decode
        for index, payload in enumerate(payloads):
            try:
                if not payload.isascii():
                    payload.decode()
                # Deeper than that and balanced needs more bytes; what is not balanced is refused anyway.
                if len(payload) > 2 * DEEPEST and payload.count(b"[") + payload.count(b"{") > DEEPEST:
                    _check_depth(payload)
                add(decode(payload))
            except ValueError:
                try:
                    add(self._carefully(payload))
                except WrongValue as reason:
                    dead[index] = str(reason)
        return events, dead

    def _carefully(self, payload: bytes) -> Any:
        """An event of a payload that msgspec refused, or the reason; by the plain rules of `values.py`."""
        if not payload.strip():
            raise WrongValue("empty")
        try:
            payload.decode()
        except UnicodeDecodeError as error:
            raise WrongValue(f"not_utf8: byte {error.start}") from None
        _check_depth(payload)
        try:
            value = msgspec.json.decode(payload)
        except msgspec.ValidationError:
            raise WrongValue("out_of_range: a number in it is no 64-bit float") from None
        except ValueError:
            raise WrongValue("not_json") from None
        if not isinstance(value, dict):
            raise WrongValue(f"not_an_object: {type(value).__name__}")
        row = typed_row(self._schema, value)
        return self._event(**{self._fields[name]: found for name, found in row.items()})

    def columns(self, events: list[Any], count: int, dead: dict[int, str]) -> Decoded:
        """The events of those of `count` payloads that are not dead, as columns; a time that is none is dead."""
        good = split_good(count, dead)
        times, refused = self._times(events)
        if refused:
            dead = dead | {int(good[place]): reason for place, reason in refused.items()}
            alive = split_good(len(events), refused)
            events = [events[place] for place in alive]
            times = {name: [values[place] for place in alive] for name, values in times.items()}
            good = good[alive]
        columns = []
        for name, dtype in self._schema.polars.items():
            if name in times:
                columns.append(pl.Series(name, times[name], dtype=pl.Int64).cast(TIME_DTYPE))
            else:
                columns.append(pl.Series(name, self._take[name](events), dtype=dtype))
        return Decoded(pl.DataFrame(columns), good, dict(sorted(dead.items())))

    def _times(self, events: list[Any]) -> tuple[dict[str, list[int | None]], dict[int, str]]:
        """Epoch ms of each datetime column, and the reasons of those that are none, by place."""
        times: dict[str, list[int | None]] = {}
        refused: dict[int, str] = {}
        for name, word in self._schema.items():
            if word != "datetime":
                continue
            found: list[int | None] = []
            for place, value in enumerate(self._take[name](events)):
                if value is None or (type(value) is int and FIRST_MS <= value <= LAST_MS):
                    found.append(value)
                    continue
                try:
                    found.append(time_ms(name, value))
                except WrongValue as reason:
                    found.append(None)
                    refused.setdefault(place, str(reason))
            times[name] = found
        return times, refused


@lru_cache(maxsize=64)
def _plan(schema: Schema) -> _Plan:
    return _Plan(schema)


def _taker(field: str) -> Callable[[list[Any]], list[Any]]:
    # A name that is written out is read twice as fast as by getattr. It is our own (f0, f1, …), never one of the data.
    taker: Callable[[list[Any]], list[Any]] = eval(f"lambda events: [event.{field} for event in events]")  # noqa: S307
    return taker


def _check_depth(payload: bytes) -> None:
    depth = 0
    for match in _TEXT_OR_BRACKET.finditer(payload):
        first = match.group()[0]
        if first in b"[{":
            depth += 1
            if depth > DEEPEST:
                raise WrongValue("too_deep")
        elif first in b"]}":
            depth -= 1
