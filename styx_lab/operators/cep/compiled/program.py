"""Conditions as a little program for a stack machine: what the compiled matcher runs where no column can tell.

Law (oracle): a condition that looks back has the value it would have in Flink's `IterativeCondition`: it sees what this
partial match took before, in order, and not the event in question. A null is false where a condition ends.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy as np

from styx_lab.core.compiled import njit_uncounted

__all__ = ["MISSING", "Code", "Events", "Op", "evaluate"]

MISSING: Final = -1
"""A function's answer is not known yet."""


class Op:
    """The instructions; each has up to three operands (a, b, c)."""

    END = 0
    BIT = 1  # the bit b of word a of the event's columns
    CALL = 2  # the answer of function a
    NOT = 3
    JUMP_FALSE = 4  # to a, if the top is false; else drop it
    JUMP_TRUE = 5
    CONST_I = 6
    CONST_F = 7  # the constant a
    IN_F = 8  # the event's input a
    IN_I = 9
    FOLD_F = 10  # fold a over part b, field c
    FOLD_I = 11
    COUNT = 12  # of part b
    TO_F = 13
    RANK = 14  # a text's place in the order of texts
    ADD = 15
    SUB = 16
    MUL = 17
    DIV = 18
    NEG = 19
    CMP_F = 20  # a: the comparison
    CMP_I = 21
    AND = 22
    OR = 23
    FILL = 24
    IS_NULL = 25
    IS_NOT_NULL = 26
    TRUTH = 27  # null becomes false
    NULL = 28


_uncounted: Final = njit_uncounted(cache=True, nogil=True, error_model="numpy")

SUM, MEAN, MIN, MAX, FIRST, LAST = range(6)
EQ, NE, LT, LE, GT, GE = range(6)


class Code(NamedTuple):
    """Programs of a pattern.

    Attributes:
        ops: int64 (n, 4): an instruction and its operands.
        consts: float64.
    """

    ops: np.ndarray
    consts: np.ndarray


class Events(NamedTuple):
    """Events in order of processing, as the matcher sees them.

    Attributes:
        times: int64 ms.
        slots: int64, of the key.
        numbers: int64, by which their rows are found.
        bits: int64 (n, words): the conditions that need no look back.
        floats, ints: (n, columns) what look-backs read of an event.
        nulls: bool (n, floats and ints): where it is null.
        ranks: int64: the order of texts, by their number.
    """

    times: np.ndarray
    slots: np.ndarray
    numbers: np.ndarray
    bits: np.ndarray
    floats: np.ndarray
    ints: np.ndarray
    nulls: np.ndarray
    ranks: np.ndarray


@_uncounted
def _fold(  # type: ignore[no-untyped-def]  # noqa: PLR0913
    ints, fn, part, column, node, nodes, node_floats, node_ints, node_nulls, chain
):  # pragma: no cover
    """The fold of a field over what was taken of a part: as a float and an int, and whether it is null."""
    null_column = column + node_floats.shape[1] if ints else column
    count = 0
    at = node
    while at >= 0:
        if nodes[at, 2] == part:
            if fn == 5:
                if node_nulls[at, null_column]:
                    return 0.0, 0, True
                if ints:
                    return 0.0, node_ints[at, column], False
                return node_floats[at, column], 0, False
            chain[count] = at
            count += 1
        at = nodes[at, 0]
    total, whole, seen = 0.0, 0, 0
    for place in range(count - 1, -1, -1):
        at = chain[place]
        null = node_nulls[at, null_column]
        if fn == 4:
            if null:
                return 0.0, 0, True
            if ints:
                return 0.0, node_ints[at, column], False
            return node_floats[at, column], 0, False
        if null:
            continue
        number = float(node_ints[at, column]) if ints else node_floats[at, column]
        exact = node_ints[at, column] if ints else 0
        if fn <= 1:
            total += number
            whole += exact
        else:
            less, more = exact < whole if ints else number < total, exact > whole if ints else number > total
            # As Polars has it, the least and the greatest are of numbers, and NaN only where there is no other.
            first = seen == 0 or (math.isnan(total) and not ints)
            if first or (fn == 2 and less) or (fn == 3 and more):
                total, whole = number, exact
        seen += 1
    if fn == 0:
        return total, whole, False
    if seen == 0:
        return 0.0, 0, True
    if fn == 1:
        return total / seen, 0, False
    return total, whole, False


@_uncounted
def _compare_floats(how, a, b):  # type: ignore[no-untyped-def]  # pragma: no cover
    """As Polars compares: NaN equals NaN and is greater than all."""
    order = 0
    if math.isnan(a):
        order = 0 if math.isnan(b) else 1
    elif math.isnan(b) or a < b:
        order = -1
    elif a > b:
        order = 1
    return _told(how, order)


@_uncounted
def _told(how, order):  # type: ignore[no-untyped-def]  # pragma: no cover
    if how == 0:
        return order == 0
    if how == 1:
        return order != 0
    if how == 2:
        return order < 0
    if how == 3:
        return order <= 0
    if how == 4:
        return order > 0
    return order >= 0


