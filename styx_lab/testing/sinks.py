"""The contract of a sink: what is visible, and when.

Law (exactly once): a reader sees the rows that were committed, all of them, in order, once.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from styx_lab.core.events import canonical_lines
from styx_lab.core.ports import Sink

__all__ = ["check_sink"]


def check_sink(make: Callable[[], Sink], read: Callable[[], pl.DataFrame]) -> None:
    """Try a sink against its contract; returns when it keeps it.

    >>> class Kept:
    ...     rows = pl.DataFrame(schema={"id": pl.String, "amount": pl.Float64})
    ...     def __init__(self): self._held = []
    ...     def write(self, frame): self._held.append(frame)
    ...     def commit(self): Kept.rows = pl.concat([Kept.rows, *self._held]); self._held = []
    ...     def close(self): self._held = []
    >>> check_sink(Kept, lambda: Kept.rows)

    Args:
        make: opens the sink; the second time, what the first one committed is there still. It is given frames with the
            columns `id` (text) and `amount` (float, may be null).
        read: what a reader of the place sees, in order; an empty frame before the first commit.

    Raises:
        AssertionError: naming the rule that is broken.
    """
    first, second, third = _rows("a", 3), _rows("b", 2), _rows("c", 1)
    sink = make()
    assert isinstance(sink, Sink), f"a sink has the methods of `core.ports.Sink`; {type(sink).__name__} has not"
    assert _seen(read) == [], "read() shows nothing before anything was committed: give the contract a fresh place"
    sink.write(first)
    assert _seen(read) == [], "nothing is visible before commit()"
    sink.commit()
    assert _seen(read) == canonical_lines(first), "after commit() the rows are visible, in order, as they were"
    sink.commit()
    assert _seen(read) == canonical_lines(first), "a commit() of nothing changes nothing"
    sink.write(first.clear())
    sink.write(second)
    sink.write(third)
    sink.commit()
    expected = canonical_lines(pl.concat([first, second, third]))
    assert _seen(read) == expected, "the rows of several writes come in order, after those committed before"
    sink.write(_rows("lost", 2))
    sink.close()
    sink.close()  # closing twice is allowed
    assert _seen(read) == expected, "close() drops what was not committed"
    again = make()
    assert _seen(read) == expected, "opening the sink again leaves what was committed"
    again.write(_rows("d", 1))
    again.commit()
    again.close()
    expected += canonical_lines(_rows("d", 1))
    assert _seen(read) == expected, "a sink that was opened again goes on after what was committed"


def _rows(name: str, count: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "id": [f"{name}{row}" for row in range(count)],
            "amount": pl.Series([None if row == 1 else row + 0.1 for row in range(count)], dtype=pl.Float64),
        }
    )


def _seen(read: Callable[[], pl.DataFrame]) -> list[bytes]:
    return canonical_lines(read())
