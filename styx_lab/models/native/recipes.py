"""Recipes: derived fields that are one input and a few steps of arithmetic with constants, and nothing else.

Law: a recipe gives the bits that its expression gives, wherever the input is a number; what is no such recipe has none,
and is left to the expression.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element

from styx_lab.models.native.transformations import Library
from styx_lab.models.native.values import guess_type, parse
from styx_lab.models.summary import local_name

__all__ = [
    "ADD",
    "DIVIDE",
    "DIVIDE_BY",
    "LOOK_UP",
    "MULTIPLY",
    "NARROW",
    "SUBTRACT",
    "SUBTRACT_FROM",
    "Recipe",
    "read_recipe",
]

ADD, SUBTRACT, SUBTRACT_FROM, MULTIPLY, DIVIDE, DIVIDE_BY, NARROW, LOOK_UP = range(8)
"""What a step does to a number x with its constant c: x + c, x - c, c - x, x * c, c / x, x / c; x in 32 bits; and
of the table that begins at c the entry x."""

_STEPS: Final = {
    ("+", False): ADD,
    ("+", True): ADD,
    ("-", False): SUBTRACT,
    ("-", True): SUBTRACT_FROM,
    ("*", False): MULTIPLY,
    ("*", True): MULTIPLY,
    ("/", False): DIVIDE_BY,
    ("/", True): DIVIDE,
}
"""By the function, and whether the constant comes first. (Adding and multiplying have no order in floating point.)"""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A derived field of one other.

    Attributes:
        field: the other's name.
        steps: what is done to it: step, constant, and the constant's type.
        type: the derived field's.
    """

    field: str
    steps: tuple[tuple[int, float, str], ...]
    type: str


def read_recipe(node: Element, library: Library) -> Recipe | None:
    """The recipe of a DerivedField; `None` when it is more than that."""
    inner = [each for each in node if local_name(each) != "Extension"]
    found = _read(inner[0], library) if len(inner) == 1 else None
    return None if found is None else Recipe(found[0], found[1], node.get("dataType", ""))


def _read(node: Element, library: Library) -> tuple[str, tuple[tuple[int, float, str], ...]] | None:
    if local_name(node) == "FieldRef":
        return (node.get("field", ""), ()) if node.keys() == ["field"] else None
    name = node.get("function", "")
    if local_name(node) != "Apply" or list(node.keys()) != ["function"] or name in library.functions:
        return None
    operands = [each for each in node if local_name(each) != "Extension"]
    constants = [local_name(each) == "Constant" for each in operands]
    if len(operands) != 2 or sum(constants) != 1:
        return None
    step = _STEPS.get((name, constants[0]))
    inner = _read(operands[1 if constants[0] else 0], library)
    number = _constant(operands[0 if constants[0] else 1])
    if step is None or inner is None or number is None:
        return None
    return inner[0], (*inner[1], (step, *number))


def _constant(node: Element) -> tuple[float, str] | None:
    text = node.text or ""
    data_type = node.get("dataType") or guess_type(text)
    if data_type not in ("double", "float", "integer") or node.get("missing") is not None:
        return None
    try:
        return float(parse(data_type, text)), data_type
    except ValueError:
        return None
