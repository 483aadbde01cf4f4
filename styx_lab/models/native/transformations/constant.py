"""Constant: one value in every row; without a dataType a whole number, a double or a text, as it reads."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element

from styx_lab.models.native.column import Column
from styx_lab.models.native.place import refuse, switch
from styx_lab.models.native.scope import Expression
from styx_lab.models.native.transformations.library import Library
from styx_lab.models.native.values import constant, guess_type, is_known_type, parse

__all__ = ["compile_constant"]


def compile_constant(node: Element, library: Library, compile_it: Callable[[Element], Expression]) -> Expression:
    """Compile a Constant."""
    text = node.text or ""
    data_type = node.get("dataType") or guess_type(text)
    if not is_known_type(data_type):
        raise refuse(node, f"dataType={data_type!r} is not supported")
    if switch(node, "missing"):
        column = Column.nothing(data_type)
    else:
        try:
            column = constant(data_type, parse(data_type, text))
        except ValueError:
            raise refuse(node, f"the constant is no {data_type}", text) from None
    return lambda variables: column
