"""FieldRef: the value of a field, or another one where it is missing."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element

from styx_lab.models.native.column import Column, pick
from styx_lab.models.native.place import required
from styx_lab.models.native.scope import Expression, Variables
from styx_lab.models.native.transformations.library import Library
from styx_lab.models.native.values import cast, constant

__all__ = ["compile_field_ref", "fill_missing"]


def fill_missing(column: Column, text: str, variables: Variables) -> Column:
    """A column with a text, read in its type, where values are missing."""
    if column.missing is None:
        return column
    return pick(column.missing, cast(constant("string", text), column.type, variables.rows), column)


def compile_field_ref(node: Element, library: Library, compile_it: Callable[[Element], Expression]) -> Expression:
    """Compile a FieldRef."""
    name, filling = required(node, "field"), node.get("mapMissingTo")
    if filling is None:
        return lambda variables: variables.column(name)
    return lambda variables: fill_missing(variables.column(name), filling, variables)
