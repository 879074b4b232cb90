"""Agreement on categories against published examples, statsmodels and scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar
from statsmodels.stats.inter_rater import cohens_kappa as their_kappa, fleiss_kappa
from statsmodels.stats.proportion import proportion_confint

from cxpath.agreement.base import Draws, Pair, Weighting, draw_cases, pair_up, wilson_interval
from cxpath.agreement.categorical import (
    Chance,
    Metric,
    binary_agreement,
    carried_kappa,
    category_counts,
    chance_corrected,
    cohens_kappa,
    kappa_error,
    krippendorff_alpha,
    mcnemar,
    overall_agreement,
)
from cxpath.agreement.planning import Missing, onest_curve
from tests.agreement.published import KRIPPENDORFF, categories, crossed, table

SKLEARN = {Weighting.NONE: None, Weighting.LINEAR: "linear", Weighting.QUADRATIC: "quadratic"}


@pytest.fixture(scope="module")
def three_levels() -> Pair:
    rng = np.random.default_rng(8)
    x = rng.integers(0, 3, 150)
    y = np.where(rng.random(150) < 0.7, x, rng.integers(0, 3, 150))
    return pair_up(x.astype(float), y.astype(float))


def test_fleiss_1971(stats_dir: Path) -> None:
    counts = category_counts(categories(stats_dir / "irr_diagnoses.csv"), 5)
    found = chance_corrected(counts, Chance.FLEISS)
    assert found.value == pytest.approx(0.430, abs=0.0005)
    assert found.value == pytest.approx(fleiss_kappa(counts))


def test_gwets_ac1_of_irrcac(stats_dir: Path) -> None:
    """irrCAC, cac.raw4raters: AC1 .775 (.461 to 1), Fleiss' kappa .761 (.424 to 1)."""
    codes = table(stats_dir / "irrcac" / "cac.raw4raters.csv", first_column=1) - 1
    for chance, value, low in ((Chance.GWET, 0.775, 0.461), (Chance.FLEISS, 0.761, 0.424)):
        found = chance_corrected(category_counts(codes, 5), chance)
        assert found.value == pytest.approx(value, abs=0.0005)
        interval = found.intervals[0]
        assert (interval.low, interval.high) == pytest.approx((low, 1), abs=0.0005)


@pytest.mark.parametrize(
    ("metric", "value"),
    [(Metric.NOMINAL, 0.743), (Metric.ORDINAL, 0.815), (Metric.INTERVAL, 0.849), (Metric.RATIO, 0.797)],
)
def test_krippendorff_2011(metric: Metric, value: float) -> None:
    found = krippendorff_alpha(KRIPPENDORFF, metric)
    assert found.value == pytest.approx(value, abs=0.0005)
    assert "1 case with fewer than two reads" in found.note


@pytest.mark.parametrize(
    ("missing", "agreeing", "cases"), [(Missing.IGNORED, 26, 68), (Missing.COMPLETE, 24, 61)]
)
def test_onest_in_both_conventions(stats_dir: Path, missing: Missing, agreeing: int, cases: int) -> None:
    curve = onest_curve(table(stats_dir / "onest" / "sp142_bin.csv"), missing)
    assert curve is not None
    assert curve.cases == cases
    assert curve.all_readers == pytest.approx(agreeing / cases)
    assert missing.value in curve.statistics()[0].label


def test_the_onest_curve_is_the_mean_over_all_sets_of_readers() -> None:
    reads = np.array([[1, 1, 0, np.nan], [1, 1, 1, 1], [0, 0, np.nan, 0], [0, 1, 0, 1.0]])
    curve = onest_curve(reads, Missing.IGNORED)
    assert curve is not None
    for place, size in enumerate(curve.readers):
        sets = [reads[:, list(chosen)] for chosen in combinations(range(4), int(size))]
        agree = [np.nanmax(one, axis=1) == np.nanmin(one, axis=1) for one in sets]
        assert curve.mean[place] == pytest.approx(np.mean(agree))
    assert np.all(np.diff(curve.mean) <= 1e-12)


