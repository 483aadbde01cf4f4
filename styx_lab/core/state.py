"""State as it is kept, moved and read back: JSON and Arrow tables, parted by key group, with a format number.

Laws: nothing is pickled; a state can be split by key group and put together again in any way (so it can be shared out
over Flink's slots); an old format number stays readable for ever, and an unknown one is refused.
"""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

import polars as pl

from styx_lab.errors import CheckpointError

__all__ = ["GROUP", "KEY_GROUPS", "State", "decode_state", "encode_state", "key_group"]

KEY_GROUPS: Final = 128
"""How many key groups there are, for ever: the unit in which keyed state is saved and moved."""
GROUP: Final = "_group"
"""The column of a state table that holds a row's key group."""
_FORMAT: Final = 1
_MAGIC: Final = b"STYXSTAT"


def key_group(key: bytes) -> int:
    """The key group of a key's canonical JSON bytes: CRC-32 modulo 128.

    >>> key_group(b'["card-17"]')
    102
    """
    return zlib.crc32(key) % KEY_GROUPS


@dataclass(frozen=True, slots=True)
class State:
    """An operator's state at one place of the sequence.

    Attributes:
        meta: what belongs to no key (JSON). Parts of one snapshot have the same.
        tables: frames by name; a keyed one has a UInt8 column `_group`.
        version: the number of the operator's own layout.
    """

    meta: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    version: int = 1

    def only(self, groups: Collection[int]) -> State:
        """The part of the state that belongs to these key groups (and what belongs to none)."""
        wanted = pl.Series(sorted(groups), dtype=pl.UInt8)
        tables = {
            name: table.filter(pl.col(GROUP).is_in(wanted.implode())) if GROUP in table.columns else table
            for name, table in self.tables.items()
        }
        return State(self.meta, tables, self.version)

    @staticmethod
    def union(states: Sequence[State], *, where: str) -> State:
        """One state of several parts of one snapshot.

        Raises:
            CheckpointError: when the parts are of different places or layouts.
        """
        first = states[0]
        for other in states[1:]:
            if (other.meta, other.version, other.tables.keys()) != (first.meta, first.version, first.tables.keys()):
                raise CheckpointError(
                    "these parts of a state do not belong together", where=where, hint="restore parts of one snapshot"
                )
        tables = {
            name: pl.concat([state.tables[name] for state in states]) if GROUP in table.columns else table
            for name, table in first.tables.items()
        }
        return State(first.meta, tables, first.version)

    @staticmethod
    def saved(states: Sequence[State], *, version: int, where: str, meta: Mapping[str, Any] | None = None) -> State:
        """One state of several parts, if the step that wants it back wrote it.

        Args:
            states: the parts.
            version: the layout that the step knows.
            where: the step, for errors.
            meta: what the state must say of the step; it may say more.

        Raises:
            CheckpointError: when the parts are of different places, of another layout, or of another step.
        """
        state = State.union(states, where=where)
        if state.version != version:
            raise CheckpointError(
                "state of an unknown layout", where=where, got=state.version, hint="use the version that wrote it"
            )
        for name, value in (meta or {}).items():
            if state.meta.get(name) != value:
                raise CheckpointError(
                    f"this state was saved by a step that said something else of {name!r}",
                    where=where,
                    got=state.meta.get(name),
                    hint="start the changed step without its old state, or give it a new name",
                )
        return state


def encode_state(state: State) -> bytes:
    """Bytes: a magic word, the length of a JSON header, the header, then each table as an Arrow IPC file."""
    bodies, entries = [], []
    for name, table in state.tables.items():
        buffer = io.BytesIO()
        table.write_ipc(buffer, compression="uncompressed")
        body = buffer.getvalue()
        bodies.append(body)
        entries.append({"name": name, "bytes": len(body), "sha256": sha256(body).hexdigest()})
    header = json.dumps(
        {"format": _FORMAT, "version": state.version, "meta": state.meta, "tables": entries}, sort_keys=True
    ).encode()
    return b"".join([_MAGIC, struct.pack("<I", len(header)), header, *bodies])


def decode_state(data: bytes, *, where: str) -> State:
    """The state of `encode_state`'s bytes.

    Raises:
        CheckpointError: when the bytes were changed or cut, or are of a format this version does not know.
    """
    hint = "use an older checkpoint of the same job"
    start = len(_MAGIC) + 4
    if len(data) < start or data[: len(_MAGIC)] != _MAGIC:
        raise CheckpointError("this is no saved state", where=where, hint=hint)
    (length,) = struct.unpack("<I", data[len(_MAGIC) : start])
    try:
        header = json.loads(data[start : start + length])
    except ValueError as error:
        raise CheckpointError("the header of a saved state is damaged", where=where, hint=hint) from error
    if header["format"] != _FORMAT:
        raise CheckpointError(
            "a saved state of an unknown format", where=where, got=header["format"], hint="use the newer Styx Lab"
        )
    tables, at = {}, start + length
    for entry in header["tables"]:
        body = data[at : at + entry["bytes"]]
        at += entry["bytes"]
        if sha256(body).hexdigest() != entry["sha256"]:
            raise CheckpointError(
                "a saved state was changed or cut", where=f"{where}, table {entry['name']!r}", hint=hint
            )
        tables[entry["name"]] = pl.read_ipc(io.BytesIO(body))
    return State(header["meta"], tables, header["version"])
