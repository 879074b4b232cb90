from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from cxpath.agreement.base import (
    NO_WIDTH,
    AgreementSettings,
    Interval,
    Statistic,
    Weighted,
    Weighting,
    bootstrap_interval,
    carried_interval,
    draw_cases,
    effective_cases,
    expanded_tail,
    interval_of,
    measured,
    median_of,
    others_medians,
    pair_up,
    paired_difference,
    reaching,
    smoothed,
    wilson_interval,
    with_width,
)


def test_patients_are_drawn_whole() -> None:
    draws = draw_cases(np.array([0, 0, 1, 2, 2, 2]), 500, 0.95, 3)
    assert draws.patients == 3
    np.testing.assert_array_equal(draws.weights[:, 0], draws.weights[:, 1])
    np.testing.assert_array_equal(draws.weights[:, 3], draws.weights[:, 5])
    assert np.all(draws.weights[:, [0, 2, 3]].sum(axis=1) == 3)


def test_the_same_seed_draws_the_same() -> None:
    one, other = (draw_cases(np.arange(20), 50, 0.95, 7).weights for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_the_tail_is_below_the_nominal_one_and_reaches_it() -> None:
    assert expanded_tail(10, 0.95) < expanded_tail(100, 0.95) < 0.025
    assert expanded_tail(100_000, 0.95) == pytest.approx(0.025, abs=1e-5)


def test_clustered_cases_widen_the_interval() -> None:
    rng = np.random.default_rng(1)
    values = np.repeat(rng.normal(size=20), 5)

    def mean(weights: np.ndarray) -> np.ndarray:
        return np.asarray(weights @ values / weights.sum(axis=1))

    alone, together = (
        bootstrap_interval(mean, draw_cases(cluster, 500, 0.95, 1))
        for cluster in (np.arange(100), np.repeat(np.arange(20), 5))
    )
    assert alone
    assert together
    assert "20 patients" in together.method
    assert together.high - together.low > 1.5 * (alone.high - alone.low)


def test_no_interval_without_enough_patients_or_values() -> None:
    draws = draw_cases(np.zeros(5, dtype=np.int64), 100, 0.95, 1)
    assert interval_of(np.ones(100), draws) is None
    many = draw_cases(np.arange(5), 100, 0.95, 1)
    assert interval_of(np.full(100, np.nan), many) is None


def test_a_boundary_of_cutoffs_must_rise_from_above_0() -> None:
    assert AgreementSettings(cutoffs=(1.0, 10.0, 50.0)).cutoffs == (1.0, 10.0, 50.0)
    for wrong in ((10.0, 1.0), (1.0, 1.0), (0.0, 10.0), (-1.0,)):
        with pytest.raises(ValidationError, match="cut-offs must rise from above 0"):
            AgreementSettings(cutoffs=wrong)


@pytest.mark.parametrize("weighting", list(Weighting))
@pytest.mark.parametrize("categories", [1, 2, 3, 5])
def test_weights_are_1_on_the_diagonal_and_fall_with_the_distance(
    weighting: Weighting, categories: int
) -> None:
    weights = weighting.matrix(categories)
    assert (np.diag(weights) == 1).all()
    np.testing.assert_array_equal(weights, weights.T)
    assert (np.diff(weights[0]) <= 0).all()
    assert weights.min() >= 0


def test_two_categories_are_as_far_apart_by_every_weighting() -> None:
    for weighting in Weighting:
        np.testing.assert_array_equal(weighting.matrix(2), np.eye(2))


def test_quadratic_weights_forgive_a_step_more_than_linear_ones() -> None:
    assert Weighting.LINEAR.matrix(4)[0, 1] == pytest.approx(1 - 1 / 3)
    assert Weighting.QUADRATIC.matrix(4)[0, 1] == pytest.approx(1 - 1 / 9)


READS = np.array([[1.0, 3.0, np.nan], [np.nan, np.nan, np.nan], [4.0, 8.0, 6.0]])


def test_the_median_leaves_gaps_out_and_is_missing_where_nobody_read() -> None:
    np.testing.assert_array_equal(median_of(READS), [2.0, np.nan, 6.0])


def test_the_others_of_a_reader_do_not_contain_that_reader() -> None:
    np.testing.assert_array_equal(
        others_medians(READS), [[3.0, 1.0, 2.0], [np.nan, np.nan, np.nan], [7.0, 5.0, 6.0]]
    )


def test_a_cutoff_is_reached_by_what_is_at_least_that() -> None:
    np.testing.assert_array_equal(reaching(np.array([0.9, 1.0, 20.0, np.nan]), 1.0), [0, 1, 1, np.nan])


def test_a_pair_is_of_the_cases_that_have_both_reads_and_counts_the_rest() -> None:
    draws = draw_cases(np.array([0, 0, 1, 2]), 50, 0.9, 1)
    pair = pair_up(np.array([1.0, np.nan, 3.0, 4.0]), np.array([2.0, 2.0, np.nan, 5.0]), draws)
    assert (pair.x.tolist(), pair.y.tolist(), len(pair)) == ([1.0, 4.0], [2.0, 5.0], 2)
    assert (pair.note, pair.level, pair.patients) == ("2 cases lack a read", 0.9, 2)
    np.testing.assert_array_equal(pair.draws.weights if pair.draws else None, draws.weights[:, [0, 3]])


def test_without_draws_every_case_is_a_patient_at_95_percent() -> None:
    pair = pair_up(np.arange(4.0), np.arange(4.0))
    assert (pair.draws, pair.level, pair.patients, pair.note) == (None, 0.95, 4, "")


@pytest.mark.parametrize(
    ("low", "high", "has_width"),
    [(0.2, 0.3, True), (0.5, 0.5, False), (0.0, 0.0, False), (1e6, 1e6 + 1e-6, False), (0.0, 1e-9, True)],
)
def test_an_interval_of_one_number_has_no_width(low: float, high: float, has_width: bool) -> None:
    assert Interval(low, high, "").has_width is has_width


def test_intervals_without_width_are_left_out_and_said_once_none_is_left() -> None:
    wide, narrow = Interval(0.1, 0.2, "a"), Interval(0.3, 0.3, "b")
    assert with_width([narrow, None, wide]) == ((wide,), "")
    assert with_width([narrow, None]) == ((), NO_WIDTH)
    assert with_width([None]) == ((), "")


def mean_of(values: NDArray[np.float64]) -> Weighted:
    return lambda weights: weights @ values / weights.sum(axis=1)


VALUES = np.random.default_rng(5).normal(3.0, 1.0, 40)
ANALYTIC, CARRIED = Interval(2.0, 4.0, "by formula"), Interval(1.0, 5.0, "carried")


def figure(values: NDArray[np.float64] = VALUES, **options: Any) -> Statistic:
    draws = draw_cases(np.arange(len(values)), 200, 0.95, 1)
    stated: dict[str, Any] = {"draws": draws, "method": "mean", "source": "by hand"} | options
    return measured("mean", "Mean", mean_of(values), len(values), **stated)


def test_the_quoted_interval_comes_first() -> None:
    methods = [one.method for one in figure(analytic=ANALYTIC, carried=CARRIED).intervals]
    assert methods == ["carried", "expanded percentile bootstrap, 200 draws of 40 cases", "by formula"]
    quoted = figure(analytic=ANALYTIC, carried=CARRIED, quote_analytic=True)
    assert [one.method for one in quoted.intervals][:2] == ["by formula", "carried"]
    assert [one.method for one in figure(analytic=ANALYTIC, draws=None).intervals] == ["by formula"]


def test_a_figure_is_that_of_the_cases_and_lies_in_its_bootstrap() -> None:
    found = figure()
    assert found.value == pytest.approx(VALUES.mean())
    (interval,) = found.intervals
    assert interval.low < found.value < interval.high
    assert (found.n, found.readers, found.note) == (40, 2, "")


def test_a_figure_that_is_not_defined_says_why_and_has_no_interval() -> None:
    found = figure(np.full(10, np.nan), analytic=ANALYTIC, carried=CARRIED, undefined="no case has it")
    assert np.isnan(found.value)
    assert (found.intervals, found.note) == ((), "no case has it")
    empty = measured("mean", "Mean", mean_of(VALUES[:0]), 0, None, method="", source="", note="so")
    assert empty.note == "so; not defined: nothing varies or too few cases"


def test_where_nothing_varies_that_is_noted() -> None:
    assert figure(np.ones(10)).note == NO_WIDTH


def test_a_statistic_gains_context_and_notes_and_keeps_what_it_had() -> None:
    one = figure().within(round="1").within(cutoff="≥ 1").noting("first").noting("second")
    assert one.context == {"round": "1", "cutoff": "≥ 1"}
    assert one.note == "first; second"


@given(hits=st.integers(0, 60), more=st.integers(0, 60), level=st.floats(0.6, 0.99))
def test_wilsons_limits_contain_the_share_and_stay_between_0_and_1(
    hits: int, more: int, level: float
) -> None:
    total = hits + more
    interval = wilson_interval(hits, total, level)
    if not total:
        assert interval is None
        return
    assert interval is not None
    assert 0 <= interval.low <= hits / total + 1e-12
    assert hits / total - 1e-12 <= interval.high <= 1
    assert interval.has_width


def test_a_coefficient_that_corrects_for_chance_carries_a_wider_interval() -> None:
    plain, corrected = (carried_interval(0.9, 1 - 0.1 * slope, slope, 50, 0.95) for slope in (1.0, 2.0))
    assert plain is not None
    assert corrected is not None
    assert (plain.method, corrected.method) == (
        "Wilson",
        "Wilson's limits of the agreement, corrected for chance",
    )
    assert corrected.high - corrected.low == pytest.approx(2 * (plain.high - plain.low))
    assert carried_interval(float("nan"), 0.5, 1.0, 50, 0.95) is None
    assert carried_interval(0.9, 0.5, 1.0, 0, 0.95) is None


@given(shares=st.lists(st.floats(0, 1), min_size=2, max_size=6), cases=st.integers(1, 1000))
def test_smoothed_shares_still_sum_to_one_and_none_is_nothing(shares: list[float], cases: int) -> None:
    total = sum(shares)
    even = np.array(shares) / total if total > 1e-6 else np.full(len(shares), 1 / len(shares))
    smooth = smoothed(even, cases)
    assert smooth.sum() == pytest.approx(1.0)
    assert smooth.min() > 0
    assert np.abs(smooth - even).max() <= 1 / (cases + 1)


def test_cases_that_agree_alike_are_worth_what_they_are() -> None:
    assert effective_cases(np.full(30, 0.8), 30) == 30
    assert effective_cases(np.zeros(0), 12) == 12


def test_cases_of_one_pair_of_readers_are_worth_about_their_number() -> None:
    agree = np.array([1.0] * 80 + [0.0] * 20)
    assert effective_cases(agree, 100) == pytest.approx(99, abs=1)
    halved = np.array([1.0] * 60 + [0.5] * 40)
    assert effective_cases(halved, 100) > 200, "pairs of several readers say more than one pair"


def test_a_difference_of_equal_cases_still_has_a_width() -> None:
    found = paired_difference(np.zeros(72), 72, 0.95)
    assert found is not None
    assert found.low == pytest.approx(-(1 - 0.025 ** (1 / 72)))
    assert found.high == pytest.approx(-found.low)
    assert paired_difference(np.zeros(0), 10, 0.95) is None


@given(gains=st.integers(0, 20), losses=st.integers(0, 20), same=st.integers(1, 20))
def test_swapping_the_sides_of_a_difference_mirrors_its_interval(gains: int, losses: int, same: int) -> None:
    difference = np.array([1.0] * gains + [-1.0] * losses + [0.0] * same)
    one, other = (paired_difference(sign * difference, len(difference), 0.9) for sign in (1, -1))
    assert one is not None
    assert other is not None
    assert [one.low, one.high] == pytest.approx([-other.high, -other.low])
    assert one.low <= difference.mean() <= one.high
