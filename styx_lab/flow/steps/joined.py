"""What all joins of two streams have in common: keys that fit, and the columns of both sides side by side.

Law: which column of the result is whose is known when the flow is built, and no column is lost to a name that is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import polars as pl

from styx_lab.errors import FlowError
from styx_lab.flow.types import StreamType, derived_type

__all__ = ["LATE_LEFT", "LATE_RIGHT", "How", "check_how", "check_keys", "joined_type", "right_names"]

How = Literal["inner", "left", "full"]
"""Which events without a partner come out: none, those of the left side, those of both."""
LATE_LEFT: Final = "late_left"
LATE_RIGHT: Final = "late_right"


def check_keys(inputs: Sequence[StreamType], *, where: str) -> None:
    """Refuse sides without a key, or with keys of which no two could be equal.

    Raises:
        FlowError: naming both sides' keys.
    """
    left, right = inputs
    if not left.key or not right.key:
        side = "right" if left.key else "left"
        raise FlowError(
            "both sides of a join need a key",
            where=where,
            got=f"no key on the {side} side",
            hint="put key_by(...) before it",
        )
    told = [_key_text(stream) for stream in inputs]
    types = [[dict(stream.columns)[name] for name in stream.key] for stream in inputs]
    if types[0] != types[1]:
        raise FlowError(
            "both sides of a join need keys of the same types",
            where=where,
            got=f"{told[0]} and {told[1]}",
            hint="with_columns() a column of the other's type, then key_by() it",
        )


def _key_text(stream: StreamType) -> str:
    known = dict(stream.columns)
    return ", ".join(f"{name}: {known[name]}" for name in stream.key)


def check_how(how: str, known: Sequence[str], *, where: str) -> None:
    """Refuse a word that says no kind of join.

    Raises:
        FlowError: with the words there are.
    """
    if how not in known:
        raise FlowError("no such kind of join", where=where, got=how, hint=" or ".join(repr(one) for one in known))


def right_names(left: StreamType, right: StreamType, suffix: str) -> dict[str, str]:
    """What each of the right side's own columns, but for its key, is called in the result."""
    taken = set(left.names)
    return {name: name + suffix if name in taken else name for name in right.names if name not in right.key}


def joined_type(left: StreamType, right: StreamType, suffix: str, *, where: str) -> StreamType:
    """The type of what a join gives: the key, the left side's other columns, the right side's other columns.

    Raises:
        FlowError: when two columns have one name in spite of the suffix.
    """
    if not isinstance(suffix, str):
        raise FlowError("a suffix is text", where=where, got=suffix, hint="suffix='_right'")
    mine, theirs = dict(left.columns), dict(right.columns)
    columns: list[tuple[str, pl.DataType]] = [(name, mine[name]) for name in left.key]
    columns += [(name, dtype) for name, dtype in left.columns if name not in left.key]
    columns += [(new, theirs[name]) for name, new in right_names(left, right, suffix).items()]
    names = [name for name, _ in columns]
    for name in names:
        if names.count(name) > 1:
            raise FlowError("both sides of a join have a column of that name", where=where, got=name, hint="suffix=...")
    return derived_type(columns, left.key)
