"""TextIndex: how often a term stands in a text.

Law: each distinct text is parted into words once; words are compared as `isCaseSensitive` and
`maxLevenshteinDistance` say, and the count is weighed as `localTermWeights` says.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from styx_lab.models.native.column import Column, first_error
from styx_lab.models.native.place import children, choice, integer, refuse, required, switch
from styx_lab.models.native.scope import Expression, Variables
from styx_lab.models.native.transformations.library import Library
from styx_lab.models.native.transformations.map_values import read_table
from styx_lab.models.native.values import cast

__all__ = ["compile_text_index"]

_PUNCTUATION: Final = re.compile(r"^[^\w$^`|~+<>=]+|[^\w$^`|~+<>=]+$")
_WEIGHTS: Final = ("termFrequency", "binary", "logarithmic", "augmentedNormalizedTermFrequency")


@dataclass(frozen=True, slots=True)
class _Words:
    """How a text is parted into words and how these are compared."""

    separator: re.Pattern[str]
    tokenize: bool
    case_sensitive: bool
    distance: int

    def part(self, text: str) -> list[str]:
        """The words of a text."""
        if not self.case_sensitive:
            text = text.lower()
        if not self.tokenize:
            return [each for each in self.separator.split(text) if each]
        parts = (_PUNCTUATION.sub("", each) for each in self.separator.split(text))
        return [each for each in parts if each]

    def count(self, words: Sequence[str], term: Sequence[str], best: bool) -> int:
        """How often a term of one or more words stands among words (`best`: only those that are nearest count)."""
        found: list[int] = []
        size = len(term)
        if not size:
            return 0
        for start in range(len(words) - size + 1):
            room = self.distance
            for each, wanted in zip(words[start : start + size], term, strict=True):
                if each != wanted:
                    room -= _distance(each, wanted, room) if room > 0 else 1
                if room < 0:
                    break
            if room >= 0:
                found.append(self.distance - room)
        return found.count(min(found)) if best and found else len(found)


def _distance(left: str, right: str, most: int) -> int:
    """The Levenshtein distance, or `most + 1` when it is greater."""
    if abs(len(left) - len(right)) > most:
        return most + 1
    before = list(range(len(right) + 1))
    for row, a in enumerate(left, 1):
        now = [row]
        for column, b in enumerate(right, 1):
            now.append(min(before[column] + 1, now[-1] + 1, before[column - 1] + (a != b)))
        before = now
    return min(before[-1], most + 1)


def _pattern(node: Element, text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error:
        raise refuse(node, "the regular expression is not supported", text) from None


def _read_words(node: Element, around: _Words | None) -> _Words:
    separator = node.get("wordSeparatorCharacterRE")
    return _Words(
        _pattern(node, separator) if separator is not None else (around.separator if around else re.compile(r"\s+")),
        switch(node, "tokenize", around.tokenize if around else True),
        switch(node, "isCaseSensitive", around.case_sensitive if around else False),
        integer(node, "maxLevenshteinDistance", around.distance if around else 0),
    )


def compile_text_index(node: Element, library: Library, compile_it: Callable[[Element], Expression]) -> Expression:
    """Compile a TextIndex."""
    from styx_lab.models.native.transformations.compiler import expression_of

    name = required(node, "textField")
    weights = choice(node, "localTermWeights", _WEIGHTS, "termFrequency")
    hits = choice(node, "countHits", ("allHits", "bestHits"), "allHits")
    words = _read_words(node, None)
    term_node = expression_of(node)
    if term_node is None:
        raise refuse(node, "TextIndex without a term")
    term = compile_it(term_node)
    normalize = [_normalization(each, words) for each in children(node, "TextIndexNormalization")]

    def clean(text: str) -> list[str]:
        for each in normalize:
            text = each(text)
        return words.part(text)

    # What parts texts alike shares the parted texts of a batch: there is often one TextIndex for each of many terms.
    alike: object = (words, id(normalize)) if normalize else words

    def evaluate(variables: Variables) -> Column:
        rows = variables.rows
        text, wanted = cast(variables.column(name), "string", rows), cast(term(variables), "string", rows)
        kept = rows.made.get((alike, id(text.words)))
        if kept is None:  # the words are kept beside, so that no other ones get their place
            kept = rows.made[alike, id(text.words)] = (text.words, _Parted([clean(each) for each in text.words]))
        parted: _Parted = kept[1]
        terms = [clean(each) for each in wanted.words]
        counts = [parted.counts(each, words, hits == "bestHits") for each in terms]
        table = np.stack([_weigh(each, weights, parted) for each in counts], axis=1)
        values = table[text.values.astype(np.int32, copy=False), wanted.values.astype(np.int32, copy=False)]
        missing = text.gaps | wanted.gaps
        data_type = "integer" if weights in ("termFrequency", "binary") else "double"
        return Column(
            data_type,
            values.astype(np.int64) if data_type == "integer" else values,
            missing if missing.any() else None,
            first_error(text.errors, wanted.errors),
        )

    return evaluate


class _Parted:
    """The words of some texts, and where terms stand in them."""

    def __init__(self, texts: list[list[str]]) -> None:
        self._texts = texts
        self._terms: dict[int, dict[tuple[str, ...], tuple[list[int], list[int]]]] = {}
        self._most: npt.NDArray[np.float64] | None = None

    def counts(self, term: list[str], words: _Words, best: bool) -> npt.NDArray[np.int64]:
        """How often a term stands in each text."""
        if words.distance:
            return np.array([words.count(each, term, best) for each in self._texts], dtype=np.int64)
        found = np.zeros(len(self._texts), dtype=np.int64)
        if term:
            places, counts = self._of_size(len(term)).get(tuple(term), ([], []))
            found[places] = counts
        return found

    def _of_size(self, size: int) -> dict[tuple[str, ...], tuple[list[int], list[int]]]:
        """For each term of so many words the texts that it stands in, and how often."""
        known = self._terms.get(size)
        if known is None:
            known = {}
            for at, text in enumerate(self._texts):
                for term, count in Counter(zip(*(text[begin:] for begin in range(size)), strict=False)).items():
                    places, counts = known.setdefault(term, ([], []))
                    places.append(at)
                    counts.append(count)
            self._terms[size] = known
        return known

    @property
    def most(self) -> npt.NDArray[np.float64]:
        """How often the most frequent word of each text stands in it."""
        if self._most is None:
            self._most = np.array([max(Counter(each).values(), default=0) for each in self._texts], dtype=np.float64)
        return self._most


def _weigh(counts: npt.NDArray[np.int64], weights: str, parted: _Parted) -> npt.NDArray[np.float64]:
    if weights == "termFrequency":
        return counts.astype(np.float64)
    if weights == "binary":
        return (counts > 0).astype(np.float64)
    if weights == "logarithmic":
        logarithms = np.array([math.log10(1 + count) for count in range(int(counts.max(initial=0)) + 1)])
        return np.asarray(logarithms[counts])
    some = (counts > 0) & (parted.most > 0)
    return np.where(some, 0.5 * (1.0 + counts / np.maximum(parted.most, 1.0)), 0.0)


def _normalization(node: Element, around: _Words) -> Callable[[str], str]:
    words = _read_words(node, around)
    source = node.get("inField", "string").rpartition(":")[2]
    target = node.get("outField", "stem").rpartition(":")[2]
    by_pattern = node.get("regexField", "regex").rpartition(":")[2]
    recursive = switch(node, "recursive")
    flags = 0 if words.case_sensitive else re.IGNORECASE
    rules = []
    for row in read_table(node):
        if source not in row or target not in row:
            raise refuse(node, "a row of a TextIndexNormalization lacks a column")
        is_pattern = row.get(by_pattern, "false") == "true"
        if words.distance and not is_pattern:
            raise refuse(node, "maxLevenshteinDistance in a TextIndexNormalization is not supported")
        text = row[source] if is_pattern else rf"(?<!\w){re.escape(row[source])}(?!\w)"
        try:
            rules.append((re.compile(text, flags), re.sub(r"\$(\d)", r"\\\1", row[target])))
        except re.error:
            raise refuse(node, "the regular expression is not supported", text) from None

    def change(text: str) -> str:
        for _ in range(1_000):
            before = text
            for pattern, new in rules:
                text = pattern.sub(new, text)
            if not recursive or text == before:
                break
        return text

    return change
