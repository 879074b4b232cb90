"""Agreement of categories: kappa, AC1, AC2, Krippendorff's alpha, PPA, NPA and OPA.

References
----------
Krippendorff 2011, Computing Krippendorff's Alpha-Reliability (coincidences, difference functions).
Hayes & Krippendorff 2007, Communication Methods and Measures 1:77 (interval by bootstrap).
FDA 2007, Statistical Guidance on Reporting Results from Studies Evaluating Diagnostic Tests.
Cicchetti & Feinstein 1990, J Clin Epidemiol 43:551 (APA, ANA).
McNemar 1947, Psychometrika 12:153 (the exact, binomial form).
Fleiss 1971, Psychological Bulletin 76:378.
Gwet 2008, Br J Math Stat Psychol 61:29 (AC1, AC2); Gwet 2014, Handbook of Inter-Rater Reliability, chapter 5
(missing reads, variance over cases).
Cohen 1960, Educ Psychol Meas 20:37; 1968, Psychological Bulletin 70:213 (weighted).
Fleiss, Cohen & Everitt 1969, Psychological Bulletin 72:323 (variance).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy.special import ndtri
from scipy.stats import binomtest, t as t_distribution

from cxpath.agreement.base import (
    Draws,
    Floats,
    Interval,
    Pair,
    Statistic,
    Weighted,
    Weighting,
    blind_to_rare_disagreements,
    carried_interval,
    effective_cases,
    measured,
    paired_difference,
    smoothed,
    value_of,
    wilson_interval,
    worth_of,
)
from cxpath.data import counted

# Krippendorff's alpha for any number of readers, missing reads and four kinds of scale.
#
# Cases with a single read say nothing and are left out. When all values are equal there is no disagreement
# to expect, and alpha is not defined.


class Metric(StrEnum):
    """How different two values are."""

    NOMINAL = "nominal"
    ORDINAL = "ordinal"
    INTERVAL = "interval"
    RATIO = "ratio"


def alpha_statistic(reads: Floats, metric: Metric) -> Weighted:
    """Return alpha as a function of case weights.

    Parameters
    ----------
    reads : float64 array, (N, R)
        Values; NaN for no read.
    metric : Metric
    """
    values = np.unique(reads[np.isfinite(reads)])
    counts = np.stack([(reads == value).sum(axis=1) for value in values], axis=1) if len(values) else None

    def undefined(weights: Floats) -> Floats:
        """Return no value for any replicate: nobody read anything."""
        return np.full(len(weights), np.nan)

    if counts is None:
        return undefined
    number = counts.sum(axis=1)
    counts = np.where(number[:, None] >= 2, counts, 0).astype(np.float64)
    inverse = 1 / np.maximum(number - 1, 1)
    return _ordinal(counts, inverse) if metric is Metric.ORDINAL else _fixed(counts, inverse, values, metric)


def _fixed(counts: Floats, inverse: Floats, values: Floats, metric: Metric) -> Weighted:
    """Alpha where the difference of two values does not depend on the others."""
    difference = _difference(values, metric)
    within = ((counts @ difference) * counts).sum(axis=1) * inverse

    def of(weights: Floats) -> Floats:
        """Return alpha, 1 less seen over expected difference, of each row of case weights."""
        margin = weights @ counts
        total = margin.sum(axis=1)
        expected = ((margin @ difference) * margin).sum(axis=1) / (total - 1)
        return np.where(expected > 1e-12, 1 - weights @ within / expected, np.nan)

    return of


def _difference(values: Floats, metric: Metric) -> Floats:
    a, b = values[:, None], values[None, :]
    if metric is Metric.NOMINAL:
        different: Floats = np.asarray(a != b, dtype=np.float64)
        return different
    total = np.ones_like(a + b) if metric is Metric.INTERVAL else np.where(a + b == 0, 1, a + b)
    squares: Floats = ((a - b) / total) ** 2
    return squares


def _ordinal(counts: Floats, inverse: Floats) -> Weighted:
    """Alpha where values are as far apart as there are values between them."""
    q = counts.shape[1]
    within = (counts[:, :, None] * counts[:, None, :] * inverse[:, None, None]).reshape(len(counts), q * q)

    def of(weights: Floats) -> Floats:
        """Return alpha with ordinal differences, whose ranks follow from the weighted margins."""
        margin = weights @ counts
        place = np.cumsum(margin, axis=1) - margin / 2
        difference = (place[:, :, None] - place[:, None, :]) ** 2
        total = margin.sum(axis=1)
        seen = ((weights @ within).reshape(-1, q, q) * difference).sum(axis=(1, 2))
        expected = (margin[:, :, None] * margin[:, None, :] * difference).sum(axis=(1, 2)) / (total - 1)
        return np.where(expected > 1e-12, 1 - seen / expected, np.nan)

    return of


def _carried(reads: Floats, metric: Metric, draws: Draws | None) -> Interval | None:
    """Return Wilson's limits of the agreement of pairs of reads, corrected for chance; of categories."""
    if metric is not Metric.NOMINAL:
        return None
    number = np.isfinite(reads).sum(axis=1)
    paired = number >= 2
    values, counts = np.unique(reads[paired][np.isfinite(reads[paired])], return_counts=True)
    if len(values) < 2:
        return None
    own = np.stack([(reads[paired] == value).sum(axis=1) for value in values], axis=1)
    agreement = (own * (own - 1)).sum(axis=1) / (number[paired] * (number[paired] - 1))
    total = counts.sum()
    value = value_of(alpha_statistic(reads, metric), len(reads))
    cases = draws.only(paired).patients if draws else len(agreement)
    shares = smoothed(counts / total, cases)
    slope = float((1 - 1 / total) / (1 - shares @ shares))
    worth = effective_cases(agreement, cases)
    return carried_interval(float(agreement.mean()), value, slope, worth, draws.level if draws else 0.95)


