"""The bound on the partial matches of one key: what is said when there would be more.

Law (nothing silent): which operator runs the pattern does not show, not even here.
"""

from __future__ import annotations

from styx_lab.core.keys import KeyIndex
from styx_lab.errors import DataError

__all__ = ["key_text", "too_many"]


def too_many(keys: KeyIndex, slot: int, most: int, *, where: str) -> DataError:
    """That a key has too many partial matches."""
    return DataError(
        f"one key has more than {most:,} partial matches",
        where=where,
        got=f"key {key_text(keys, slot)}",
        hint="say within(), a narrower condition, or what to drop: detect(overflow='drop_oldest')",
    )


def key_text(keys: KeyIndex, slot: int) -> str:
    """A key as errors name it."""
    return repr(keys.key(slot))
