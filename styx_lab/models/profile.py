"""The profile of the rows a model was trained on, and how far other rows are from it.

Law: a profile is JSON, made once, at training; the drift figure is a function of it and of counts alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.core.ports import Scorer, Scores
from styx_lab.errors import ModelError

__all__ = [
    "PROFILE",
    "ColumnProfile",
    "ProfiledScorer",
    "profile_of",
    "profile_rows",
    "psi",
    "read_profile",
    "with_profile",
]

PROFILE: Final = "profile"
"""Where a store keeps a model's profile: this key of its meta."""

_FORMAT: Final = 1
_PARTS: Final = 10
_VALUES: Final = 20
_SMALLEST: Final = 1e-4
_KINDS: Final = ("number", "text", "boolean", "other")


def profile_rows(frame: pl.DataFrame) -> dict[str, Any]:
    """How the columns of training rows are distributed, as JSON: to be kept with the model under `profile`.

    >>> rows = pl.DataFrame({"tries": [0, 0, 0, 1, 1, 2, None, 3], "country": ["DE", "FR", "DE", None] * 2})
    >>> profile = profile_rows(rows)
    >>> profile["columns"]["tries"]
    {'kind': 'number', 'edges': [1.0, 2.0, 3.0], 'shares': [0.375, 0.25, 0.125, 0.125], 'missing': 0.125}
    >>> profile["columns"]["country"]
    {'kind': 'text', 'values': ['DE', 'FR'], 'shares': [0.5, 0.25], 'rest': 0.0, 'missing': 0.25}

    A number has the inner edges of its deciles (a value on an edge belongs above it; of equal edges one stays), a text
    its 20 most frequent values. Shares are of all rows; null and NaN are missing.

    Args:
        frame: the rows with the model's inputs, as it was trained on them.

    Raises:
        ModelError: when there are no rows.
    """
    if frame.is_empty():
        raise ModelError("there are no rows to make a profile of", hint="give the rows that the model was trained on")
    return {
        "format": _FORMAT,
        "rows": frame.height,
        "columns": {series.name: _profile(series) for series in frame.get_columns()},
    }