def krippendorff_alpha(reads: Floats, metric: Metric, draws: Draws | None = None) -> Statistic:
    """Return alpha with its bootstrap interval over cases.

    Parameters
    ----------
    reads : float64 array, (N, R)
        Values or category numbers; NaN for no read.
    metric : Metric
    draws : Draws, optional
    """
    usable = int(np.count_nonzero(np.isfinite(reads).sum(axis=1) >= 2))
    found = measured(
        f"alpha_{metric.value}",
        f"Krippendorff's α, {metric.value}",
        alpha_statistic(reads, metric),
        len(reads),
        draws,
        method=f"coincidences of values, {metric.value} difference",
        source="Krippendorff 2011; interval Hayes & Krippendorff 2007",
        readers=reads.shape[1],
        carried=_carried(reads, metric, draws),
        undefined="not defined: all values are equal",
    )
    if metric is not Metric.NOMINAL:
        found = blind_to_rare_disagreements(found)
    dropped = len(reads) - usable
    return found.noting(f"{counted(dropped, 'case')} with fewer than two reads") if dropped else found


# Agreement of two readers on yes or no: shares, with or without one of them as the reference, and McNemar.
#
# PPA and NPA take x as the reference; they are no sensitivity and specificity, since a manual read is not
# the truth (FDA 2007). APA and ANA treat both readers alike. A share of no cases at all is not defined.


@dataclass(frozen=True)
class _Share:
    """A share: its name, and for each case what counts above and below the line.

    Where a case counts up to `per_case` times, Wilson's interval must not take these for independent.
    """

    key: str
    label: str
    above: Floats
    below: Floats
    source: str
    per_case: int = 1


def binary_agreement(pair: Pair) -> list[Statistic]:
    """Return OPA, PPA, NPA, APA and ANA with Wilson and bootstrap intervals, prevalence, and McNemar's test.

    Parameters
    ----------
    pair : Pair
        1 for yes, 0 for no.
    """
    x, y, ones = pair.x, pair.y, np.ones(len(pair))
    both, neither = x * y, (1 - x) * (1 - y)
    fda, kind = "FDA 2007", "Cicchetti & Feinstein 1990"
    shares = (
        _overall(pair),
        _Share("ppa", "PPA", both, x, fda),
        _Share("npa", "NPA", neither, 1 - x, fda),
        _Share("apa", "APA", 2 * both, x + y, kind, 2),
        _Share("ana", "ANA", 2 * neither, 2 - x - y, kind, 2),
        _Share("prevalence", "Prevalence (mean of both)", (x + y) / 2, ones, "share of yes"),
    )
    return [*(_measured(share, pair) for share in shares), mcnemar(pair)]


def overall_agreement(pair: Pair) -> Statistic:
    """Return OPA alone, as `binary_agreement` does."""
    return _measured(_overall(pair), pair)


