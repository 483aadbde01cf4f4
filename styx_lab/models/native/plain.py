"""Plain batches: every input that a model reads is there, is a number or a known text, and is what the file admits.

Law: a plain batch is scored in one pass over arrays, and gets the bits that the general way gives. Wherever that is not
sure, of a model or of a batch, there is no plain way, and the general one answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl
from polars.exceptions import PolarsError

from styx_lab.models.native.column import Column, Rows
from styx_lab.models.native.fields import MiningField, admits_all, take
from styx_lab.models.native.predicates import TRUE, UNKNOWN, Predicate
from styx_lab.models.native.recipes import LOOK_UP, NARROW, Recipe
from styx_lab.models.native.scope import Names

__all__ = ["Inputs", "Matrix", "PlainModel", "Program", "Resolve", "Source", "resolver"]

Matrix = npt.NDArray[np.float64]
"""(columns, rows): the inputs of a plain batch, texts as codes."""

_INTEGERS: Final = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32)
_LARGEST: Final = 2**31 - 1
_DOUBLE: Final = pl.Float64()
_FEW: Final = 512
"""Texts up to here are looked up one by one; what Polars does to a column costs as much as that."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a name's values come from: a column of the matrix, and steps from there.

    Attributes:
        column: its number.
        type: of the values after the steps: `double`, `float`, `integer` or `string`.
        steps: what is done to the column, each a step and its constant.
        words: of a text, what the codes stand for.
    """

    column: int
    type: str
    steps: tuple[tuple[int, float], ...] = ()
    words: tuple[str, ...] = ()


Resolve = Callable[[str], Source | None]
"""From a name to its source; `None` for what is not plain."""


@dataclass(frozen=True, slots=True)
class PlainModel:
    """A model's way to score plain batches.

    Attributes:
        tell: the matrix, and of which class (-1: of all) -> numbers (rows), or by class (classes, rows); `None` where
            the batch turns out not to be plain.
        classes: the classes of a classifier.
        labels: the label that each class has.
        heavy: whether the general way takes many times as long, so that a batch with few gaps is worth taking apart.
    """

    tell: Callable[[Matrix, int], npt.NDArray[np.float64] | None]
    classes: tuple[str, ...] = ()
    labels: Column | None = None
    heavy: bool = False


class Inputs:
    """The inputs that a document's plain way reads.

    Args:
        fields: the mining fields of the outermost model.
    """

    def __init__(self, fields: Mapping[str, MiningField]) -> None:
        self._fields = fields
        self._known: dict[str, Source | None] = {}
        self._numbers: list[tuple[str, int, MiningField | None]] = []  # without a field: every number will do
        self._texts: list[tuple[str, int, dict[str, int], pl.Enum]] = []
        self.width = 0

    def source(self, name: str) -> Source | None:
        """The source of an input."""
        if name not in self._known:
            self._known[name] = self._register(name)
        return self._known[name]

    def spare(self) -> int:
        """A column for values that are made on the way."""
        self.width += 1
        return self.width - 1

    def _register(self, name: str) -> Source | None:
        field = self._fields.get(name)
        data = None if field is None else field.data
        if field is None or data is None or not field.active:
            return None
        if data.type in ("double", "float", "integer"):
            column = self.spare()
            whole = data.plain and field.outliers == "asIs" and data.type != "integer"
            self._numbers.append((name, column, None if whole else field))
            return Source(column, data.type, ((NARROW, 0.0),) if data.type == "float" else ())
        words = tuple(dict.fromkeys(data.valid))
        if data.type != "string" or not words or data.missing or data.invalid:
            return None
        column = self.spare()
        self._texts.append((name, column, {word: code for code, word in enumerate(words)}, pl.Enum(words)))
        return Source(column, "string", (), words)

    def read(self, frame: pl.DataFrame) -> Matrix | None:
        """The matrix of a batch; `None` when it is not plain. NaN, which is a missing value, is left to the reader."""
        matrix = np.empty((self.width, frame.height), dtype=np.float64)
        try:
            for name, column, field in self._numbers:
                series = frame.get_column(name)
                if field is None and series.dtype == _DOUBLE:
                    matrix[column] = series.to_numpy()  # a null becomes NaN
                elif not _read_numbers(field or self._fields[name], series, matrix[column]):
                    return None
        except PolarsError:
            return None
        for name, column, codes, words in self._texts:
            try:
                series = frame.get_column(name)
                if series.dtype != pl.String or series.null_count():
                    return None
                if frame.height <= _FEW:
                    matrix[column] = [codes[text] for text in series.to_list()]
                else:
                    matrix[column] = series.cast(words).to_physical().to_numpy()
            except (PolarsError, KeyError):  # no such column, or a text that the file does not admit
                return None
        return matrix

    def odd(self, frame: pl.DataFrame) -> npt.NDArray[np.bool_] | None:
        """The rows that have a gap, or a text that the file does not admit; `None` where there are none."""
        found = np.zeros(frame.height, dtype=np.bool_)
        try:
            for name, _, _ in self._numbers:
                series = frame.get_column(name)
                if series.null_count():
                    found |= series.is_null().to_numpy()
                if series.dtype.is_float():
                    found |= np.isnan(series.to_numpy())
            for name, _, codes, _ in self._texts:
                series = frame.get_column(name)
                if series.dtype != pl.String:
                    return None
                found |= ~series.is_in(list(codes)).fill_null(False).to_numpy()
        except PolarsError:
            return None
        return found if found.any() else None


def _read_numbers(field: MiningField, series: pl.Series, into: npt.NDArray[np.float64]) -> bool:
    """Take a column of numbers; false when it needs a closer look."""
    data = field.data
    assert data is not None
    dtype = series.dtype
    if data.type == "integer":
        if dtype not in _INTEGERS or series.null_count():
            return False
        into[:] = series.to_numpy()
        if len(into) and not (into.min() >= -_LARGEST - 1 and into.max() <= _LARGEST):
            return False
    elif dtype == pl.Float64 or (dtype == pl.Float32 or (dtype in _INTEGERS and dtype != pl.Int64)):
        into[:] = series.to_numpy()  # a null becomes NaN
    elif dtype == pl.Int64 and data.type == "double":
        into[:] = series.to_numpy()
    else:
        return False
    if data.plain and field.outliers == "asIs":
        return True
    column = take(data, series).column
    return admits_all(data, column) and not field.limits(column)


def resolver(names: Names, around: Resolve, *, top: bool = False) -> Resolve:
    """What the names of a model stand for, in plain batches."""
    known: dict[str, Source | None] = {}

    def find(name: str) -> Source | None:
        recipe = names.recipes.get(name)
        if name in names.derived:
            return None if recipe is None or recipe.field == name else _apply(recipe, resolve(recipe.field))
        if name in names.mining:
            return around(name) if top or names.fields[name].passes else None
        shared = names.shared.get(name)
        if shared is None:
            return None
        if not top and not shared[1] <= names.mining.keys():
            return around(name)
        recipe = names.shared_recipes.get(name)
        return None if recipe is None or recipe.field == name else _apply(recipe, resolve(recipe.field))

    def resolve(name: str) -> Source | None:
        if name not in known:
            known[name] = None  # what goes round in a circle stands for nothing
            known[name] = find(name)
        return known[name]

    return resolve


def _apply(recipe: Recipe, source: Source | None) -> Source | None:
    if source is None:
        return None
    if not recipe.steps and recipe.type == source.type:
        return source
    if source.type == "string" or recipe.type not in ("double", "float"):
        return None
    steps, data_type = list(source.steps), source.type
    for step, constant, constant_type in recipe.steps:
        if "double" not in (data_type, constant_type):
            return None  # reckoned in whole numbers, or in 32 bits
        steps.append((step, constant))
        data_type = "double"
    if recipe.type == "float" and data_type != "float":
        steps.append((NARROW, 0.0))
    return replace(source, type=recipe.type, steps=tuple(steps))


_Ints = npt.NDArray[np.int64]
ProgramArrays = tuple[_Ints, _Ints, _Ints, npt.NDArray[np.float64], npt.NDArray[np.float64]]
"""A `Program` as passes take it."""


class Program:
    """The columns that a pass makes for itself: from the matrix, by steps.

    Attributes:
        source: for each, the column of the matrix.
        first: where its steps begin, and at the end where the last one's end.
        steps: the steps.
        constants: their constants.
        tables: the tables that steps look up in.
    """

    def __init__(self) -> None:
        self._source: list[int] = []
        self._first: list[int] = [0]
        self._steps: list[tuple[int, float]] = []
        self._tables: list[float] = []

    def __len__(self) -> int:
        return len(self._source)

    def add(self, source: Source) -> int:
        """A column of a source; gives its number."""
        self._source.append(source.column)
        self._steps.extend(source.steps)
        self._first.append(len(self._steps))
        return len(self._source) - 1

    def add_table(self, source: Source, table: list[float]) -> int:
        """A column of entries of a table, by the codes of a text."""
        begin = len(self._tables)
        self._tables.extend(table)
        return self.add(replace(source, steps=((LOOK_UP, float(begin)),)))

    def arrays(self) -> ProgramArrays:
        """Source, first, steps, constants and tables."""
        return (
            np.array(self._source, dtype=np.int64),
            np.array(self._first, dtype=np.int64),
            np.array([step for step, _ in self._steps], dtype=np.int64),
            np.array([constant for _, constant in self._steps], dtype=np.float64),
            np.array(self._tables, dtype=np.float64),
        )


class _NotPlain(Exception):
    """A predicate looks at more than one text."""


class _OneText:
    """Names for a predicate that is tried on every word of the one text that it asks for."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self.rows = Rows(0)
        self.source: Source | None = None

    def column(self, name: str) -> Column:
        """The words of a text, each once."""
        source = self._resolve(name)
        if source is None or source.type != "string" or self.source not in (None, source):
            raise _NotPlain
        self.source = source
        return Column("string", np.arange(len(source.words), dtype=np.int32), words=source.words)


def truths_of(predicate: Predicate, resolve: Resolve) -> tuple[Source, list[float]] | None:
    """The text that a predicate asks for, and what it says of each word; `None` when it is no such predicate."""
    names = _OneText(resolve)
    try:
        truth = predicate.evaluate(names)
    except _NotPlain:
        return None
    source = names.source
    if source is None or truth.errors is not None or (truth.values == UNKNOWN).any():
        return None
    values = np.broadcast_to(truth.values == TRUE, (len(source.words),))
    return source, values.astype(np.float64).tolist()
