"""Concordance, Bland-Altman, Deming and Passing-Bablok against published examples and other packages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm, spearmanr

from cxpath.agreement.base import Draws, draw_cases, pair_up, value_of
from cxpath.agreement.continuous import (
    Scale,
    bland_altman,
    concordance,
    deviation_quantile,
    limits_of_agreement,
    lins_concordance,
    spearman,
    spearman_statistic,
    total_deviation,
)
from cxpath.agreement.regression import cusum_p, deming, passing_bablok, passing_bablok_line, weighted_lines
from cxpath.documents.agreement import StatisticEntry
from tests.agreement.passing_bablok_sets import PASSING_BABLOK_OF_MCR, passing_bablok_data
from tests.agreement.published import DEMING_X, DEMING_Y, MINI_WRIGHT, WRIGHT, table


def test_bland_and_altman_1986_peak_flow() -> None:
    """Lancet 1:307: mean −2.1 l/min, standard deviation 38.8, interval of the mean −22.0 to 17.8."""
    limits = limits_of_agreement(WRIGHT - MINI_WRIGHT)
    assert (limits.bias, limits.spread) == pytest.approx((-2.1, 38.8), abs=0.05)
    assert (limits.bias_interval.low, limits.bias_interval.high) == pytest.approx((-22.0, 17.8), abs=0.1)


def test_giavarina_2015(stats_dir: Path) -> None:
    """Biochemia Medica 25:141: bias −27.17, limits −95.39 to 41.05."""
    limits = limits_of_agreement(_giavarina(stats_dir))
    assert (limits.bias, limits.low, limits.high) == pytest.approx((-27.17, -95.39, 41.05), abs=0.01)


def _giavarina(stats_dir: Path) -> np.ndarray:
    rows = (stats_dir / "giavarina2015.csv").read_text(encoding="utf-8").splitlines()[1:]
    return np.array([float(row.split(",")[0]) - float(row.split(",")[1]) for row in rows])


def test_exact_limits_hold_the_true_limit_as_often_as_they_say() -> None:
    rng = np.random.default_rng(4)
    true_high = norm.ppf(0.975)
    held = [
        one.high_interval.low <= true_high <= one.high_interval.high
        for one in (limits_of_agreement(rng.normal(size=12)) for _ in range(400))
    ]
    assert np.mean(held) == pytest.approx(0.95, abs=0.035)


def test_ratio_limits_of_a_doubling_reader() -> None:
    x = np.array([0.0, 1, 3, 9, 20, 50])
    found = {one.key: one.value for one in bland_altman(pair_up(x, 2 * x + 1), Scale.LOG)}
    assert found["bland_altman_ratio_bias"] == pytest.approx(2)
    assert found["bland_altman_ratio_limit_low"] == pytest.approx(2)


def test_deming_of_ncss() -> None:
    """NCSS chapter 303: slope 1.001194, intercept −0.0897448."""
    slope, intercept = deming(pair_up(DEMING_X, DEMING_Y), error_ratio=0.25)
    assert slope.value == pytest.approx(1.001194, abs=1e-6)
    assert intercept.value == pytest.approx(-0.0897448, abs=1e-6)


def test_deming_of_equal_errors_does_not_care_which_is_x() -> None:
    forth, back = (deming(pair_up(*one))[0].value for one in ((DEMING_X, DEMING_Y), (DEMING_Y, DEMING_X)))
    assert forth == pytest.approx(1 / back)


def test_passing_bablok_of_mcr_creatinine(stats_dir: Path) -> None:
    """R package mcr, analytical intervals: slope 1.0880089 (1.0 to 1.173005), intercept −0.1171729
    (−0.2001149 to −0.02). It takes 13 of the 20 slopes of −1 for others, by rounding of the decimals; of
    whole hundredths the slope is 1.0879121.
    """
    scores = table(stats_dir / "mcr_creatinine.csv")
    pair = pair_up(scores[:, 0], scores[:, 1])
    line = passing_bablok_line(pair.x, pair.y)
    assert line is not None
    assert (line.slope, line.intercept) == pytest.approx((1.0880089, -0.1171729), abs=2e-4)
    assert line.slope_interval == pytest.approx((1.0, 1.173005), abs=2e-4)
    assert line.intercept_interval == pytest.approx((-0.2001149, -0.02), abs=2e-4)
    assert pair.left_out == 2
    whole = passing_bablok_line(np.round(100 * pair.x), np.round(100 * pair.y))
    assert whole is not None
    assert line.slope == pytest.approx(whole.slope, abs=1e-12)
    assert line.slope_interval == pytest.approx(whole.slope_interval, abs=1e-12)
    assert 100 * line.intercept == pytest.approx(whole.intercept, abs=1e-9)


@pytest.mark.parametrize(("name", "slope", "intercept"), PASSING_BABLOK_OF_MCR)
def test_passing_bablok_intervals_are_those_of_mcr(
    name: str, slope: tuple[float, float, float], intercept: tuple[float, float, float] | None
) -> None:
    """Estimate and limits as the R package mcr 1.3 gives them for its own and for simulated data."""
    x, y = passing_bablok_data(name)
    line = passing_bablok_line(x, y)
    assert line is not None
    assert (line.slope, *line.slope_interval) == pytest.approx(slope, rel=2e-6, abs=5e-5)
    if intercept:
        assert (line.intercept, *line.intercept_interval) == pytest.approx(intercept, rel=2e-6, abs=5e-5)


@pytest.mark.parametrize("name", [name for name, *_ in PASSING_BABLOK_OF_MCR])
def test_exchanging_the_reads_gives_the_reciprocal_line_and_limits(name: str) -> None:
    x, y = passing_bablok_data(name)
    forth, back = passing_bablok_line(x, y), passing_bablok_line(y, x)
    assert forth
    assert back
    assert back.slope == pytest.approx(1 / forth.slope, rel=1e-9)
    assert back.slope_interval == pytest.approx([1 / end for end in reversed(forth.slope_interval)], rel=1e-9)


@pytest.mark.parametrize("unit", [0.01, 100.0, 7.3])
def test_the_line_does_not_depend_on_the_unit(unit: float) -> None:
    """Decimals hide slopes of −1 from an exact comparison; in whole hundredths they are all seen."""
    x, y = passing_bablok_data("decimals")
    one, other = passing_bablok_line(x, y), passing_bablok_line(unit * x, unit * y)
    assert one
    assert other
    assert other.slope == pytest.approx(one.slope, rel=1e-9)
    assert other.slope_interval == pytest.approx(one.slope_interval, rel=1e-9)
    assert other.cusum_p == pytest.approx(one.cusum_p, rel=1e-9)


def test_of_equal_reads_the_interval_leaves_out_1_as_rarely_on_either_side() -> None:
    """Ten cases, no bias: 2.5 % of limits on each side, as often below 1 as above."""
    rng = np.random.default_rng(11)
    below = above = 0
    for _ in range(600):
        true = rng.uniform(10, 100, 10)
        line = passing_bablok_line(true + rng.normal(0, 5, 10), true + rng.normal(0, 5, 10))
        assert line
        below += line.slope_interval[1] < 1
        above += line.slope_interval[0] > 1
    assert below / 600 == pytest.approx(0.026, abs=0.02)
    assert above / 600 == pytest.approx(0.026, abs=0.02)


@pytest.mark.parametrize("kind", ["falling", "unrelated", "nearly constant"])
def test_reads_that_do_not_rise_together_have_no_line(kind: str) -> None:
    x = np.arange(30.0)
    y = {"falling": 30 - x, "unrelated": (x * 7) % 30, "nearly constant": np.where(x == 14, 3.0, 2.0)}[kind]
    found = passing_bablok(pair_up(x, y, draw_cases(np.arange(30), 100, 0.95, 1)), (1.0,))
    assert found
    assert all(np.isnan(one.value) and not one.intervals for one in found)
    assert all("do not rise together" in one.note for one in found)
    assert StatisticEntry.of_statistic(found[0]).estimate is None


def test_the_cusum_test_does_not_depend_on_the_order_of_the_rows() -> None:
    """Heaped reads lie at one place along the line; which of them comes first is chance."""
    rng = np.random.default_rng(12)
    x = rng.choice([0.0, 1, 5, 10, 20], 60)
    y = np.clip(x + rng.choice([-1.0, 0, 1, 5], 60), 0, None)
    found = {
        round(cusum_p(x[order], y[order], 1.05, 0.3), 12)
        for order in (rng.permutation(60) for _ in range(30))
    }
    assert len(found) == 1


def test_passing_bablok_finds_a_line_and_ignores_an_outlier() -> None:
    x = np.arange(1.0, 31)
    y = 2 * x + 3
    y[5] = 500
    line = passing_bablok_line(x, y)
    assert line is not None
    assert (line.slope, line.intercept) == pytest.approx((2, 3))


def test_weighted_lines_are_those_of_the_cases_so_repeated(stats_dir: Path) -> None:
    scores = table(stats_dir / "mcr_creatinine.csv")
    pair = pair_up(scores[:60, 0], scores[:60, 1])
    heaped = np.random.default_rng(6).integers(0, 5, (2, 30)).astype(float)
    for x, y in ((pair.x, pair.y), heaped, (pair.x[:20], -pair.y[:20])):
        weights = draw_cases(np.arange(len(x)), 40, 0.95, 3).weights
        weights[0] = 1
        slopes, intercepts = weighted_lines(x, y, weights)
        for row, slope, intercept in zip(weights.astype(int), slopes, intercepts, strict=True):
            line = passing_bablok_line(np.repeat(x, row), np.repeat(y, row))
            expected = (line.slope, line.intercept) if line else (np.nan, np.nan)
            assert (slope, intercept) == pytest.approx(expected, nan_ok=True)


def test_the_bias_at_a_cutoff_has_an_interval_that_holds_it_as_often_as_it_says() -> None:
    """Of 120 studies of 50 cases whose true bias at 10 is 1.5, at least 90 % of 95 % intervals hold it."""
    rng = np.random.default_rng(8)
    held = []
    for number in range(120):
        x = rng.uniform(0, 40, 50)
        y = 1.1 * x + 0.5 + rng.normal(0, 1, 50)
        pair = pair_up(x + rng.normal(0, 1, 50), y, draw_cases(np.arange(50), 300, 0.95, number))
        (interval,) = passing_bablok(pair, (10.0,))[-1].intervals
        held.append(interval.low <= 1.5 <= interval.high)
    assert np.mean(held) >= 0.9


def test_slope_and_intercept_have_a_second_interval_by_bootstrap(few_draws: Callable[[int], Draws]) -> None:
    rng = np.random.default_rng(9)
    x = rng.uniform(0, 20, 80)
    slope, intercept = passing_bablok(pair_up(x, x + rng.normal(0, 1, 80), few_draws(80)))
    for one in (slope, intercept):
        ranks, boot = one.intervals
        assert "bootstrap" in boot.method
        assert boot.high - boot.low == pytest.approx(ranks.high - ranks.low, rel=0.5)
    assert passing_bablok(pair_up(x, x + 1), (1.0,))[-1].intervals == ()


def test_cusum_doubts_a_curve_but_not_a_line() -> None:
    rng = np.random.default_rng(2)
    x = np.linspace(1, 50, 60)
    noise = rng.normal(0, 0.3, 60)
    straight, curved = x + noise, x**2 / 50 + noise
    for y, bent in ((straight, False), (curved, True)):
        line = passing_bablok_line(x, y)
        assert line is not None
        assert (line.cusum_p < 0.05) == bent
    assert np.isnan(cusum_p(x, x + 1, 1, 0))


def test_heaped_scores_are_said_to_be_heaped_and_constant_ones_give_no_line() -> None:
    x = np.array([0, 0, 0, 1, 1, 5, 5, 10, 10.0, 10])
    found = passing_bablok(pair_up(x, np.roll(x, 1)))
    assert all("share a score" in one.note for one in found)
    assert passing_bablok(pair_up(np.ones(6), np.arange(6.0))) == []


def test_concordance_of_a_shifted_reader_by_hand() -> None:
    x = np.array([1.0, 2, 3, 4])
    assert lins_concordance(x, x) == 1
    assert lins_concordance(x, x + 1) == pytest.approx(2 * 1.25 / (2 * 1.25 + 1))
    assert np.isnan(lins_concordance(np.ones(4), np.ones(4)))


def test_concordance_intervals_by_formula_and_by_bootstrap_agree(
    few_draws: Callable[[int], Draws],
) -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=120)
    found = concordance(pair_up(x, x + rng.normal(0, 0.4, 120), few_draws(120)))
    boot, formula = found.intervals
    assert (boot.low, boot.high) == pytest.approx((formula.low, formula.high), abs=0.03)


def test_spearman_is_scipys_with_ties_and_under_weights() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.integers(0, 6, 40).astype(float), rng.integers(0, 6, 40).astype(float)
    assert spearman(pair_up(x, y)).value == pytest.approx(spearmanr(x, y).statistic)
    weights = rng.integers(0, 3, 40)
    repeated = np.repeat(x, weights), np.repeat(y, weights)
    of_weights = spearman_statistic(x, y)(weights[None, :].astype(float))[0]
    assert of_weights == pytest.approx(spearmanr(*repeated).statistic)


def test_the_deviation_index_holds_its_share_of_normal_differences() -> None:
    difference = norm.ppf((np.arange(2000) + 0.5) / 2000) + 1
    pair = pair_up(np.zeros(2000), difference)
    by_formula, by_rank = total_deviation(pair), deviation_quantile(pair)
    assert np.mean(np.abs(difference) <= by_formula.value) == pytest.approx(0.9, abs=0.002)
    assert by_rank.value == pytest.approx(by_formula.value, abs=0.02)
    assert total_deviation(pair_up(np.zeros(5), np.full(5, 2.0))).value == 2


def test_missing_reads_are_left_out_and_counted() -> None:
    x, y = np.array([1, 2, np.nan, 4, 5.0]), np.array([1, np.nan, 3, 4, 6.0])
    found = concordance(pair_up(x, y))
    assert found.n == 3
    assert "2 cases lack a read" in found.note
    assert value_of(lambda weights: weights.sum(axis=1), 3) == 3
