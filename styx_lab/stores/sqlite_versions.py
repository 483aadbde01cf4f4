"""Numbered versions and their aliases in a SQLite file; each function works within its caller's transaction.

Law: numbers go up by one from 1 and are never used again; putting what is newest already adds nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, NamedTuple

from styx_lab.errors import StoreError
from styx_lab.stores.records import KINDS, AliasRecord, Kind, VersionRecord
from styx_lab.stores.references import Reference, missing, parse_reference, resolve
from styx_lab.stores.values import json_value, proved_bytes

__all__ = ["KeptVersion", "all_versions", "check_kind", "delete_alias", "find", "keep", "list_aliases", "set_alias"]


class KeptVersion(NamedTuple):
    """One version with its content, proved."""

    name: str
    version: int
    data: bytes
    sha256: str
    created: str
    meta: Mapping[str, Any]


def check_kind(kind: str, *, where: str) -> None:
    """Raise StoreError unless it is a kind that has versions."""
    if kind not in KINDS:
        raise StoreError("no such kind", where=where, got=kind, hint=f"one of {', '.join(KINDS)}")


def keep(
    connection: sqlite3.Connection,
    kind: Kind,
    name: str,
    data: bytes,
    *,
    sha256: str,
    meta: str,
    created: str,
    where: str,
) -> KeptVersion:
    """The new version, or the newest when it has the same content.

    Args:
        connection: inside a write.
        kind: what it is.
        name: its name.
        data: its content.
        sha256: the content's digest.
        meta: JSON to keep with it.
        created: ISO 8601, UTC.
        where: what to name in an error.
    """
    newest = connection.execute(
        "SELECT version, sha256, created, meta FROM versions WHERE kind = ? AND name = ? ORDER BY version DESC LIMIT 1",
        (kind, name),
    ).fetchone()
    if newest is not None and newest[1] == sha256:
        version, _, created, meta = newest
    else:
        version = 1 if newest is None else newest[0] + 1
        connection.execute(
            "INSERT INTO versions (kind, name, version, sha256, created, meta, data) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (kind, name, version, sha256, created, meta, data),
        )
    return KeptVersion(
        name, version, data, sha256, created, json_value(meta, where=f"{where}, {kind} '{name}@{version}'")
    )


def find(connection: sqlite3.Connection, kind: Kind, reference: str, *, where: str) -> KeptVersion:
    """The version a reference means now, its content proved.

    Raises:
        NotFoundError: when there is none.
        StoreError: when the content is damaged; it names the version.
    """
    asked = parse_reference(reference, what=kind, where=where)
    version = _resolved(connection, kind, asked, where=where)
    sha256, created, meta, data = connection.execute(
        "SELECT sha256, created, meta, data FROM versions WHERE kind = ? AND name = ? AND version = ?",
        (kind, asked.name, version),
    ).fetchone()
    place = f"{where}, {kind} '{asked.name}@{version}'"
    return KeptVersion(
        asked.name, version, proved_bytes(data, sha256, where=place), sha256, created, json_value(meta, where=place)
    )


def all_versions(connection: sqlite3.Connection, kind: Kind, *, where: str) -> list[VersionRecord]:
    """Every version of a kind, by name and number."""
    aliases: dict[tuple[str, int], list[str]] = {}
    for record in list_aliases(connection, kind, None):
        aliases.setdefault((record.name, record.version), []).append(record.alias)
    rows = connection.execute(
        "SELECT name, version, sha256, length(data), created, meta FROM versions WHERE kind = ? ORDER BY name, version",
        (kind,),
    )
    return [
        VersionRecord(
            kind,
            name,
            version,
            sha256,
            size,
            created,
            json_value(meta, where=f"{where}, {kind} '{name}@{version}'"),
            tuple(aliases.get((name, version), ())),
        )
        for name, version, sha256, size, created, meta in rows
    ]


def set_alias(
    connection: sqlite3.Connection, kind: Kind, name: str, alias: str, version: int, *, changed: str, where: str
) -> None:
    """Let an alias point at a version.

    Raises:
        NotFoundError: when there is no such version.
    """
    _resolved(connection, kind, Reference(name, version=version), where=where)
    connection.execute(
        "INSERT OR REPLACE INTO aliases (kind, name, alias, version, changed) VALUES (?, ?, ?, ?, ?)",
        (kind, name, alias, version, changed),
    )


def delete_alias(connection: sqlite3.Connection, kind: Kind, name: str, alias: str, *, where: str) -> None:
    """Forget an alias.

    Raises:
        NotFoundError: when there is none of this name.
    """
    known = [record.alias for record in list_aliases(connection, kind, name)]
    if alias not in known:
        raise missing(f"alias of {kind} {name!r}", alias, known, where=where)
    connection.execute("DELETE FROM aliases WHERE kind = ? AND name = ? AND alias = ?", (kind, name, alias))


def list_aliases(connection: sqlite3.Connection, kind: Kind | None, name: str | None) -> list[AliasRecord]:
    """The aliases, of one kind or one name when these are given, by kind, name and alias."""
    rows = connection.execute(
        "SELECT kind, name, alias, version, changed FROM aliases"
        " WHERE kind = ifnull(?, kind) AND name = ifnull(?, name) ORDER BY kind, name, alias",
        (kind, name),
    )
    return [AliasRecord(*row) for row in rows]


def _resolved(connection: sqlite3.Connection, kind: Kind, asked: Reference, *, where: str) -> int:
    versions = connection.execute(
        "SELECT version FROM versions WHERE kind = ? AND name = ? ORDER BY version", (kind, asked.name)
    )
    names = connection.execute("SELECT DISTINCT name FROM versions WHERE kind = ?", (kind,))
    return resolve(
        asked,
        [version for (version,) in versions],
        {record.alias: record.version for record in list_aliases(connection, kind, asked.name)},
        (name for (name,) in names),
        what=kind,
        where=where,
    )
