"""A user's own aggregate over groups of events.

Law: an error in it loses nothing: the run stops before anything of the slice is committed, and says of which step, key
and window it was; with the error mended it goes on from there.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from styx_lab.core.schema import dtype_from_json
from styx_lab.errors import DataError
from styx_lab.flow.aggregates.custom import Custom
from styx_lab.operators.carried import load, object_of
from styx_lab.operators.window.members import Members

__all__ = ["Own"]


class Own:
    """Reckons a user's own aggregate over groups.

    Args:
        name: the name of the result.
        aggregate: the aggregate; its source runs here.
        column: the column that it is of.
        where: the step and the column, for errors.

    Raises:
        FlowError: when the source fails, or an object of the class cannot be made.
    """

    def __init__(self, name: str, aggregate: Custom, column: str, where: str) -> None:
        assert aggregate.code is not None
        self._name = name
        self._class = aggregate.code.name
        self._column = column
        self._where = where
        self._dtype = dtype_from_json(aggregate.output)
        self._own: Any = object_of(load(aggregate.code, object, where=where), where=where)

    def compute(self, members: Members) -> pl.Series:
        """The values, one for each group.

        Raises:
            DataError: when the class fails, or gives what is not of its output's type.
        """
        values = members.frame[self._column].to_list()
        starts = members.starts.tolist()
        found = []
        for group in range(len(members)):
            try:
                found.append(self._one(values[starts[group] : starts[group + 1]]))
            except Exception as error:
                said = str(error).splitlines()[0] if str(error) else ""
                raise DataError(
                    f"{self._class} fails: {type(error).__name__}: {said}",
                    where=f"{self._where}, {members.name_row(group)}",
                    hint="mend the class; nothing is lost, a job goes on from its last commit",
                ) from error
        return pl.Series(self._name, found, dtype=self._dtype)

    def _one(self, values: list[Any]) -> Any:
        acc = self._own.create()
        for value in values:
            if value is not None:
                acc = self._own.add(acc, value)
        result = self._own.result(acc)
        # Strict, and one by one: another type is an error of this group, and never becomes another value.
        pl.Series([result], dtype=self._dtype, strict=True)
        return result
