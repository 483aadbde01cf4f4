"""An expression in stages: each choice between values is written out as a column before anything reckons with it.

Law (re-chunking): Polars takes a short cut where one side of an operation has one value for all rows: `a / 3`
multiplies by a third, `a + 0` is `a`. What `COALESCE`, `CASE` or `when` gives looks like that in a frame in which all
rows take the same constant, and not in another, so the last bit would depend on which rows came together. A column of
a frame of two rows and more never looks like that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

__all__ = ["CHOICES", "Stages", "written_out"]

CHOICES: Final = frozenset({"coalesce", "when"})
"""The functions whose result may be one constant in one frame and a column in another."""


@dataclass(frozen=True, slots=True)
class Stages:
    """Columns to write out, in order, and the expression that reads them.

    Attributes:
        columns: name and expression of each; later ones may read earlier ones.
        last: the expression itself.
    """

    columns: tuple[tuple[str, pl.Expr], ...]
    last: pl.Expr

    def over(self, frame: pl.DataFrame, name: str) -> pl.DataFrame:
        """The frame, with the stages' columns and with the expression's values as `name`."""
        for column, expression in self.columns:
            frame = written_out(frame.with_columns(expression.alias(column)))
        return frame.with_columns(self.last.alias(name))


def written_out(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with every column in one chunk, and written out where Polars kept one value for all rows."""
    return pl.DataFrame([frame.get_column(name) for name in frame.columns]).rechunk()
