"""Lines through two reads: what holds of every set of points, and what is not a line."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st

from cxpath.agreement.base import Draws, draw_cases, pair_up
from cxpath.agreement.regression import (
    MOST_SLOPES,
    NOT_RISING,
    TOO_MANY,
    PassingBablok,
    cusum_p,
    deming,
    deming_line,
    middle_slope,
    passing_bablok,
    passing_bablok_line,
    rise_together,
    sorted_slopes,
    weighted_lines,
)

whole = st.integers(0, 100)
points = st.lists(st.tuples(whole, whole), min_size=3, max_size=12)


def columns(some: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.array(some, dtype=np.float64).T
    return x, y


def ones(cases: int) -> np.ndarray:
    return np.ones((1, cases))


# Deming.


@given(st.floats(0.1, 10), st.floats(-50, 50), st.lists(whole, min_size=3, max_size=10, unique=True))
def test_points_on_a_rising_line_give_that_line(slope: float, intercept: float, reads: list[int]) -> None:
    x = np.array(reads, dtype=np.float64)
    found = deming_line(x, intercept + slope * x, ones(len(x)))
    assert found[0][0] == pytest.approx(slope, rel=1e-6)
    assert found[1][0] == pytest.approx(intercept, abs=1e-4)


@given(points)
def test_exchanging_equal_errors_gives_the_reciprocal_slope(some: list[tuple[int, int]]) -> None:
    x, y = columns(some)
    assume(abs(np.cov(x, y)[0, 1]) > 1e-6)
    there, back = deming_line(x, y, ones(len(x)))[0][0], deming_line(y, x, ones(len(x)))[0][0]
    assert there * back == pytest.approx(1, rel=1e-6)


@given(points, st.floats(0.2, 5))
def test_the_line_goes_through_the_means(some: list[tuple[int, int]], ratio: float) -> None:
    x, y = columns(some)
    slope, intercept = deming_line(x, y, ones(len(x)), ratio)
    assume(np.isfinite(slope[0]) and abs(slope[0]) < 1e6)
    assert intercept[0] + slope[0] * x.mean() == pytest.approx(y.mean(), abs=1e-6 * (1 + abs(slope[0])))


@given(points, st.integers(0, 5))
def test_a_weight_is_a_number_of_copies(some: list[tuple[int, int]], copies: int) -> None:
    x, y = columns(some)
    weights = np.ones((1, len(x)))
    weights[0, 0] += copies
    repeated = deming_line(
        np.append(x, [x[0]] * copies), np.append(y, [y[0]] * copies), ones(len(x) + copies)
    )
    weighted = deming_line(x, y, weights)
    assume(np.isfinite(repeated[0][0]) and abs(repeated[0][0]) < 1e3)
    assert weighted[0][0] == pytest.approx(repeated[0][0], rel=1e-5, abs=1e-8)


def test_a_constant_reference_or_reads_without_covariance_give_no_line() -> None:
    flat = np.array([5.0, 5, 5, 5])
    rising = np.arange(4.0)
    assert np.isnan(deming_line(flat, rising, ones(4))[0][0])
    uncorrelated = np.array([1.0, -1, -1, 1])
    assert np.isnan(deming_line(np.array([-1.0, -1, 1, 1]) + 3, uncorrelated, ones(4))[0][0])


def test_two_cases_are_too_few() -> None:
    assert deming(pair_up(np.array([1.0, 2]), np.array([1.0, 2]))) == []


def test_each_cutoff_has_its_bias_and_a_jackknife_interval_around_it() -> None:
    x = np.array([1.0, 3, 8, 20, 40, 60])
    y = 1.1 * x + np.array([0.5, -0.5, 0.8, -0.8, 1.0, -1.0])
    found = {one.key: one for one in deming(pair_up(x, y), bias_at=(1.0, 10.0))}
    assert list(found) == ["deming_slope", "deming_intercept", "deming_bias_at_1", "deming_bias_at_10"]
    slope, intercept = found["deming_slope"].value, found["deming_intercept"].value
    assert found["deming_bias_at_10"].value == pytest.approx(intercept + 10 * slope - 10)
    for one in found.values():
        (interval,) = one.intervals
        assert interval.method == "jackknife"
        assert (interval.low + interval.high) / 2 == pytest.approx(one.value)


def test_the_jackknife_leaves_out_patients_not_cases() -> None:
    """Six cases of two patients: two values are too few for an interval."""
    x = np.array([1.0, 3, 8, 20, 40, 60])
    draws = draw_cases(np.array([0, 0, 0, 1, 1, 1]), 50, 0.95, 1)
    found = deming(pair_up(x, x + np.array([1.0, -1, 1, -1, 1, -1]), draws))
    assert all("jackknife" not in interval.method for one in found for interval in one.intervals)


# Passing-Bablok.


@given(points)
def test_slopes_are_sorted_and_equal_points_make_none(some: list[tuple[int, int]]) -> None:
    x, y = columns(some)
    i, j, slopes = sorted_slopes(x, y)
    assert not np.isnan(slopes).any()
    assert (slopes[1:] >= slopes[:-1]).all()
    assert len(slopes) == sum(
        some[first] != some[second] for first in range(len(some)) for second in range(first + 1, len(some))
    )
    assert (i < j).all()


def test_points_above_each_other_are_infinitely_steep_and_falling_ones_exactly_minus_one() -> None:
    _, _, steep = sorted_slopes(np.array([1.0, 1.0]), np.array([0.0, 5.0]))
    assert steep.tolist() == [np.inf]
    _, _, falling = sorted_slopes(np.array([0.1, 0.3]), np.array([0.3, 0.1]))
    assert falling.tolist() == [-1.0]


@given(st.floats(0.01, 100), st.floats(0.01, 100))
def test_the_middle_of_two_slopes_lies_between_and_is_reciprocal_when_exchanged(
    one: float, other: float
) -> None:
    low, high = sorted((one, other))
    (middle,) = middle_slope(np.array([low]), np.array([high]))
    assert low * (1 - 1e-9) <= middle <= high * (1 + 1e-9)
    assume(abs(low * high - 1) > 1e-6)
    (back,) = middle_slope(np.array([1 / high]), np.array([1 / low]))
    assert middle * back == pytest.approx(1, rel=1e-6)


@settings(deadline=None)
@given(points)
def test_the_interval_of_a_slope_contains_it(some: list[tuple[int, int]]) -> None:
    line = passing_bablok_line(*columns(some))
    if line is not None:
        assert line.slope_interval[0] <= line.slope <= line.slope_interval[1]
        assert line.intercept_interval[0] <= line.intercept_interval[1]
        assert 0 <= line.tied_share <= 1
        assert np.isnan(line.cusum_p) or 0 <= line.cusum_p <= 1


@settings(deadline=None)
@given(points, st.randoms(use_true_random=False))
def test_the_order_of_the_cases_does_not_matter(some: list[tuple[int, int]], rng: object) -> None:
    mixed = list(some)
    rng.shuffle(mixed)  # type: ignore[attr-defined]
    first, second = passing_bablok_line(*columns(some)), passing_bablok_line(*columns(mixed))
    if first is None or second is None:
        assert first is second
        return
    assert second.slope == pytest.approx(first.slope, rel=1e-9)
    assert second.intercept == pytest.approx(first.intercept, rel=1e-9, abs=1e-9)


@settings(deadline=None)
@given(points)
def test_weights_of_one_give_the_line_of_the_cases(some: list[tuple[int, int]]) -> None:
    x, y = columns(some)
    line, (slope, intercept) = passing_bablok_line(x, y), weighted_lines(x, y, ones(len(x)))
    if line is None:
        assert np.isnan(slope[0])
    else:
        assert slope[0] == pytest.approx(line.slope, rel=1e-9)
        assert intercept[0] == pytest.approx(line.intercept, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("some", [[(1, 1), (2, 2)], [(1, 1), (1, 1), (1, 1)], [(1, 1), (1, 1), (2, 3)][:2]])
def test_too_few_points_or_slopes_give_no_line(some: list[tuple[int, int]]) -> None:
    assert passing_bablok_line(*columns(some)) is None


def test_a_replicate_without_two_different_cases_has_no_line() -> None:
    x, y = np.array([1.0, 2, 3]), np.array([1.0, 2, 4])
    slope, intercept = weighted_lines(x, y, np.array([[3.0, 0, 0], [1.0, 1, 1]]))
    assert np.isnan([slope[0], intercept[0]]).all()
    assert np.isfinite([slope[1], intercept[1]]).all()
    assert len(weighted_lines(x, y, np.zeros((0, 3)))[0]) == 0


def test_points_on_one_side_of_a_line_are_not_tested_for_a_bend() -> None:
    x = np.arange(6.0)
    assert np.isnan(cusum_p(x, x, 1.0, 0.0))
    assert np.isnan(cusum_p(x, x + 1, 1.0, 0.0))


def test_reads_that_fall_or_do_not_vary_have_no_line() -> None:
    x = np.arange(10.0)
    assert not rise_together(x, -x)
    assert rise_together(x, x)
    assert passing_bablok(pair_up(x, np.ones(10))) == []
    falling = passing_bablok(pair_up(x, 20 - x), bias_at=(1.0,))
    assert [one.key for one in falling] == [
        "passing_bablok_slope",
        "passing_bablok_intercept",
        "passing_bablok_bias_at_1",
    ]
    assert all(np.isnan(one.value) and NOT_RISING in one.note for one in falling)


def test_without_draws_a_bias_has_no_interval_and_says_so() -> None:
    x = np.arange(1.0, 13.0)
    *_, bias = passing_bablok(pair_up(x, x + np.tile([0.2, -0.1], 6)), bias_at=(10.0,))
    assert bias.intervals == ()
    assert TOO_MANY in bias.note


def test_too_many_cases_are_not_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.arange(1.0, 13.0)
    pair = pair_up(x, x + np.tile([0.2, -0.1], 6), draw_cases(np.arange(12), 40, 0.95, 1))
    assert passing_bablok(pair, bias_at=(10.0,))[-1].intervals
    monkeypatch.setattr("cxpath.agreement.regression.MOST_SLOPES", 40 * 12 * 12 - 1)
    bias = passing_bablok(pair, bias_at=(10.0,))[-1]
    assert TOO_MANY in bias.note
    assert MOST_SLOPES > 40 * 12 * 12


def test_a_line_is_a_plain_value() -> None:
    x = np.arange(1.0, 13.0)
    line = passing_bablok_line(x, 2 * x)
    assert isinstance(line, PassingBablok)
    assert (line.slope, line.intercept, line.tied_share) == pytest.approx((2.0, 0.0, 0.0))
    assert isinstance(draw_cases(np.arange(3), 5, 0.95, 1), Draws)