@pytest.mark.parametrize("weighting", Weighting)
def test_kappa_is_that_of_statsmodels_and_scikit_learn(three_levels: Pair, weighting: Weighting) -> None:
    crossed = np.zeros((3, 3))
    np.add.at(crossed, (three_levels.x.astype(int), three_levels.y.astype(int)), 1)
    found = cohens_kappa(three_levels, 3, weighting)
    theirs = their_kappa(crossed, wt=SKLEARN[weighting])
    assert found.value == pytest.approx(theirs.kappa)
    assert found.value == pytest.approx(
        cohen_kappa_score(three_levels.x, three_levels.y, weights=SKLEARN[weighting])
    )
    assert found.intervals[0].low == pytest.approx(theirs.kappa_low, abs=1e-6)


def test_a_category_that_nobody_used_keeps_its_distance() -> None:
    """Levels 0 and 2 alone: scikit-learn is right only when told of the middle one."""
    x, y = np.array([0, 0, 2, 2, 0, 2, 0, 0.0]), np.array([0, 0, 2, 2, 0, 0, 0, 2.0])
    found = cohens_kappa(pair_up(x, y), 3, Weighting.LINEAR)
    assert found.value == pytest.approx(cohen_kappa_score(x, y, labels=[0, 1, 2], weights="linear"))


