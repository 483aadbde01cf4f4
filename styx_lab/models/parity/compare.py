"""Two answers to the same rows, compared: how many are equal, how far apart the others are, who refused alone.

Law: every row of a set is counted once for each pair: equal, differing, refused by both, or refused by one alone.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.models.parity.asking import SCORE, Answers
from styx_lab.models.parity.examples import ExampleSet
from styx_lab.models.parity.known import KnownDifference, Seen

__all__ = ["DifferingRow", "PairReport", "compare", "gather"]

_SMALL: Final = 1e-3
_FEW: Final = 5


@dataclass(frozen=True, slots=True)
class DifferingRow:
    """One row that two answer otherwise.

    Attributes:
        row: its place in the set.
        what: what is special about it, where something is.
        inputs: the row.
        answers: what each answered: the columns that differ, or its error.
        relative: how far apart the numbers are; `None` for labels and refusals.
        known: the name of the known difference that explains it, if one does.
    """

    row: int
    what: str
    inputs: Mapping[str, Any]
    answers: Mapping[str, Any]
    relative: float | None
    known: str | None


@dataclass(frozen=True, slots=True)
class PairReport:
    """What a set of rows showed of two.

    Attributes:
        set: the set's name.
        left: who is compared.
        right: with whom.
        rows: in the set.
        equal: rows with answers that are equal within the precision.
        same: of those, rows whose answers are the same to the last bit.
        differing: rows whose answers are further apart.
        refused: rows that both refuse.
        only_left_refuses: rows that the right one alone has an answer to.
        only_right_refuses: rows that the left one alone has an answer to.
        max_absolute: the greatest difference of two numbers; `None` where there are no numbers.
        max_relative: the greatest as a share of the greater number (see `compare`).
        known: of the differing rows and of those that one refuses alone, how many a known difference explains, by name.
        refusals_explained: of the rows that one refuses alone, how many a known difference explains.
        decades: how many rows are how far apart: `-12` stands for 1e-13 to 1e-12, `label` for another label.
        examples: the first rows that differ, then the first that one refuses alone.
    """

    set: str
    left: str
    right: str
    rows: int
    equal: int
    same: int
    differing: int
    refused: int
    only_left_refuses: int
    only_right_refuses: int
    max_absolute: float | None
    max_relative: float | None
    known: Mapping[str, int] = field(default_factory=dict)
    refusals_explained: int = 0
    decades: Mapping[str, int] = field(default_factory=dict)
    examples: tuple[DifferingRow, ...] = ()

    @property
    def unexplained(self) -> int:
        """Differing rows that no known difference explains."""
        return self.differing - (sum(self.known.values()) - self.refusals_explained)

    def to_json(self) -> dict[str, Any]:
        """The same as JSON."""
        return {**asdict(self), "examples": [asdict(each) for each in self.examples]}

    @staticmethod
    def from_json(given: Mapping[str, Any]) -> PairReport:
        """What `to_json` gave."""
        return PairReport(**{**given, "examples": tuple(DifferingRow(**each) for each in given.get("examples", ()))})


def gather(parts: Sequence[Answers]) -> Answers:
    """The answers to the parts of a set, one after the other."""
    if len(parts) == 1:
        return parts[0]
    names = dict.fromkeys(name for part in parts for name in part.columns)
    heights = [len(part.errors) for part in parts]
    columns = {}
    for name in names:
        pieces = [part.columns.get(name) for part in parts]
        dtypes = {piece.dtype for piece in pieces if piece is not None and piece.null_count() < len(piece)}
        dtype = dtypes.pop() if len(dtypes) == 1 else pl.Float64() if all(map(_numeric, dtypes)) else pl.String()
        columns[name] = pl.concat(
            [
                pl.Series(name, [None], dtype=dtype).new_from_index(0, height)
                if piece is None
                else piece.cast(dtype).alias(name)
                for piece, height in zip(pieces, heights, strict=True)
            ]
        )
    return Answers(columns, pl.concat([part.errors.alias("error") for part in parts]))


def compare(
    examples: ExampleSet,
    left: tuple[str, Answers],
    right: tuple[str, Answers],
    *,
    precision: float,
    shares: Collection[str] = (),
    labels: Collection[str] = (),
    known: Sequence[KnownDifference] = (),
) -> PairReport:
    """Compare two answers to a set of rows.

    A difference is relative to the greater of the two numbers, or to a thousandth of what is usual in that column where
    both are smaller than that (usual is the median; 1 for a probability): so a sum that cancels to 1e-17 on one side
    and to nought on the other is no difference.

    Args:
        examples: the rows.
        left: who, and the answers.
        right: the same.
        precision: how far apart numbers may be and still count as equal.
        shares: columns of probabilities.
        labels: columns of labels: numbers there are equal or are not.
        known: differences to look for.
    """
    (left_name, a), (right_name, b) = left, right
    height = len(examples)
    left_refuses, right_refuses = a.errors.is_not_null().to_numpy(), b.errors.is_not_null().to_numpy()
    both = ~left_refuses & ~right_refuses
    relative, absolute = np.zeros(height), np.zeros(height)
    label, numbers = np.zeros(height, dtype=bool), False
    differs_in: dict[str, np.ndarray] = {}
    for name in a.columns:
        if name not in b.columns:
            continue
        one, other = a.columns[name], b.columns[name]
        pair = _as_numbers(one, other)
        if pair is None:
            wrong = both & (_texts(one) != _texts(other)).to_numpy()
            label |= wrong
        else:
            numbers = True
            gap, share, missing = _apart(*pair, usual=1.0 if name in shares else None)
            if name in labels:
                label |= both & (share > 0)
                gap, share = np.zeros(height), np.where(share > 0, np.inf, 0.0)
            label |= both & missing
            absolute = np.where(both, np.maximum(absolute, gap), absolute)
            relative = np.where(both & np.isfinite(share), np.maximum(relative, share), relative)
            wrong = both & (missing | (share > precision))
        if wrong.any():
            differs_in[name] = wrong
    differing = both & (label | (relative > precision))
    alone = left_refuses ^ right_refuses
    explained = np.full(height, "", dtype=object)
    for each in known if (differing | alone).any() else ():
        seen = Seen(examples, left_name, right_name, a, b, differing, alone, np.where(label, np.inf, relative))
        explained = np.where(each.covers(seen) & (differing | alone) & (explained == ""), each.name, explained)
    names, counts = np.unique(explained[explained != ""].astype(str), return_counts=True)
    chosen = [*np.flatnonzero(differing)[:_FEW], *np.flatnonzero(alone)[:_FEW]]
    return PairReport(
        set=examples.name,
        left=left_name,
        right=right_name,
        rows=height,
        equal=int((both & ~differing).sum()),
        same=int((both & ~label & (relative == 0)).sum()),
        differing=int(differing.sum()),
        refused=int((left_refuses & right_refuses).sum()),
        only_left_refuses=int((left_refuses & ~right_refuses).sum()),
        only_right_refuses=int((right_refuses & ~left_refuses).sum()),
        max_absolute=float(absolute[both].max()) if numbers and both.any() else None,
        max_relative=float(relative[both].max()) if numbers and both.any() else None,
        known={str(name): int(count) for name, count in zip(names, counts, strict=True)},
        refusals_explained=int((alone & (explained != "")).sum()),
        decades=_decades(relative[both], label[both]),
        examples=tuple(
            DifferingRow(
                row=int(row),
                what=examples.label(int(row)),
                inputs={name: plain(value) for name, value in examples.row(int(row)).items()},
                answers={
                    name: _told(answers, int(row), [each for each, wrong in differs_in.items() if wrong[row]])
                    for name, answers in (left, right)
                },
                relative=float(relative[row]) if differing[row] and not label[row] else None,
                known=str(explained[row]) or None,
            )
            for row in chosen
        ),
    )


def plain(value: Any) -> Any:
    """A value as JSON can hold it; NaN and infinity as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _told(answers: Answers, row: int, columns: Sequence[str]) -> Any:
    error = answers.errors[row]
    if error is not None:
        return {"error": error}
    names = columns or [name for name in answers.columns if name == SCORE] or list(answers.columns)[:1]
    return {"score" if name == SCORE else name: plain(answers.columns[name][row]) for name in names}


