"""Reading attributes of a PMML element, with errors that name the element and its line.

Law: what is not understood is refused by name and line; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from styx_lab.errors import ModelError
from styx_lab.models.guard import PlacedElement
from styx_lab.models.summary import local_name

__all__ = [
    "child",
    "children",
    "choice",
    "integer",
    "number",
    "optional_number",
    "place",
    "refuse",
    "required",
    "switch",
]


def place(node: Element) -> str:
    """Where an element stands: `<Node> in line 12`."""
    line = node.line if isinstance(node, PlacedElement) else 0
    return f"<{local_name(node)}> in line {line}"


def refuse(node: Element, what: str, got: object = None) -> ModelError:
    """The error for an element that cannot be evaluated."""
    if got is None:
        return ModelError(what, where=place(node))
    return ModelError(what, where=place(node), got=got)


def child(node: Element, name: str) -> Element | None:
    """The first child of a name."""
    return next((each for each in node if local_name(each) == name), None)


def children(node: Element, *names: str) -> Iterator[Element]:
    """The children of some names, in order."""
    return (each for each in node if local_name(each) in names)


def required(node: Element, name: str) -> str:
    """An attribute that must be there."""
    value = node.get(name)
    if value is None:
        raise refuse(node, f"the attribute {name} is missing")
    return value


def choice(node: Element, name: str, allowed: tuple[str, ...], default: str | None = None) -> str:
    """An attribute that is one of some words."""
    value = node.get(name, default)
    if value is None:
        raise refuse(node, f"the attribute {name} is missing")
    if value not in allowed:
        raise refuse(node, f"{name}={value!r} is not supported (one of {', '.join(allowed)} is)")
    return value


def number(node: Element, name: str, default: float | None = None) -> float:
    """An attribute that is a number."""
    found = optional_number(node, name)
    if found is not None:
        return found
    if default is None:
        raise refuse(node, f"the attribute {name} is missing")
    return default


def optional_number(node: Element, name: str) -> float | None:
    """An attribute that is a number, if it is there."""
    text = node.get(name)
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        raise refuse(node, f"the attribute {name} is no number", text) from None


def integer(node: Element, name: str, default: int | None = None) -> int:
    """An attribute that is a whole number."""
    value = number(node, name, None if default is None else float(default))
    if value != int(value):
        raise refuse(node, f"the attribute {name} is no whole number", node.get(name))
    return int(value)


def switch(node: Element, name: str, default: bool = False) -> bool:
    """An attribute that is true or false."""
    text = node.get(name)
    if text is None:
        return default
    if text not in ("true", "false", "1", "0"):
        raise refuse(node, f"the attribute {name} is neither true nor false", text)
    return text in ("true", "1")