def test_prevalence_moves_kappa_and_not_ac1_as_the_warning_says() -> None:
    """PPA = NPA = 0.90: kappa 0.80 at 50 % and 0.61 at 89 %; AC1 0.80 and 0.87."""
    for prevalence, kappa, ac1 in ((0.5, 0.80, 0.80), (0.89, 0.61, 0.87)):
        yes, no = round(prevalence * 10_000), round((1 - prevalence) * 10_000)
        x = np.repeat([1.0, 0.0], [yes, no])
        y = np.repeat([1.0, 0.0, 1.0, 0.0], [yes * 9 // 10, yes - yes * 9 // 10, no // 10, no - no // 10])
        counts = category_counts(np.stack([x, y], axis=1), 2)
        assert cohens_kappa(pair_up(x, y), 2, Weighting.NONE).value == pytest.approx(kappa, abs=0.005)
        assert chance_corrected(counts, Chance.GWET).value == pytest.approx(ac1, abs=0.005)


def test_shares_of_two_readers_by_hand(few_draws: Callable[[int], Draws]) -> None:
    x = np.repeat([1.0, 1, 0, 0], [40, 10, 5, 45])
    y = np.repeat([1.0, 0, 1, 0], [40, 10, 5, 45])
    found = {one.key: one for one in binary_agreement(pair_up(x, y, few_draws(100)))}
    values = {key: round(found[key].value, 4) for key in ("opa", "ppa", "npa", "apa", "ana", "prevalence")}
    assert values == {
        "opa": 0.85, "ppa": 0.8, "npa": 0.9, "apa": 0.8421, "ana": 0.8571, "prevalence": 0.475
    }  # fmt: skip
    theirs = their_mcnemar(np.array([[40, 10], [5, 45]]), exact=True)
    assert found["mcnemar"].p_value == pytest.approx(theirs.pvalue)
    assert found["ppa"].intervals[0].method == "Wilson"
    assert "bootstrap" in found["apa"].intervals[0].method


def test_full_agreement_still_has_a_width() -> None:
    x = np.repeat([1.0, 0], [20, 20])
    found = {one.key: one for one in binary_agreement(pair_up(x, x))}
    assert found["apa"].intervals[0].low == pytest.approx(proportion_confint(20, 20, method="wilson")[0])
    assert found["mcnemar"].p_value is None


@pytest.mark.parametrize(("hits", "total"), [(0, 10), (7, 10), (10, 10), (81, 263)])
def test_wilson_is_that_of_statsmodels(hits: int, total: int) -> None:
    found = wilson_interval(hits, total)
    assert found
    assert (found.low, found.high) == pytest.approx(proportion_confint(hits, total, method="wilson"))
    assert wilson_interval(0, 0) is None


def test_one_category_leaves_kappa_and_alpha_undefined_and_ac1_at_one() -> None:
    ones = np.ones((10, 3))
    counts = category_counts(ones, 2)
    assert np.isnan(chance_corrected(counts, Chance.FLEISS).value)
    assert chance_corrected(counts, Chance.GWET).value == 1
    alpha = krippendorff_alpha(ones, Metric.NOMINAL)
    assert np.isnan(alpha.value)
    assert "all values are equal" in alpha.note


def test_nobody_who_read_is_no_agreement_and_one_read_a_case_neither() -> None:
    nothing = krippendorff_alpha(np.full((4, 2), np.nan), Metric.NOMINAL)
    assert np.isnan(nothing.value)
    assert "4 cases with fewer than two reads" in nothing.note
    lone = np.array([[1.0, np.nan], [np.nan, 0.0], [1.0, np.nan]])
    assert np.isnan(krippendorff_alpha(lone, Metric.ORDINAL).value)
    for chance in Chance:
        found = chance_corrected(category_counts(lone, 2), chance)
        assert np.isnan(found.value)
        assert found.intervals == ()


@pytest.mark.parametrize(("metric", "distances"), [
    (Metric.NOMINAL, {(0, 1): 1.0, (0, 3): 1.0, (1, 3): 1.0}),
    (Metric.INTERVAL, {(0, 1): 1.0, (0, 3): 9.0, (1, 3): 4.0}),
    (Metric.RATIO, {(0, 1): 1.0, (0, 3): 1.0, (1, 3): 0.25}),
])  # fmt: skip
def test_alpha_of_two_readers_from_its_coincidences(
    metric: Metric, distances: dict[tuple[int, int], float]
) -> None:
    """Krippendorff 2011, by hand: coincidences of four cases, 1 − (n − 1) Σ o δ² / Σ n_c n_k δ²."""
    reads = np.array([[0.0, 0.0], [1.0, 3.0], [0.0, 1.0], [3.0, 3.0]])
    seen = distances[1, 3] + distances[0, 1]
    margin = {0: 3, 1: 2, 3: 3}
    expected = sum(margin[a] * margin[b] * apart for (a, b), apart in distances.items())
    assert krippendorff_alpha(reads, metric).value == pytest.approx(1 - 7 * seen / expected)


def test_ordinal_distances_are_of_the_reads_between() -> None:
    """By hand: 0, 1, 3 with margins 3, 2, 3 lie at 1.5, 4 and 6.5 of 8 reads."""
    reads = np.array([[0.0, 0.0], [1.0, 3.0], [0.0, 1.0], [3.0, 3.0]])
    seen, expected = 2.5**2 + 2.5**2, 3 * 2 * 2.5**2 + 3 * 3 * 5.0**2 + 2 * 3 * 2.5**2
    assert krippendorff_alpha(reads, Metric.ORDINAL).value == pytest.approx(1 - 7 * seen / expected)
    apart = np.where(reads == 3, 100.0, reads)
    assert krippendorff_alpha(apart, Metric.ORDINAL).value == pytest.approx(1 - 7 * seen / expected)


def test_agreement_alone_is_the_first_of_all_figures(few_draws: Callable[[int], Draws]) -> None:
    x, y = crossed([[40, 5], [10, 45]])
    pair = pair_up(x, y, few_draws(100))
    alone = overall_agreement(pair)
    assert alone == binary_agreement(pair)[0]
    assert (alone.value, alone.method) == (0.85, "85 of 100")
    levels = pair_up(np.array([0.0, 1, 2, 2]), np.array([0.0, 2, 2, 2]))
    assert overall_agreement(levels).value == 0.75, "of any categories"


def test_a_share_of_no_case_is_not_defined_and_says_so() -> None:
    found = {one.key: one for one in binary_agreement(pair_up(np.zeros(8), np.zeros(8)))}
    assert np.isnan(found["ppa"].value)
    assert "no such case" in found["ppa"].note
    assert found["npa"].value == 1.0
    assert np.isnan(found["apa"].value)
    assert found["prevalence"].value == 0.0


def test_several_slides_of_a_patient_are_not_wilsons_independent_cases() -> None:
    x, y = crossed([[20, 4], [6, 20]])
    clustered = draw_cases(np.arange(50) // 5, 200, 0.95, 1)
    for one in binary_agreement(pair_up(x, y, clustered)):
        assert "bootstrap" in one.intervals[0].method, one.key
    alone = {one.key: one for one in binary_agreement(pair_up(x, y, draw_cases(np.arange(50), 200, 0.95, 1)))}
    assert alone["opa"].intervals[0].method == "Wilson"
    assert "bootstrap" in alone["apa"].intervals[0].method, "a case counts twice"


def test_the_share_of_yes_that_a_reader_has_more_and_its_exact_test() -> None:
    """8 against 2 discordant cases: p = 2 P(X ≤ 2), X binomial of 10 and one half, = 112/1024."""
    x, y = crossed([[30, 8], [2, 60]])
    found = mcnemar(pair_up(x, y))
    assert found.value == pytest.approx(0.06)
    assert found.method == "8 against 2 discordant cases; p: exact McNemar test"
    assert found.p_value == pytest.approx(112 / 1024)
    turned = mcnemar(pair_up(y, x))
    assert turned.value == pytest.approx(-0.06)
    assert turned.p_value == found.p_value


def test_kappas_interval_is_wilsons_of_the_agreement_corrected_for_chance() -> None:
    """By hand: agreement 0.85 of 100, both prevalences with one more case spread evenly."""
    never = carried_kappa(np.array([[0.0, 1.0], [0.0, 39.0]]), np.eye(2), 40, 0.95)
    assert never is not None
    assert -1.0 <= never.low <= 0.0 <= never.high <= 1.0, "no kappa is below -1"
    found = carried_kappa(np.array([[40.0, 5.0], [10.0, 45.0]]), np.eye(2), 100, 0.95)
    assert found is not None
    rows, columns = ((100 * share + 0.5) / 101 for share in (0.45, 0.5))
    slope = 1 / (1 - rows * columns - (1 - rows) * (1 - columns))
    worth = 100 * 0.85 * 0.15 / (0.85 * 0.15 * 100 / 99)
    low, high = proportion_confint(0.85 * worth, worth, method="wilson")
    assert (found.low, found.high) == pytest.approx((1 - (1 - low) * slope, 1 - (1 - high) * slope))


def test_kappas_error_is_none_where_chance_explains_everything() -> None:
    assert np.isnan(kappa_error(np.array([[1.0, 0.0], [0.0, 0.0]]), np.eye(2), 20, 0.0))
    ones = np.ones(20)
    found = cohens_kappa(pair_up(ones, ones), 2, Weighting.NONE)
    assert np.isnan(found.value)
    assert found.intervals == ()
    assert "chance alone explains full agreement" in found.note


def test_kappa_of_no_case_is_not_defined() -> None:
    assert np.isnan(cohens_kappa(pair_up(np.zeros(0), np.zeros(0)), 2, Weighting.NONE).value)


def test_the_name_and_the_source_of_a_coefficient_follow_its_weights() -> None:
    counts = category_counts(np.array([[0.0, 0.0], [1.0, 2.0], [2.0, 2.0]]), 3)
    names = {
        (chance, weighting): chance_corrected(counts, chance, weighting)
        for chance in Chance
        for weighting in (Weighting.NONE, Weighting.LINEAR)
    }
    assert {key: (one.key, one.label) for key, one in names.items()} == {
        (Chance.FLEISS, Weighting.NONE): ("fleiss_kappa", "Fleiss' kappa"),
        (Chance.FLEISS, Weighting.LINEAR): ("fleiss_kappa_linear", "Fleiss' kappa, linear weights"),
        (Chance.GWET, Weighting.NONE): ("ac1", "AC1"),
        (Chance.GWET, Weighting.LINEAR): ("ac2_linear", "AC2, linear weights"),
    }
    assert names[Chance.GWET, Weighting.NONE].source.startswith("Gwet 2008")
    assert names[Chance.FLEISS, Weighting.NONE].source.startswith("Fleiss 1971")
    assert names[Chance.GWET, Weighting.NONE].readers == 2
