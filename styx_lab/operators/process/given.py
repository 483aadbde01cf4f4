"""What a process gave in a slice, event by event, and the frame that it becomes.

Law: the origin of what is given is the canonical JSON `[step, key, [input, cause], number]`, where the cause is the
origin of the event or the time of the timer: the same for ever, whatever came before or between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan
from types import GeneratorType
from typing import Any, Final

import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s
from styx_lab.core.events import ARRIVAL, DETECTED, OFFSET, ORIGIN, PARTITION, SOURCE, TIME, canonical_json, origins
from styx_lab.core.keys import key_json
from styx_lab.core.schema import TIME_DTYPE, Schema
from styx_lab.errors import DataError
from styx_lab.flow.process.process import PROCESSING_TIMER, TIMER
from styx_lab.flow.process.values import check_of, told

__all__ = ["PROCESSING_PORT", "TIMER_PORT", "Cause", "Given", "key_columns"]

Cause = tuple[int, int, Any, int, int]
"""What an event is given for: its place in the sequence, the time it gets, the key, then the input's number and the
row's, or for a timer its kind and its number in the slice."""
TIMER_PORT: Final = -1
"""In place of an input's number: a timer of event time."""
PROCESSING_PORT: Final = -2
"""In place of an input's number: a timer of processing time."""
_TIMERS: Final = {TIMER_PORT: TIMER, PROCESSING_PORT: PROCESSING_TIMER}
_MANY: Final = 65_536


