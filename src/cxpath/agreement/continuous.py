"""Agreement of continuous scores: Bland-Altman limits, concordance correlation and intraclass correlation.

References
----------
Shrout & Fleiss 1979, Psychological Bulletin 86:420 (the forms and the intervals of (1) and (3)).
McGraw & Wong 1996, Psychological Methods 1:30 (the names A and C, the interval of (A), table 7).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import f as f_distribution, nct, ncx2, t as t_distribution

from cxpath.agreement.base import (
    Draws,
    Floats,
    Interval,
    Pair,
    Statistic,
    Weighted,
    blind_to_rare_disagreements,
    bootstrap_interval,
    measured,
    value_of,
    with_width,
)
from cxpath.data import counted

# Bland-Altman: bias and limits of agreement, raw and as ratio, with exact intervals.
#
# Missing reads are left out. Constant differences give limits without an interval. Heaped scores (0, 1, 5,
# 10) fan out on the raw scale: the ratio of (score + 1) is then the one to quote.


BLAND_ALTMAN_SOURCE = "Bland & Altman 1986, Lancet 1:307; exact intervals Carkeet 2015, Optom Vis Sci 92:e71"
SHARE = 0.95
"""Of differences that the limits contain."""


class Scale(StrEnum):
    """On which scale differences are taken."""

    RAW = "raw"
    LOG = "log10(score + 1)"

    def of(self, scores: Floats) -> Floats:
        """Return scores on this scale."""
        return np.log10(scores + 1) if self is Scale.LOG else np.asarray(scores, dtype=np.float64)


@dataclass(frozen=True)
class Limits:
    """Bias and limits, each with its interval, on the scale of the differences."""

    bias: float
    low: float
    high: float
    spread: float
    bias_interval: Interval
    low_interval: Interval
    high_interval: Interval


def limits_of_agreement(difference: Floats, level: float = 0.95) -> Limits:
    """Return bias and limits of differences.

    Parameters
    ----------
    difference : float64 array, (N,)
        At least two.
    level : float
        Of the intervals.

    Notes
    -----
    A limit is mean ± 1.96 s. Its exact interval follows from the noncentral t distribution with n − 1
    degrees of freedom and noncentrality 1.96 √n (Carkeet 2015, for one limit at a time).
    """
    n = len(difference)
    mean, spread = float(difference.mean()), float(difference.std(ddof=1))
    z = float(ndtri((1 + SHARE) / 2))
    half = float(t_distribution.ppf((1 + level) / 2, n - 1)) * spread / np.sqrt(n)
    inner, outer = nct.ppf([(1 - level) / 2, (1 + level) / 2], n - 1, z * np.sqrt(n)) * spread / np.sqrt(n)
    return Limits(
        bias=mean,
        low=mean - z * spread,
        high=mean + z * spread,
        spread=spread,
        bias_interval=Interval(mean - half, mean + half, "Student's t"),
        low_interval=Interval(mean - float(outer), mean - float(inner), "exact, noncentral t"),
        high_interval=Interval(mean + float(inner), mean + float(outer), "exact, noncentral t"),
    )


def bland_altman(pair: Pair, scale: Scale, level: float = 0.95) -> list[Statistic]:
    """Return bias and both limits of y − x; as ratios of (score + 1) on the log scale.

    Parameters
    ----------
    pair : Pair
        Scores as they are; the log is taken here.
    scale : Scale
    level : float
        Of the exact intervals.

    Returns
    -------
    list of Statistic
        Empty with fewer than three cases.
    """
    if len(pair) < 3:
        return []
    difference = scale.of(pair.y) - scale.of(pair.x)
    limits = limits_of_agreement(difference, level)
    what = "ratio of (score + 1)" if scale is Scale.LOG else "difference"
    boot = (
        bootstrap_interval(lambda weights: weights @ difference / weights.sum(axis=1), pair.draws)
        if pair.draws
        else None
    )
    rows = (
        ("bias", f"Bias ({what})", limits.bias, (limits.bias_interval, boot)),
        ("limit_low", f"Lower limit of agreement ({what})", limits.low, (limits.low_interval,)),
        ("limit_high", f"Upper limit of agreement ({what})", limits.high, (limits.high_interval,)),
    )
    prefix = "bland_altman_" + ("ratio" if scale is Scale.LOG else "raw")
    found = []
    for name, label, value, intervals in rows:
        kept, without = with_width(
            Interval(_back(one.low, scale), _back(one.high, scale), one.method) for one in intervals if one
        )
        found.append(
            Statistic(
                key=f"{prefix}_{name}",
                label=label,
                value=_back(value, scale),
                intervals=kept,
                n=len(pair),
                method=f"mean {what} ± 1.96 standard deviations",
                source=BLAND_ALTMAN_SOURCE,
                note="; ".join(part for part in (pair.note, without) if part),
            )
        )
    return found


def _back(value: float, scale: Scale) -> float:
    return float(10**value) if scale is Scale.LOG else value


# How near two reads are: Lin's concordance, Spearman's rank correlation, the total deviation index.
#
# Cases that lack a read are left out and counted in the note. With nothing that varies the two correlations
# are not defined; the total deviation index then still is.


def lins_concordance(x: Floats, y: Floats) -> float:
    """Return Lin's concordance correlation coefficient.

    2 s_xy / (s_x² + s_y² + (mean x − mean y)²) with variances over n (Lin 1989, Biometrics 45:255).

    Parameters
    ----------
    x, y : float64 array, (N,)

    Returns
    -------
    float
        1 when all are equal; NaN with fewer than two pairs or when nothing varies.
    """
    return value_of(concordance_statistic(x, y), len(x)) if len(x) >= 2 else float("nan")


def concordance_statistic(x: Floats, y: Floats) -> Weighted:
    """Return Lin's coefficient as a function of case weights.

    Parameters
    ----------
    x, y : float64 array, (N,)
        No NaN.

    Returns
    -------
    callable
        From weights, (B, N), to values, (B,); NaN where nothing varies.
    """

    def of(weights: Floats) -> Floats:
        s_x, s_y, s_xy, apart = _moments(x, y, weights)
        below = s_x + s_y + apart**2
        return np.where(below > 1e-24, 2 * s_xy / below, np.nan)

    return of


def _moments(x: Floats, y: Floats, weights: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return variances and covariance over n, and the difference of means, each (B,)."""
    n = weights.sum(axis=1)
    x, y = x - x.mean(), y - x.mean()
    mean_x, mean_y = weights @ x / n, weights @ y / n
    s_x = np.maximum(weights @ x**2 / n - mean_x**2, 0)
    s_y = np.maximum(weights @ y**2 / n - mean_y**2, 0)
    return s_x, s_y, weights @ (x * y) / n - mean_x * mean_y, mean_y - mean_x


