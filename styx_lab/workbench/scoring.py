"""Score a file of rows by a model, outside any flow.

Law: each row of the input has one row in the answer, in order, with a score or an error; a value is given to the model
as it is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import msgspec
import polars as pl

from styx_lab.core.ports import Scorer
from styx_lab.errors import DataError, InputMissingError, ModelError
from styx_lab.models import open_scorer
from styx_lab.workbench.json_columns import ColumnKinds, json_column
from styx_lab.workbench.models import find_model

__all__ = ["read_texts", "score_rows"]

_BATCH: Final = 10_000
_READERS: Final = (".csv", ".parquet", ".jsonl", ".ndjson")


def score_rows(
    model: str | Path,
    rows: str | Path | pl.DataFrame,
    *,
    engine: str = "native",
    outputs: Sequence[str] | None = None,
    keep: bool = False,
    store: str | Path | None = None,
    batch: int = _BATCH,
) -> Iterator[pl.DataFrame]:
    """Score rows, batch by batch: `pl.concat(score_rows("fraud@champion", frame))`.

    Args:
        model: `fraud`, `fraud@3`, `fraud@champion`, or the path of a `.pmml` file.
        rows: a `.csv`, `.parquet` or `.jsonl` file, or a frame. What stands in a CSV file is given to the model as
            text, as it is written (`007` stays `007`); nothing between two commas, or `""`, is a
            missing value.
        engine: the evaluator; see `open_scorer`.
        outputs: which of the model's outputs to give beside the score; all of them where it is not said.
        keep: whether to give the columns of the input too, before the others.
        store: the store; the default one where none is named.
        batch: rows at a time; shows in no value.

    Yields:
        Frames with `score`, the outputs under their own names (the target, `probability(CLASS)`, those that the file
        declares), and `error`, which is null where there is a score. A name that is taken already gets a `_` before it.

    Raises:
        InputMissingError, DataError: when a file is not there or cannot be read.
        NotFoundError: when the store has no such model.
        ModelError: when the model is refused, or the rows lack a column that it needs.
    """
    record = find_model(model, store=store)
    scorer = open_scorer(record, engine)
    try:
        asked = list(scorer.outputs) if outputs is None else list(outputs)
        for frame in _frames(rows, batch, scorer.inputs):
            yield _scored(scorer, frame, asked, keep=keep)
    finally:
        scorer.close()


def _scored(scorer: Scorer, frame: pl.DataFrame, asked: Sequence[str], *, keep: bool) -> pl.DataFrame:
    missing = [name for name in scorer.inputs if name not in frame.columns]
    if missing:
        raise ModelError(
            "the rows lack a column that the model needs",
            where=f"model {scorer.name!r}",
            got=", ".join(missing),
            hint=f"the rows have {', '.join(frame.columns) or 'no columns'}",
        )
    found = scorer.score(frame.select(list(scorer.inputs)), asked)
    columns: dict[str, pl.Series] = {name: frame[name] for name in frame.columns} if keep else {}
    answer: list[tuple[str, pl.Series, Sequence[str]]] = [
        ("score", found.values, asked),
        *((name, found.outputs[name], ()) for name in asked),
        ("error", found.errors, asked),
    ]
    for name, series, taken in answer:
        # An input that is kept has its name before an output, and an output before `score` and `error`.
        free = name
        while free in columns or free in taken:
            free = f"_{free}"
        columns[free] = series
    return pl.DataFrame([series.alias(name) for name, series in columns.items()])


def _frames(rows: str | Path | pl.DataFrame, batch: int, fields: Mapping[str, pl.DataType]) -> Iterator[pl.DataFrame]:
    if isinstance(rows, pl.DataFrame):
        yield from rows.iter_slices(batch) if rows.height else [rows]
        return
    path = Path(rows)
    if not path.is_file():
        raise InputMissingError("there is no such file", where="rows", got=str(path), hint="check the path")
    if path.suffix not in _READERS:
        raise DataError("rows are in another form", where=str(path), got=path.suffix, hint=", ".join(_READERS))
    if path.suffix == ".csv":
        yield from read_texts(path, batch)
    elif path.suffix == ".parquet":
        try:
            yield from _batches(pl.scan_parquet(path, glob=False), batch)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise _unreadable(path, error) from error
    else:
        yield from _json_rows(path, batch, fields)


def read_texts(path: Path, batch: int = _BATCH, *, separator: str = ",", quote: str = '"') -> Iterator[pl.DataFrame]:
    """The rows of a CSV file, every column as the text that stands there; nothing between two commas, or `""`, is null.

    A line that ends early lacks the values of its last columns.

    Raises:
        DataError: when it is empty, no UTF-8, or a line has more columns than the first.
    """
    try:
        lines = pl.scan_csv(
            path, infer_schema=False, glob=False, raise_if_empty=True, separator=separator, quote_char=quote
        )
        for frame in _batches(lines, batch):
            # Whether an empty text was put between quotes tells how it was written, not what it says.
            yield frame.select(pl.when(pl.all() != "").then(pl.all()).name.keep())
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(path, error) from error


def _batches(scan: pl.LazyFrame, batch: int) -> Iterator[pl.DataFrame]:
    """The rows, batch by batch; where there are none, one frame that has the columns."""
    schema = scan.collect_schema()
    none = True
    for frame in scan.collect_batches(chunk_size=batch, maintain_order=True):
        none = False
        yield frame
    if none:
        yield pl.DataFrame(schema=schema)


def _json_rows(path: Path, batch: int, fields: Mapping[str, pl.DataType]) -> Iterator[pl.DataFrame]:
    """The rows of a file with one JSON object a line; what a row does not have is null.

    It is read twice: a column has one type in all batches, whatever comes first.
    """
    kinds: dict[str, ColumnKinds] = {}
    for number, row in _json_lines(path):
        for name, value in row.items():
            if name in fields and isinstance(value, list | dict):
                raise DataError(
                    "a row has no single value for a field", where=f"{path}, line {number}", got=f"{name}: {value}"
                )
            kinds.setdefault(name, ColumnKinds()).add(value)
    dtypes = {name: each.dtype(fields.get(name)) for name, each in kinds.items()}
    lines = _json_lines(path)
    none = True
    while rows := [row for _, row in islice(lines, batch)]:
        none = False
        yield pl.DataFrame(
            [json_column(name, [row.get(name) for row in rows], dtype) for name, dtype in dtypes.items()]
        )
    if none:
        yield pl.DataFrame(schema=dict(fields))


def _json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    decoder = msgspec.json.Decoder(dict[str, Any])
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    try:
                        yield number, decoder.decode(line)
                    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                        raise DataError(
                            "a line is no JSON object", where=f"{path}, line {number}", got=str(error)
                        ) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(
        "the rows cannot be read",
        where=str(path),
        got=str(error).partition("\n")[0],
        hint="a CSV file is UTF-8, its first line names the columns, every line has as many",
    )
