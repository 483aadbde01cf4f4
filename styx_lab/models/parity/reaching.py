"""Which rows come to a split: those by which its threshold can be tried.

Law: a row is said to come to a node only where the tests above it hold for it; a test that is not understood here is
taken to hold.
"""

from __future__ import annotations

from typing import Any, Final
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt
import polars as pl

from styx_lab.models.parity.examples import evenly
from styx_lab.models.summary import local_name

__all__ = ["rows_at_splits"]

_PREDICATES: Final = ("SimplePredicate", "SimpleSetPredicate", "CompoundPredicate", "True", "False")
_MOST_ROWS: Final = 500
_BASES: Final = 4

Bools = npt.NDArray[np.bool_]


def rows_at_splits(root: Element, rows: pl.DataFrame) -> dict[tuple[str, float], list[int]]:
    """For each input and threshold of the trees in a file some rows that come to a split at it.

    They are at most four, the nearest below and above the threshold at the first nodes that have any.

    Args:
        root: the file.
        rows: the rows to choose from; some hundreds of them are tried.
    """
    places = evenly(pl.DataFrame({"at": range(rows.height)}), _MOST_ROWS)["at"].to_numpy()
    tried = rows[places.tolist()]
    numbers = {
        each.name: each.cast(pl.Float64).fill_null(np.nan).to_numpy() for each in tried if each.dtype.is_numeric()
    }
    texts = {each.name: np.array(each.to_list(), dtype=object) for each in tried if each.dtype == pl.String}
    found: dict[tuple[str, float], list[int]] = {}
    for tree in root.iter():
        if local_name(tree) != "TreeModel":
            continue
        stack = [(each, np.ones(len(places), dtype=np.bool_)) for each in tree if local_name(each) == "Node"]
        while stack:
            node, here = stack.pop()
            for child in node:
                if local_name(child) != "Node" or not here.any():
                    continue
                test = next((each for each in child if local_name(each) in _PREDICATES), None)
                if test is None:
                    continue
                _note(test, here, numbers, places, found)
                holds = _holds(test, numbers, texts)
                if holds is None:
                    stack.append((child, here))
                else:
                    stack.append((child, here & holds))
                    here = here & ~holds
    return found


def _note(
    test: Element,
    here: Bools,
    numbers: dict[str, npt.NDArray[np.float64]],
    places: npt.NDArray[Any],
    found: dict[tuple[str, float], list[int]],
) -> None:
    """Keep the rows nearest to each threshold of a test."""
    for each in test.iter():
        field = each.get("field", "")
        if local_name(each) != "SimplePredicate" or field not in numbers:
            continue
        value = _number(each.get("value"))
        kept = found.setdefault((field, value), []) if np.isfinite(value) else []
        if not np.isfinite(value) or len(kept) >= _BASES:
            continue
        coming = np.flatnonzero(here & ~np.isnan(numbers[field]))
        gap = numbers[field][coming] - value
        for side in (gap <= 0, gap > 0):
            if side.any():
                row = int(places[coming[side][np.argmin(np.abs(gap[side]))]])
                if row not in kept:
                    kept.append(row)


def _holds(
    test: Element, numbers: dict[str, npt.NDArray[np.float64]], texts: dict[str, npt.NDArray[Any]]
) -> Bools | None:
    """Where a test holds; `None` where that is not known here."""
    tag, field, operator = local_name(test), test.get("field", ""), test.get("operator", "")
    height = len(next(iter((*numbers.values(), *texts.values())), np.zeros(0)))
    if tag in ("True", "False"):
        return np.full(height, tag == "True", dtype=np.bool_)
    if tag == "SimplePredicate" and field in numbers:
        value, column = _number(test.get("value")), numbers[field]
        compare = {
            "lessThan": np.less, "lessOrEqual": np.less_equal, "greaterThan": np.greater,
            "greaterOrEqual": np.greater_equal, "equal": np.equal,
        }.get(operator)  # fmt: skip
        return None if compare is None else np.asarray(compare(column, value))
    if tag == "SimplePredicate" and field in texts and operator in ("equal", "notEqual"):
        same = np.asarray(texts[field] == test.get("value"), dtype=np.bool_)
        return same if operator == "equal" else ~same
    return None


def _number(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        return np.nan