def _overall(pair: Pair) -> _Share:
    agree = (pair.x == pair.y).astype(np.float64)
    return _Share("opa", "OPA", agree, np.ones(len(pair)), "FDA 2007")


def _measured(share: _Share, pair: Pair) -> Statistic:
    above, below = share.above, share.below
    hits, total = float(above.sum()), float(below.sum())
    alone = pair.draws is None or pair.draws.patients == len(pair)
    return measured(
        share.key,
        share.label,
        lambda weights: np.divide(weights @ above, weights @ below),
        len(pair),
        pair.draws,
        method=f"{hits:g} of {total:g}",
        source=f"{share.source}; interval Wilson 1927",
        analytic=wilson_interval(hits / share.per_case, total / share.per_case, pair.level),
        quote_analytic=hits in {0.0, total} or (alone and share.per_case == 1),
        note=pair.note,
        undefined="not defined: no such case",
    )


def mcnemar(pair: Pair) -> Statistic:
    """Return how many more cases y calls yes than x, with the exact test that neither leans.

    Parameters
    ----------
    pair : Pair
        1 for yes, 0 for no.
    """
    only_y = int(np.count_nonzero((pair.y == 1) & (pair.x == 0)))
    only_x = int(np.count_nonzero((pair.x == 1) & (pair.y == 0)))
    split = only_x + only_y
    difference = pair.y - pair.x
    found = measured(
        "mcnemar",
        "Share of yes, compared less reference (McNemar)",
        lambda weights: weights @ difference / weights.sum(axis=1),
        len(pair),
        pair.draws,
        method=f"{only_y} against {only_x} discordant cases; p: exact McNemar test",
        source="McNemar 1947, Psychometrika 12:153",
        analytic=paired_difference(difference, pair.patients, pair.level),
        quote_analytic=split == 0,
        note=pair.note,
    )
    p_value = float(binomtest(only_y, split, 0.5).pvalue) if split else None
    return replace(found, p_value=p_value)


# Agreement of any number of readers beyond chance: Fleiss' kappa and Gwet's AC1 and AC2.
#
# Works on how many readers put each case into each category, so that missing reads are simply fewer reads;
# cases with one read count for prevalence only. With a single category in use Fleiss' kappa is not defined,
# and AC1 is 1.


class Chance(StrEnum):
    """What counts as chance agreement."""

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
        """Return the chance-corrected agreement of each row of case weights."""
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
        carried=_chance_corrected_carried(counts, weighting, chance, draws, draws.level if draws else level),
        readers=readers or int(counts.sum(axis=1).max(initial=0)),
        undefined="not defined: chance alone explains full agreement (one category)",
    )


def _chance_corrected_carried(
    counts: Floats, weighting: Weighting, chance: Chance, draws: Draws | None, level: float
) -> Interval | None:
    """Return Wilson's limits of the mean agreement of a case's pairs, corrected for chance."""
    scheme = weighting.matrix(counts.shape[1])
    sums = _sums(counts, scheme)
    paired = sums.paired > 0
    if not paired.any():
        return None
    own = sums.agreement[paired]
    cases = draws.only(paired).patients if draws else len(own)
    prevalence = smoothed(sums.share[sums.rated > 0].mean(axis=0), cases)
    slope = float(1 / (1 - _expected(prevalence, scheme, chance)))
    value = value_of(chance_corrected_statistic(counts, weighting, chance), len(counts))
    return carried_interval(float(own.mean()), value, slope, effective_cases(own, cases), level)


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


# Cohen's kappa of two readers, unweighted and weighted.
#
# Categories are numbered from 0 and their number is stated, so that one that nobody used keeps its distance.
# When both readers gave one category to all cases chance explains everything: kappa is not defined. It falls
# with skewed prevalence though agreement stays; AC1 next to it does not.


def kappa_of_tables(tables: Floats, weights: Floats) -> Floats:
    """Return kappa of cross tables.

    Parameters
    ----------
    tables : float64 array, (..., Q, Q)
        Counts: rows the one reader, columns the other.
    weights : float64 array, (Q, Q)
    """
    share = tables / tables.sum(axis=(-2, -1), keepdims=True)
    rows, columns = share.sum(axis=-1), share.sum(axis=-2)
    seen = (share * weights).sum(axis=(-2, -1))
    chance = ((rows @ weights) * columns).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(1 - chance > 1e-12, (seen - chance) / (1 - chance), np.nan)