def _profile(series: pl.Series) -> dict[str, Any]:
    height = len(series)
    if isinstance(series.dtype, pl.Boolean):
        there = series.drop_nulls()
        yes = int(there.sum())
        shares = [(len(there) - yes) / height, yes / height]
        return {"kind": "boolean", "shares": shares, "missing": series.null_count() / height}
    if isinstance(series.dtype, pl.String | pl.Categorical | pl.Enum):
        counts = series.cast(pl.String).drop_nulls().rename("value").value_counts(name="n")
        top = counts.sort(["n", "value"], descending=[True, False])[:_VALUES]
        rest = height - series.null_count() - int(top["n"].sum())
        shares = [count / height for count in top["n"].to_list()]
        missing = series.null_count() / height
        return {
            "kind": "text",
            "values": top["value"].to_list(),
            "shares": shares,
            "rest": rest / height,
            "missing": missing,
        }
    if not series.dtype.is_numeric():
        return {"kind": "other", "missing": series.null_count() / height}
    values = series.cast(pl.Float64).drop_nulls().drop_nans().to_numpy()
    finite = np.sort(values[np.isfinite(values)])
    # The k-th edge has k tenths of the rows below it; what is not above the least value would part nothing off.
    at = [finite[len(finite) * part // _PARTS] for part in range(1, _PARTS)] if len(finite) else []
    edges = sorted({float(edge) for edge in at if edge > finite[0]})
    counts_of = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    return {
        "kind": "number",
        "edges": edges,
        "shares": [count / height for count in counts_of.tolist()],
        "missing": (height - len(values)) / height,
    }


def psi(expected: Sequence[float], counts: Sequence[int]) -> float:
    """The population stability index of counted rows against expected shares of the same bins.

    >>> psi([0.5, 0.3, 0.2], [500, 300, 200])
    0.0
    >>> round(psi([0.5, 0.3, 0.2], [300, 300, 400]), 3)
    0.241

    It is the sum over all bins of `(actual - expected) * ln(actual / expected)`. Below 0.1 is read as no change, from
    0.1 to 0.25 as some, above as a shift that needs a look. A share below 0.0001 counts as 0.0001 on either side, so
    that an empty bin has a finite part in it. By chance alone it is about (bins - 1) / rows.

    Args:
        expected: the share of each bin at training.
        counts: how many rows were counted in each; together one or more.

    Source: N. Siddiqi, Credit Risk Scorecards, Wiley 2006, "system stability report" (definition and limits);
    B. Yurdakul, Statistical Properties of Population Stability Index, 2018 (its distribution by chance).
    """
    actual = np.asarray(counts, dtype=np.float64)
    actual = np.maximum(actual / actual.sum(), _SMALLEST)
    wanted = np.maximum(np.asarray(expected, dtype=np.float64), _SMALLEST)
    return float(((actual - wanted) * np.log(actual / wanted)).sum())


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """One column of a profile that was kept.

    Attributes:
        kind: `number`, `text`, `boolean` or `other`.
        edges: the inner edges of a number's bins, rising.
        values: a text's most frequent values.
        shares: of its bins; of a text then of all other values; last of missing ones.
    """

    kind: str
    edges: tuple[float, ...]
    values: tuple[str, ...]
    shares: tuple[float, ...]


def read_profile(kept: Any, *, where: str) -> dict[str, ColumnProfile]:
    """A profile from the JSON that `profile_rows` made.

    Raises:
        ModelError: when it is of another format, or damaged.
    """
    hint = "train the model again, or put it into the store without a profile"
    try:
        if kept["format"] != _FORMAT:
            raise ModelError("the model's profile is of an unknown format", where=where, got=kept["format"], hint=hint)
        return {str(name): _read_column(column) for name, column in kept["columns"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError("the model's profile cannot be read", where=where, got=str(error), hint=hint) from None


def _read_column(column: Mapping[str, Any]) -> ColumnProfile:
    kind = column["kind"]
    if kind not in _KINDS:
        raise ValueError(f"kind {kind!r}")
    edges = tuple(float(edge) for edge in column.get("edges", ()))
    values = tuple(str(value) for value in column.get("values", ()))
    bins = [float(share) for share in column.get("shares", ())]
    wanted = {"number": len(edges) + 1, "text": len(values), "boolean": 2, "other": 0}[kind]
    shares = (*bins, *([float(column["rest"])] if kind == "text" else []), float(column["missing"]))
    rising = all(low < high for low, high in pairwise(edges))
    if len(bins) != wanted or not rising or not all(isfinite(number) for number in (*edges, *shares)):
        raise ValueError(f"{len(bins)} shares of {wanted} bins, edges {list(edges)}")
    return ColumnProfile(kind, edges, values, shares)


class ProfiledScorer:
    """A scorer with the profile that is kept with its model.

    Args:
        scorer: what scores.
        profile: as `profile_rows` made it.
    """

    def __init__(self, scorer: Scorer, profile: Mapping[str, Any]) -> None:
        self._scorer = scorer
        self.profile = read_profile(profile, where=f"model {scorer.name!r}")

    @property
    def name(self) -> str:
        """See `Scorer.name`."""
        return self._scorer.name

    @property
    def inputs(self) -> Mapping[str, pl.DataType]:
        """See `Scorer.inputs`."""
        return self._scorer.inputs

    @property
    def output(self) -> pl.DataType:
        """See `Scorer.output`."""
        return self._scorer.output

    @property
    def outputs(self) -> Mapping[str, pl.DataType]:
        """See `Scorer.outputs`."""
        return self._scorer.outputs

    def score(self, frame: pl.DataFrame, outputs: Sequence[str] = ()) -> Scores:
        """See `Scorer.score`."""
        return self._scorer.score(frame, outputs)

    def close(self) -> None:
        """See `Scorer.close`."""
        self._scorer.close()


def with_profile(scorer: Scorer, meta: Mapping[str, Any]) -> Scorer:
    """The scorer with the profile in its model's meta; the scorer itself where none is kept.

    Raises:
        ModelError: when the profile cannot be read.
    """
    kept = meta.get(PROFILE)
    return scorer if kept is None else ProfiledScorer(scorer, kept)


def profile_of(scorer: Scorer) -> dict[str, ColumnProfile] | None:
    """The profile that is kept with a scorer's model, None where there is none."""
    return scorer.profile if isinstance(scorer, ProfiledScorer) else None
