"""Sources that meet: while one of them is idle as a whole, its watermark goes along with the others'.

Law: the minimum over sources is over those that are not idle; it is a function of the sequence, never of its cut. Who
comes back holds it again, from where it is by then: a watermark never goes back. Where all are idle it stays.

A union takes the minimum of its inputs. So that neither it nor a join need know who is idle, an idle source takes the
steps of the least of those that it meets further down. What a source's own events say is computed in
`core/watermark.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from styx_lab.core.batch import Batch, Steps
from styx_lab.core.operator import OUT, Emission
from styx_lab.flow.flow import Flow
from styx_lab.flow.steps import SourceStep
from styx_lab.operators.source import SourceOperator

__all__ = ["Meeting", "meetings"]


def meetings(flow: Flow) -> list[tuple[str, ...]]:
    """The sources that meet in a step with several inputs, in the flow's order; without those that meet nobody.

    >>> from styx_lab.flow.flow import flow
    >>> from styx_lab.flow.stream import source
    >>> one, two, three = (source(name, schema={"ts": "int"}, time="ts") for name in ("one", "two", "three"))
    >>> meetings(flow("f", one.union(two).to("both"), three.to("alone")))
    [('one', 'two')]
    """
    reached: dict[str, frozenset[str]] = {}
    groups: dict[str, frozenset[str]] = {}
    for step in flow.steps:
        if isinstance(step, SourceStep):
            reached[step.name] = frozenset([step.name])
            groups[step.name] = reached[step.name]
            continue
        reached[step.name] = frozenset().union(*(reached[port.step] for port in step.inputs))
        together = frozenset().union(*(groups[name] for name in reached[step.name]))
        groups |= dict.fromkeys(together, together)
    found = dict.fromkeys(tuple(name for name in groups if name in group) for group in groups.values())
    return [group for group in found if len(group) > 1]


class Meeting:
    """The sources of one group.

    Args:
        sources: their operators, in the flow's order.
    """

    def __init__(self, sources: Mapping[str, SourceOperator]) -> None:
        self._trackers = {name: source.tracker for name, source in sources.items()}

    def settle(self, emissions: Mapping[str, Emission]) -> None:
        """Let the idle ones go along, in what all of them said of one slice."""
        trackers = self._trackers
        if not any(one.silent or one.changes or one.stepped_before > one.clock_before for one in trackers.values()):
            return
        batches = {name: emissions[name].ports[OUT] for name in trackers}
        marks = {name: batch.before for name, batch in batches.items()}
        clocks = {name: tracker.stepped_before for name, tracker in trackers.items()}
        silent = {name: tracker.silent_before for name, tracker in trackers.items()}
        steps: dict[str, list[tuple[int, int, int]]] = {name: [] for name in trackers}
        ticks = {
            (order, name)
            for name, batch in batches.items()
            for order in batch.steps.order[batch.steps.ticks(batch.before)].tolist()
        }
        for order, name, mark, clock, quiet in self._entries(batches):
            # The clock of a step that was taken along is the others', and may be ahead of the source's own.
            if quiet is not None:
                silent[name] = quiet
            ticked = (order, name) in ticks and clock > clocks[name]
            clocks[name] = max(clocks[name], clock)
            if ticked:
                steps[name].append((order, max(mark, marks[name]), clocks[name]))
            if mark > marks[name]:
                marks[name] = mark
                steps[name].append((order, mark, clocks[name]))
            active = [one for one in marks if not silent[one]]
            if not active:
                continue
            lowest = min(marks[one] for one in active)
            newest = max(clocks.values())
            for one, mark_of in list(marks.items()):
                if silent[one] and lowest > mark_of:
                    marks[one], clocks[one] = lowest, newest
                    steps[one].append((order, lowest, newest))
        for name, tracker in trackers.items():
            found = Steps(*(column.copy() for column in np.array(steps[name], np.int64).reshape(-1, 3).T))
            batch = batches[name]
            emissions[name].ports[OUT] = Batch(batch.frame, batch.order, batch.before, found)
            tracker.watermark = marks[name]
            tracker.stepped = clocks[name]

    def _entries(self, batches: Mapping[str, Batch]) -> Sequence[tuple[int, str, int, int, bool | None]]:
        """Steps and changes of all sources in order: order, source, mark, clock, whether it is idle from here on."""
        found: dict[tuple[int, str], tuple[int, int, bool | None]] = {}
        for name, batch in batches.items():
            for order, mark, clock in zip(
                batch.steps.order.tolist(), batch.steps.mark.tolist(), batch.steps.clock.tolist(), strict=True
            ):
                found[order, name] = (mark, clock, None)
            for order, clock, quiet in self._trackers[name].changes:
                mark, _, _ = found.get((order, name), (_NO_MARK, clock, None))
                found[order, name] = (mark, clock, quiet)
        return [(order, name, *found[order, name]) for order, name in sorted(found)]


_NO_MARK: Final = -(2**63)
