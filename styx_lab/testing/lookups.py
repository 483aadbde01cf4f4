"""The contract of a lookup: one row for each key it knows, none for others, whatever keys come together.

Law: an answer depends on its key alone (and on what the lookup holds at that moment), never on the keys beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from styx_lab.core.ports import Lookup

__all__ = ["check_lookup"]


def check_lookup(make: Callable[[], Lookup], keys: pl.DataFrame) -> None:
    """Try a lookup against its contract; returns when it keeps it. What it holds must not change meanwhile.

    >>> from styx_lab.connectors import MemoryLookup
    >>> schema = {"card": "str", "limit": "int"}
    >>> check_lookup(lambda: MemoryLookup([{"card": "a", "limit": 5}], schema, key="card"),
    ...              pl.DataFrame({"card": ["a", "b"]}))

    Args:
        make: opens the lookup.
        keys: two keys or more, each once, of which it knows one at least and not all.

    Raises:
        AssertionError: naming the rule that is broken.
    """
    lookup = make()
    assert isinstance(lookup, Lookup), (
        f"a lookup has the members of `core.ports.Lookup`; {type(lookup).__name__} has not"
    )
    assert lookup.name, "a lookup has a name, for messages"
    missing = [name for name in keys.columns if name not in lookup.schema]
    assert not missing, f"the keys to try it with are columns of its schema; it has no {missing}"
    kept = keys.clone()
    whole = _answers(lookup, keys)
    assert keys.equals(kept), "find() leaves the keys as they were"
    assert 0 < len(whole) < keys.height, "of the keys to try it with, it knows one at least and not all"
    assert _answers(lookup, keys) == whole, "the same keys have the same answers"
    for size in (1, 2):
        pieces: dict[Any, Any] = {}
        for start in range(0, keys.height, size):
            pieces |= _answers(lookup, keys[start : start + size])
        assert pieces == whole, f"an answer does not depend on the keys beside it; in slices of {size} it does"
    assert _answers(lookup, keys.reverse()) == whole, "nor on the order of the keys"
    assert _answers(lookup, keys.clear()) == {}, "no keys have no answers"
    other = make()
    assert _answers(other, keys) == whole, "a lookup opened anew gives the same answers"
    other.close()
    other.close()  # closing twice is allowed
    assert _answers(lookup, keys) == whole, "closing one lookup leaves another as it was"
    lookup.close()


def _answers(lookup: Lookup, keys: pl.DataFrame) -> dict[Any, Any]:
    found = lookup.find(keys)
    assert dict(found.schema) == dict(lookup.schema), (
        f"an answer has the columns of the schema, {dict(lookup.schema)}; got {dict(found.schema)}"
    )
    asked = set(keys.rows())
    answers = {}
    for key, row in zip(found.select(keys.columns).rows(), found.rows(), strict=True):
        assert key in asked, f"only keys that were asked for are answered; got {key}"
        assert key not in answers, f"a key has one row at most; {key} has two"
        answers[key] = row
    return answers
