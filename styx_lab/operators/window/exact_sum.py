"""Exact sums of floats: the correctly rounded sum of any values, whatever the order in which they came.

Law (order): a sum is held without any error, so only its final rounding shows. Two forms, both exact:

- *narrow*: two floats `high + low`. Adding a value keeps both rounding errors (Knuth's TwoSum); where the second is
  not nought the sum needs more room. One rounded addition of the two gives the correctly rounded sum.
- *wide*: a fixed-point number of 67 limbs of 32 bits, from 2^-1074 up, in int64 words with room for carries, and a last
  word with marks for infinities and NaN. Every float fits in it, and so does every sum of fewer than 2^63 of them.

A sum of nothing is 0.0 and a sum of zeros is 0.0, never -0.0. An infinity stays; with its opposite, or with a NaN, the
sum is NaN. A sum beyond the greatest float is an infinity.
"""

from __future__ import annotations

import math
from typing import Final

from styx_lab.core.compiled import njit_uncounted

__all__ = ["WIDE_WORDS", "add_narrow", "add_wide", "merge_wide", "round_wide"]

_LIMBS: Final = 67
WIDE_WORDS: Final = _LIMBS + 1
"""How many int64 words a wide sum takes."""
_MASK: Final = 0xFFFFFFFF
_FULL: Final = 2**61  # a limb this great hands on its carry, long before int64 overflows
_SAFE: Final = 2.0**1021  # below it TwoSum cannot overflow, not even on the way
_INF, _MINUS_INF, _NAN = 1, 2, 4


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
def add_narrow(high, low, value):  # type: ignore[no-untyped-def]
    """The narrow sum after one more value, and whether it is still exact; if not, it is to be dropped."""
    # Written so that NaN fails the test as well.
    if not (abs(value) < _SAFE and abs(high) < _SAFE):
        return high, low, False
    total = high + value
    part = total - high
    error = (high - (total - part)) + (value - part)
    rest = low + error
    part = rest - low
    lost = (low - (rest - part)) + (error - part)
    return total, rest, lost == 0.0


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
def _add_limb(wide, limb, amount):  # type: ignore[no-untyped-def]
    """Add to one limb, |amount| < 2^61, and hand on the carry where the limb is nearly full."""
    wide[limb] += amount
    while abs(wide[limb]) >= _FULL and limb < _LIMBS - 1:
        carry = wide[limb] >> 32
        wide[limb] -= carry << 32
        limb += 1
        wide[limb] += carry


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
def add_wide(wide, value):  # type: ignore[no-untyped-def]
    """Add a value, finite or not, to a wide sum."""
    if math.isnan(value):
        wide[_LIMBS] |= _NAN
        return
    if math.isinf(value):
        wide[_LIMBS] |= _INF if value > 0 else _MINUS_INF
        return
    if value == 0.0:
        return
    fraction, exponent = math.frexp(abs(value))
    bits = int(fraction * 9007199254740992.0)  # 2^53
    place = exponent + 1021  # of the lowest of the 53 bits, above 2^-1074
    if place < 0:
        # A subnormal: the bits that go are nought.
        bits >>= -place
        place = 0
    limb = place >> 5
    shift = place & 31
    lower = (bits & _MASK) << shift
    upper = ((bits >> 32) << shift) + (lower >> 32)
    sign = 1 if value > 0 else -1
    _add_limb(wide, limb, sign * (lower & _MASK))
    _add_limb(wide, limb + 1, sign * (upper & _MASK))
    _add_limb(wide, limb + 2, sign * (upper >> 32))


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
def merge_wide(wide, other):  # type: ignore[no-untyped-def]
    """Add a wide sum to a wide sum."""
    for limb in range(_LIMBS):
        if other[limb] != 0:
            _add_limb(wide, limb, other[limb])
    wide[_LIMBS] |= other[_LIMBS]


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
def _carry(wide):  # type: ignore[no-untyped-def]
    for limb in range(_LIMBS - 1):
        wide[limb + 1] += wide[limb] >> 32
        wide[limb] &= _MASK


@njit_uncounted(cache=True, nogil=True, error_model="numpy")
def round_wide(wide):  # type: ignore[no-untyped-def]
    """The float nearest to a wide sum, ties to even; the sum's words are used up."""
    marks = wide[_LIMBS]
    if marks != 0:
        if marks == _INF:
            return math.inf
        return -math.inf if marks == _MINUS_INF else math.nan
    _carry(wide)
    sign = 1.0
    if wide[_LIMBS - 1] < 0:
        sign = -1.0
        for limb in range(_LIMBS):
            wide[limb] = -wide[limb]
        _carry(wide)
    top = _LIMBS - 1
    while top >= 0 and wide[top] == 0:
        top -= 1
    if top < 0:
        return 0.0
    length = 32 * top
    leading = wide[top]
    while leading > 0:
        leading >>= 1
        length += 1
    if length > 2098:
        return sign * math.inf
    if length <= 53:
        return sign * math.ldexp(float((wide[1] << 32) | wide[0]), -1074)
    drop = length - 53
    limb = drop >> 5
    shift = drop & 31
    bits = (wide[limb] >> shift) | (wide[limb + 1] << (32 - shift))
    if shift > 0:
        bits |= wide[limb + 2] << (64 - shift)
    bits &= 9007199254740991  # 2^53 - 1
    limb = (drop - 1) >> 5
    shift = (drop - 1) & 31
    if (wide[limb] >> shift) & 1:
        above_half = (wide[limb] & ((1 << shift) - 1)) != 0
        while not above_half and limb > 0:
            limb -= 1
            above_half = wide[limb] != 0
        if above_half or bits & 1:
            bits += 1
    return sign * math.ldexp(float(bits), drop - 1074)
