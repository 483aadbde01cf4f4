"""How near two answers must come: 1e-9 of the answer, or 1e-6 where a file makes them hang on 32 bits.

Law: which of the two holds is read from the file alone.
"""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element

from styx_lab.models.summary import local_name

__all__ = ["PRECISION", "SINGLE_PRECISION", "mixed_precision", "single_precision"]

PRECISION: Final = 1e-9
"""How near two answers must come, as a share, where a file reckons in 64 bits."""
SINGLE_PRECISION: Final = 1e-6
"""The same where its answers hang on 32 bits."""


def single_precision(root: Element) -> str | None:
    """Why a file's answers hang on 32 bits, in words; `None` where they do not."""
    if any(node.get("x-mathContext") == "float" for node in root.iter()):
        return "the file reckons in 32 bits"
    if mixed_precision(root):
        return "trees and a linear part of the file share inputs of 32 bits"
    return None


def mixed_precision(root: Element) -> bool:
    """Whether a file has trees, and a linear part that reads an input of 32 bits, itself or through derived fields."""
    if not any(local_name(node) == "TreeModel" for node in root.iter()):
        return False
    single = {
        node.get("name", "")
        for node in root.iter()
        if local_name(node) in ("DataField", "DerivedField") and node.get("dataType") == "float"
    }
    derived = [node for node in root.iter() if local_name(node) == "DerivedField"]
    for _ in range(len(derived) if single else 0):
        more = {
            node.get("name", "")
            for node in derived
            if node.get("name") not in single and any(each.get("field") in single for each in node.iter())
        }
        if not more:
            break
        single |= more
    return any(local_name(node) == "NumericPredictor" and node.get("name") in single for node in root.iter())
