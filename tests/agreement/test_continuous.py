from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from cxpath.agreement.base import NO_WIDTH, Draws, draw_cases, pair_up
from cxpath.agreement.continuous import (
    Form,
    Scale,
    bland_altman,
    concordance,
    deviation_quantile,
    f_interval,
    icc,
    icc_statistic,
    lins_concordance,
    spearman,
    total_deviation,
)
from cxpath.documents.agreement import StatisticEntry
from tests.agreement.published import SHROUT_FLEISS, table

# Shrout & Fleiss 1979, table 4; intervals as the R package psych prints them for the same table.
SHROUT = {
    Form.ONE_WAY: (0.17, (-0.13, 0.72)),
    Form.AGREEMENT: (0.29, (0.02, 0.76)),
    Form.CONSISTENCY: (0.71, (0.34, 0.95)),
    Form.ONE_WAY_MEAN: (0.44, (-0.88, 0.91)),
    Form.AGREEMENT_MEAN: (0.62, (0.07, 0.93)),
    Form.CONSISTENCY_MEAN: (0.91, (0.68, 0.99)),
}
ROW = ("ICC1", "ICC2", "ICC3", "ICC1k", "ICC2k", "ICC3k")
TABLES = arrays(np.float64, (8, 3), elements=st.integers(0, 100).map(float))


@pytest.mark.parametrize("form", Form)
def test_shrout_and_fleiss(form: Form) -> None:
    found = icc(SHROUT_FLEISS, form)
    value, edges = SHROUT[form]
    assert found.value == pytest.approx(value, abs=0.005)
    interval = found.intervals[0]
    assert (interval.low, interval.high) == pytest.approx(edges, abs=0.0075)


