"""What each partial match of a key becomes by an event. It changes nothing, so it can be asked again.

Law (oracle): edges are tried in Flink's order, and conditions see what this partial match took before.
"""

from __future__ import annotations

from styx_lab.operators.cep.compiled.layout import (
    FINAL,
    FINAL_STATE,
    IGNORE,
    NODE,
    PROCEED,
    START_STATE,
    STATE,
    uncounted,
)
from styx_lab.operators.cep.compiled.program import evaluate

__all__ = ["explore"]


@uncounted
def _reaches_final(target, event, node, tables, code, events, nodes, work, stack, base):  # type: ignore[no-untyped-def]  # noqa: PLR0913  # pragma: no cover
    """Whether the final state is reached from a state by proceeding alone: 1, 0, or less where not known."""
    states, edges = tables.states, tables.edges
    top = base
    stack[top] = target
    while top >= base:
        state = stack[top]
        top -= 1
        for e in range(states[state, 3], states[state, 4]):
            if edges[e, 0] != PROCEED:
                continue
            told = _holds(e, event, node, tables, code, events, nodes, work)
            if told < 0:
                return -1
            if told == 0:
                continue
            if states[edges[e, 1], 0] == FINAL:
                return 1
            if top + 2 >= len(stack):
                return -2
            top += 1
            stack[top] = edges[e, 1]
    return 0


@uncounted
def _holds(e, event, node, tables, code, events, nodes, work):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Whether an edge's condition holds: 1, 0, or -1 where a function must answer first."""
    edges = tables.edges
    if edges[e, 3] >= 0:
        return (events.bits[event, edges[e, 2]] >> edges[e, 3]) & 1
    return evaluate(
        edges[e, 4], event, node, code, events, nodes, work.node_floats, work.node_ints, work.node_nulls,
        work.answers, work.answered, work.asked, work.stack_f, work.stack_i, work.stack_n, work.chain,
    )  # fmt: skip


@uncounted
def explore(first, count, event, tables, code, events, nodes, pool, work, results, stack):  # type: ignore[no-untyped-def]  # noqa: PLR0912,PLR0913  # pragma: no cover
    """What each partial match becomes: rows of (its place, what: 0 kept, 1 takes, 2 completes, new state).

    Returns:
        How many rows; -1 where functions must answer first, -2 where `stack`, -3 where `results` is too short.
    """
    states, edges = tables.states, tables.edges
    start = tables.rules[START_STATE]
    found = 0
    unknown = False
    for place in range(max(count, 1)):
        state, node = start, -1
        if count > 0:
            state, node = pool[first + place, STATE], pool[first + place, NODE]
        is_start = node < 0
        top = 0
        stack[0] = state
        known = True
        while top >= 0 and known:
            state = stack[top]
            top -= 1
            for e in range(states[state, 3], states[state, 4]):
                told = _holds(e, event, node, tables, code, events, nodes, work)
                if told < 0:
                    known = False
                    break
                if told == 0:
                    continue
                if found + 3 >= len(results):
                    return -3
                action, target = edges[e, 0], edges[e, 1]
                if action == PROCEED:
                    if top + 2 >= len(stack):
                        return -2
                    top += 1
                    stack[top] = target
                elif action == IGNORE:
                    if not is_start:
                        results[found, 0], results[found, 1], results[found, 2] = place, 0, target
                        found += 1
                else:
                    results[found, 0], results[found, 1], results[found, 2] = place, 1, target
                    results[found, 3] = states[state, 1]
                    found += 1
                    done = _reaches_final(target, event, node, tables, code, events, nodes, work, stack, top + 1)
                    if done == -2:
                        return -2
                    if done < 0:
                        known = False
                        break
                    if done == 1:
                        results[found, 0], results[found, 1] = place, 2
                        results[found, 2] = tables.rules[FINAL_STATE]
                        found += 1
        if not known:
            unknown = True
        elif is_start:
            if found + 3 >= len(results):
                return -3
            results[found, 0], results[found, 1], results[found, 2] = place, 0, start
            found += 1
    return -1 if unknown else found