class Given:
    """Collects what is given; `cut` takes back what a failed event gave.

    Args:
        step: the name of the step.
        output: the columns.
        key: the key columns and their types.
        inputs: the names of the inputs.
    """

    def __init__(self, step: str, output: Schema, key: Mapping[str, pl.DataType], inputs: Sequence[str]) -> None:
        self._step = step
        self._key = dict(key)
        self._inputs = inputs
        self._dtypes = output.polars
        self._names = frozenset(output)
        # The beginning of an origin, by key and input.
        self._heads: dict[tuple[Any, int], str] = {}
        self._checks = [(name, check_of(word, f"output {name!r}"), word == "float") for name, word in output.items()]
        self.rows: list[tuple[Any, ...]] = []
        self.causes: list[Cause] = []
        self.cause: Cause = (0, 0, (), 0, 0)
        """What is given now is given for this."""
        self.timers: list[tuple[list[int], int]] = []
        """The timers of the slice: what stands for each in an origin, and the clock's time when it was taken."""

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, said: Mapping[str, Any]) -> None:
        """Take one event.

        Raises:
            DataError: when it is no mapping of output columns to values of their types.
        """
        # Nearly all are dicts, of which that can be asked without a look through what counts as a mapping.
        if type(said) is not dict and not isinstance(said, Mapping):
            raise DataError(
                "what is given must be a mapping", where="output", got=told(said), hint="yield {'count': 1}"
            )
        if not said.keys() <= self._names:
            unknown = ", ".join(sorted(map(str, said.keys() - self._names)))
            raise DataError("no such column", where="output", got=unknown, hint=f"it has {', '.join(self._dtypes)}")
        row = []
        for name, check, real in self._checks:
            value = said.get(name)
            if value is not None:
                value = check(value)
                if real and isnan(value):
                    value = None  # NaN is null in every event
            row.append(value)
        self.rows.append(tuple(row))
        self.causes.append(self.cause)

    def take(self, said: Any) -> None:
        """Take whatever a method gave: nothing, one mapping, or several."""
        if type(said) is GeneratorType:
            for one in said:
                self.add(one)
            return
        if isinstance(said, Mapping):
            self.add(said)
            return
        if isinstance(said, str | bytes) or not hasattr(said, "__iter__"):
            raise DataError(
                "what is given must be a mapping", where="output", got=told(said), hint="yield {'count': 1}"
            )
        for one in said:
            self.add(one)

    def cut(self, length: int) -> None:
        """Take back all but the first."""
        del self.rows[length:], self.causes[length:]

    def frame(self, frames: Sequence[pl.DataFrame], schema: Mapping[str, pl.DataType]) -> tuple[pl.DataFrame, Int64s]:
        """The events with all their columns, and their places in the sequence; nothing is left here."""
        rows, causes = self.rows, self.causes
        self.rows, self.causes = [], []
        if not rows:
            self.timers = []
            return pl.DataFrame(schema=schema), np.empty(0, np.int64)
        places, times, keys, ports, numbers = zip(*causes, strict=True)
        arrivals, texts = self._causes(frames, ports, numbers)
        self.timers = []
        columns = zip(self._dtypes.items(), zip(*rows, strict=True), strict=True)
        arrival = pl.Series(ARRIVAL, arrivals, pl.Int64).cast(TIME_DTYPE)
        made = pl.DataFrame(
            [
                *key_columns(keys, self._key),
                *(pl.Series(name, values, dtype) for (name, dtype), values in columns),
                pl.Series(TIME, times, pl.Int64).cast(TIME_DTYPE),
                arrival,
                arrival.alias(DETECTED),
                pl.Series(ORIGIN, self._origins(keys, ports, numbers, texts), pl.String),
            ]
        )
        return made.select(list(schema)), np.array(places, np.int64)

    def _causes(
        self, frames: Sequence[pl.DataFrame], ports: Sequence[int], numbers: Sequence[int]
    ) -> tuple[list[int], list[str]]:
        """Arrival and origin of what each event was given for."""
        port, number = np.array(ports, np.int64), np.array(numbers, np.int64)
        arrivals, texts = np.empty(len(port), np.int64), np.empty(len(port), object)
        for place, frame in enumerate(frames):
            mine = np.flatnonzero(port == place)
            if len(mine):
                rows = number[mine]
                arrivals[mine] = frame[ARRIVAL].gather(rows).to_physical().to_numpy()
                texts[mine] = _origin_texts(frame, rows)
        mine = np.flatnonzero(port < 0)
        for one, timer in zip(mine.tolist(), number[mine].tolist(), strict=True):
            said, arrivals[one] = self.timers[timer]
            texts[one] = ",".join(map(str, said))
        return arrivals.tolist(), texts.tolist()

    def _origins(
        self, keys: Sequence[Any], ports: Sequence[int], numbers: Sequence[int], texts: Sequence[str]
    ) -> list[str]:
        heads = self._heads
        if len(heads) > _MANY:
            heads.clear()
        made, before, count = [], None, 0
        for key, port, number, text in zip(keys, ports, numbers, texts, strict=True):
            head = heads.get((key, port))
            if head is None:
                whole = canonical_json([self._step]).decode()[:-1]
                name = _TIMERS[port] if port < 0 else self._inputs[port]
                head = heads[key, port] = f'{whole},{key_json(_as_tuple(key)).decode()},["{name}",'
            count = count + 1 if before == (port, number) else 0
            before = (port, number)
            made.append(f"{head}{text}],{count}]")
        return made


def _origin_texts(frame: pl.DataFrame, rows: Int64s) -> list[str]:
    if ORIGIN in frame.columns:
        return [canonical_json(one).decode() for one in origins(frame[rows])]
    places = (frame[name].gather(rows).to_list() for name in (SOURCE, PARTITION, OFFSET))
    # The names of sources are plain words.
    return [f'["{source}",{partition},{offset}]' for source, partition, offset in zip(*places, strict=True)]


def _as_tuple(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def key_columns(keys: Sequence[Any], schema: Mapping[str, pl.DataType]) -> list[pl.Series]:
    """The columns of keys: values where there is one column, else tuples of them."""
    if len(schema) == 1:
        ((name, dtype),) = schema.items()
        return [pl.Series(name, keys, dtype)]
    parts = zip(*keys, strict=True) if keys else [()] * len(schema)
    return [pl.Series(name, part, dtype) for (name, dtype), part in zip(schema.items(), parts, strict=True)]
