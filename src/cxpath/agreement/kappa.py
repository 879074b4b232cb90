"""Cohen's kappa of two readers, unweighted and weighted.

Categories are numbered from 0 and their number is stated, so that one that nobody used keeps its distance.
When both readers gave one category to all cases chance explains everything: kappa is not defined. It falls
with skewed prevalence though agreement stays; AC1 beside it does not.

References
----------
Cohen 1960, Educ Psychol Meas 20:37; 1968, Psychological Bulletin 70:213 (weighted).
Fleiss, Cohen & Everitt 1969, Psychological Bulletin 72:323 (variance).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from cxpath.agreement.bootstrap import Weighted
from cxpath.agreement.category_weights import Weighting
from cxpath.agreement.measure import Pair, measured
from cxpath.agreement.statistic import Interval, Statistic

Floats = NDArray[np.float64]


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
        note=pair.note,
        undefined="not defined: chance alone explains full agreement (one category)",
    )


def _asymptotic(pair: Pair, categories: int, weighting: Weighting) -> Interval:
    table = np.zeros((categories, categories))
    np.add.at(table, (pair.x.astype(np.int64), pair.y.astype(np.int64)), 1)
    scheme, n = weighting.matrix(categories), len(pair)
    kappa = float(kappa_of_tables(table, scheme))
    error = kappa_error(table / n, scheme, n, kappa)
    half = float(ndtri((1 + pair.level) / 2)) * error
    return Interval(kappa - half, min(kappa + half, 1.0), "asymptotic")


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
