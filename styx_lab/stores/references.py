"""Names, and references to versions: `fraud` (the newest), `fraud@3`, `fraud@champion`.

Law: what stands behind the `@` is a version exactly when it is digits, so no alias may look like a number; and a
reference that leads nowhere is answered with what there is.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from styx_lab.errors import NotFoundError, StoreError

__all__ = ["Reference", "check_alias", "check_name", "check_version", "missing", "parse_reference", "resolve"]

_NAME: Final = re.compile(r"\w[\w.-]{0,199}")
_VERSION: Final = re.compile(r"[0-9]+")
_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class Reference:
    """A name, with a version, or with an alias, or with neither (the newest)."""

    name: str
    version: int | None = None
    alias: str | None = None

    def __str__(self) -> str:
        part = self.alias if self.version is None else str(self.version)
        return self.name if part is None else f"{self.name}@{part}"


def check_name(name: object, *, what: str, where: str) -> str:
    """The name itself, when it is one: letters, digits, `_`, `.` and `-`, beginning with a letter, digit or `_`.

    Raises:
        StoreError: when it is not.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise StoreError(
            f"not the name of a {what}",
            where=where,
            got=name,
            hint="up to 200 letters, digits, '_', '.' and '-', beginning with a letter, a digit or '_'",
        )
    return name


def check_alias(alias: object, *, where: str) -> str:
    """The alias itself, when it is a name with a letter in it.

    Raises:
        StoreError: when it is not.
    """
    alias = check_name(alias, what="version (an alias)", where=where)
    if not any(letter.isalpha() for letter in alias):
        raise StoreError(
            "an alias must not be a number, for it would read as a version",
            where=where,
            got=alias,
            hint="a word such as 'champion'",
        )
    return alias


def check_version(version: int, *, where: str) -> int:
    """The version itself, when it is a whole number.

    Raises:
        StoreError: when it is not.
    """
    if isinstance(version, bool) or not isinstance(version, int):
        raise StoreError("a version is a whole number", where=where, got=version, hint="write it as 3")
    return version


def parse_reference(reference: object, *, what: str, where: str) -> Reference:
    """The parts of `name`, `name@3` or `name@champion`.

    >>> parse_reference("fraud@3", what="model", where="doc")
    Reference(name='fraud', version=3, alias=None)

    Args:
        reference: the text.
        what: the kind of thing it refers to, for an error.
        where: what to name in an error.

    Raises:
        NotFoundError: when it is none of these, for then it refers to nothing.
    """
    name, at, rest = reference.partition("@") if isinstance(reference, str) else ("", "", "")
    if not _NAME.fullmatch(name) or (at and not _NAME.fullmatch(rest)):
        raise NotFoundError(
            f"no reference to a {what}", where=where, got=reference, hint="write name, name@3 or name@champion"
        )
    if not at:
        return Reference(name)
    # Longer numbers are no version of anything, and int() refuses thousands of digits.
    if _VERSION.fullmatch(rest) and len(rest) <= 18:
        return Reference(name, version=int(rest))
    return Reference(name, alias=rest)


def resolve(
    reference: Reference,
    versions: Sequence[int],
    aliases: Mapping[str, int],
    names: Iterable[str],
    *,
    what: str,
    where: str,
) -> int:
    """The version that a reference means now.

    >>> resolve(Reference("fraud", alias="champion"), [1, 2], {"champion": 1}, ["fraud"], what="model", where="doc")
    1

    Args:
        reference: what was asked for.
        versions: the versions there are of this name, ascending.
        aliases: the aliases of this name, with their versions.
        names: all names of this kind.
        what: the kind.
        where: what to name in an error.

    Raises:
        NotFoundError: when there is no such name, version or alias; it lists what there is.
    """
    name = reference.name
    if not versions:
        raise missing(what, name, names, where=where)
    if reference.version is None and reference.alias is None:
        return versions[-1]
    found = reference.version if reference.alias is None else aliases.get(reference.alias)
    if found is not None and found in versions:
        return found
    spread = f"{name}@{versions[0]}" if len(versions) == 1 else f"{name}@{versions[0]} to {name}@{versions[-1]}"
    there = [f"there is {spread}"]
    if aliases:
        there.append(_listed(f"{name}@{alias} (version {version})" for alias, version in sorted(aliases.items())))
    if reference.alias is not None:
        there = [*_nearest(reference.alias, list(aliases), name), *there]
    sort = "version" if reference.alias is None else "alias"
    raise NotFoundError(f"no such {sort} of {what} {name!r}", where=where, got=str(reference), hint="; ".join(there))


def missing(what: str, name: str, names: Iterable[str], *, where: str) -> NotFoundError:
    """The error for a name that is not in the store, with near misses and what there is.

    >>> print(missing("model", "frod", ["fraud", "churn"], where="doc"))
    doc: no such model; got 'frod'. Try: did you mean 'fraud'?; there are: churn, fraud
    """
    known = sorted(names)
    hint = (
        f"there are: {_listed(known)}" if known else f"the store has no {what} yet; look whether it is the right store"
    )
    return NotFoundError(f"no such {what}", where=where, got=name, hint="; ".join([*_nearest(name, known, None), hint]))


def _nearest(name: str, known: Sequence[str], owner: str | None) -> list[str]:
    near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.6)
    texts = (repr(found if owner is None else f"{owner}@{found}") for found in near)
    return [f"did you mean {' or '.join(texts)}?"] if near else []


def _listed(texts: Iterable[str]) -> str:
    every = list(texts)
    more = len(every) - _SHOWN
    return ", ".join(every[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