def concordance(pair: Pair, level: float = 0.95) -> Statistic:
    """Return Lin's concordance; by formula through Fisher's z (Lin 1989, corrected in Lin 2000).

    Parameters
    ----------
    pair : Pair
    level : float
        Of the interval by formula.
    """
    found = measured(
        "ccc",
        "Lin's CCC",
        concordance_statistic(pair.x, pair.y),
        len(pair),
        pair.draws,
        method="concordance correlation, variances over n",
        source="Lin 1989, Biometrics 45:255; 2000, 56:324",
        analytic=_lins_interval(pair, level),
        note=pair.note,
    )
    return blind_to_rare_disagreements(found)


def _lins_interval(pair: Pair, level: float) -> Interval | None:
    n = len(pair)
    if n < 4:
        return None
    s_x, s_y, s_xy, apart = (float(one[0]) for one in _moments(pair.x, pair.y, np.ones((1, n))))
    if not (s_x > 0 and s_y > 0) or s_xy == 0:
        return None
    r = s_xy / np.sqrt(s_x * s_y)
    c = 2 * s_xy / (s_x + s_y + apart**2)
    if abs(c) >= 1 - 1e-12:
        return None
    u2 = apart**2 / np.sqrt(s_x * s_y)
    variance = (
        (1 - r**2) * c**2 / ((1 - c**2) * r**2)
        + 2 * c**3 * (1 - c) * u2 / (r * (1 - c**2) ** 2)
        - c**4 * u2**2 / (2 * r**2 * (1 - c**2) ** 2)
    ) / (n - 2)
    half = ndtri((1 + level) / 2) * np.sqrt(max(variance, 0))
    low, high = np.tanh(np.arctanh(c) + np.array([-half, half]))
    return Interval(float(low), float(high), "Fisher's z")


