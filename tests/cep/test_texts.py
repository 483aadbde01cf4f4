"""Law: a number stands for one text, and ranks compare as texts do, whatever was forgotten in between."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from styx_lab.operators.cep.compiled.texts import Texts

WORDS = st.sampled_from(["", "a", "ab", "b", "é", "\uffff", "\U0001f600", "B"])


@given(st.lists(st.tuples(st.lists(st.one_of(st.none(), WORDS), max_size=4), st.sets(WORDS)), max_size=6))
def test_ranks_compare_as_texts_do(turns: list[tuple[list[str | None], set[str]]]) -> None:
    texts = Texts()
    pinned = texts.number("m")
    for column, forgotten in turns:
        numbers = texts.numbers(pl.Series(column, dtype=pl.String)).tolist()
        known = texts.by_number()
        assert [known[number] for number, text in zip(numbers, column, strict=True) if text is not None] == [
            text for text in column if text is not None
        ]
        ranks = texts.ranks()
        for one, said in known.items():
            for other, also in known.items():
                assert (ranks[one] < ranks[other]) == (said.encode() < also.encode())
        texts.keep(np.array([number for number, text in known.items() if text not in forgotten], np.int64))
        kept = {number: text for number, text in known.items() if text not in forgotten}
        assert texts.by_number() == {pinned: "m"} | kept
