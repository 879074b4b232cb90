"""How near two reads are: Lin's concordance, Spearman's rank correlation, the total deviation index.

Cases that lack a read are left out and counted in the note. With nothing that varies the two correlations
are not defined; the total deviation index then still is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import ncx2

from cxpath.agreement.bootstrap import Weighted, value_of
from cxpath.agreement.measure import Pair, measured
from cxpath.agreement.statistic import Interval, Statistic

Floats = NDArray[np.float64]


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
    return measured(
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
        return Interval(c, c, "Fisher's z")
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
        method=f"distance that holds {100 * share:g} % of differences, taken as normal",
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
        method="smallest absolute difference that holds this share of cases, no distribution assumed",
        source="Lin 2000, Statistics in Medicine 19:255, without normality",
        note=pair.note,
    )
