"""Where the boxes and links of a drawing stand: layers from top to bottom, a link never through a box.

Law: the same boxes and links stand in the same places, on every machine; chains of steps are straight.

Layers are longest paths from the sources (Sugiyama's method); a link that skips a layer keeps a lane free there.
Chains of steps are straight lines: as far left as they may be, then as far right; between the two is room for all of
them (the idea of Brandes and Koepf). Last, each chain moves towards what it is linked with, as far as there is room.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from styx_lab.core.operator import LATE
from styx_lab.flow.flow import Flow
from styx_lab.flow.steps import Port

__all__ = ["Box", "Layout", "Link", "Point", "lay_out", "links"]

Point = tuple[int, int]
_Spot = tuple[str, int]  # a box (its name, -1), or the lane of a link in a layer (the link's number, the layer)
_Rows = list[list[_Spot]]

_BOX_GAP: Final = 40
_LANE: Final = 24
_LAYER_GAP: Final = 32
_BEND_GAP: Final = 54
_PORT_GAP: Final = 34
_SWEEPS: Final = 6
_FAR: Final = 10**9


@dataclass(frozen=True, slots=True)
class Link:
    """What one step gives at a port, read by another step as one of its inputs."""

    port: Port
    reader: str
    place: int


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle: its left top corner and its size, px."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The answer of `lay_out`.

    Attributes:
        boxes: where each step stands.
        routes: for each link the points it passes; between two at different x it bends.
        width: of everything, px.
        height: of everything, px.
    """

    boxes: dict[str, Box]
    routes: list[list[Point]]
    width: int
    height: int


def links(flow: Flow) -> list[Link]:
    """Every link of a flow, in the order of the readers."""
    return [Link(port, step.name, place) for step in flow.steps for place, port in enumerate(step.inputs)]


