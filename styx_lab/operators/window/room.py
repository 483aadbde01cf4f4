"""Room in flat arrays: how large to make them, and how to make them longer.

Law: growing costs nothing on average, for each time the room doubles.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from styx_lab.core.batch import Int64s
from styx_lab.operators.window.partial import Array

__all__ = ["longer", "more_free", "own", "room_for"]

_LEAST: Final = 64


def room_for(count: int) -> int:
    """The room to make for so many: a power of two."""
    return max(_LEAST, 1 << (count - 1).bit_length())


def own(array: np.ndarray[Any, Any]) -> Int64s:
    """A copy that is writable and in one piece: kernels would be compiled anew for others."""
    return np.array(array, np.int64)


def longer(array: Array, length: int) -> Array:
    """A copy with noughts behind."""
    made = np.zeros((length, *array.shape[1:]), array.dtype)
    made[: len(array)] = array
    return made


def more_free(stack: Array, free: int, before: int, after: int) -> Array:
    """A stack of `free` places, made longer by the new places from `before` up to `after` (the lowest on top)."""
    made = longer(stack, after)
    made[free : free + after - before] = np.arange(after - 1, before - 1, -1)
    return made
