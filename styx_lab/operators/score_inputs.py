"""What a model was given: per input how often null and NaN, and how far from the rows that it was trained on.

Law (re-chunking, crash anywhere): a function of the sequence of rows since the job began; which of them are sorted into
bins is decided by their number alone, never by where a batch was cut.

Nulls are counted in all rows. NaNs are counted, and values sorted into bins, in all of the first 65,536 rows, then in
one block of 512 rows of 32, each of which stands for 32: so a long run costs little, and its figures are as good.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from styx_lab.core.compiled import njit
from styx_lab.core.events import canonical_json
from styx_lab.core.operator import Figures
from styx_lab.models.profile import ColumnProfile, psi

__all__ = ["BLOCK", "EVERY", "FULL", "InputCounts", "spans_of"]

FULL: Final = 65_536
"""Of so many rows each is sorted into bins; a multiple of `BLOCK * EVERY`."""
BLOCK: Final = 512
EVERY: Final = 32
_FEWEST: Final = 100
_OTHER: Final = ColumnProfile("other", (), (), ())

Int64s = npt.NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy")
def _count(values, weight, edges, counts):  # type: ignore[no-untyped-def]
    """Adds to each column's `counts` how many values are numbers, and how many reach each edge.

    `values` has one column after the other; where a column has fewer edges than others, there is NaN for one.
    """
    height = len(values) // len(edges)
    for column in range(len(edges)):
        part = values[column * height : (column + 1) * height]  # in bounds for sure: so the loops are vectorized
        numbers = 0
        for row in range(len(part)):
            if part[row] == part[row]:
                numbers += 1
        counts[column, 0] += weight * numbers
        for place in range(edges.shape[1]):
            edge = edges[column, place]
            reached = 0
            for row in range(len(part)):
                if part[row] >= edge:
                    reached += 1
            counts[column, 1 + place] += weight * reached


def spans_of(first: int, height: int) -> list[tuple[int, int, int]]:
    """Which rows of a batch are sorted into bins: (from, to, for how many each stands), by place in the batch.

    >>> spans_of(65_000, 5_000)
    [(0, 536, 1), (536, 1048, 32)]

    Args:
        first: the number of the batch's first row, from 0.
        height: how many rows it has.
    """
    last = first + height
    spans = [(0, min(last, FULL) - first, 1)] if first < FULL and height else []
    period = BLOCK * EVERY
    for begin in range(max(first, FULL) // period * period, last, period):
        start, end = max(begin, first, FULL), min(begin + BLOCK, last)
        if start < end:
            spans.append((start - first, end - first, EVERY))
    return spans


class InputCounts:
    """Counts the values of a model's inputs.

    Args:
        inputs: the columns with the events' types.
        profile: of the rows that the model was trained on; None where none is kept.
    """

    def __init__(self, inputs: Mapping[str, pl.DataType], profile: Mapping[str, ColumnProfile] | None) -> None:
        self._kept = profile is not None
        self._profiles = {name: _profile_of(name, dtype, profile or {}) for name, dtype in inputs.items()}
        self._numbers = [
            name for name, dtype in inputs.items() if dtype.is_float() or self._profiles[name].kind == "number"
        ]
        self._words = [name for name, each in self._profiles.items() if each.kind in ("text", "boolean")]
        most = max((len(self._profiles[name].edges) for name in self._numbers), default=0)
        self._edges = np.full((len(self._numbers), most), np.nan)
        for place, name in enumerate(self._numbers):
            edges = self._profiles[name].edges
            self._edges[place, : len(edges)] = edges
        told = [(name, each.kind, each.edges, each.values) for name, each in self._profiles.items()]
        self._digest = sha256(canonical_json(told)).hexdigest()
        self.clear()

    def clear(self) -> None:
        """Forget all that was counted."""
        self._rows = self._binned = 0
        self._nulls = dict.fromkeys(self._profiles, 0)
        # Nulls among the rows that are sorted into bins, weighted as those are.
        self._binned_nulls = dict.fromkeys(self._profiles, 0)
        # Of a number: all that are numbers, and those that reach each edge. Of words: all that are there, and each.
        self._counts = np.zeros((len(self._numbers), 1 + self._edges.shape[1]), np.int64)
        self._said = {name: np.zeros(1 + _words(self._profiles[name]), np.int64) for name in self._words}

    def add(self, frame: pl.DataFrame) -> None:
        """Count the rows of a frame, which has the columns."""
        with_nulls = []
        for name in self._profiles:
            if nulls := frame.get_column(name).null_count():
                self._nulls[name] += nulls
                with_nulls.append(name)
        for begin, end, weight in spans_of(self._rows, frame.height):
            self._sort(frame.slice(begin, end - begin), weight, with_nulls)
        self._rows += frame.height

    def _sort(self, piece: pl.DataFrame, weight: int, with_nulls: list[str]) -> None:
        self._binned += weight * piece.height
        for name in with_nulls:
            self._binned_nulls[name] += weight * piece.get_column(name).null_count()
        if self._numbers:
            # Column by column: DataFrame.to_numpy() waits for Polars' threads, which may be busy for milliseconds.
            values = np.empty((len(self._numbers), piece.height))
            for place, name in enumerate(self._numbers):
                values[place] = piece.get_column(name).to_numpy()  # a null is a NaN here
            _count(values.reshape(-1), weight, self._edges, self._counts)
        for name in self._words:
            _count_words(piece.get_column(name), weight, self._profiles[name], self._said[name])

    def figures(self) -> Figures:
        """For each input the rows so far, its null rate, its NaN rate, and its distance from the training rows."""
        return {name: self._figures(name) for name in self._profiles}

    def _figures(self, name: str) -> dict[str, Any]:
        rows, profile = self._rows, self._profiles[name]
        found: dict[str, Any] = {"rows": rows, "null_rate": None, "nan_rate": None, "psi": None, "note": None}
        if rows:
            found["null_rate"] = self._nulls[name] / rows
            found["nan_rate"] = self._nans(name) / self._binned
        if not self._kept:
            found["note"] = "no profile is kept with the model"
        elif profile.kind == "other":
            found["note"] = "the profile has no bins for this input"
        elif rows < _FEWEST:
            found["note"] = f"fewer than {_FEWEST} rows"
        else:
            found["psi"] = psi(profile.shares, self._bins(name))
        return found

    def _nans(self, name: str) -> int:
        if name not in self._numbers:
            return 0
        numbers = int(self._counts[self._numbers.index(name), 0])
        return self._binned - self._binned_nulls[name] - numbers

    def _bins(self, name: str) -> list[int]:
        """How many rows are in each bin of the profile, the missing ones last."""
        profile = self._profiles[name]
        if profile.kind == "number":
            there, *reached = self._counts[self._numbers.index(name)].tolist()[: 1 + len(profile.edges)]
            bins = [low - high for low, high in zip([there, *reached], [*reached, 0], strict=True)]
        else:
            there, *bins = self._said[name].tolist()
            rest = there - sum(bins)
            bins = [*bins, rest] if profile.kind == "text" else [rest, *bins]
        return [*bins, self._binned - there]

    def to_json(self) -> dict[str, Any]:
        """All that was counted, to be kept in a state."""
        return {
            "profile": self._digest,
            "rows": self._rows,
            "binned": self._binned,
            "nulls": dict(self._nulls),
            "binned_nulls": dict(self._binned_nulls),
            "numbers": dict(zip(self._numbers, self._counts.tolist(), strict=True)),
            "words": {name: counts.tolist() for name, counts in self._said.items()},
        }

    def from_json(self, kept: Mapping[str, Any]) -> None:
        """Go on counting; what was counted against another profile is forgotten, for it says nothing of this one."""
        self.clear()
        if kept.get("profile") != self._digest:
            return
        self._rows, self._binned = kept["rows"], kept["binned"]
        self._nulls, self._binned_nulls = dict(kept["nulls"]), dict(kept["binned_nulls"])
        for place, name in enumerate(self._numbers):
            self._counts[place] = kept["numbers"][name]
        self._said = {name: np.array(kept["words"][name], np.int64) for name in self._words}


def _profile_of(name: str, dtype: pl.DataType, profile: Mapping[str, ColumnProfile]) -> ColumnProfile:
    """The profile of an input, if it is of the type that the events have."""
    found = profile.get(name, _OTHER)
    fits = {"number": dtype.is_numeric(), "text": dtype == pl.String, "boolean": dtype == pl.Boolean}
    return found if fits.get(found.kind, False) else _OTHER


def _words(profile: ColumnProfile) -> int:
    return 1 if profile.kind == "boolean" else len(profile.values)


def _count_words(series: pl.Series, weight: int, profile: ColumnProfile, counts: Int64s) -> None:
    """Adds to `counts` how many values are there, and how often each of a profile's is (of a boolean's, true)."""
    counts[0] += weight * (len(series) - series.null_count())
    if profile.kind == "boolean":
        counts[1] += weight * int(series.sum())
        return
    told = series.rename("value").value_counts(name="n")
    for value, count in told.filter(told["value"].is_in(list(profile.values))).rows():
        counts[1 + profile.values.index(value)] += weight * count
