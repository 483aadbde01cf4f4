"""Law (order): a sum is the correctly rounded one, in whatever order its values come and wherever panes divide them."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from styx_lab.operators.window.exact_sum import WIDE_WORDS, add_narrow, add_wide, merge_wide, round_wide
from tests.operators.window_kit import Event, batch, exact, feed, operator, plain

ANY = st.floats(allow_nan=True, allow_infinity=True)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
# Values that nearly cancel: powers of two far and near, with signs.
POWERS = st.builds(lambda sign, power: sign * 2.0**power, st.sampled_from([-1.0, 1.0]), st.integers(-1074, 1023))

# Sums of which only the least remains.
CANCELLING = st.lists(st.one_of(POWERS, FINITE), min_size=1, max_size=8).flatmap(
    lambda values: st.permutations([*values, *(-value for value in values[1:])])
)
FAR = [1e300, 1.0, 1e-300, -1e300, -1.0]


def _wide(values: list[float]) -> np.ndarray:
    wide = np.zeros(WIDE_WORDS, np.int64)
    for value in values:
        add_wide(wide, value)
    return wide


@given(st.one_of(st.lists(st.one_of(ANY, POWERS), max_size=60), CANCELLING))
@example(FAR)
@example([1e16, 1.0, -1e16])
@example([1e308, 1e308, -1e308])
@example([1e308] * 5)
@example([math.inf, 1.0])
@example([math.inf, -math.inf])
@example([math.nan, math.inf])
@example([5e-324, -2.5e-323, 1e-310])
@example([2.0**53, 1.0])
@example([2.0**53 + 2, 1.0])
@example([2.0**53, 1.0, 5e-324])
@example([-(2.0**53), -1.0, -5e-324])
@example([-0.0])
def test_a_wide_sum_is_the_correctly_rounded_one(values: list[float]) -> None:
    assert plain(round_wide(_wide(values))) == plain(exact(values) + 0.0)


@given(st.lists(st.one_of(FINITE, POWERS), max_size=40))
def test_a_wide_sum_is_fsum(values: list[float]) -> None:
    try:
        expected = math.fsum(values)
    except OverflowError:
        return
    assert round_wide(_wide(values)) == expected


@given(st.lists(st.one_of(ANY, POWERS), max_size=30), st.lists(st.one_of(ANY, POWERS), max_size=30))
def test_wide_sums_merge(left: list[float], right: list[float]) -> None:
    wide = _wide(left)
    merge_wide(wide, _wide(right))
    assert plain(round_wide(wide)) == plain(exact(left + right) + 0.0)


@given(st.one_of(st.lists(st.one_of(st.floats(-1e6, 1e6), POWERS, ANY), max_size=40), CANCELLING))
@example(FAR)
@example([1e16, 1.0, -1e16, 1.0])
@example([1.7e308, 1.7e308])
def test_a_narrow_sum_is_exact_or_says_that_it_is_not(values: list[float]) -> None:
    high, low, so_far = 0.0, 0.0, []
    for value in values:
        next_high, next_low, fits = add_narrow(high, low, value)
        if not fits:
            continue
        high, low = next_high, next_low
        so_far.append(value)
        assert plain(high + low) == plain(exact(so_far) + 0.0)


def test_amounts_of_money_stay_narrow() -> None:
    high, low = 0.0, 0.0
    amounts = [cents / 100 for cents in range(1, 500_000, 7)]
    for amount in amounts:
        high, low, fits = add_narrow(high, low, amount)
        assert fits
    assert high + low == math.fsum(amounts)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_many_great_values_hand_on_their_carries(sign: float) -> None:
    greatest = sign * 1.7976931348623157e308
    wide, opposite = _wide([greatest]), _wide([-greatest])
    for _ in range(60):
        merge_wide(wide, wide.copy())
        merge_wide(opposite, opposite.copy())
    assert round_wide(wide.copy()) == sign * math.inf
    merge_wide(wide, opposite)
    add_wide(wide, 3.0)
    assert round_wide(wide) == 3.0


@pytest.mark.parametrize(
    "values", [FAR, FAR[::-1], [1e308, 1e308, -1e308, -1e308, 3.0], [math.inf, 1.0, 2.0, 3.0, 4.0]]
)
def test_a_window_sums_exactly_over_panes_cuts_and_restores(values: list[float]) -> None:
    # Two stretches of [0, 10), each with a sum that needs the wide form or makes the window's need it.
    script = [Event(place % 10, value=value) for place, value in enumerate(values * 2 + [7e-300])]
    expected = exact(values * 2 + [7e-300])
    running, totals = operator(10, 5), []
    for piece in batch(script).slices(1):
        out = feed(running, [piece]).out
        totals += out.filter(pl.col("window_end").to_physical() == 10)["total"].to_list()
        state = running.snapshot()
        running = operator(10, 5)
        running.restore([state.only(range(0, 128, 2)), state.only(range(1, 128, 2))])
    assert [plain(total) for total in totals] == [plain(expected)]


@pytest.mark.parametrize("slide", [None, 5])
def test_a_window_keeps_the_small_parts_of_its_sums(slide: int | None) -> None:
    # Added one by one, ten tenths are 0.9999999999999999.
    script = [Event(place, value=0.1) for place in range(10)]
    answer = feed(operator(10, slide), [batch(script)])
    whole = answer.out.filter(pl.col("n") == 10)
    assert whole.select("total", "average").rows() == [(1.0, 0.1)]
