"""What a store answers with: frozen facts, the same from every kind of store.

Law: a version, once kept, never changes. What moves are aliases, config and jobs. (`ModelRecord` is in `core.ports`.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

__all__ = ["KINDS", "AliasRecord", "ConfigRecord", "Kind", "RulesRecord", "VersionRecord"]

Kind = Literal["model", "rules", "bundle"]
"""What is kept in numbered versions and can have aliases."""
KINDS: Final[tuple[Kind, ...]] = ("model", "rules", "bundle")


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """One version of a model, a list of rules or a bundle, without its content.

    Attributes:
        kind: `model`, `rules` or `bundle`.
        name: its name.
        version: its number, from 1.
        sha256: hex digest of the content.
        size: length of the content in bytes.
        created: when it was kept, ISO 8601, UTC.
        meta: what its maker wanted to be kept with it.
        aliases: the aliases that point at this version now, sorted.
    """

    kind: Kind
    name: str
    version: int
    sha256: str
    size: int
    created: str
    meta: Mapping[str, Any]
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RulesRecord:
    """One version of a named list of rules; each rule is a predicate as SQL text, or a JSON object."""

    name: str
    version: int
    rules: tuple[Any, ...]
    sha256: str
    created: str
    meta: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AliasRecord:
    """A movable name for one version, as `champion`; `changed` is ISO 8601, UTC."""

    kind: Kind
    name: str
    alias: str
    version: int
    changed: str


@dataclass(frozen=True, slots=True)
class ConfigRecord:
    """A config key with its JSON value; `changed` is ISO 8601, UTC."""

    key: str
    value: Any
    changed: str