def lay_out(sizes: Mapping[str, tuple[int, int]], links: Sequence[Link]) -> Layout:
    """Find a place for every box.

    Args:
        sizes: width and height of each step's box, px; a step stands after those it reads.
        links: what connects them.
    """
    layers: dict[str, int] = {}
    for name in sizes:
        layers[name] = 1 + max((layers[link.port.step] for link in links if link.reader == name), default=-1)
    paths = [_path(number, link, layers) for number, link in enumerate(links)]
    rows = _ordered(layers, paths, links)
    widths = {spot: sizes[spot[0]][0] if spot[1] < 0 else _LANE for row in rows for spot in row}
    centres = _centres(rows, widths, paths, links)

    left = min(centres[spot] - widths[spot] // 2 for spot in centres)
    bent = {
        layers[path[0][0]] if upper[1] < 0 else upper[1]
        for path in paths
        for upper, lower in pairwise(path)
        if centres[upper] != centres[lower]
    }
    tops, bottoms, y = [], [], 0
    for layer, row in enumerate(rows):
        tops.append(y)
        y += max(sizes[spot[0]][1] for spot in row if spot[1] < 0)
        bottoms.append(y)
        y += _BEND_GAP if layer in bent else _LAYER_GAP
    boxes = {
        name: Box(centres[name, -1] - left - width // 2, tops[layers[name]], width, height)
        for name, (width, height) in sizes.items()
    }
    routes = []
    entries = _entries(links, paths, centres)
    for number, (link, path) in enumerate(zip(links, paths, strict=True)):
        start, end = boxes[link.port.step], boxes[link.reader]
        x = start.x + start.width // 2 + _leaves(link, start.width)
        route = [(x, start.y + start.height), (x, bottoms[layers[link.port.step]])]
        for spot in path[1:-1]:
            route += [(centres[spot] - left, tops[spot[1]]), (centres[spot] - left, bottoms[spot[1]])]
        routes.append([*route, (end.x + end.width // 2 + entries[number], end.y)])
    return Layout(boxes, routes, max(box.x + box.width for box in boxes.values()), bottoms[-1])


def _path(number: int, link: Link, layers: Mapping[str, int]) -> list[_Spot]:
    lanes = range(layers[link.port.step] + 1, layers[link.reader])
    return [(link.port.step, -1), *((str(number), layer) for layer in lanes), (link.reader, -1)]


def _leaves(link: Link, width: int) -> int:
    # What is late leaves at the right, everything else in the middle.
    return width // 2 - _PORT_GAP if link.port.name == LATE else 0


def _entries(links: Sequence[Link], paths: Sequence[list[_Spot]], centres: Mapping[_Spot, int]) -> dict[int, int]:
    """How far from its reader's middle each link comes in: side by side, in the order they come from."""
    inputs: dict[str, list[int]] = defaultdict(list)
    for number, link in enumerate(links):
        inputs[link.reader].append(number)
    entries = {}
    for numbers in inputs.values():
        numbers.sort(key=lambda number: (centres[paths[number][-2]], links[number].port.name, number))
        # The link whose box stands right above comes in straight.
        middle = centres[paths[numbers[0]][-1]]
        above = [at for at, number in enumerate(numbers) if centres[paths[number][-2]] == middle]
        straight = above[0] if above else (len(numbers) - 1) / 2
        gap = min(_PORT_GAP, 280 // len(numbers))
        for at, number in enumerate(numbers):
            entries[number] = round((at - straight) * gap)
    return entries


def _ordered(layers: Mapping[str, int], paths: Sequence[list[_Spot]], links: Sequence[Link]) -> _Rows:
    """Each layer from left to right, by what its boxes read and are read by: the order with fewest crossings."""
    rows: _Rows = [[] for _ in range(max(layers.values()) + 1)]
    readers = {link.port.step for link in links}
    # The way on stands before an output beside it.
    for name in sorted(layers, key=lambda name: name not in readers):
        rows[layers[name]].append((name, -1))
    for path in paths:
        for spot in path[1:-1]:
            rows[spot[1]].append(spot)
    above: dict[_Spot, list[tuple[_Spot, float]]] = defaultdict(list)
    below: dict[_Spot, list[tuple[_Spot, float]]] = defaultdict(list)
    for path, link in zip(paths, links, strict=True):
        for upper, lower in pairwise(path):
            # What is late leaves to the right of what is not.
            above[lower].append((upper, 0.3 if link.port.name == LATE and upper[1] < 0 else 0.0))
            below[upper].append((lower, 0.0))
    best, fewest = [list(row) for row in rows], None
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for row in rows[1:] if down else rows[-2::-1]:
            _sort(row, above if down else below, {spot: at for one in rows for at, spot in enumerate(one)})
        crossings = _crossings(rows, below, above)
        if fewest is None or crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return best


def _sort(row: list[_Spot], linked: Mapping[_Spot, list[tuple[_Spot, float]]], at: Mapping[_Spot, int]) -> None:
    def middle(spot: _Spot) -> float:
        others = [at[other] + more for other, more in linked.get(spot, [])]
        return sum(others) / len(others) if others else at[spot]

    row.sort(key=lambda spot: (middle(spot), at[spot]))


def _crossings(
    rows: _Rows, below: Mapping[_Spot, list[tuple[_Spot, float]]], above: Mapping[_Spot, list[tuple[_Spot, float]]]
) -> int:
    at = {spot: number for row in rows for number, spot in enumerate(row)}
    found = 0
    for row in rows:
        ends = [
            (at[spot] + next(more for upper, more in above[lower] if upper == spot), at[lower])
            for spot in row
            for lower, _ in below.get(spot, [])
        ]
        found += sum((a - c) * (b - d) < 0 for number, (a, b) in enumerate(ends) for c, d in ends[number + 1 :])
    return found


def _centres(
    rows: _Rows, widths: Mapping[_Spot, int], paths: Sequence[list[_Spot]], links: Sequence[Link]
) -> dict[_Spot, int]:
    """The middle of every box and lane."""
    before = [(left, right) for row in rows for left, right in pairwise(row)]
    apart = {(left, right): (widths[left] + widths[right]) // 2 + _BOX_GAP for left, right in before}
    chain = _chains(rows, paths, links, before)
    rules: dict[tuple[int, int], int] = {}
    for (left, right), least in apart.items():
        pair = chain[left], chain[right]
        rules[pair] = max(least, rules.get(pair, 0))
    sequence = _sequence(set(chain.values()), rules)
    assert sequence is not None  # _chains made sure
    low = _pushed(sequence, rules)
    high = _pushed(sequence[::-1], {(right, left): least for (left, right), least in rules.items()})
    whole = max(low.values())
    places = {one: (low[one] + whole - high[one]) // 2 for one in sequence}
    pulls: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for path, link in zip(paths, links, strict=True):
        for upper, lower in pairwise(path):
            offset = _leaves(link, widths[upper]) if upper[1] < 0 else 0
            if chain[upper] != chain[lower]:
                pulls[chain[lower]].append((chain[upper], offset))
                pulls[chain[upper]].append((chain[lower], -offset))
    for one in [*sequence, *sequence[::-1]] * 2:
        if not pulls[one]:
            continue
        wish = sum(places[other] + offset for other, offset in pulls[one]) // len(pulls[one])
        least = max((places[left] + gap for (left, right), gap in rules.items() if right == one), default=-_FAR)
        most = min((places[right] - gap for (left, right), gap in rules.items() if left == one), default=_FAR)
        places[one] = max(least, min(wish, most))
    return {spot: places[chain[spot]] for spot in chain}


def _chains(
    rows: _Rows, paths: Sequence[list[_Spot]], links: Sequence[Link], before: Sequence[tuple[_Spot, _Spot]]
) -> dict[_Spot, int]:
    """Which spots stand in one straight line: what a step gives first, and the middle one of what a step reads."""
    spots = [spot for row in rows for spot in row]
    at = {spot: number for row in rows for number, spot in enumerate(row)}
    uppers: dict[_Spot, list[_Spot]] = defaultdict(list)
    lowers: dict[_Spot, list[_Spot]] = defaultdict(list)
    for path, link in zip(paths, links, strict=True):
        for upper, lower in pairwise(path):
            uppers[lower].append(upper)
            if link.port.name != LATE or upper[1] >= 0:
                lowers[upper].append(lower)
    chain = {spot: number for number, spot in enumerate(spots)}
    for spot in spots:
        if spot not in lowers:
            continue
        lower = min(lowers[spot], key=lambda one: (one not in lowers, at[one]))
        straight = sorted(uppers[lower], key=lambda one: at[one])[(len(uppers[lower]) - 1) // 2]
        if straight == spot:
            joined = {one: chain[spot] if number == chain[lower] else number for one, number in chain.items()}
            pairs = {(joined[left], joined[right]) for left, right in before}
            # Two chains that change sides cannot both be straight.
            if _sequence(set(joined.values()), dict.fromkeys(pairs, 0)) is not None:
                chain = joined
    return chain


def _sequence(chains: set[int], rules: Mapping[tuple[int, int], int]) -> list[int] | None:
    """The chains from left to right, as the rules have them; None when they contradict each other."""
    waiting: dict[int, set[int]] = {one: set() for one in sorted(chains)}
    for left, right in rules:
        waiting[right].add(left)
    found: list[int] = []
    placed: set[int] = set()
    while len(found) < len(waiting):
        ready = next((one for one, lefts in waiting.items() if one not in placed and lefts <= placed), None)
        if ready is None:
            return None
        found.append(ready)
        placed.add(ready)
    return found


def _pushed(sequence: Sequence[int], rules: Mapping[tuple[int, int], int]) -> dict[int, int]:
    """The least place of each chain, when every rule is kept and the first stand at nought."""
    places: dict[int, int] = {}
    for one in sequence:
        places[one] = max((places[left] + least for (left, right), least in rules.items() if right == one), default=0)
    return places
