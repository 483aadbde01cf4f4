"""NormDiscrete: 1 where a field has a value, else 0."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element

import numpy as np

from styx_lab.models.native.column import Column
from styx_lab.models.native.functions.comparison import same_type
from styx_lab.models.native.place import choice, optional_number, required
from styx_lab.models.native.scope import Expression, Variables
from styx_lab.models.native.transformations.library import Library
from styx_lab.models.native.values import constant

__all__ = ["compile_norm_discrete", "equals"]


def equals(column: Column, text: str, variables: Variables) -> Column:
    """Where a column has a value that is written as text."""
    left, right = same_type(column, constant("string", text), variables.rows)
    if left.type == "string":
        table = np.array([word == text for word in left.words] or [False], dtype=np.bool_)
        values = table[left.values.astype(np.int32, copy=False)]
    else:
        values = np.asarray(left.values == right.values)
    return Column("boolean", values, column.missing, left.errors).with_errors(right.errors)


def compile_norm_discrete(node: Element, library: Library, compile_it: Callable[[Element], Expression]) -> Expression:
    """Compile a NormDiscrete."""
    name, text = required(node, "field"), required(node, "value")
    choice(node, "method", ("indicator",), "indicator")
    filling = optional_number(node, "mapMissingTo")

    def evaluate(variables: Variables) -> Column:
        same = equals(variables.column(name), text, variables)
        values = same.values.astype(np.float64)
        if same.missing is not None and filling is not None:
            return Column("double", np.where(same.missing, filling, values), None, same.errors)
        return Column("double", values, same.missing, same.errors)

    return evaluate
