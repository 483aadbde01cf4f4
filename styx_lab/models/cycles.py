"""Derived fields that need each other, and functions that call themselves, are refused: they would never end.

Law: a field is looked for where an evaluator looks for it: among the fields of its model, then of the model around it,
then of the whole file. No way through what needs what comes back to where it began.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final
from xml.etree.ElementTree import Element

from styx_lab.errors import ModelError
from styx_lab.models.summary import local_name

__all__ = ["refuse_cycles"]

_NEEDS: Final = ("field", "textField", "weightField")
_LOCAL: Final = "LocalTransformations"


def refuse_cycles(root: Element, where: str) -> None:
    """Refuse circles among derived fields, or among functions.

    Raises:
        ModelError: with the circle.
    """
    declared = _Declared(root)
    shared = _fields(root, "TransformationDictionary", declared)
    functions = {}
    for block in root:
        if local_name(block) == "TransformationDictionary":
            for each in block:
                if local_name(each) == "DefineFunction":
                    functions[each.get("name", "")] = {
                        node.get("function", "") for node in each.iter() if local_name(node) == "Apply"
                    }
    _refuse(functions, "its functions call each other in a circle", where)
    _refuse(shared, "its derived fields go round in a circle", where)
    # Fields of the whole file that need a name which only a model derives: together they may go round, too.
    open_ends = {name for needs in shared.values() for name in needs if name not in shared}
    for outer, local in _scopes(root, declared):
        around = outer if not open_ends.isdisjoint(local) or not open_ends.isdisjoint(outer) else {}
        graph = {**(shared if around or not open_ends.isdisjoint(local) else {}), **around, **local}
        _refuse(graph, "its derived fields go round in a circle", where)


class _Declared:
    """Names that stand for something else than one derived field; looked for only where a field names itself."""

    def __init__(self, root: Element) -> None:
        self._root = root
        self._names: set[str] | None = None

    def __contains__(self, name: str) -> bool:
        if self._names is None:
            found, derived = set(), set()
            for node in self._root.iter():
                kind, each = local_name(node), node.get("name", "")
                if kind in ("DataField", "MiningField", "OutputField") or (kind == "DerivedField" and each in derived):
                    found.add(each)
                elif kind == "DerivedField":
                    derived.add(each)
            self._names = found
        return name in self._names


def _fields(node: Element, block: str, declared: _Declared) -> dict[str, set[str]]:
    """The derived fields of a model or file, and what each needs."""
    needs: dict[str, set[str]] = {}
    for each in node:
        if local_name(each) == block:
            for derived in each:
                if local_name(derived) == "DerivedField":
                    name = derived.get("name", "")
                    needs[name] = {text for inner in derived.iter() for text in _names(inner)}
                    # A field of an outer scope may have the same name as the one that is derived from it.
                    if name in needs[name] and name in declared:
                        needs[name].discard(name)
    return needs


def _names(node: Element) -> Iterator[str]:
    for key in _NEEDS:
        text = node.get(key)
        if text is not None:
            yield text


def _scopes(root: Element, declared: _Declared) -> Iterator[tuple[dict[str, set[str]], dict[str, set[str]]]]:
    """Each model's derived fields, with those of the models around it."""
    todo: list[tuple[Element, dict[str, set[str]]]] = [(root, {})]
    while todo:
        node, outer = todo.pop()
        local = _fields(node, _LOCAL, declared) if node is not root else {}
        if local:
            yield outer, local
            outer = {**outer, **local}
        todo.extend((each, outer) for each in node if len(each) and local_name(each) != _LOCAL)


def _refuse(needs: Mapping[str, set[str]], what: str, where: str) -> None:
    done: set[str] = set()
    for start in needs:
        path: list[str] = []
        on_path: set[str] = set()
        todo: list[tuple[str, bool]] = [(start, False)]
        while todo:
            name, leaving = todo.pop()
            if leaving:
                path.pop()
                on_path.discard(name)
                done.add(name)
            elif name in on_path:
                circle = " -> ".join([*path[path.index(name) :], name])
                raise ModelError(
                    what, where=where, got=circle[:200], hint="derive each from the inputs, in their order"
                )
            elif name not in done and name in needs:
                path.append(name)
                on_path.add(name)
                todo.append((name, True))
                todo.extend((other, False) for other in sorted(needs[name]))
