"""Agreement of any number of readers beyond chance: Fleiss' kappa and Gwet's AC1 and AC2.

Works on how many readers put each case into each category, so that missing reads are simply fewer reads;
cases with one read count for prevalence only. With a single category in use Fleiss' kappa is not defined,
and AC1 is 1.

References
----------
Fleiss 1971, Psychological Bulletin 76:378.
Gwet 2008, Br J Math Stat Psychol 61:29 (AC1, AC2); Gwet 2014, Handbook of Inter-Rater Reliability, chapter 5
(missing reads, variance over cases).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as t_distribution

from cxpath.agreement.bootstrap import Draws, Weighted
from cxpath.agreement.category_weights import Weighting
from cxpath.agreement.measure import measured
from cxpath.agreement.statistic import Interval, Statistic

Floats = NDArray[np.float64]


class Chance(StrEnum):
    """What is taken for chance agreement."""

    FLEISS = "Fleiss"
    GWET = "Gwet"


@dataclass(frozen=True, eq=False)
class _Sums:
    """Per case: agreement of its pairs (0 without a pair), whether it has a pair, shares of categories."""

    agreement: Floats
    paired: Floats
    share: Floats
    rated: Floats


def category_counts(codes: Floats, categories: int) -> Floats:
    """Return how many readers put each case into each category, (N, Q).

    Parameters
    ----------
    codes : float64 array, (N, R)
        Categories from 0; NaN for no read.
    categories : int
    """
    return np.stack([(codes == category).sum(axis=1) for category in range(categories)], axis=1).astype(float)


def _sums(counts: Floats, scheme: Floats) -> _Sums:
    reads = counts.sum(axis=1)
    pairs = reads * (reads - 1)
    paired = reads >= 2
    agreeing = (counts * (counts @ scheme - 1)).sum(axis=1)
    return _Sums(
        agreement=np.where(paired, agreeing / np.where(paired, pairs, 1), 0.0),
        paired=paired.astype(np.float64),
        share=counts / np.maximum(reads, 1)[:, None],
        rated=(reads >= 1).astype(np.float64),
    )


def _expected(prevalence: Floats, scheme: Floats, chance: Chance) -> Floats:
    """Return the agreement by chance for prevalences, (..., Q)."""
    if chance is Chance.FLEISS:
        expected: Floats = ((prevalence @ scheme) * prevalence).sum(axis=-1)
        return expected
    q = len(scheme)
    gwet: Floats = scheme.sum() / (q * (q - 1)) * (prevalence * (1 - prevalence)).sum(axis=-1)
    return gwet


def chance_corrected_statistic(counts: Floats, weighting: Weighting, chance: Chance) -> Weighted:
    """Return the coefficient as a function of case weights.

    Parameters
    ----------
    counts : float64 array, (N, Q)
        How many readers put each case into each category.
    weighting : Weighting
    chance : Chance

    Returns
    -------
    callable
        From weights, (B, N), to values, (B,).
    """
    scheme = weighting.matrix(counts.shape[1])
    sums = _sums(counts, scheme)

    def of(weights: Floats) -> Floats:
        seen = weights @ sums.agreement / (weights @ sums.paired)
        prevalence = weights @ sums.share / (weights @ sums.rated)[:, None]
        expected = _expected(prevalence, scheme, chance)
        return np.where(1 - expected > 1e-12, (seen - expected) / (1 - expected), np.nan)

    return of


def chance_corrected(
    counts: Floats,
    chance: Chance,
    weighting: Weighting = Weighting.NONE,
    draws: Draws | None = None,
    readers: int = 0,
    level: float = 0.95,
) -> Statistic:
    """Return Fleiss' kappa, AC1 or AC2 with its intervals.

    Parameters
    ----------
    counts : float64 array, (N, Q)
        How many readers put each case into each category.
    chance : Chance
    weighting : Weighting
    draws : Draws, optional
    readers : int
        For the record; the most reads of a case if 0.
    level : float
        Of the asymptotic interval over cases, without draws.
    """
    weighted = weighting is not Weighting.NONE
    name = ("AC2" if weighted else "AC1") if chance is Chance.GWET else "Fleiss' kappa"
    key = {"AC1": "ac1", "AC2": "ac2"}.get(name, "fleiss_kappa")
    source = "Gwet 2008, Br J Math Stat Psychol 61:29" if chance is Chance.GWET else "Fleiss 1971"
    return measured(
        f"{key}_{weighting.value}" if weighted else key,
        f"{name}, {weighting.value} weights" if weighted else name,
        chance_corrected_statistic(counts, weighting, chance),
        len(counts),
        draws,
        method=f"{counts.shape[1]} categories, {weighting.value}; pairs of reads within cases",
        source=f"{source}; variance Gwet 2014, chapter 5",
        analytic=_over_cases(counts, weighting, chance, draws.level if draws else level),
        readers=readers or int(counts.sum(axis=1).max(initial=0)),
        undefined="not defined: chance alone explains full agreement (one category)",
    )


def _over_cases(counts: Floats, weighting: Weighting, chance: Chance, level: float) -> Interval | None:
    """Return value ± t s, by linearisation over cases, up to 1."""
    rated = counts.sum(axis=1) >= 1
    counts, n = counts[rated], int(rated.sum())
    scheme = weighting.matrix(counts.shape[1])
    sums = _sums(counts, scheme)
    paired = sums.paired.sum()
    if n < 2 or not paired:
        return None
    prevalence = sums.share.mean(axis=0)
    expected = float(_expected(prevalence, scheme, chance))
    if 1 - expected <= 1e-12:
        return None
    value = (sums.agreement.sum() / paired - expected) / (1 - expected)
    own = n / paired * (sums.agreement - expected * sums.paired) / (1 - expected)
    if chance is Chance.FLEISS:
        own_expected = sums.share @ (scheme + scheme.T) @ prevalence / 2
    else:
        q = len(scheme)
        own_expected = scheme.sum() / (q * (q - 1)) * sums.share @ (1 - prevalence)
    influence = own - 2 * (1 - value) * (own_expected - expected) / (1 - expected)
    error = np.sqrt(np.sum((influence - value) ** 2) / (n * (n - 1)))
    half = t_distribution.ppf((1 + level) / 2, n - 1) * error
    return Interval(float(value - half), float(min(value + half, 1.0)), "linearised over cases, t")
