"""From an expression element to what evaluates it: the table of expression elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from xml.etree.ElementTree import Element

from styx_lab.models.native.grammar import EXPRESSIONS
from styx_lab.models.native.place import refuse
from styx_lab.models.native.scope import Expression
from styx_lab.models.native.transformations import (
    apply,
    constant,
    discretize,
    field_ref,
    map_values,
    norm_continuous,
    norm_discrete,
    text_index,
)
from styx_lab.models.native.transformations.library import Library
from styx_lab.models.summary import local_name

__all__ = ["compile_expression", "expression_of"]

_COMPILE: Final[dict[str, Callable[[Element, Library, Callable[[Element], Expression]], Expression]]] = {
    "Apply": apply.compile_apply,
    "Constant": constant.compile_constant,
    "Discretize": discretize.compile_discretize,
    "FieldRef": field_ref.compile_field_ref,
    "MapValues": map_values.compile_map_values,
    "NormContinuous": norm_continuous.compile_norm_continuous,
    "NormDiscrete": norm_discrete.compile_norm_discrete,
    "TextIndex": text_index.compile_text_index,
}
_NAMES: Final = tuple(EXPRESSIONS.split())


def compile_expression(node: Element, library: Library) -> Expression:
    """Compile one expression element.

    Raises:
        ModelError: when it, or something in it, is not supported.
    """
    compile_it = _COMPILE.get(local_name(node))
    if compile_it is None:
        raise refuse(node, "the expression is not supported")
    return compile_it(node, library, lambda inner: compile_expression(inner, library))


def expression_of(node: Element) -> Element | None:
    """The one expression in an element, if there is one."""
    found = [each for each in node if local_name(each) in _NAMES]
    if len(found) > 1:
        raise refuse(found[1], "a second expression where one is expected")
    return found[0] if found else None
