"""MapValues: a table that gives for the values of some fields another value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np

from styx_lab.models.native.column import Column, first_error
from styx_lab.models.native.place import child, children, refuse, required
from styx_lab.models.native.scope import Expression, Variables
from styx_lab.models.native.transformations.library import Library
from styx_lab.models.native.values import cast, column_of, is_known_type, show
from styx_lab.models.summary import local_name

__all__ = ["compile_map_values", "read_table"]


def read_table(node: Element) -> list[dict[str, str]]:
    """The rows of an InlineTable: column -> text."""
    table = child(node, "InlineTable")
    if table is None:
        raise refuse(node, "a table that is not in the file itself is not supported")
    return [{local_name(cell): cell.text or "" for cell in row} for row in children(table, "row")]


def compile_map_values(node: Element, library: Library, compile_it: Callable[[Element], Expression]) -> Expression:
    """Compile a MapValues."""
    data_type = node.get("dataType", "string")
    if not is_known_type(data_type):
        raise refuse(node, f"dataType={data_type!r} is not supported")
    output = required(node, "outputColumn").rpartition(":")[2]
    pairs = [
        (required(each, "field"), required(each, "column").rpartition(":")[2])
        for each in children(node, "FieldColumnPair")
    ]
    default, filling = node.get("defaultValue"), node.get("mapMissingTo")
    known: dict[tuple[str, ...], str | None] = {}
    for row in read_table(node):
        if all(column in row for _, column in pairs):
            known.setdefault(tuple(row[column] for _, column in pairs), row.get(output))

    def evaluate(variables: Variables) -> Column:
        rows = variables.rows
        columns = [variables.column(name) for name, _ in pairs]
        errors = first_error(*(each.errors for each in columns))
        height = max(len(each.values) for each in columns)
        missing = np.zeros(height, dtype=np.bool_)
        keys: list[list[str]] = []
        for each in columns:
            missing |= each.gaps
            full = each.full(height).values.tolist()
            keys.append([each.words[code] for code in full] if each.type == "string" else _texts(full, each.type))
        results: list[Any] = [
            filling if gap else known.get(key, default)
            for gap, key in zip(missing.tolist(), zip(*keys, strict=True), strict=True)
        ]
        return cast(column_of("string", results), data_type, rows).with_errors(errors)

    return evaluate


def _texts(values: list[Any], data_type: str) -> list[str]:
    """Numbers as a table writes them: whole ones without a point."""
    if data_type in ("double", "float"):
        return [str(int(value)) if float(value).is_integer() else show(value, data_type) for value in values]
    return [show(value, data_type) for value in values]
