"""Cut: some events of a recording, by time, key or expression, as a recording of their own.

Law: each event is kept or not by itself alone; what cannot be judged is counted, and kept only when that is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from styx_lab.connectors import Recording
from styx_lab.connectors.recording_rewrite import rewrite
from styx_lab.core.events import ARRIVAL, OFFSET, PARTITION, SOURCE, SOURCE_TIMESTAMP
from styx_lab.core.schema import TIME_DTYPE
from styx_lab.errors import DataError
from styx_lab.flow.event_time import TimeForm, TimeUnit
from styx_lab.flow.expression import Expression, evaluate
from styx_lab.operators.event_time import column_times, source_times
from styx_lab.operators.values import refused_rows
from styx_lab.workbench.labels import Moment, moment_ms

__all__ = ["CutResult", "cut_recording"]

_WHERE = "cut"


@dataclass(frozen=True, slots=True)
class CutResult:
    """What a cut gave.

    Attributes:
        recording: the new recording.
        read, kept: events.
        unjudged: events of which the chosen thing cannot be told: no JSON, a wrong type, no event time.
        unjudged_kept: how many of those are in the new recording.
    """

    recording: Recording
    read: int
    kept: int
    unjudged: int
    unjudged_kept: int


def cut_recording(  # noqa: PLR0913 -- three ways to choose, which go together
    recording: Recording | str | Path,
    to: str | Path,
    *,
    from_time: Moment | None = None,
    to_time: Moment | None = None,
    by: Literal["arrival", "event"] = "arrival",
    time_unit: TimeUnit = "ms",
    key: Any = None,
    where: str | pl.Expr | Expression | None = None,
    keep_undecodable: bool = False,
    name: str | None = None,
) -> CutResult:
    """Write the events that meet all of what is said to a recording of their own.

    Args:
        recording: the recording, or its file; it stays as it is.
        to: the file to write, `NAME.recording.parquet`.
        from_time: the first time that is in: ISO 8601 text, epoch ms or a datetime; UTC where it says nothing else.
        to_time: the first time that is not in any more.
        by: whether these are times of arrival, or event times of the column that the recording names.
        time_unit: of an event-time column of whole numbers.
        key: the key's value; of several columns a mapping, or the values in order. Text stands for other types too.
        where: SQL text or a Polars expression over the decoded columns, as for `filter`; null is false.
        keep_undecodable: whether events that cannot be judged are kept; by arrival alone all can be.
        name: what to call the source; by default the same as before.

    Partitions, offsets, both times, keys and headers stay. Decisions that a partition was idle, and ticks, stay between
    the same events; by arrival, those from `to_time` on are left out. Cutting changes watermarks: an event that
    was late may be early enough among fewer.

    Raises:
        DataError: when no event is left, the recording names no such key or time, or `to` is the recording.
        ExpressionError, FlowError: when an expression does not fit, or a time is none.
    """
    source = recording if isinstance(recording, Recording) else Recording.open(recording)
    first = None if from_time is None else moment_ms(from_time, where="from_time")
    stop = None if to_time is None else moment_ms(to_time, where="to_time")
    if first is None and stop is None and key is None and where is None:
        raise DataError("nothing says what to cut", where=str(source.path), hint="say times, a key or an expression")
    if first is not None and stop is not None and first >= stop:
        raise DataError("the time to cut from is not before the time to cut to", where=_WHERE, got=(from_time, to_time))
    values = {} if key is None else _key_values(source, key)
    condition = None if where is None else Expression.of(where, where=_WHERE)
    if condition is not None:
        further = {ARRIVAL: TIME_DTYPE, SOURCE: pl.String(), PARTITION: pl.Int32(), OFFSET: pl.Int64()}
        condition.check({**source.schema.polars, **further}, where=_WHERE, boolean=True)
    timed = first is not None or stop is not None
    if timed and by == "event" and source.about.time is None:
        raise DataError(
            "the recording names no column of event time", where=str(source.path), hint="cut by arrival instead"
        )
    counts = {"kept": 0, "unjudged": 0, "unjudged_kept": 0}

    def choose(rows: pl.DataFrame) -> tuple[pl.DataFrame, np.ndarray[Any, Any]]:
        kept = np.ones(rows.height, bool)
        known = np.ones(rows.height, bool)
        if timed and by == "arrival":
            kept &= _between(rows["arrival"].to_numpy(), first, stop)
        if values or condition is not None or (timed and by == "event"):
            frame, good = source.decoded(rows)
            told, judged = np.ones(len(good), bool), np.ones(len(good), bool)
            for column, value in values.items():
                told &= (frame[column] == value).fill_null(value=False).to_numpy()
            if condition is not None:
                true, able = _truths(frame, condition)
                told, judged = told & true, judged & able
            if timed and by == "event":
                times, refused = _event_times(source, rows[good], frame, time_unit)
                told &= _between(times, first, stop)
                judged[list(refused)] = False
            known[:] = False
            known[good[judged]] = True
            inside = np.zeros(rows.height, bool)
            inside[good[judged & told]] = True
            # By arrival every event can be judged, so what lies outside is out for certain.
            unjudged = kept & ~known
            counts["unjudged"] += int(unjudged.sum())
            kept &= inside | (unjudged if keep_undecodable else False)
            counts["unjudged_kept"] += int((kept & ~known).sum())
        counts["kept"] += int(kept.sum())
        return rows, kept

    made = rewrite(
        source,
        to,
        choose,
        name=name,
        until=stop if by == "arrival" else None,
        truth=_note(source, first, stop, by, values, condition, keep_undecodable),
    )
    return CutResult(made, len(source), **counts)


def _between(times: np.ndarray[Any, Any], first: int | None, stop: int | None) -> np.ndarray[Any, Any]:
    inside = np.ones(len(times), bool)
    if first is not None:
        inside &= times >= first
    if stop is not None:
        inside &= times < stop
    return inside


def _truths(frame: pl.DataFrame, condition: Expression) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Where the condition is true, and where it can be evaluated at all."""
    able = np.ones(frame.height, bool)
    asked = {"told": condition}
    try:
        told = evaluate(frame, asked)["told"]
    except pl.exceptions.PolarsError:
        able[list(refused_rows(frame, asked))] = False
        true = np.zeros(frame.height, bool)
        rows = np.flatnonzero(able)
        if len(rows):
            true[rows] = evaluate(frame[rows], asked)["told"].fill_null(value=False).to_numpy()
        return true, able
    return told.fill_null(value=False).to_numpy(), able


