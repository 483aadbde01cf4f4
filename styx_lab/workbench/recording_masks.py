"""Mask and hash: a recording that can be shared, with values of columns gone or replaced by keyed hashes.

Law: no event passes on a value that is to be hidden in the column itself; what cannot be looked into is emptied.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import numpy as np
import polars as pl

from styx_lab.connectors import Recording
from styx_lab.connectors.formats.json_members import is_object, members, replaced
from styx_lab.connectors.formats.values import WrongValue, typed
from styx_lab.connectors.paths import readable_file
from styx_lab.connectors.recording_content import RECORDING_COLUMNS
from styx_lab.connectors.recording_rewrite import rewrite
from styx_lab.core.schema import Schema
from styx_lab.errors import DataError, NotFoundError

__all__ = ["KafkaKeys", "MaskResult", "hash_key", "mask_recording"]

KafkaKeys = Literal["refuse", "keep", "drop", "hash"]
_SHORTEST_KEY: Final = 16
_TELLING: Final = 4
"""Text so long is looked for inside other text; shorter text stands anywhere by chance."""


@dataclass(frozen=True, slots=True)
class MaskResult:
    """What masking gave.

    Attributes:
        recording: the new recording.
        changed: how many events had a value replaced.
        undecodable: how many payloads are no JSON objects, so that they were emptied or left out.
        elsewhere: how many events have a hidden text, of four letters or more, in another field of theirs.
    """

    recording: Recording
    changed: int
    undecodable: int
    elsewhere: int


def hash_key(place: str) -> bytes:
    """The key for hashes: `env:NAME`, an environment variable, or `file:PATH`, a file (a line's end is no part of it).

    Raises:
        NotFoundError, InputMissingError: when there is none.
        DataError: when it is shorter than 16 bytes, or the text names no place.
    """
    kind, _, name = place.partition(":")
    if kind == "env" and name:
        if name not in os.environ:
            raise NotFoundError(
                "the environment variable with the key is not set",
                where="hash key",
                got=name,
                hint=f"export {name}=...",
            )
        key = os.environ[name].encode(errors="surrogateescape")
    elif kind == "file" and name:
        key = readable_file(name).read_bytes().rstrip(b"\r\n")
    else:
        # What was given may be the key itself, so it is not shown.
        raise DataError("this names no place of a key", where="hash key", hint="env:NAME or file:PATH")
    if len(key.strip()) < _SHORTEST_KEY:
        raise DataError(
            f"the key has fewer than {_SHORTEST_KEY} bytes, so hashes could be undone by trying",
            where=place,
            hint="make one: openssl rand -hex 32",
        )
    return key


def mask_recording(
    recording: Recording | str | Path,
    to: str | Path,
    *,
    mask: Mapping[str, Any] | Sequence[str] = (),
    hashed: Sequence[str] = (),
    key: str | None = None,
    kafka_key: KafkaKeys = "refuse",
    headers: Literal["refuse", "keep", "drop"] = "refuse",
    undecodable: Literal["empty", "drop"] = "empty",
    name: str | None = None,
) -> MaskResult:
    """Write the events with values of columns replaced to a recording of their own.

    Args:
        recording: the recording, or its file; it stays as it is.
        to: the file to write, `NAME.recording.parquet`.
        mask: columns whose values become null, or a mapping of columns to what stands there then.
        hashed: columns whose values become their HMAC-SHA-256 in hexadecimal: the same value has the same hash, in
            every column and recording that the same key is used for. Their type becomes `str`; a null stays null.
        key: where the key is, see `hash_key`.
        kafka_key: the source's own keys: `keep`, `drop`, `hash` them too (by the same key, so that they still equal
            the hashed column), or `refuse` to go on where one has a hidden value of its event, or cannot be checked.
        headers: the same of headers.
        undecodable: payloads that are no JSON objects may have anything in them: they are emptied, with key and
            headers unless those are kept or hashed, and stay dead letters; or left out.
        name: what to call the source; by default the same as before.

    A column may be a field that the schema does not name. Everything else of a payload stays byte for byte; so do
    partitions, offsets, both times, and decisions. The note of the original is not carried over, since it may tell what
    is hidden. Other fields are not searched but for the count of `elsewhere`.

    Raises:
        DataError: a column is unknown, or the event time; a Kafka key or a header tells a hidden value.
        NotFoundError, InputMissingError: there is no key.
    """
    source = recording if isinstance(recording, Recording) else Recording.open(recording)
    constants = dict(mask) if isinstance(mask, Mapping) else dict.fromkeys(mask)
    _check_columns(source, constants, hashed)
    if (hashed or kafka_key == "hash") and key is None:
        raise DataError("hashes need a key", where=str(source.path), hint="env:NAME or file:PATH")
    rewriting = _Rewriting(
        source,
        {column: msgspec.json.encode(value) for column, value in constants.items()},
        frozenset(hashed),
        b"" if key is None else hash_key(key),
        kafka_key,
        headers,
        undecodable,
    )
    said = [f"masked {column}" for column in constants] + [f"hashed {column} (HMAC-SHA-256)" for column in hashed]
    said += [f"Kafka keys: {kafka_key}", f"headers: {headers}", f"undecodable payloads: {undecodable}"]
    words = {column: "str" if column in hashed else word for column, word in source.schema.items()}
    made = rewrite(
        source,
        to,
        rewriting.change,
        name=name,
        schema=Schema(words),
        truth=f"made from {source.about.content_sha256}: {'; '.join(said)}",
        check=rewriting.check_found,
    )
    return MaskResult(made, rewriting.changed, rewriting.undecodable_found, rewriting.elsewhere)


@dataclass(slots=True)
class _Rewriting:
    source: Recording
    constants: dict[str, bytes]
    hashed: frozenset[str]
    secret: bytes = field(repr=False)
    kafka_key: KafkaKeys
    headers: str
    undecodable: str
    changed: int = 0
    undecodable_found: int = 0
    elsewhere: int = 0
    found: set[str] = field(default_factory=set)

    def change(self, rows: pl.DataFrame) -> tuple[pl.DataFrame, np.ndarray[Any, Any]]:
        """See `Change`."""
        payloads: list[bytes | None] = rows["payload"].to_list()
        keys: list[bytes | None] = rows["key"].to_list()
        headers: list[list[dict[str, Any]]] = rows["headers"].to_list()
        kept = np.ones(rows.height, bool)
        places = zip(rows["partition"].to_list(), rows["offset"].to_list(), strict=True)
        for row, (payload, place) in enumerate(zip(payloads, places, strict=True)):
            if payload is None:
                self._check_unknown(keys[row], headers[row], place)
            elif is_object(payload):
                payloads[row], hidden = self._payload(payload)
                self._check(hidden, keys[row], headers[row], place)
            else:
                self.undecodable_found += 1
                kept[row] = self.undecodable != "drop"
                payloads[row] = b""
                keys[row] = None if self.kafka_key == "refuse" else keys[row]
                headers[row] = [] if self.headers == "refuse" else headers[row]
            if self.kafka_key == "drop":
                keys[row] = None
            elif self.kafka_key == "hash" and (found := keys[row]) is not None:
                keys[row] = self._digest(found).encode()
        columns: dict[str, list[Any]] = {
            "payload": payloads,
            "key": keys,
            "headers": [[]] * len(headers) if self.headers == "drop" else headers,
        }
        changed = [pl.Series(name, values, dtype=RECORDING_COLUMNS[name]) for name, values in columns.items()]
        return rows.with_columns(changed), kept

    def check_found(self) -> None:
        """Refuse a column that was nowhere: a name that is written wrongly would hide nothing."""
        for column in [*self.constants, *self.hashed]:
            if column not in self.found and column not in self.source.schema:
                raise DataError(
                    f"neither the schema nor any event has a field {column!r}",
                    where=str(self.source.path),
                    got=list(self.source.schema),
                    hint="correct the name; of a nested object name the outermost field",
                )

    def _payload(self, payload: bytes) -> tuple[bytes, list[bytes]]:
        """The new payload, and the texts that it no longer has."""
        places: list[tuple[int, int, bytes]] = []
        hidden: list[bytes] = []
        for name, start, stop in members(payload):
            if name not in self.constants and name not in self.hashed:
                continue
            self.found.add(name)
            raw = payload[start:stop]
            if raw == b"null":
                if name in self.constants:
                    places.append((start, stop, self.constants[name]))
                continue
            value = msgspec.json.decode(raw)
            hidden.append(value.encode() if isinstance(value, str) else raw)
            if name in self.constants:
                places.append((start, stop, self.constants[name]))
            else:
                places.append((start, stop, b'"' + self._digest(self._canonical(name, value, raw)).encode() + b'"'))
        new = replaced(payload, places)
        self.changed += new != payload
        self.elsewhere += any(len(text) >= _TELLING and text in new for text in hidden)
        return new, hidden

    def _canonical(self, name: str, value: Any, raw: bytes) -> bytes:
        """What is hashed: a value, not how it was written."""
        if name in self.source.schema:
            with suppress(WrongValue):
                value = typed(name, self.source.schema[name], value)
        if isinstance(value, str):
            return value.encode()
        return raw if isinstance(value, dict | list) else repr(value).encode()

    def _digest(self, text: bytes) -> str:
        return hmac.new(self.secret, text, sha256).hexdigest()

    def _check(
        self, hidden: list[bytes], key: bytes | None, headers: list[dict[str, Any]], place: tuple[int, int]
    ) -> None:
        if self.kafka_key == "refuse" and key is not None and _tells(key, hidden):
            raise self._refused("the Kafka key has a value that is to be hidden", "kafka_key", place)
        if self.headers == "refuse":
            for header in headers:
                if _tells(header["key"].encode(), hidden) or _tells(header["value"] or b"", hidden):
                    raise self._refused("a header has a value that is to be hidden", "headers", place)

    def _check_unknown(self, key: bytes | None, headers: list[dict[str, Any]], place: tuple[int, int]) -> None:
        if self.kafka_key == "refuse" and key is not None:
            raise self._refused("the Kafka key of a tombstone may be a value that is to be hidden", "kafka_key", place)
        if self.headers == "refuse" and headers:
            raise self._refused("a header of a tombstone may have a value that is to be hidden", "headers", place)

    def _refused(self, what: str, option: str, place: tuple[int, int]) -> DataError:
        choices = "hash, drop or keep" if option == "kafka_key" else "drop or keep"
        return DataError(
            what,
            where=f"{self.source.path}, partition {place[0]}, offset {place[1]}",
            hint=f"say what becomes of them: {option}={choices} (--{option.replace('_', '-')})",
        )


def _tells(text: bytes, hidden: Sequence[bytes]) -> bool:
    return any(text == one or (len(one) >= _TELLING and one in text) for one in hidden if one)


def _check_columns(source: Recording, constants: Mapping[str, Any], hashed: Sequence[str]) -> None:
    where = str(source.path)
    if not constants and not hashed:
        raise DataError("nothing says what to hide", where=where, hint="name columns to mask or to hash")
    for column in [*constants, *hashed]:
        if column == source.about.time:
            raise DataError(
                "the event time cannot be hidden: without it nothing can be replayed", where=where, got=column
            )
    both = sorted(set(constants) & set(hashed))
    if both:
        raise DataError("a column is either masked or hashed", where=where, got=both)
    for column, value in constants.items():
        if column in source.about.key and value is None:
            raise DataError(
                "a key that is null makes every event a dead letter", where=where, got=column, hint="hash it instead"
            )
        if column in source.schema:
            try:
                typed(column, source.schema[column], value)
            except WrongValue as error:
                raise DataError(
                    "the constant is of another type than its column", where=where, got=str(error)
                ) from None
