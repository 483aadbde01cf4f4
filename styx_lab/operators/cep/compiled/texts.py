"""Texts by number, for a matcher that compares numbers only.

Law: a number stands for one text, and a text's rank compares as the text does; neither shows in any output.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from styx_lab.core.batch import Int64s

__all__ = ["Texts"]


class Texts:
    """Numbers for texts.

    >>> texts = Texts()
    >>> texts.numbers(pl.Series(["b", None, "a", "b"])).tolist(), texts.ranks().tolist()
    ([0, 0, 1, 0], [1, 0])
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._pinned: set[str] = set()
        self._free: list[int] = []
        self._next = 0
        self._ranks: Int64s | None = None

    def __len__(self) -> int:
        return len(self._numbers)

    def number(self, text: str) -> int:
        """The number of a text for good: `keep` does not forget it."""
        self._pinned.add(text)
        return self._number(text)

    def _number(self, text: str) -> int:
        known = self._numbers.get(text)
        if known is None:
            if not self._free:
                self._free.append(self._next)
                self._next += 1
            known = self._numbers[text] = self._free.pop()
            self._ranks = None
        return known

    def numbers(self, column: pl.Series) -> Int64s:
        """The number of each text of a column; of a null any."""
        texts = column.cast(pl.String)
        found = texts.unique(maintain_order=True).drop_nulls()
        if not len(found):
            return np.zeros(len(texts), np.int64)
        known = pl.Series([self._number(text) for text in found.to_list()], dtype=pl.Int64)
        numbers = texts.replace_strict(found, known, default=0, return_dtype=pl.Int64)
        return np.array(numbers.fill_null(0).to_numpy(), np.int64)

    def by_number(self) -> dict[int, str]:
        """The text of each number."""
        return {number: text for text, number in self._numbers.items()}

    def ranks(self) -> Int64s:
        """The place of each text among all, by number."""
        if self._ranks is None:
            order = sorted(self._numbers, key=str.encode)
            self._ranks = np.zeros(max(self._next, 1), np.int64)
            self._ranks[[self._numbers[text] for text in order]] = np.arange(len(order))
        return self._ranks

    def keep(self, numbers: Int64s) -> None:
        """Forget the texts whose numbers are not among these; the others keep theirs."""
        kept = set(numbers.tolist())
        for text, number in list(self._numbers.items()):
            if number not in kept and text not in self._pinned:
                del self._numbers[text]
                self._free.append(number)
        self._ranks = None
