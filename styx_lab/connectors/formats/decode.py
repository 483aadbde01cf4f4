"""What a source handed out, decoded: the one door from arrivals to columns, whatever the format.

Law: read = decoded + dead, for every format.
"""

from __future__ import annotations

from collections.abc import Sequence

from styx_lab.connectors.formats.csv import decode_csv
from styx_lab.connectors.formats.decoded import Decoded, split_good
from styx_lab.connectors.formats.json import decode_json
from styx_lab.core.ports import Arrivals, EncodedFormat
from styx_lab.core.schema import Schema

__all__ = ["decode"]


def decode(
    arrivals: Arrivals, schema: Schema, *, format: EncodedFormat = "json", header: Sequence[str] = ()
) -> Decoded:
    """The good events of some arrivals as columns, and the reasons of the others.

    >>> from styx_lab.connectors import MemorySource
    >>> schema = Schema({"a": "int"})
    >>> source = MemorySource([{"a": 1}, {"a": "x"}], schema)
    >>> decoded = decode(source.read(10), schema, format=source.format)
    >>> decoded.frame["a"].to_list(), decoded.dead
    ([1], {1: 'wrong_type: a: expected int, got str'})

    Args:
        arrivals: what `Source.read` gave.
        schema: the columns to take, with their types.
        format: the source's `format`.
        header: the source's `header`, for CSV.

    Keeps no state. NaN stays NaN: see `nan_to_null`.
    """
    broken = dict(sorted(arrivals.broken.items())) if arrivals.broken else {}
    good = split_good(len(arrivals), broken)
    if arrivals.columns is not None:
        frame = arrivals.columns
        if frame.columns != list(schema):
            frame = frame.select(list(schema))
        return Decoded(frame[good] if broken else frame, good, broken)
    payloads: Sequence[bytes] = arrivals.payloads or []
    if broken:
        payloads = [payloads[index] for index in good.tolist()]
    decoded = decode_csv(payloads, header, schema) if format == "csv" else decode_json(payloads, schema)
    if not broken:
        return decoded
    dead = broken | {int(good[index]): reason for index, reason in decoded.dead.items()}
    return Decoded(decoded.frame, good[decoded.good], dict(sorted(dead.items())))