@pytest.mark.parametrize("ring", [1, 2])
@pytest.mark.parametrize("form", Form)
def test_the_ring_studies_of_31_readers(stats_dir: Path, ring: int, form: Form) -> None:
    """Wang et al. 2021, npj Breast Cancer: to one in the last printed digit."""
    folder = stats_dir / "pdl1_sp142_31readers"
    with (folder / f"ring{ring}_expected_icc.csv").open(encoding="utf-8") as file:
        published = {row["Type"]: row for row in csv.DictReader(file)}[ROW[list(Form).index(form)]]
    scores = table(folder / f"ring{ring}_continue.csv", first_column=1)
    found = icc(scores, form)
    assert found.value == pytest.approx(float(published["ICC"]), abs=1e-4)
    edges = [float(edge) for edge in published["CI95%"].strip("[]").split()]
    interval = found.intervals[0]
    assert (interval.low, interval.high) == pytest.approx(edges, abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(TABLES, st.permutations(range(3)), st.permutations(range(8)))
def test_the_order_of_readers_and_cases_changes_nothing(
    scores: np.ndarray, readers: list[int], cases: list[int]
) -> None:
    for form in Form:
        expected = icc(scores, form).value
        assert icc(scores[cases][:, readers], form).value == pytest.approx(expected, nan_ok=True, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(TABLES, st.integers(1, 50))
def test_a_reader_who_adds_a_constant_moves_agreement_but_not_consistency(
    scores: np.ndarray, constant: int
) -> None:
    case_means = scores.mean(axis=1)
    if np.ptp(case_means) < 1e-9:
        return
    same = np.repeat(scores[:, :1], 3, axis=1)
    if np.ptp(same) == 0:
        return
    shifted = same + np.array([0.0, 0.0, constant])
    assert icc(shifted, Form.CONSISTENCY).value == pytest.approx(1)
    assert icc(shifted, Form.AGREEMENT).value < 1
    biased = scores + np.array([0.0, 0.0, constant])
    before, after = (icc(one, Form.CONSISTENCY).value for one in (scores, biased))
    assert after == pytest.approx(before, abs=1e-9, nan_ok=True)


def test_identical_readers_give_one_and_no_interval_of_no_width(few_draws: Callable[[int], Draws]) -> None:
    scores = np.repeat(np.arange(6.0)[:, None], 3, axis=1)
    for form in Form:
        found = icc(scores, form, few_draws(6))
        assert found.value == 1
        assert found.intervals == ()
        assert "nothing disagrees" in found.note


def test_constant_scores_have_no_icc_and_say_why() -> None:
    found = icc(np.ones((5, 3)), Form.AGREEMENT)
    assert np.isnan(found.value)
    assert found.intervals == ()
    assert "nothing varies" in found.note
    assert StatisticEntry.of_statistic(found).estimate is None


def test_cases_with_a_gap_are_left_out_and_counted() -> None:
    gap = np.vstack([SHROUT_FLEISS, [1, np.nan, 3, 4]])
    found = icc(gap, Form.AGREEMENT)
    assert (found.n, found.value) == (6, icc(SHROUT_FLEISS, Form.AGREEMENT).value)
    assert "1 case without all reads" in found.note


def test_the_f_interval_narrows_with_the_level() -> None:
    wide, narrow = (f_interval(SHROUT_FLEISS, Form.AGREEMENT, level) for level in (0.95, 0.8))
    assert wide.low < narrow.low < narrow.high < wide.high


# How near two reads are, by hand.

X = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
SHIFTED = pair_up(X, X + np.array([1.0, 1.0, 2.0, 1.0, 0.0]))


def test_limits_of_agreement_by_hand() -> None:
    """Differences 1, 1, 2, 1, 0: mean 1, standard deviation √½."""
    bias, low, high = bland_altman(SHIFTED, Scale.RAW)
    assert bias.value == pytest.approx(1.0)
    assert (low.value, high.value) == pytest.approx((1 - 1.959964 * 0.5**0.5, 1 + 1.959964 * 0.5**0.5))
    half = 2.776445 * 0.5**0.5 / 5**0.5
    (interval,) = bias.intervals
    assert (interval.low, interval.high) == pytest.approx((1 - half, 1 + half))
    assert low.intervals[0].low < low.value < low.intervals[0].high < bias.value


def test_ratio_limits_are_of_scores_plus_1() -> None:
    """A score plus 1 that always doubles: ratio 2, on both ends, and no interval of no width."""
    doubled = bland_altman(pair_up(X, 2 * X + 1), Scale.LOG)
    assert [one.value for one in doubled] == pytest.approx([2.0, 2.0, 2.0])
    assert all(one.intervals == () and one.note == NO_WIDTH for one in doubled)
    assert {one.key for one in doubled} == {
        "bland_altman_ratio_bias",
        "bland_altman_ratio_limit_low",
        "bland_altman_ratio_limit_high",
    }


def test_two_cases_have_no_limits_and_a_gap_is_said() -> None:
    assert bland_altman(pair_up(X[:2], X[:2] + 1), Scale.RAW) == []
    gap = np.where(X == 3, np.nan, X * 1.5)
    assert {one.note for one in bland_altman(pair_up(X, gap), Scale.RAW)} == {"1 case lacks a read"}


def test_concordance_falls_with_shift_scale_and_disorder() -> None:
    """By hand: variances 2 and 1.6, covariance 1.6, shift 1."""
    assert lins_concordance(SHIFTED.x, SHIFTED.y) == pytest.approx(2 * 1.6 / (2 + 1.6 + 1))
    assert lins_concordance(X, X) == 1.0
    assert lins_concordance(X, -X + 6) == pytest.approx(-1.0)
    assert np.isnan(lins_concordance(X[:1], X[:1]))
    assert np.isnan(lins_concordance(np.ones(4), np.ones(4)))


def test_concordance_has_no_interval_by_formula_where_the_formula_divides_by_nothing() -> None:
    for x, y in (
        (X[:3], X[:3] + 1),
        (X, np.ones(5)),
        (X, X),
        (np.array([1.0, -1, 0, 0]), np.array([0.0, 0, 1, -1])),
    ):
        assert concordance(pair_up(x, y)).intervals == ()


def test_lins_interval_by_hand() -> None:
    """Lin 1989 as corrected in 2000, written out again from the covariance matrix."""
    rng = np.random.default_rng(4)
    x = rng.normal(10, 3, 30)
    y = 0.8 * x + rng.normal(1, 1, 30)
    (interval,) = concordance(pair_up(x, y)).intervals
    covariance = np.cov(x, y, bias=True)
    r = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    scale_shift, location = np.sqrt(covariance[1, 1] / covariance[0, 0]), (y.mean() - x.mean())
    u = location / (covariance[0, 0] * covariance[1, 1]) ** 0.25
    c = r * 2 / (scale_shift + 1 / scale_shift + u**2)
    variance = (
        (1 - r**2) * c**2 * (1 - c**2) / r**2 + 2 * c**3 * (1 - c) * u**2 / r - c**4 * u**4 / (2 * r**2)
    ) / (30 - 2)
    error = np.sqrt(variance) / (1 - c**2)
    low, high = np.tanh(np.arctanh(c) + 1.959964 * error * np.array([-1, 1]))
    assert (interval.low, interval.high) == pytest.approx((low, high), rel=1e-5)


@pytest.mark.parametrize(("share", "within"), [(0.2, 0.0), (0.5, 1.0), (0.8, 1.0), (0.9, 2.0)])
def test_the_deviation_that_covers_a_share_is_the_smallest_one(share: float, within: float) -> None:
    """Differences 1, 1, 2, 1, 0 in size."""
    found = deviation_quantile(SHIFTED, share)
    assert found.value == within
    assert found.key == f"deviation_quantile_{100 * share:.0f}"


def test_a_constant_difference_is_its_own_deviation_index() -> None:
    assert total_deviation(pair_up(X, X - 3), 0.9).value == pytest.approx(3.0)
    assert total_deviation(pair_up(X, X), 0.9).value == 0.0


def test_the_deviation_index_of_centred_differences_is_that_of_the_normal_distribution() -> None:
    """Mean 0, standard deviation √(10/4): 90 % lie within 1.645 of them."""
    around = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    assert total_deviation(pair_up(X, X + around), 0.9).value == pytest.approx(1.6448536 * 2.5**0.5)


def test_ranks_alone_make_spearmans_correlation() -> None:
    assert spearman(pair_up(X, X**3)).value == pytest.approx(1.0)
    assert spearman(pair_up(X, X**3)).intervals == (), "of 1 there is no interval by Fisher's z"
    found = spearman(pair_up(X, np.array([2.0, 1.0, 4.0, 3.0, 5.0])))
    assert found.value == pytest.approx(0.8)
    half = 1.959964 * np.sqrt((1 + 0.32) / 2)
    (interval,) = found.intervals
    assert (interval.low, interval.high) == pytest.approx(
        (np.tanh(np.arctanh(0.8) - half), np.tanh(np.arctanh(0.8) + half))
    )
    assert np.isnan(spearman(pair_up(X, np.ones(5))).value)


@pytest.mark.parametrize("form", Form)
def test_weights_are_numbers_of_copies_of_a_case(form: Form) -> None:
    weights = np.array([1.0, 0.0, 3.0, 1.0, 2.0, 1.0])
    copies = np.repeat(SHROUT_FLEISS, weights.astype(int), axis=0)
    assert icc_statistic(SHROUT_FLEISS, form)(weights[None])[0] == pytest.approx(icc(copies, form).value)


def test_the_level_of_the_draws_is_that_of_the_f_interval() -> None:
    draws = draw_cases(np.arange(6), 100, 0.8, 1)
    by_formula = icc(SHROUT_FLEISS, Form.AGREEMENT, draws).intervals[-1]
    assert by_formula == f_interval(SHROUT_FLEISS, Form.AGREEMENT, 0.8)


def test_an_icc_of_one_reader_or_one_case_is_not_defined() -> None:
    for ratings in (SHROUT_FLEISS[:, :1], SHROUT_FLEISS[:1]):
        found = icc(ratings, Form.CONSISTENCY)
        assert np.isnan(found.value)
        assert "fewer than two cases or readers" in found.note