def _event_times(
    source: Recording, rows: pl.DataFrame, frame: pl.DataFrame, unit: TimeUnit
) -> tuple[np.ndarray[Any, Any], dict[int, str]]:
    column = source.about.time
    assert column is not None
    if column == SOURCE_TIMESTAMP:
        return source_times(rows["timestamp"].to_numpy(), rows.height)
    return column_times(frame[column], TimeForm(unit))


def _key_values(source: Recording, key: Any) -> dict[str, Any]:
    """The value of each column of the key, in the column's type."""
    names = source.about.key
    hint = f"the key is {', '.join(names)}" if names else "say where='COLUMN = VALUE' instead"
    if not names:
        raise DataError("the recording names no key", where=str(source.path), hint=hint)
    if isinstance(key, Mapping):
        given = dict(key)
    elif len(names) == 1 and (isinstance(key, str) or not isinstance(key, Sequence)):
        given = {names[0]: key}
    elif isinstance(key, Sequence) and not isinstance(key, str) and len(key) == len(names):
        given = dict(zip(names, key, strict=True))
    else:
        given = {}
    if set(given) != set(names):
        raise DataError("these are not the columns of the key", where=str(source.path), got=key, hint=hint)
    return {name: _typed(name, source.schema[name], given[name]) for name in names}


def _typed(name: str, word: str, value: Any) -> Any:
    try:
        match word:
            case "str" if isinstance(value, str):
                return value
            case "int" if not isinstance(value, bool | float):
                return int(value)
            case "float":
                return float(value)
            case "bool" if str(value).lower() in ("true", "false"):
                return str(value).lower() == "true"
            case "datetime":
                return pl.Series([moment_ms(value, where=name)]).cast(TIME_DTYPE)[0]
    except (TypeError, ValueError):
        pass
    raise DataError(f"the key's column is {word}", where=f"key {name!r}", got=value, hint="give a value of that type")


def _note(
    source: Recording,
    first: int | None,
    stop: int | None,
    by: str,
    values: Mapping[str, Any],
    condition: Expression | None,
    keep: bool,
) -> str:
    # Without the values: a note that has them would tell what a later mask hides.
    parts = []
    if first is not None or stop is not None:
        parts.append(f"{by} from {_text(first)} to before {_text(stop)}")
    if values:
        parts.append(f"one key of {', '.join(values)}")
    if condition is not None:
        parts.append(f"an expression over {', '.join(sorted(condition.columns())) or 'no column'}")
    if values or condition is not None or by == "event":
        parts.append("what cannot be judged is kept" if keep else "without what cannot be judged")
    earlier = f"{source.about.truth}; " if source.about.truth else ""
    return f"{earlier}cut from {source.about.content_sha256}: {'; '.join(parts)}"


def _text(ms: int | None) -> str:
    if ms is None:
        return "any time"
    return str(pl.Series([ms]).cast(TIME_DTYPE).dt.to_string("iso:strict")[0])
