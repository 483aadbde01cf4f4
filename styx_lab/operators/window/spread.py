"""Variance, standard deviation and quantiles of groups of events.

Law (order): variance takes two passes of exact sums (first the mean, then the squares of what differs from it), and a
quantile takes the sorted values; so neither can tell in which order the events came.

Values are scaled by powers of two on the way, so that no square is beyond a float; whole numbers are taken relative to
the least of them, so that great ones keep their last digits. With a NaN or an infinity among the values the variance is
NaN; with a NaN a quantile is NaN.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import polars as pl

from styx_lab.core.compiled import njit
from styx_lab.flow.aggregates.spread import Interpolation
from styx_lab.operators.window.exact_sum import WIDE_WORDS, add_narrow, add_wide, round_wide
from styx_lab.operators.window.members import Members, numbers

__all__ = ["quantile_of", "spread_of"]

_LOWER, _HIGHER, _NEAREST, _LINEAR = 0, 1, 2, 3
_CODES: Final[dict[Interpolation, int]] = {
    "lower": _LOWER, "higher": _HIGHER, "nearest": _NEAREST, "linear": _LINEAR, "midpoint": 4
}  # fmt: skip


def spread_of(name: str, column: str, ddof: int, root: bool, where: str, members: Members) -> pl.Series:
    """The variance of a column, or its root; null where there are not more than `ddof` values."""
    reals, wholes, valid = numbers(members.frame[column], where)
    out, filled = np.zeros(len(members)), np.zeros(len(members), np.bool_)
    _spread(members.starts, reals, wholes, valid, ddof, root, out, filled)
    return _with_nulls(name, out, filled)


def quantile_of(
    name: str, column: str, q: float, interpolation: Interpolation, where: str, members: Members
) -> pl.Series:
    """A quantile of a column; null where there are no values."""
    reals, wholes, valid = numbers(members.frame[column], where)
    out, filled = np.zeros(len(members)), np.zeros(len(members), np.bool_)
    _quantile(members.starts, reals, wholes, valid, float(q), _CODES[interpolation], out, filled)
    return _with_nulls(name, out, filled)


def _with_nulls(name: str, out: np.ndarray, filled: np.ndarray) -> pl.Series:
    column = pl.Series(name, out)
    return column if filled.all() else column.to_frame().select(pl.when(pl.Series(filled)).then(name)).to_series()


@njit(cache=True, nogil=True, error_model="numpy")
def _total(values, count, wide):  # type: ignore[no-untyped-def]
    """The correctly rounded sum of the first values."""
    high = 0.0
    low = 0.0
    for place in range(count):
        high, low, exact = add_narrow(high, low, values[place])
        if not exact:
            wide[:] = 0
            for each in range(count):
                add_wide(wide, values[each])
            return round_wide(wide)
    return high + low


@njit(cache=True, nogil=True, error_model="numpy")
def _largest(values, count):  # type: ignore[no-untyped-def]
    most = 0.0
    for place in range(count):
        most = max(most, abs(values[place]))
    return most


@njit(cache=True, nogil=True, error_model="numpy")
def _variance(values, count, ddof, wide):  # type: ignore[no-untyped-def]
    """The variance of finite values, as a number and the power of four that it is to be multiplied with."""
    same = True
    for place in range(1, count):
        same = same and values[place] == values[0]
    if same:
        return 0.0, 0
    _, scale = math.frexp(_largest(values, count))
    for place in range(count):
        values[place] = math.ldexp(values[place], -scale)
    mean = _total(values, count, wide) / count
    for place in range(count):
        values[place] -= mean
    _, more = math.frexp(_largest(values, count))
    for place in range(count):
        values[place] = math.ldexp(values[place], -more)
    # What the rounding of the mean leaves over.
    rest = _total(values, count, wide)
    for place in range(count):
        values[place] *= values[place]
    squares = _total(values, count, wide) - rest * rest / count
    return max(squares, 0.0) / (count - ddof), scale + more


@njit(cache=True, nogil=True, error_model="numpy")
def _spread(starts, reals, wholes, valid, ddof, root, out, filled):  # type: ignore[no-untyped-def]
    wide = np.zeros(WIDE_WORDS, np.int64)
    longest = 0
    for group in range(len(starts) - 1):
        longest = max(longest, starts[group + 1] - starts[group])
    values = np.empty(longest)
    for group in range(len(starts) - 1):
        count = 0
        least = np.int64(0)
        for row in range(starts[group], starts[group + 1]):
            if valid[row] and len(wholes) and (count == 0 or wholes[row] < least):
                least = wholes[row]
            count += valid[row]
        if count <= ddof:
            continue
        filled[group] = True
        count = 0
        finite = True
        for row in range(starts[group], starts[group + 1]):
            if valid[row]:
                # The difference of two int64 fits in 64 bits without a sign.
                values[count] = float(np.uint64(wholes[row] - least)) if len(wholes) else reals[row]
                finite = finite and math.isfinite(values[count])
                count += 1
        if not finite:
            out[group] = math.nan
            continue
        variance, scale = _variance(values, count, ddof, wide)
        out[group] = math.ldexp(math.sqrt(variance), scale) if root else math.ldexp(variance, 2 * scale)


@njit(cache=True, nogil=True, error_model="numpy")
def _between(lower, upper, share):  # type: ignore[no-untyped-def]
    """The point between two values at a share of the way."""
    if lower == upper or share == 0.0:
        return lower
    if math.isinf(lower):
        return math.nan if math.isinf(upper) else lower
    if math.isinf(upper):
        return upper
    if lower < 0.0 < upper:
        return lower * (1.0 - share) + upper * share
    return max(lower, min(upper, lower + (upper - lower) * share))


@njit(cache=True, nogil=True, error_model="numpy")
def _quantile(starts, reals, wholes, valid, q, code, out, filled):  # type: ignore[no-untyped-def]
    longest = 0
    for group in range(len(starts) - 1):
        longest = max(longest, starts[group + 1] - starts[group])
    values = np.empty(longest)
    numbers = np.empty(longest, np.int64)
    for group in range(len(starts) - 1):
        count = 0
        known = True
        for row in range(starts[group], starts[group + 1]):
            if valid[row]:
                if len(wholes):
                    numbers[count] = wholes[row]
                else:
                    values[count] = reals[row]
                    known = known and not math.isnan(reals[row])
                count += 1
        if count == 0:
            continue
        filled[group] = True
        if not known:
            out[group] = math.nan
            continue
        if len(wholes):
            numbers[:count].sort()
            values[:count] = numbers[:count]
        else:
            values[:count].sort()
        position = q * (count - 1)
        below = math.floor(position)
        share = position - below
        lower = values[below]
        upper = values[min(below + 1, count - 1)]
        if code == _LOWER:
            found = lower
        elif code == _HIGHER:
            found = upper if share > 0.0 else lower
        elif code == _NEAREST:
            found = upper if share >= 0.5 else lower
        elif code == _LINEAR:
            found = _between(lower, upper, share)
        else:
            found = _between(lower, upper, 0.5 if share > 0.0 else 0.0)
        # Equal values may be 0.0 and -0.0, which the sort does not tell apart.
        out[group] = found + 0.0
