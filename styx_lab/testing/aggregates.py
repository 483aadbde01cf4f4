"""The contract of a user's own aggregate: merging agrees with adding.

Law: an aggregate that passes gives the same in whatever parts its values come together, and, unless it says that it is
`ordered`, in whatever order.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from styx_lab.errors import FlowError
from styx_lab.flow.aggregates.custom import UserAggregate

__all__ = ["check_aggregate"]


def check_aggregate(cls: type[Any], values: Sequence[Any], *, tries: int = 50, seed: int = 0) -> None:
    """Try an aggregate of your own: any split of the values, merged, must give what adding them one by one gives.

    >>> class Longest:
    ...     output, ordered = "int", False
    ...     def create(self): return 0
    ...     def add(self, acc, value): return max(acc, len(value))
    ...     def merge(self, acc, other): return max(acc, other)
    ...     def result(self, acc): return acc
    >>> check_aggregate(Longest, ["a", "", "abc"])
    >>> class Wrong(Longest):
    ...     def merge(self, acc, other): return other
    >>> check_aggregate(Wrong, ["a", "", "abc"])
    Traceback (most recent call last):
        ...
    AssertionError: Wrong: merged, [...] gives ..., one by one 3

    Args:
        cls: the class, as `custom(cls, ...)` takes it.
        values: values such as it will meet, without null; two at least.
        tries: how many splits, and orders where it is not `ordered`, are tried.
        seed: which ones; the same seed tries the same.

    Raises:
        FlowError: when it has not the methods it needs.
        AssertionError: when two ways give different results; floats must agree to the last bit.
    """
    own = cls()
    if not isinstance(own, UserAggregate):
        raise FlowError("not an aggregate", got=cls, hint="it needs create, add, merge, result and output")
    values = list(values)
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    expected = own.result(_added(own, values))
    name = cls.__qualname__
    again = own.result(_added(own, values))
    if repr(again) != repr(expected):
        raise AssertionError(f"{name}: the same values give {expected!r}, then {again!r}")
    for _ in range(tries):
        if not getattr(cls, "ordered", True):
            chance.shuffle(values)
        edges = sorted(chance.choices(range(len(values) + 1), k=chance.randint(1, 3)))
        parts = [values[a:b] for a, b in zip([0, *edges], [*edges, len(values)], strict=True)]
        accs = [_added(own, part) for part in parts]
        # From either end: ((a b) c) and (a (b c)).
        while len(accs) > 1:
            at = chance.randrange(len(accs) - 1)
            accs[at : at + 2] = [own.merge(accs[at], accs[at + 1])]
        found = own.result(accs[0])
        if repr(found) != repr(expected):
            raise AssertionError(f"{name}: merged, {parts!r} gives {found!r}, one by one {expected!r}")


def _added(own: Any, values: Sequence[Any]) -> Any:
    acc = own.create()
    for value in deepcopy(list(values)):
        acc = own.add(acc, value)
    return acc
