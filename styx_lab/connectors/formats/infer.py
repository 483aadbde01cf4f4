"""A schema from a sample of payloads: what their columns are called, and of which type they are.

Law: what is inferred is a proposal that is written down; no run ever infers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from styx_lab.core.schema import RESERVED_PREFIX, Schema
from styx_lab.errors import SchemaError

__all__ = ["Inferred", "infer_schema"]


@dataclass(frozen=True, slots=True)
class Inferred:
    """What a sample says.

    Attributes:
        schema: a column for each field that has a single value.
        notes: what was left out, or is not of one type, in words.
    """

    schema: Schema
    notes: list[str] = field(default_factory=list)


def infer_schema(payloads: Sequence[bytes | None], *, where: str = "sample") -> Inferred:
    """The schema of JSON objects.

    >>> found = infer_schema([b'{"card": "a", "amount": 3}', b'{"card": null, "amount": 3.5, "at": {"x": 1}}'])
    >>> found.schema
    Schema({'card': 'str', 'amount': 'float'})
    >>> found.notes
    ["'at' has parts of its own and is left out"]

    Args:
        payloads: a sample, the more the better; what is no JSON object is passed over.
        where: what it is of, as errors name it.

    A field that is whole here and broken there is a `float`. One with values of several types has that of the most:
    the others will be dead letters, and a note says so. One that is always null is taken for text. Times are left as
    they come: text or numbers.

    Raises:
        SchemaError: when no payload is a JSON object with a field.
    """
    seen: dict[str, Counter[str]] = {}
    objects = 0
    for payload in payloads:
        try:
            value = msgspec.json.decode(payload or b"")
        except ValueError:
            continue
        if not isinstance(value, dict):
            continue
        objects += 1
        for name, one in value.items():
            seen.setdefault(name, Counter())[_word(one)] += 1
    columns: dict[str, str] = {}
    notes: list[str] = []
    for name, counted in seen.items():
        if not name or name.startswith(RESERVED_PREFIX):
            notes.append(f"{name!r} cannot be a column's name and is left out")
            continue
        kinds = {word: count for word, count in counted.items() if word != "null"}
        if {"int", "float"} <= set(kinds):
            kinds["float"] += kinds.pop("int")
        if "parts" in kinds:
            notes.append(f"{name!r} has parts of its own and is left out")
            continue
        if not kinds:
            notes.append(f"{name!r} is always null and is taken for text")
        word = max(kinds, key=lambda one: kinds[one]) if kinds else "str"
        if len(kinds) > 1:
            others = ", ".join(f"{kinds[other]:,} {other}" for other in kinds if other != word)
            notes.append(f"{name!r} is {word} in {kinds[word]:,} events, and {others}: those will be dead letters")
        columns[name] = word
    if not columns:
        raise SchemaError(
            "no event is a JSON object with a field of a single value",
            where=where,
            got=f"{objects} objects among {len(payloads)} events",
            hint="say the schema yourself",
        )
    return Inferred(Schema(columns), notes)


def _word(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float"
        case str():
            return "str"
    return "parts"
