"""Derived fields that need each other and functions that call each other come to an end, soon.

Law: a field is looked for where an evaluator looks for it: among the fields of its model, then of the model around it,
then of the whole file. No way through what needs what comes back to where it began, and none is longer than a stack
bears; functions call functions no more often than a file may have elements.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final
from xml.etree.ElementTree import Element

from styx_lab.errors import ModelError
from styx_lab.models.summary import local_name

__all__ = ["refuse_cycles"]

_NEEDS: Final = ("field", "textField", "weightField")
_LOCAL: Final = "LocalTransformations"
_SHARED: Final = "TransformationDictionary"
_CIRCLE: Final = "its derived fields go round in a circle"

# What a name needs: other names, each so many times, and how deep its own expression is.
_Need = tuple[Counter[str], int]


def refuse_cycles(root: Element, where: str, *, depth: int, calls: int) -> None:
    """Refuse circles among derived fields or functions, and what is too deep or calls too often to be reckoned.

    Args:
        root: the file.
        where: the model, for errors.
        depth: of expressions in expressions, through fields and functions.
        calls: of functions by functions, all in all.

    Raises:
        ModelError: with the circle, or the name that is too deep.
    """
    blocks = [each for each in root if local_name(each) == _SHARED]
    functions = {
        each.get("name", ""): _calls(each) for block in blocks for each in block if local_name(each) == "DefineFunction"
    }
    deep = _reckon(functions, {}, "its functions call each other in a circle", where, depth)
    if functions:
        _refuse_avalanche(root, functions, where, calls)
    declared = _Declared(root)
    shared = _fields(root, _SHARED, declared, deep)
    depths = _reckon(shared, {}, _CIRCLE, where, depth)
    # Fields of the whole file that need a name which only a model derives: together they may go round, too.
    open_ends = {name for needs, _ in shared.values() for name in needs if name not in shared}
    todo = [(root, dict[str, _Need](), depths)]
    while todo:
        node, outer, depths = todo.pop()
        local = _fields(node, _LOCAL, declared, deep) if node is not root else {}
        if local:
            outer = {**outer, **local}
            meet = not open_ends.isdisjoint(outer)
            depths = {**depths, **_reckon({**shared, **outer} if meet else local, depths, _CIRCLE, where, depth)}
        todo.extend((each, outer, depths) for each in node if len(each) and local_name(each) not in _INNERMOST)


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


def _calls(function: Element) -> _Need:
    return Counter(name for name in _applied(function)), _depth(function)


def _applied(node: Element) -> Iterator[str]:
    return (each.get("function", "") for each in node.iter() if local_name(each) == "Apply")


def _depth(node: Element) -> int:
    """How deep elements stand in elements."""
    deepest, level = 0, [node]
    while level:
        deepest += 1
        level = [inner for each in level for inner in each]
    return deepest


def _fields(node: Element, block: str, declared: _Declared, functions: Mapping[str, int]) -> dict[str, _Need]:
    """The derived fields of a model or file, and what each needs."""
    fields: dict[str, _Need] = {}
    for each in node:
        if local_name(each) != block:
            continue
        for derived in each:
            if local_name(derived) == "DerivedField":
                name = derived.get("name", "")
                needs = Counter(
                    text for inner in derived.iter() for key in _NEEDS if (text := inner.get(key)) is not None
                )
                # A field of an outer scope may have the same name as the one that is derived from it.
                if name in needs and name in declared:
                    del needs[name]
                called = max((functions.get(one, 0) for one in _applied(derived)), default=0) if functions else 0
                fields[name] = (needs, _depth(derived) + called)
    return fields


_INNERMOST: Final = frozenset({_LOCAL, _SHARED, "DataDictionary", "Node", "MiningSchema", "Output", "Extension"})
"""Elements that hold no model."""


def _refuse_avalanche(root: Element, functions: Mapping[str, _Need], where: str, most: int) -> None:
    """Functions that call functions twice each make 2^n calls of n functions."""
    sizes: dict[str, int] = {}
    todo = list(functions)
    while todo:
        name = todo[-1]
        missing = [one for one in functions[name][0] if one in functions and one not in sizes]
        if missing:
            todo.extend(missing)
            continue
        todo.pop()
        sizes[name] = 1 + sum(times * sizes.get(one, 0) for one, times in functions[name][0].items())
    total = sum(sizes.get(one, 0) for one in _applied(root))
    if total > most:
        raise ModelError(
            f"its functions call each other more than {most:,} times",
            where=where,
            got=max(sizes, key=sizes.__getitem__)[:40],
            hint="derive fields instead: each is reckoned once",
        )


def _reckon(
    needs: Mapping[str, _Need], around: Mapping[str, int], circle: str, where: str, most: int
) -> dict[str, int]:
    """How deep each name stands on others.

    Args:
        needs: what is reckoned.
        around: what it may stand on besides, of which there is no circle, and how deep it stands.
        circle: what to say of a circle.
        where: the model.
        most: the depth that is allowed.
    """
    depths: dict[str, int] = {}
    for begin in needs:
        path: list[str] = []
        on_path: set[str] = set()
        todo: list[tuple[str, bool]] = [(begin, False)]
        while todo:
            name, leaving = todo.pop()
            if leaving:
                path.pop()
                on_path.discard(name)
                others, own = needs[name]
                depths[name] = own + max((depths.get(one, around.get(one, 0)) for one in others), default=0)
                if depths[name] > most:
                    raise ModelError(
                        f"its expressions stand on each other more than {most:,} deep",
                        where=where,
                        got=name[:40],
                        hint="derive fields from the inputs, and not each from the one before",
                    )
            elif name in on_path:
                way = " -> ".join([*path[path.index(name) :], name])
                raise ModelError(circle, where=where, got=way[:200], hint="derive each from the inputs, in their order")
            elif name not in depths and name in needs:
                path.append(name)
                on_path.add(name)
                todo.append((name, True))
                todo.extend((other, False) for other in sorted(needs[name][0]))
    return depths
