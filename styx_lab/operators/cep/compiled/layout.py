"""What the passes of the matcher agree on: the columns of their arrays, and the names of kinds, actions and endings.

Each is an int64 array of two dimensions with a row for a thing; the names here are those of its columns.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from styx_lab.core.compiled import njit, njit_uncounted

counted: Final[Any] = njit(cache=True, nogil=True, error_model="numpy")
"""For passes that make arrays."""
uncounted: Final[Any] = njit_uncounted(cache=True, nogil=True, error_model="numpy")
"""For all others: without Numba's counting of who holds an array, which took more than half of the time."""

DONE, ASKS, TOO_MANY, MISSED, SKIPPED_TO_FIRST = range(5)
"""What a pass ends with: all done; functions must answer; too many partial matches; two misses of a skip strategy."""

NO_ID: Final = 2**63 - 1
"""The id of the start partial match: greater than all."""

# The columns of a partial match (and of a completed one: its time stands in LAST).
ID, STATE, NODE, START, LAST = range(5)
# Of a node.
PARENT, NUMBER, PART, SEQUENCE, USES, DEPTH = range(6)
# Of a key's slot: the segments of its partial and its held back matches (where, how many, size as a power of two).
QUEUE, QUEUED, QUEUE_SIZE, HELD, HOLDS, HELD_SIZE, ADVANCED, TOUCHED, STARTED = range(9)
# Scalars.
SCALARS: Final = 17
(POOL_USED, NODE_FREE, NODE_USED, NEXT_ID, TIMER_HEAD, TIMER_TAIL, LIVING, DROPPED, NODES, DEEPEST, EVENT, STEP_AT,
 ROUND, OUT, OUT_EVENTS, AT_SLOT, TOUCHES) = range(SCALARS)  # fmt: skip

TAKE, IGNORE, PROCEED = range(3)
NORMAL, FINAL, STOP, PENDING = range(4)
NO_SKIP, TO_NEXT, PAST_LAST, TO_FIRST, TO_LAST = range(5)
FAIL, DROP_OLDEST, DROP_NEWEST = range(3)

START_STATE, FINAL_STATE, WITHIN, SKIP, SKIP_PART, THROW, TIMEOUTS, MOST, BEYOND = range(9)


class Tables(NamedTuple):
    """A compiled pattern.

    Attributes:
        states: int64 (n, 5): kind, part, gap (-1 without), first edge, one past the last.
        edges: int64 (n, 5): action, target, word and bit of its condition (bit -1: a program tells), first instruction.
        rules: int64: start state, final state, within (0 without), skip strategy, its part (-1: of no event), whether
            to fail on a miss, whether timeouts are wanted, most partial matches of a key, what to do beyond.
    """

    states: np.ndarray
    edges: np.ndarray
    rules: np.ndarray


class Work(NamedTuple):
    """What look-backs and functions need beside the nodes; see `program.evaluate`."""

    node_floats: np.ndarray
    node_ints: np.ndarray
    node_nulls: np.ndarray
    answers: np.ndarray
    answered: np.ndarray
    asked: np.ndarray
    stack_f: np.ndarray
    stack_i: np.ndarray
    stack_n: np.ndarray
    chain: np.ndarray
