"""Elements of a PMML file that know their lines, put together while a parser reads.

Law: blanks between elements are left out; nothing else is.
"""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

__all__ = ["PlacedElement", "Tree"]


class PlacedElement(Element):
    """An element that knows the line of the file it began in."""

    __slots__ = ("line",)

    line: int


class Tree:
    """Handlers for expat that build a tree: `start`, `end` and `data`; `root` and `stack` hold what is built.

    Args:
        expat: the parser, whose attributes come as dictionaries.
    """

    root: PlacedElement

    def __init__(self, expat: Any) -> None:
        names: dict[str, str] = {}
        stack: list[PlacedElement] = []
        texts: list[str] = []
        last: PlacedElement | None = None  # the child that ended last, whose tail a text is

        def put_text(*, leaf: bool) -> None:
            text = "".join(texts)
            texts.clear()
            if leaf and last is None:
                stack[-1].text = text
            elif text.strip():
                if last is None:
                    stack[-1].text = text
                else:
                    last.tail = text

        # Closures, as they are called a million times.
        def start(tag: str, attributes: dict[str, str]) -> None:
            nonlocal last
            if texts:
                put_text(leaf=False)
            name = names.get(tag)
            if name is None:
                name = names[tag] = "{" + tag if "}" in tag else tag
            if "}" in "".join(attributes):
                attributes = {"{" + key if "}" in key else key: text for key, text in attributes.items()}
            element = PlacedElement(name, attributes)
            element.line = expat.CurrentLineNumber
            if stack:
                stack[-1].append(element)
            else:
                self.root = element
            stack.append(element)
            last = None

        def end(tag: str) -> None:
            nonlocal last
            if texts:
                put_text(leaf=True)
            last = stack.pop()

        self.start = start
        self.end = end
        self.data = texts.append
        self.stack = stack
