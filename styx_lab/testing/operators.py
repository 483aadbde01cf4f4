"""The contract of an operator: the laws, tried on one operator and one sequence.

Laws: re-chunking, crash anywhere, order within the bound, nothing silent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from styx_lab.core.batch import Batch
from styx_lab.core.events import TIME, canonical_lines
from styx_lab.core.operator import LATE, OUT, Emission, Operator
from styx_lab.core.state import GROUP, KEY_GROUPS, State, decode_state, encode_state
from styx_lab.testing.cuts import cut_at, cut_places

__all__ = ["check_operator"]

_SIZES: Final = (1, 7)
_CRASHES: Final = 8


@dataclass(slots=True)
class _Said:
    """All that an operator said, put together over slices; comparable."""

    rows: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)
    steps: dict[str, list[tuple[int, int, int]]] = field(default_factory=dict)
    dead: list[tuple[int, bytes]] = field(default_factory=list)
    late: list[int] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    came: int = 0

    def add(self, inputs: Sequence[Batch], emission: Emission) -> None:
        """Add what one slice gave."""
        for name, batch in emission.ports.items():
            lines = canonical_lines(batch.frame)
            self.rows.setdefault(name, []).extend(zip(batch.order.tolist(), lines, strict=True))
            steps = (batch.steps.order.tolist(), batch.steps.mark.tolist(), batch.steps.clock.tolist())
            self.steps.setdefault(name, []).extend(zip(*steps, strict=True))
        if emission.dead is not None:
            orders = [*emission.dead_order.tolist(), *emission.lost_order.tolist()]
            # In the order of the sequence, as an engine puts them.
            self.dead += sorted(zip(orders, canonical_lines(emission.dead), strict=True), key=lambda one: one[0])
        self.late += emission.late_order.tolist()
        self.counts.update(emission.counts)
        self.came += sum(len(batch) for batch in inputs)


def check_operator(
    make: Callable[[], Operator],
    inputs: Batch | Sequence[Batch],
    *,
    reordered: Sequence[Batch] = (),
    key: Sequence[str] = (),
    passes_late: bool = False,
) -> None:
    """Try an operator against the laws, on one sequence; returns when it keeps them.

    >>> from styx_lab.flow.stream import source
    >>> from styx_lab.operators.shape import FilterOperator
    >>> from styx_lab.testing import Script
    >>> cards = source("cards", schema={"ts": "int", "card": "str"}, time="ts", key="card", max_delay="2ms")
    >>> step = cards.filter("card = 'a'").steps[-1]
    >>> script = Script().event("a", at=3).event("b", at=2).watermark(10).event("a", at=12).end()
    >>> check_operator(lambda: FilterOperator(step), script.batch(cards))

    Args:
        make: a new operator, without state.
        inputs: the whole sequence: a batch for each input port (`Script.batch` makes one).
        reordered: for an operator that does not depend on arrival within the bound: the same events in other orders
            within it, none of them late.
        key: the columns of the key in what it gives; per key the order of rows must stay.
        passes_late: for an operator that calls no event late but lets it go at a later step (an as-of join): what
            came late may come out late.

    Raises:
        AssertionError: naming the rule that is broken.
    """
    batches = [inputs] if isinstance(inputs, Batch) else list(inputs)
    whole = _run(make(), [batches])
    if not passes_late:
        _check_in_time(make().process(batches).ports[OUT])
    places = cut_places(batches)
    for size in _SIZES:
        cut = _run(make(), cut_at(batches, places[::size]))
        _check_same(cut, whole, f"re-chunking: slices of {size} give what one slice gives")
    if len(batches) == 1:
        for size in _SIZES:
            cut = _run(make(), [[piece] for piece in batches[0].slices(size)])
            _check_same(cut, whole, f"re-chunking: slices of {size} rows give what one slice gives")
    slices = cut_at(batches, places[:: max(1, len(places) // _CRASHES)])
    for crash in range(len(slices) + 1):
        _check_crash(make, slices, crash, whole)
    for other in reordered:
        _check_order(_run(make(), [[other]]), whole, key)


def _run(operator: Operator, slices: Sequence[Sequence[Batch]], said: _Said | None = None) -> _Said:
    said = said or _Said()
    for batches in slices:
        emission = operator.process(batches)
        _check_emission(batches, emission)
        said.add(batches, emission)
    return said


def _check_emission(inputs: Sequence[Batch], emission: Emission) -> None:
    assert OUT in emission.ports, f"every slice gives a batch at the port {OUT!r}, also an empty one"
    end = max((int(array[-1]) for one in inputs for array in (one.order, one.steps.order) if len(array)), default=None)
    for name, batch in emission.ports.items():
        assert len(batch.order) == len(batch), f"port {name!r} has one order a row"
        assert (batch.order[1:] >= batch.order[:-1]).all(), (
            f"the orders of port {name!r} rise weakly; got {batch.order.tolist()}"
        )
        assert (batch.steps.order[1:] > batch.steps.order[:-1]).all(), f"the steps of port {name!r} rise in order"
        assert (batch.steps.mark[1:] >= batch.steps.mark[:-1]).all(), f"the steps of port {name!r} rise weakly in mark"
        given = {order for one in inputs for order in one.steps.order.tolist()}
        assert given.issuperset(batch.steps.order.tolist()), f"port {name!r} has no step that its inputs had not"
        places = given | {order for one in inputs for order in one.order.tolist()}
        assert places.issuperset(batch.order.tolist()), (
            f"a row of port {name!r} has the order of the event or step that caused it"
        )
        if end is not None and len(batch):
            assert int(batch.order[-1]) <= end, f"no row of port {name!r} is beyond its slice"
        if len(inputs) == 1:
            assert batch.steps.order.tolist() == inputs[0].steps.order.tolist(), f"port {name!r} keeps all steps"
            assert batch.before == inputs[0].before, f"port {name!r} has the watermark before its input"
    _check_fates(inputs, emission)


def _check_in_time(batch: Batch) -> None:
    """A row that a step fired must not be late for the next operator."""
    if TIME not in batch.frame.columns:
        return
    fired = np.isin(batch.order, batch.steps.order)
    times = batch.frame[TIME].to_physical().to_numpy()
    assert (times[fired] > batch.watermarks()[fired]).all(), "what a watermark step fires is not late at that step"


def _check_fates(inputs: Sequence[Batch], emission: Emission) -> None:
    came = Counter(order for batch in inputs for order in batch.order.tolist())
    late, dead = Counter(emission.late_order.tolist()), Counter(emission.dead_order.tolist())
    lost = (late + dead) - came
    assert not lost, f"nothing silent: what is late or dead came in; {sorted(lost)} did not"
    assert all(count >= 0 for count in emission.counts.values()), (
        f"counts are not negative; got {dict(emission.counts)}"
    )
    letters = 0 if emission.dead is None else emission.dead.height
    assert letters == len(emission.dead_order) + len(emission.lost_order), (
        "nothing silent: each dead letter has its event's order, or that of what was lost, and each of these its letter"
    )
    if LATE in emission.ports:
        orders = emission.ports[LATE].order.tolist()
        assert orders == emission.late_order.tolist(), "nothing silent: the late port has the late events, each once"


def _check_same(found: _Said, whole: _Said, rule: str) -> None:
    for name in ("rows", "steps", "dead", "late", "counts", "came"):
        one, other = getattr(found, name), getattr(whole, name)
        if name == "counts":
            # A count of nought may be said or not.
            one, other = +one, +other
        assert one == other, f"{rule}; {name} differ:\n  {_short(one)}\n  {_short(other)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 2_000 else text[:2_000] + "…"


def _check_crash(make: Callable[[], Operator], slices: Sequence[Sequence[Batch]], crash: int, whole: _Said) -> None:
    operator = make()
    said = _run(operator, slices[:crash])
    state = operator.snapshot()
    data = encode_state(state)
    before = _copy(said)
    _check_same(_run(operator, slices[crash:], said), whole, "a snapshot leaves the operator as it was")
    assert encode_state(state) == data, "crash anywhere: what snapshot() gave never changes afterwards"
    for parts in _parted(decode_state(data, where="check_operator()")):
        restored = make()
        restored.restore(parts)
        rest = _run(restored, slices[crash:], _copy(before))
        _check_same(rest, whole, f"crash anywhere: restored after {crash} slices from {len(parts)} part(s), it goes on")


def _parted(state: State) -> list[list[State]]:
    """The state whole, and in parts by key group, in several orders."""
    used = sorted(
        {
            group
            for table in state.tables.values()
            if GROUP in table.columns
            for group in table[GROUP].unique().to_list()
        }
    )
    halves = [state.only(range(KEY_GROUPS // 2, KEY_GROUPS)), state.only(range(KEY_GROUPS // 2))]
    ways = [[state], halves, halves[::-1]]
    if len(used) > 1:
        rest = [group for group in range(KEY_GROUPS) if group not in used]
        single = [state.only([group]) for group in used]
        ways += [[*single, state.only(rest)], [state.only(rest), *single[::-1]]]
    return ways


def _copy(said: _Said) -> _Said:
    return _Said(
        {name: list(rows) for name, rows in said.rows.items()},
        {name: list(steps) for name, steps in said.steps.items()},
        list(said.dead),
        list(said.late),
        Counter(said.counts),
        said.came,
    )


def _check_order(found: _Said, whole: _Said, key: Sequence[str]) -> None:
    for said in (found, whole):
        assert not said.late, "the orders to compare have no late events"
    for port in whole.rows:
        one, other = _by_key(found, port, key), _by_key(whole, port, key)
        assert one == other, (
            f"order within the bound changes nothing at port {port!r}:\n  {_short(one)}\n  {_short(other)}"
        )


def _by_key(said: _Said, port: str, key: Sequence[str]) -> dict[Any, list[dict[str, Any]]]:
    rows: dict[Any, list[dict[str, Any]]] = {}
    for _, line in said.rows.get(port, []):
        row = _timeless(line)
        rows.setdefault(tuple(row[name] for name in key), []).append(row)
    return rows


def _timeless(line: bytes) -> dict[str, Any]:
    """A row without what says when and from where it came: that is the order of arrival itself."""
    import json

    row = json.loads(line)
    return {name: value for name, value in row.items() if name not in ("_arrival", "_detected", "_offset", "_origin")}
