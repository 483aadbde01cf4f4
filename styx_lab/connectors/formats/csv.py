"""Lines of CSV to columns: one line, one event.

Law: what a line means depends on that line and the header alone. So a line break inside quotes is refused: it would
make the meaning of a line depend on the lines before it.

The form is RFC 4180 with a comma. A field without quotes that is empty is null; `""` is the empty text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import polars as pl

from styx_lab.connectors.formats.columns import typed_columns
from styx_lab.connectors.formats.decoded import Decoded, split_good
from styx_lab.connectors.formats.values import WrongValue
from styx_lab.core.schema import Schema

__all__ = ["decode_csv", "fields_of"]

_FIELD: Final = re.compile(r'(?:"((?:[^"]|"")*)"|([^",]*))(,|$)')


def decode_csv(payloads: Sequence[bytes], header: Sequence[str], schema: Schema) -> Decoded:
    """The columns of the schema from lines of CSV.

    >>> decoded = decode_csv([b"a,3.5", b"b,abc", b"c"], ["card", "amount"], Schema({"amount": "float"}))
    >>> decoded.frame["amount"].to_list()
    [3.5]
    >>> decoded.dead
    {1: "wrong_type: amount: expected float, got 'abc'", 2: 'wrong_columns: expected 2 fields, got 1'}

    Args:
        payloads: UTF-8 lines without their line ends.
        header: the names of the fields, in order; it has every name of the schema.
        schema: the columns to take, with their types (see `typed_columns`).

    Keeps no state. What cannot be decoded is in `dead`, never raised.
    """
    dead: dict[int, str] = {}
    rows: list[list[str | None]] = []
    for index, payload in enumerate(payloads):
        try:
            line = payload.decode()
        except UnicodeDecodeError as error:
            dead[index] = f"not_utf8: byte {error.start}"
            continue
        try:
            if not line.strip():
                raise WrongValue("empty")
            fields = fields_of(line)
            if len(fields) != len(header):
                raise WrongValue(f"wrong_columns: expected {len(header)} fields, got {len(fields)}")
            rows.append(fields)
        except WrongValue as reason:
            dead[index] = str(reason)
    good = split_good(len(payloads), dead)
    places = {name: place for place, name in enumerate(header)}
    text = {name: pl.Series(name, [row[places[name]] for row in rows], dtype=pl.String) for name in schema}
    typed = typed_columns(text, schema)
    dead |= {int(good[row]): reason for row, reason in typed.dead.items()}
    return Decoded(typed.frame, good[typed.good], dict(sorted(dead.items())))


def fields_of(line: str) -> list[str | None]:
    """The fields of one line; an empty one without quotes is `None`.

    >>> fields_of('a,,"","say ""hi"", twice"')
    ['a', None, '', 'say "hi", twice']

    Raises:
        WrongValue: when a quote does not close, or stands where none may.
    """
    if '"' not in line:
        return [field or None for field in line.split(",")]
    fields: list[str | None] = []
    place = 0
    while True:
        match = _FIELD.match(line, place)
        if match is None:
            raise WrongValue(f"wrong_quotes: in field {len(fields) + 1}")
        quoted, plain, end = match.groups()
        fields.append(quoted.replace('""', '"') if quoted is not None else plain or None)
        place = match.end()
        if not end:
            return fields
