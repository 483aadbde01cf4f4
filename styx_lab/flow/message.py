"""The message of a notification: text with the event's columns in braces, as in Python's format strings.

Law: a message can only name columns and say how to print them; it reaches no attribute and runs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from string import Formatter
from typing import Any, Final

import polars as pl

from styx_lab.errors import FlowError
from styx_lab.flow.types import unknown_columns

__all__ = ["Message"]

_NULL: Final = "n/a"


@dataclass(frozen=True, slots=True)
class Message:
    """A message's template.

    >>> Message("Card {card_id}: {amount:.2f}").format({"card_id": "c1", "amount": 912.5})
    'Card c1: 912.50'

    A null prints as `n/a`, whatever its format. Field names are columns, or `part.column` of a match.
    """

    text: str

    def fields(self, *, where: str) -> list[tuple[str, str]]:
        """Names and format specs of the fields in braces.

        Raises:
            FlowError: when the braces do not match, or a field is more than a name.
        """
        try:
            parsed = list(Formatter().parse(self.text))
        except ValueError as error:
            raise FlowError(f"the message is no template: {error}", where=where, got=self.text) from error
        found = []
        for _, name, spec, conversion in parsed:
            if name is None:
                continue
            if not all(word.isidentifier() for word in name.split(".")) or conversion or "{" in (spec or ""):
                raise FlowError(
                    "a message may only name columns", where=where, got=f"{{{name}}}", hint="{card_id} or {amount:.2f}"
                )
            found.append((name, spec or ""))
        return found

    def check(self, schema: Mapping[str, pl.DataType], *, where: str) -> None:
        """Try the template against the types of an event.

        Raises:
            FlowError: on an unknown column or a format that its type does not take.
        """
        for name, spec in self.fields(where=where):
            head, *path = name.split(".")
            unknown_columns([head], schema, where=f"{where}, message")
            dtype: Any = schema[head]
            for word in path:
                fields = {field.name: field.dtype for field in dtype.fields} if isinstance(dtype, pl.Struct) else {}
                unknown_columns([word], fields, where=f"{where}, message field {name!r}")
                dtype = fields[word]
            try:
                format(_example(dtype), spec)
            except (ValueError, TypeError) as error:
                raise FlowError(
                    f"the message cannot print {name!r} so: {error}", where=where, got=f"{{{name}:{spec}}}"
                ) from error

    def format(self, row: Mapping[str, Any]) -> str:
        """The message for one event."""
        words = []
        for literal, name, spec, _ in Formatter().parse(self.text):
            words.append(literal)
            if name is None:
                continue
            value: Any = row
            for word in name.split("."):
                value = None if value is None else value[word]
            words.append(_NULL if value is None else format(value, spec or ""))
        return "".join(words)


def _example(dtype: pl.DataType) -> Any:
    if dtype.is_integer():
        return 1
    if dtype.is_float():
        return 1.0
    if isinstance(dtype, pl.Boolean):
        return True
    if dtype.is_temporal():
        return datetime(2024, 1, 1, tzinfo=UTC)
    return "x" if isinstance(dtype, pl.String) else []
