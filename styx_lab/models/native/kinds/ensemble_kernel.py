"""Adding up what the trees of an ensemble say, row by row in the file's order."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from styx_lab.core.compiled import njit

__all__ = ["add_numbers", "add_shares", "add_single"]

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


@njit(cache=True, nogil=True)
def add_numbers(ends: Ints, scores: Floats, weights: Floats, total: Floats) -> None:
    """Into `total` (rows): the weighted scores of the nodes at `ends` (rows, trees)."""
    rows, trees = ends.shape
    for row in range(rows):
        found = 0.0
        for tree in range(trees):
            found += scores[ends[row, tree]] * weights[tree]
        total[row] = found


@njit(cache=True, nogil=True)
def add_single(
    ends: Ints, scores: npt.NDArray[np.float32], weights: npt.NDArray[np.float32], total: npt.NDArray[np.float32]
) -> None:
    """The same in 32 bits."""
    rows, trees = ends.shape
    for row in range(rows):
        found: Any = np.float32(0.0)
        for tree in range(trees):
            found = np.float32(found + np.float32(scores[ends[row, tree]] * weights[tree]))
        total[row] = found


@njit(cache=True, nogil=True)
def add_shares(ends: Ints, shares: Floats, weights: Floats, whole: float, total: Floats) -> None:
    """Into `total` (rows, classes): the weighted mean of the shares of the nodes at `ends`."""
    rows, trees = ends.shape
    classes = shares.shape[1]
    for row in range(rows):
        for tree in range(trees):
            at = ends[row, tree]
            weight = weights[tree]
            for each in range(classes):
                total[row, each] += shares[at, each] * weight
        for each in range(classes):
            total[row, each] /= whole
