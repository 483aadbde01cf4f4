"""Rows of a Parquet file by number, a block at a time.

Law: memory is bounded by a block, and whatever is wrong inside the file is a DataError that names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import polars as pl

from styx_lab.connectors.paths import first_bytes, readable_file
from styx_lab.errors import DataError

__all__ = ["BLOCK", "ParquetRows", "is_parquet", "parquet_metadata"]

BLOCK: Final = 65_536
"""Rows that are held at a time; recordings are written in row groups of this size."""
_MAGIC: Final = b"PAR1"


def is_parquet(file: Path) -> bool:
    """Whether a file begins as Parquet files do."""
    return first_bytes(file, 4) == _MAGIC


def parquet_metadata(file: Path) -> dict[str, str]:
    """The texts that a Parquet file carries beside its rows.

    Raises:
        DataError: it is no Parquet file, or is damaged.
    """
    with _damage(file), file.open("rb") as opened:
        return pl.read_parquet_metadata(opened)


class ParquetRows:
    """Slices of the rows of a file; one after the other is quick, for the block they lie in is kept.

    Args:
        path: the file.
        columns: the columns to read.
        check: is given the file's schema before the columns are looked for, and may refuse it.

    Raises:
        InputMissingError, DataError: see `readable_file`; also when it is no Parquet file or is damaged.
    """

    def __init__(
        self, path: str | Path, *, columns: Sequence[str], check: Callable[[pl.Schema], None] | None = None
    ) -> None:
        self.path = readable_file(path)
        if not is_parquet(self.path):
            raise DataError("this is not a Parquet file", where=str(path), hint="check what wrote it, or its suffix")
        with _damage(self.path):
            whole = pl.scan_parquet(self.path, glob=False, hive_partitioning=False)
            schema = whole.collect_schema()
        if check:
            check(schema)
        with _damage(self.path):
            self._scan = whole.select(list(columns))
            self._count = int(whole.select(pl.len()).collect().item())
        self._block = -1
        self._frame = pl.DataFrame()

    def __len__(self) -> int:
        return self._count

    def slice(self, start: int, count: int) -> pl.DataFrame:
        """At most `count` rows from `start` on; fewer where a block ends, none only after the last row."""
        if start >= self._count or count <= 0:
            return self._frame.clear() if self._block >= 0 else pl.DataFrame()
        block, inside = divmod(start, BLOCK)
        if block != self._block:
            with _damage(self.path):
                self._frame = self._scan.slice(block * BLOCK, BLOCK).collect()
            self._block = block
        return self._frame.slice(inside, count)

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[pl.DataFrame]:
        """The rows from `start` to before `stop`, in slices."""
        stop = self._count if stop is None else min(stop, self._count)
        while start < stop:
            frame = self.slice(start, stop - start)
            start += frame.height
            yield frame

    def close(self) -> None:
        """Let go of the block; may be called twice."""
        self._block, self._frame = -1, pl.DataFrame()


@contextmanager
def _damage(file: Path) -> Iterator[None]:
    hint = "the file is damaged or no Parquet file; write it again, or take it from where it came"
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        # Polars panics, which is no Exception, on some damaged files.
        first = str(error).partition("\n")[0]
        raise DataError("the Parquet file cannot be read", where=str(file), got=first, hint=hint) from error
