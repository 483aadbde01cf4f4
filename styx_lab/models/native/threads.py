"""Threads for large work: pieces of a batch, each made by one thread; small work stays with the caller.

Law: a piece is written by one thread, and no row's value depends on where pieces begin; so the result is the same
however many threads there are.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

__all__ = ["in_pieces", "usable_cores"]

_LEAST: Final = 500_000
"""Steps of work (about half a millisecond) below which a piece is not worth a thread."""

_pools: dict[int, ThreadPoolExecutor] = {}


def usable_cores() -> int:
    """The cores that this process may use: those it is bound to, at most `NUMBA_NUM_THREADS` where that is set."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("NUMBA_NUM_THREADS", "")
    return max(1, min(bound, int(asked) if asked.isdigit() else bound))


def in_pieces(height: int, work: int, block: int, make: Callable[[int, int], bool]) -> bool:
    """Make the rows of a batch in one piece, or in several at once; true when every piece says so.

    Args:
        height: how many rows there are.
        work: about how many steps they take.
        block: rows that stay together.
        make: makes the rows from one number to another; it must let go of the interpreter.
    """
    blocks = -(-height // block)
    count = min(usable_cores(), work // _LEAST, blocks) if work >= 2 * _LEAST else 1
    if count < 2:
        return make(0, height)
    edges = [min(height, block * (blocks * piece // count)) for piece in range(count)] + [height]
    waiting: list[Future[bool]] = []
    begin = 0
    try:
        for piece in range(count - 1):
            waiting.append(_pool(count - 1).submit(make, edges[piece], edges[piece + 1]))
            begin = edges[piece + 1]
    except RuntimeError:  # the interpreter is ending and takes no more work
        pass
    mine = make(begin, height)
    done = [each.result() for each in waiting]  # all of them, for they write into what the caller has
    return mine and all(done)


def _pool(threads: int) -> ThreadPoolExecutor:
    pool = _pools.get(threads)
    if pool is None:
        pool = _pools[threads] = ThreadPoolExecutor(threads, thread_name_prefix="styx-score")
    return pool


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pools.clear)  # threads do not live on in a forked child
