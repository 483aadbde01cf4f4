"""How many bytes an operator holds: the arrays, columns and keys that can be reached from it.

Law: what is counted is what is there; nothing is estimated from a schema. Plain Python objects are not counted, so an
operator that keeps them says its own figure.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from styx_lab.core.keys import KeyIndex

__all__ = ["held_bytes"]


def held_bytes(thing: Any) -> int:
    """The bytes of all arrays, frames and key indexes in a thing's attributes and containers, each counted once.

    >>> held_bytes({"a": np.zeros(4), "b": [pl.Series([1, 2])]})
    48
    """
    total, seen, waiting = 0, set[int](), [thing]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, KeyIndex | np.ndarray):
            total += one.nbytes
        elif isinstance(one, pl.DataFrame | pl.Series):
            total += int(one.estimated_size())
        elif isinstance(one, dict):
            waiting += one.values()
        elif isinstance(one, list | tuple | set):
            waiting += one
        elif type(one).__module__.startswith("styx_lab."):
            waiting += _attributes(one)
    return total


def _attributes(thing: Any) -> list[Any]:
    found = list(getattr(thing, "__dict__", {}).values())
    slots = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
    return found + [getattr(thing, name) for name in slots if hasattr(thing, name)]
