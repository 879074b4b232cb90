"""More published worked examples, and an independent derivation where none was found (total deviation)."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import ndtr
from scipy.stats import t as student

from cxpath.agreement.base import Weighting, pair_up
from cxpath.agreement.categorical import (
    Chance,
    Metric,
    binary_agreement,
    category_counts,
    chance_corrected,
    cohens_kappa,
    krippendorff_alpha,
)
from cxpath.agreement.continuous import total_deviation
from cxpath.agreement.readers import PairwiseMeasure, mean_pairwise
from tests.agreement.published import SURGEONS, crossed, table


def test_specific_agreement_of_four_surgeons() -> None:
    """De Vet, Dikmans & Eekhout 2017, J Clin Epidemiol 83:85, and their R package Agree.

    Fifty photographs, six pairs of surgeons: 118 pairs satisfied, 106 not, 76 apart. Agreement .7466667,
    specific agreement on satisfied .7564103, on not satisfied .7361111.
    """
    x, y = crossed([[106, 42], [34, 118]])
    found = {one.key: one.value for one in binary_agreement(pair_up(x, y))}
    assert found["opa"] == pytest.approx(0.7466667, abs=1e-7)
    assert found["apa"] == pytest.approx(0.7564103, abs=1e-7)
    assert found["ana"] == pytest.approx(0.7361111, abs=1e-7)
    assert mean_pairwise(SURGEONS, PairwiseMeasure.OPA, None).value == pytest.approx(0.7466667, abs=1e-7)


@pytest.mark.parametrize(
    ("cells", "kappa", "apa", "ana"),
    [([[40, 9], [6, 45]], 0.70, 80 / 95, 90 / 105), ([[80, 10], [5, 5]], 0.32, 160 / 175, 10 / 25)],
)
def test_equal_agreement_and_unequal_kappa(
    cells: list[list[int]], kappa: float, apa: float, ana: float
) -> None:
    """Feinstein & Cicchetti 1990, J Clin Epidemiol 43:543: both tables agree in 85 %; yes comes first."""
    x, y = crossed(cells)
    pair = pair_up(1 - x, 1 - y)
    found = {one.key: one.value for one in binary_agreement(pair)}
    assert found["opa"] == pytest.approx(0.85)
    assert cohens_kappa(pair, 2, Weighting.NONE).value == pytest.approx(kappa, abs=0.005)
    assert (found["apa"], found["ana"]) == pytest.approx((apa, ana))


def test_cohen_1968_unweighted() -> None:
    """Psychological Bulletin 70:213, table 1: 200 cases, three diagnoses, kappa .492."""
    x, y = crossed([[88, 14, 18], [10, 40, 10], [2, 6, 12]])
    assert cohens_kappa(pair_up(x, y), 3, Weighting.NONE).value == pytest.approx(0.492, abs=0.0005)


def test_two_abstractors_of_irrcac(stats_dir: Path) -> None:
    """irrCAC's manual: kappa .7964094, Scott's pi .7962397, AC1 .8493305, alpha .7972585, agreement .89.

    Its standard errors of a cross table, .05905473 and .04321747, divide by n where its others and ours
    divide by n - 1.
    """
    x, y = crossed(
        table(stats_dir / "irrcac" / "cont3x3abstractors.csv", first_column=1).astype(int).tolist()
    )
    codes = np.stack([x, y], axis=1)
    counts = category_counts(codes, 3)
    assert np.mean(x == y) == pytest.approx(0.89)
    assert cohens_kappa(pair_up(x, y), 3, Weighting.NONE).value == pytest.approx(0.7964094, abs=1e-7)
    assert krippendorff_alpha(codes, Metric.NOMINAL).value == pytest.approx(0.7972585, abs=1e-7)
    for chance, value, error in (
        (Chance.FLEISS, 0.7962397, 0.05905473),
        (Chance.GWET, 0.8493305, 0.04321747),
    ):
        found = chance_corrected(counts, chance)
        assert found.value == pytest.approx(value, abs=1e-7)
        half = (found.intervals[0].high - found.intervals[0].low) / 2
        assert half == pytest.approx(student.ppf(0.975, 99) * error * np.sqrt(100 / 99), abs=1e-6)


def test_six_psychiatrists_of_irrcac(stats_dir: Path) -> None:
    """irrCAC's manual: AC1 .4448007 (.264 to .625), Fleiss' kappa .4139265 (.24 to .588), alpha .4204384."""
    counts = table(stats_dir / "irrcac" / "distrib.6raters.csv", first_column=1)
    for chance, value, edges in (
        (Chance.GWET, 0.4448007, (0.264, 0.625)),
        (Chance.FLEISS, 0.4139265, (0.24, 0.588)),
    ):
        found = chance_corrected(counts, chance)
        assert found.value == pytest.approx(value, abs=1e-7)
        interval = found.intervals[0]
        assert (interval.low, interval.high) == pytest.approx(edges, abs=0.001)
    codes = np.array([np.repeat(np.arange(5.0), row.astype(int)) for row in counts])
    assert krippendorff_alpha(codes, Metric.NOMINAL).value == pytest.approx(0.4204384, abs=1e-7)


def test_raters_with_gaps_of_irrcac(stats_dir: Path) -> None:
    """irrCAC's manual: alpha .74342 of cac.raw4raters, AC1 .3518903 of cac.dist4cat."""
    codes = table(stats_dir / "irrcac" / "cac.raw4raters.csv", first_column=1) - 1
    assert krippendorff_alpha(codes, Metric.NOMINAL).value == pytest.approx(0.74342, abs=1e-5)
    with (stats_dir / "irrcac" / "cac.dist4cat.csv").open(encoding="utf-8", newline="") as file:
        counts = np.array([[float(entry) for entry in row[1:4]] for row in list(csv.reader(file))[1:]])
    assert chance_corrected(counts, Chance.GWET).value == pytest.approx(0.3518903, abs=1e-7)


@pytest.mark.parametrize("share", [0.8, 0.9, 0.95])
@pytest.mark.parametrize(("mean", "spread"), [(0.0, 1.0), (-2.1, 38.8), (5.0, 2.0), (-30.0, 1.5)])
def test_the_deviation_index_solves_its_own_equation(mean: float, spread: float, share: float) -> None:
    """P(|D| ≤ k) = share for normal D of this mean and spread, solved here without the chi-square.

    No published worked example with its data was found. Without bias it is z s: 1.645 s for 90 %.
    """
    base = np.random.default_rng(1).normal(size=40)
    difference = (base - base.mean()) / base.std(ddof=1) * spread + mean
    expected = brentq(
        lambda k: ndtr((k - mean) / spread) - ndtr((-k - mean) / spread) - share, 0, 100 * spread + 100
    )
    found = total_deviation(pair_up(np.zeros(40), difference), share).value
    assert found == pytest.approx(expected, rel=1e-9)
    if mean == 0 and share == 0.9:
        assert found == pytest.approx(1.645 * spread, abs=0.0005)