def kappa_statistic(x: Floats, y: Floats, categories: int, weighting: Weighting) -> Weighted:
    """Return kappa as a function of case weights.

    Parameters
    ----------
    x, y : float64 array, (N,)
        Categories as numbers from 0.
    categories : int
    weighting : Weighting

    Returns
    -------
    callable
        From weights, (B, N), to values, (B,).
    """
    cell = np.eye(categories**2)[(x * categories + y).astype(np.int64)]
    scheme = weighting.matrix(categories)
    return lambda weights: kappa_of_tables((weights @ cell).reshape(-1, categories, categories), scheme)


def cohens_kappa(pair: Pair, categories: int, weighting: Weighting) -> Statistic:
    """Return Cohen's kappa with its asymptotic and bootstrap intervals.

    Parameters
    ----------
    pair : Pair
        Categories as numbers from 0.
    categories : int
    weighting : Weighting
    """
    weighted = weighting is not Weighting.NONE
    return measured(
        f"kappa_{weighting.value}" if weighted else "kappa",
        f"Kappa, {weighting.value} weights" if weighted else "Cohen's kappa",
        kappa_statistic(pair.x, pair.y, categories, weighting),
        len(pair),
        pair.draws,
        method=f"{categories} categories, {weighting.value}",
        source="Cohen 1960, 1968; variance Fleiss, Cohen & Everitt 1969",
        analytic=_asymptotic(pair, categories, weighting) if len(pair) else None,
        carried=carried_kappa(
            _cross_table(pair, categories), weighting.matrix(categories), pair.patients, pair.level
        )
        if len(pair)
        else None,
        note=pair.note,
        undefined="not defined: chance alone explains full agreement (one category)",
    )


def _cross_table(pair: Pair, categories: int) -> Floats:
    table = np.zeros((categories, categories))
    np.add.at(table, (pair.x.astype(np.int64), pair.y.astype(np.int64)), 1)
    return table


def carried_kappa(table: Floats, scheme: Floats, patients: int, level: float) -> Interval | None:
    """Return the interval of kappa that a study quotes: Wilson's of the agreement, corrected for chance.

    Parameters
    ----------
    table : float64 array, (Q, Q)
        Counts: rows the one reader, columns the other.
    scheme : float64 array, (Q, Q)
        Weights of agreement, 1 on the diagonal.
    patients : int
    level : float
    """
    n = float(table.sum())
    share = table / n
    rows, columns = (smoothed(share.sum(axis=axis), n) for axis in (1, 0))
    agreement = float((share * scheme).sum())
    variance = float((share * (scheme - agreement) ** 2).sum()) * n / (n - 1) if n > 1 else 0.0
    value, slope = float(kappa_of_tables(table, scheme)), float(1 / (1 - rows @ scheme @ columns))
    return carried_interval(agreement, value, slope, worth_of(agreement, variance, patients), level)


def _asymptotic(pair: Pair, categories: int, weighting: Weighting) -> Interval:
    table = _cross_table(pair, categories)
    scheme, n = weighting.matrix(categories), len(pair)
    kappa = float(kappa_of_tables(table, scheme))
    error = kappa_error(table / n, scheme, n, kappa)
    half = float(ndtri((1 + pair.level) / 2)) * error
    return Interval(max(kappa - half, -1.0), min(kappa + half, 1.0), "asymptotic")


def kappa_error(share: Floats, scheme: Floats, n: int, kappa: float) -> float:
    """Return the standard error of kappa (Fleiss, Cohen & Everitt 1969), given shares of the cross table.

    Parameters
    ----------
    share : float64 array, (Q, Q)
        Of all cases, in each cell of the cross table.
    scheme : float64 array, (Q, Q)
        Weights of agreement, 1 on the diagonal.
    n : int
        Cases.
    kappa : float
    """
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    mean_row, mean_column = scheme @ columns, rows @ scheme
    chance = float(rows @ scheme @ columns)
    if 1 - chance <= 1e-12:
        return float("nan")
    apart = scheme - (mean_row[:, None] + mean_column[None, :]) * (1 - kappa)
    variance = (share * apart**2).sum() - (kappa - chance * (1 - kappa)) ** 2
    return float(np.sqrt(max(variance, 0.0) / n) / (1 - chance))
