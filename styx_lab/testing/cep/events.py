"""A case's events as one batch: a column for each field, or one for each kind of value where a field has several.

Law: what stands at place i of the list has order 2 i, and the watermark step it causes has order 2 i + 1; the end of
input has the place behind the last.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Batch, Steps
from styx_lab.core.events import ARRIVAL, OFFSET, PARTITION, SOURCE, TIME
from styx_lab.core.schema import TIME_DTYPE
from styx_lab.core.time import MAX_WATERMARK, MIN_WATERMARK
from styx_lab.errors import DataError
from styx_lab.flow.types import StreamType, raw_type
from styx_lab.testing.cep.case import Case

__all__ = ["KINDS", "Columns", "check_order", "columns_of", "kind_of", "one_batch"]

KINDS: Final[Mapping[str, pl.DataType]] = {"number": pl.Float64(), "text": pl.String(), "truth": pl.Boolean()}
_SUBJECT: Final = "of the events"


def kind_of(value: Any) -> str:
    """The kind of a value: number, text or truth."""
    if isinstance(value, bool):
        return "truth"
    return "text" if isinstance(value, str) else "number"


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns a case's fields have.

    Attributes:
        key: the column of the key; no field has its name.
        keys: the values of the key, by the text that stands for each.
        fields: for each field, its columns by kind.
    """

    key: str
    keys: Mapping[str, Any]
    fields: Mapping[str, Mapping[str, str]]

    @property
    def dtypes(self) -> dict[str, pl.DataType]:
        """The type of each column but the key's."""
        return {name: KINDS[kind] for by_kind in self.fields.values() for kind, name in by_kind.items()}

    @property
    def stream(self) -> StreamType:
        """The type of the stream."""
        return raw_type([(self.key, pl.String()), *self.dtypes.items()], (self.key,))


def columns_of(case: Case) -> Columns:
    """The columns of a case."""
    kinds: dict[str, list[str]] = {}
    for event in case.events:
        for name, value in event.items():
            if "wm" not in event and value is not None and kind_of(value) not in kinds.setdefault(name, []):
                kinds[name].append(kind_of(value))
    names = {
        field: {kind: field if len(found) == 1 else f"{field} {kind}" for kind in found}
        for field, found in kinds.items()
    }
    key = f"key {_SUBJECT}"
    while key in names:
        key += "'"
    return Columns(key, {json.dumps(_key(case, event)): _key(case, event) for event in case.events}, names)


def _key(case: Case, event: Mapping[str, Any]) -> Any:
    return None if case.keyed is None else event.get(case.keyed)


def one_batch(case: Case, columns: Columns) -> Batch:
    """The whole case.

    Raises:
        DataError: when it has a value that no source can give.
    """
    places = np.array([place for place, event in enumerate(case.events) if "wm" not in event], np.int64)
    events = [case.events[place] for place in places.tolist()]
    times = [event["t"] for event in events]
    data = {columns.key: pl.Series([json.dumps(_key(case, event)) for event in events], dtype=pl.String)}
    for field, by_kind in columns.fields.items():
        for kind, name in by_kind.items():
            values = [event.get(field) for event in events]
            told = [value if value is not None and kind_of(value) == kind else None for value in values]
            try:
                data[name] = pl.Series(told, dtype=KINDS[kind], strict=False)
            except (OverflowError, TypeError, pl.exceptions.PolarsError) as error:
                raise DataError(
                    f"values that no source can give: {error}", where=f"case {case.id!r}, {field!r}"
                ) from error
    data[TIME] = pl.Series(times, dtype=pl.Int64).cast(TIME_DTYPE)
    data[ARRIVAL] = pl.Series(places).cast(TIME_DTYPE)
    data[SOURCE] = pl.Series(["events"] * len(events), dtype=pl.String)
    data[PARTITION] = pl.Series([0] * len(events), dtype=pl.Int32)
    data[OFFSET] = pl.Series(places)
    return Batch(pl.DataFrame(data), 2 * places, steps=_steps(case))


def check_order(case: Case) -> None:
    """See that events of one key and one time can be put in order; `detect` puts those without a value last.

    Raises:
        DataError: when two are of no value, or of two kinds, as a comparator cannot compare them.
    """
    if case.order is None:
        return
    kinds: dict[str, list[str]] = {}
    for event in case.events:
        if "wm" not in event:
            value = event.get(case.order)
            known = kinds.setdefault(json.dumps([_key(case, event), event["t"]]), [])
            known.append("nothing" if value is None else kind_of(value))
            if len(known) > 1 and (len(set(known)) > 1 or "nothing" in known):
                where = f"case {case.id!r}, comparator {case.order!r}"
                raise DataError("events of one time cannot be put in order", where=where, got=sorted(known))


def _steps(case: Case) -> Steps:
    mark = greatest = MIN_WATERMARK
    steps = []
    for place, event in enumerate([*case.events, {"wm": MAX_WATERMARK}]):
        to = event.get("wm", MIN_WATERMARK)
        if "wm" not in event:
            greatest = max(greatest, event["t"])
            to = greatest - case.delay - 1 if case.strategy == "bounded" else mark
        if to > mark:
            mark = to
            steps.append((2 * place + 1, mark, place))
    order, marks, clock = np.array(steps, np.int64).reshape(-1, 3).T
    return Steps(np.array(order, np.int64), np.array(marks, np.int64), np.array(clock, np.int64))