def spearman_statistic(x: Floats, y: Floats) -> Weighted:
    """Return the rank correlation as a function of case weights; ties share the mean of their ranks.

    Parameters
    ----------
    x, y : float64 array, (N,)
        No NaN.

    Returns
    -------
    callable
        From weights, (B, N), to values, (B,); NaN where nothing varies.
    """
    of_x, of_y = _rank_groups(x), _rank_groups(y)

    def of(weights: Floats) -> Floats:
        """Return the correlation of weighted ranks of each row of case weights; NaN where nothing varies."""
        rank_x, rank_y = _ranks(weights, *of_x), _ranks(weights, *of_y)
        n = weights.sum(axis=1, keepdims=True)
        d_x = rank_x - (weights * rank_x).sum(axis=1, keepdims=True) / n
        d_y = rank_y - (weights * rank_y).sum(axis=1, keepdims=True) / n
        above = (weights * d_x * d_y).sum(axis=1)
        below = np.sqrt((weights * d_x**2).sum(axis=1) * (weights * d_y**2).sum(axis=1))
        return np.where(below > 1e-12, above / below, np.nan)

    return of


def _rank_groups(values: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Return membership of cases in tied groups in rising order, (N, U), and each case's group."""
    _, group = np.unique(values, return_inverse=True)
    return np.eye(int(group.max(initial=-1)) + 1)[group], group


def _ranks(weights: Floats, member: Floats, group: NDArray[np.int64]) -> Floats:
    heavy = weights @ member
    ranks: Floats = (np.cumsum(heavy, axis=1) - heavy + (heavy + 1) / 2)[:, group]
    return ranks


def spearman(pair: Pair, level: float = 0.95) -> Statistic:
    """Return Spearman's rank correlation; by formula after Bonett & Wright 2000.

    Parameters
    ----------
    pair : Pair
    level : float
        Of the interval by formula.
    """
    statistic, n = spearman_statistic(pair.x, pair.y), len(pair)
    analytic = None
    if n > 3 and abs(r := value_of(statistic, n)) < 1:
        half = ndtri((1 + level) / 2) * np.sqrt((1 + r**2 / 2) / (n - 3))
        r = value_of(statistic, n)
        low, high = np.tanh(np.arctanh(r) + np.array([-half, half]))
        analytic = Interval(float(low), float(high), "Fisher's z, Bonett-Wright variance")
    return measured(
        "spearman",
        "Spearman's ρ",
        statistic,
        n,
        pair.draws,
        method="rank correlation, ties share their mean rank",
        source="Spearman 1904; interval Bonett & Wright 2000, Psychometrika 65:23",
        analytic=analytic,
        note=pair.note,
    )


def total_deviation(pair: Pair, share: float = 0.9) -> Statistic:
    """Return the total deviation index: the distance within which `share` of the differences lie.

    For normal differences of mean m and standard deviation s: s √χ²(share; 1, m²/s²) (Lin 2000).

    Parameters
    ----------
    pair : Pair
    share : float
        Between 0 and 1.
    """
    difference = pair.y - pair.x

    def of(weights: Floats) -> Floats:
        """Return the quantile of the absolute difference, taken as normal, of each row of case weights."""
        n = weights.sum(axis=1)
        mean = weights @ difference / n
        spread = np.sqrt(np.maximum(weights @ difference**2 / n - mean**2, 0) * n / (n - 1))
        some = spread > 1e-12
        safe = np.where(some, spread, 1.0)
        normal: Floats = safe * np.sqrt(ncx2.ppf(share, 1, np.minimum((mean / safe) ** 2, 1e6)))
        return np.where(some, normal, np.abs(mean))

    return measured(
        f"tdi_{share * 100:.0f}",
        f"TDI({share:g})",
        of,
        len(pair),
        pair.draws,
        method=f"distance that contains {100 * share:g} % of differences, taken as normal",
        source="Lin 2000, Statistics in Medicine 19:255",
        note=pair.note,
    )


def deviation_quantile(pair: Pair, share: float = 0.9) -> Statistic:
    """Return the same distance without assuming a distribution: the quantile of absolute differences.

    Parameters
    ----------
    pair : Pair
    share : float
        Between 0 and 1.
    """
    size = np.abs(pair.y - pair.x)
    order = np.argsort(size)

    def of(weights: Floats) -> Floats:
        reached = np.cumsum(weights[:, order], axis=1) >= share * weights.sum(axis=1, keepdims=True) - 1e-9
        quantiles: Floats = size[order][np.argmax(reached, axis=1)]
        return quantiles

    return measured(
        f"deviation_quantile_{share * 100:.0f}",
        f"{100 * share:g} % of differences within",
        of,
        len(pair),
        pair.draws,
        method="smallest absolute difference that contains this share of cases, no distribution assumed",
        source="Lin 2000, Statistics in Medicine 19:255, without normality",
        note=pair.note,
    )


# Intraclass correlation: six forms, with F-based intervals and by bootstrap.
#
# One table of cases by readers, without gaps: cases that a reader left out are left out for all, which `n`
# shows. With all values equal nothing varies and no form is defined (NaN).


ICC_SOURCE = "Shrout & Fleiss 1979; McGraw & Wong 1996"


class Form(StrEnum):
    """Which intraclass correlation."""

    ONE_WAY = "ICC(1,1)"
    AGREEMENT = "ICC(A,1)"
    CONSISTENCY = "ICC(C,1)"
    ONE_WAY_MEAN = "ICC(1,k)"
    AGREEMENT_MEAN = "ICC(A,k)"
    CONSISTENCY_MEAN = "ICC(C,k)"


ALSO_KNOWN_AS = {
    Form.AGREEMENT: "ICC(2,1)",
    Form.CONSISTENCY: "ICC(3,1)",
    Form.AGREEMENT_MEAN: "ICC(2,k)",
    Form.CONSISTENCY_MEAN: "ICC(3,k)",
}
_KEY = {form: "icc_" + form.value[4:-1].replace(",", "").lower() for form in Form}


@dataclass(frozen=True, eq=False)
class MeanSquares:
    """Of cases, readers, residual, and within cases, each (B,), with the number of cases and of readers."""

    cases: Floats
    readers: Floats
    residual: Floats
    within: Floats
    n: Floats
    k: int


def mean_squares(ratings: Floats, weights: Floats) -> MeanSquares:
    """Return the mean squares of a two-way table, once for every row of weights.

    Parameters
    ----------
    ratings : float64 array, (N, K)
        Cases by readers, no NaN.
    weights : float64 array, (B, N)
        How often each case counts.
    """
    k = ratings.shape[1]
    centred = ratings - ratings.mean() if ratings.size else ratings
    n = weights.sum(axis=1)
    case_sum = centred.sum(axis=1)
    grand = (weights @ case_sum) ** 2 / (n * k)
    between = weights @ case_sum**2 / k - grand
    total = weights @ (centred**2).sum(axis=1) - grand
    readers = ((weights @ centred) ** 2).sum(axis=1) / n - grand
    residual = np.maximum(total - between - readers, 0)
    return MeanSquares(
        cases=between / (n - 1),
        readers=readers / (k - 1),
        residual=residual / ((n - 1) * (k - 1)),
        within=(total - between) / (n * (k - 1)),
        n=n,
        k=k,
    )


def icc_values(squares: MeanSquares, form: Form) -> Floats:
    """Return one form from mean squares; NaN where nothing varies.

    Parameters
    ----------
    squares : MeanSquares
        Each of shape (B,).
    form : Form
    """
    b, j, e, w, n, k = (
        squares.cases,
        squares.readers,
        squares.residual,
        squares.within,
        squares.n,
        squares.k,
    )
    above, below = {
        Form.ONE_WAY: (b - w, b + (k - 1) * w),
        Form.AGREEMENT: (b - e, b + (k - 1) * e + k * (j - e) / n),
        Form.CONSISTENCY: (b - e, b + (k - 1) * e),
        Form.ONE_WAY_MEAN: (b - w, b),
        Form.AGREEMENT_MEAN: (b - e, b + (j - e) / n),
        Form.CONSISTENCY_MEAN: (b - e, b),
    }[form]
    varies = np.abs(below) > 1e-12 * (1 + np.abs(b))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(varies, above / below, np.nan)


def icc_statistic(ratings: Floats, form: Form) -> Weighted:
    """Return the form as a function of case weights.

    Parameters
    ----------
    ratings : float64 array, (N, K)
        Cases by readers, no NaN.
    form : Form

    Returns
    -------
    callable
        From weights, (B, N), to values, (B,).
    """
    return lambda weights: icc_values(mean_squares(ratings, weights), form)


def f_interval(ratings: Floats, form: Form, level: float = 0.95) -> Interval:
    """Return the interval that rests on F-distributed mean squares: normal cases, readers and errors.

    On skewed scores it covers far less than it says; see the bootstrap next to it.

    Parameters
    ----------
    ratings : float64 array, (N, K)
        Cases by readers, no NaN.
    form : Form
    level : float
    """
    squares = mean_squares(ratings, np.ones((1, len(ratings))))
    b, j, e, w = (float(x[0]) for x in (squares.cases, squares.readers, squares.residual, squares.within))
    n, k, tail = len(ratings), squares.k, 1 - (1 - level) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        if form in {Form.AGREEMENT, Form.AGREEMENT_MEAN}:
            low, high = _agreement_edges(b, j, e, n, k, tail)
        else:
            one_way = form in {Form.ONE_WAY, Form.ONE_WAY_MEAN}
            ratio = np.float64(b) / np.float64(w if one_way else e)
            freedom = n * (k - 1) if one_way else (n - 1) * (k - 1)
            f_low = ratio / f_distribution.ppf(tail, n - 1, freedom)
            f_high = ratio * f_distribution.ppf(tail, freedom, n - 1)
            low, high = (_from_f(x, k) for x in (f_low, f_high))
        if form in {Form.ONE_WAY_MEAN, Form.AGREEMENT_MEAN, Form.CONSISTENCY_MEAN}:
            low, high = (k * x / (1 + x * (k - 1)) for x in (low, high))
    return Interval(float(low), float(high), "F-based")


def _from_f(ratio: float, k: int) -> float:
    """Return the correlation that goes with a ratio of mean squares; 1 without any residual."""
    return 1.0 if np.isinf(ratio) else (ratio - 1) / (ratio + k - 1)


def _agreement_edges(b: float, j: float, e: float, n: int, k: int, tail: float) -> tuple[float, float]:
    """McGraw & Wong 1996, table 7, case A,1: Satterthwaite's degrees of freedom."""
    icc = np.float64(b - e) / (b + (k - 1) * e + k * (j - e) / n)
    if not np.isfinite(icc) or icc >= 1:
        return 1.0, 1.0
    a = k * icc / (n * (1 - icc))
    c = 1 + k * icc * (n - 1) / (n * (1 - icc))
    freedom = (a * j + c * e) ** 2 / ((a * j) ** 2 / (k - 1) + (c * e) ** 2 / ((n - 1) * (k - 1)))
    f_low = f_distribution.ppf(tail, n - 1, freedom)
    f_high = f_distribution.ppf(tail, freedom, n - 1)
    mixed = k * j + (k * n - k - n) * e
    low = n * (b - f_low * e) / (f_low * mixed + n * b)
    high = n * (f_high * b - e) / (mixed + n * f_high * b)
    return float(low), float(high)


def icc(ratings: Floats, form: Form, draws: Draws | None = None, level: float = 0.95) -> Statistic:
    """Return one intraclass correlation with its intervals.

    Parameters
    ----------
    ratings : float64 array, (N, K)
        Cases by readers; cases with a NaN are left out.
    form : Form
    draws : Draws, optional
        For the bootstrap interval, which is then the first.
    level : float
        Of the F-based interval.
    """
    complete = np.asarray(np.isfinite(ratings).all(axis=1), dtype=bool)
    table = ratings[complete]
    statistic = icc_statistic(table, form)
    enough = len(table) >= 2 and table.shape[1] >= 2
    value = value_of(statistic, len(table)) if enough else float("nan")
    known = np.isfinite(value)
    boot = bootstrap_interval(statistic, draws.only(complete)) if draws and known else None
    by_formula = f_interval(table, form, draws.level if draws else level) if known else None
    intervals, without = with_width((boot, by_formula))
    left_out = int(np.count_nonzero(~complete))
    notes = [f"{counted(left_out, 'case')} without all reads left out"] if left_out else []
    notes += [without] if without else []
    notes += [] if known else ["not defined: fewer than two cases or readers, or nothing varies"]
    also = f" = {ALSO_KNOWN_AS[form]}" if form in ALSO_KNOWN_AS else ""
    found = Statistic(
        key=_KEY[form],
        label=form.value,
        value=value,
        intervals=intervals,
        n=len(table),
        readers=table.shape[1],
        method=f"{form.value}{also} from two-way mean squares, cases read by all",
        source=ICC_SOURCE,
        note="; ".join(notes),
    )
    return blind_to_rare_disagreements(found)