@_uncounted
def evaluate(  # type: ignore[no-untyped-def]  # noqa: PLR0912, PLR0913, PLR0915
    first, event, node, code, events, nodes, node_floats, node_ints, node_nulls,
    answers, answered, asked, stack_f, stack_i, stack_n, chain,
):  # fmt: skip  # pragma: no cover
    """The truth of a program for an event and a partial match: 1, 0, or `MISSING`.

    Args:
        first: its first instruction.
        event: the number of the event in `events`.
        node: what the partial match took last; -1 of the start.
        answers, answered: by node + 1 and function: what it said, and for which event.
        asked: (n, 3) where to note the questions (function, node), with their count in `asked[0, 2]`.
    """
    ops, consts = code.ops, code.consts
    top = -1
    at = first
    while True:
        op, a, b, c = ops[at, 0], ops[at, 1], ops[at, 2], ops[at, 3]
        at += 1
        if op == 0:
            return 1 if stack_i[top] != 0 and not stack_n[top] else 0
        if op == 1:
            top += 1
            stack_i[top] = (events.bits[event, a] >> b) & 1
            stack_n[top] = False
        elif op == 2:
            if answered[node + 1, a] != events.numbers[event] + 1:
                count = asked[0, 2]
                if count < len(asked):
                    asked[count, 0] = a
                    asked[count, 1] = node
                    asked[0, 2] = count + 1
                return -1
            top += 1
            stack_i[top] = answers[node + 1, a]
            stack_n[top] = False
        elif op == 3:
            stack_i[top] = 1 - stack_i[top]
        elif op == 4:
            if stack_i[top] == 0:
                at = a
            else:
                top -= 1
        elif op == 5:
            if stack_i[top] != 0:
                at = a
            else:
                top -= 1
        elif op == 6:
            top += 1
            stack_i[top] = a
            stack_n[top] = False
        elif op == 7:
            top += 1
            stack_f[top] = consts[a]
            stack_n[top] = False
        elif op == 8:
            top += 1
            stack_f[top] = events.floats[event, a]
            stack_n[top] = events.nulls[event, a]
        elif op == 9:
            top += 1
            stack_i[top] = events.ints[event, a]
            stack_n[top] = events.nulls[event, events.floats.shape[1] + a]
        elif op == 10 or op == 11:
            top += 1
            number, exact, null = _fold(op == 11, a, b, c, node, nodes, node_floats, node_ints, node_nulls, chain)
            stack_f[top] = number
            stack_i[top] = exact
            stack_n[top] = null
        elif op == 12:
            top += 1
            count = 0
            seen = node
            while seen >= 0:
                if nodes[seen, 2] == b:
                    count += 1
                seen = nodes[seen, 0]
            stack_i[top] = count
            stack_n[top] = False
        elif op == 13:
            stack_f[top] = float(stack_i[top])
        elif op == 14:
            stack_i[top] = events.ranks[stack_i[top]] if not stack_n[top] else 0
        elif op == 19:
            stack_f[top] = -stack_f[top]
        elif op == 25:
            stack_i[top] = 1 if stack_n[top] else 0
            stack_n[top] = False
        elif op == 26:
            stack_i[top] = 0 if stack_n[top] else 1
            stack_n[top] = False
        elif op == 27:
            if stack_n[top]:
                stack_i[top] = 0
                stack_n[top] = False
        elif op == 28:
            top += 1
            stack_i[top] = 0
            stack_f[top] = 0.0
            stack_n[top] = True
        else:
            top -= 1
            null = stack_n[top] or stack_n[top + 1]
            if op == 20:
                stack_i[top] = _compare_floats(a, stack_f[top], stack_f[top + 1])
                stack_n[top] = null
            elif op == 21:
                left, right = stack_i[top], stack_i[top + 1]
                stack_i[top] = _told(a, -1 if left < right else (1 if left > right else 0))
                stack_n[top] = null
            elif op == 22:
                false = (not stack_n[top] and stack_i[top] == 0) or (not stack_n[top + 1] and stack_i[top + 1] == 0)
                stack_n[top] = null and not false
                stack_i[top] = 0 if null else stack_i[top] & stack_i[top + 1]
            elif op == 23:
                true = (not stack_n[top] and stack_i[top] != 0) or (not stack_n[top + 1] and stack_i[top + 1] != 0)
                stack_n[top] = null and not true
                stack_i[top] = 1 if true else 0
            elif op == 24:
                if stack_n[top]:
                    stack_f[top] = stack_f[top + 1]
                    stack_i[top] = stack_i[top + 1]
                    stack_n[top] = stack_n[top + 1]
            else:
                if op == 15:
                    stack_f[top] += stack_f[top + 1]
                elif op == 16:
                    stack_f[top] -= stack_f[top + 1]
                elif op == 17:
                    stack_f[top] *= stack_f[top + 1]
                elif op == 18:
                    divisor = stack_f[top + 1]
                    if divisor != 0.0:
                        stack_f[top] /= divisor
                    elif stack_f[top] == 0.0 or math.isnan(stack_f[top]):
                        stack_f[top] = math.nan
                    else:
                        stack_f[top] = math.copysign(math.inf, stack_f[top]) * math.copysign(1.0, divisor)
                stack_n[top] = null


def code_of(ops: list[tuple[int, int, int, int]], consts: list[float]) -> Code:
    """Programs as arrays."""
    made: Any = np.array(ops or [(Op.END, 0, 0, 0)], np.int64).reshape(-1, 4)
    return Code(made, np.array(consts or [0.0], np.float64))
