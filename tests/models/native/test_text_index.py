"""TextIndex: terms are looked up in an index of the batch's texts, and counted as by looking at every word."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from styx_lab.models.native.transformations.text_index import _Parted, _Words

words = st.lists(st.sampled_from(["a", "b", "c"]), max_size=6)


@given(st.lists(words, max_size=5), st.lists(words, min_size=1, max_size=4), st.booleans(), st.integers(0, 1))
def test_terms_are_counted_as_word_by_word(
    texts: list[list[str]], terms: list[list[str]], best: bool, distance: int
) -> None:
    settings = _Words(re.compile(" "), True, True, distance)
    parted = _Parted(texts)
    for term in terms:
        wanted = [settings.count(text, term, best) for text in texts]
        assert np.array_equal(parted.counts(term, settings, best), wanted)
    assert parted.most.tolist() == [max((text.count(each) for each in text), default=0) for text in texts]
