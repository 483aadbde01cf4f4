"""Array, sparse array and Matrix elements: lists of numbers or texts.

Law: the count that an element states is the count it has.
"""

from __future__ import annotations

import re
from typing import Final
from xml.etree.ElementTree import Element

from styx_lab.models.native.place import child, integer, number, refuse

__all__ = ["numbers_of", "texts_of"]

_TOKEN: Final = re.compile(r'"((?:\\.|[^"\\])*)"|(\S+)')


def texts_of(node: Element) -> list[str]:
    """The entries of an Array; an entry with blanks stands in quotes."""
    text = (node.text or "").strip()
    if '"' not in text:
        found = text.split()
    else:
        found = [
            quoted.replace('\\"', '"').replace("\\\\", "\\") if quoted or not plain else plain
            for quoted, plain in _TOKEN.findall(text)
        ]
    if node.get("n") is not None and integer(node, "n") != len(found):
        raise refuse(node, f"the array says it has {node.get('n')} entries", len(found))
    return found


def numbers_of(node: Element) -> list[float]:
    """The entries of an Array of numbers, or of a sparse one."""
    if node.tag.endswith("SparseArray"):
        return _sparse(node)
    try:
        return [float(each) for each in texts_of(node)]
    except ValueError:
        raise refuse(node, "an entry of the array is no number", (node.text or "")[:40]) from None


def _sparse(node: Element) -> list[float]:
    size = integer(node, "n")
    if not 0 <= size <= 10_000_000:
        raise refuse(node, "the array is too long", size)
    values = [number(node, "defaultValue", 0.0)] * size
    indices = child(node, "Indices")
    entries = child(node, "REAL-Entries")
    if entries is None:
        entries = child(node, "INT-Entries")
    where = [] if indices is None else numbers_of(indices)
    what = [] if entries is None else numbers_of(entries)
    if len(where) != len(what) or any(not 1 <= each <= size or each != int(each) for each in where):
        raise refuse(node, "the indices of a sparse array do not fit its entries")
    for at, value in zip(where, what, strict=True):
        values[int(at) - 1] = value
    return values