def _numeric(dtype: pl.DataType) -> bool:
    return dtype.is_numeric()


def _as_numbers(one: pl.Series, other: pl.Series) -> tuple[np.ndarray, np.ndarray] | None:
    """Both columns as doubles, NaN where nothing is; `None` where they hold something else than numbers."""
    found = []
    for each in (one, other):
        number = each.cast(pl.Float64, strict=False) if not isinstance(each.dtype, pl.Boolean) else None
        if number is None or number.null_count() > each.null_count():
            return None
        found.append(number.fill_null(math.nan).to_numpy())
    return found[0], found[1]


def _texts(column: pl.Series) -> pl.Series:
    return column.cast(pl.String).fill_null("\0")


def _apart(a: np.ndarray, b: np.ndarray, *, usual: float | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How far apart numbers are: absolutely, as a share, and where one side has none."""
    missing = np.isnan(a) != np.isnan(b)
    if usual is None:
        sizes = np.abs(a[np.isfinite(a) & (a != 0)])
        usual = float(np.median(sizes)) if len(sizes) else 1.0
    with np.errstate(all="ignore"):
        gap = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
        share = gap / np.maximum(np.maximum(np.abs(a), np.abs(b)), _SMALL * usual)
    gap[missing] = 0.0
    share = np.where(np.isnan(share), np.where(missing | (gap == 0), 0.0, np.inf), share)
    return gap, share, missing


def _decades(relative: np.ndarray, label: np.ndarray) -> dict[str, int]:
    found: dict[str, int] = {}
    apart = relative[~label & (relative > 0)]
    if (count := int((~label & (relative == 0)).sum())) > 0:
        found["same"] = count
    steps = np.clip(np.ceil(np.log10(apart)), -17, 1).astype(int) if len(apart) else apart.astype(int)
    for step, count in zip(*np.unique(steps, return_counts=True), strict=True):
        found[str(int(step))] = int(count)
    if label.any():
        found["label"] = int(label.sum())
    return found
