"""Intraclass correlation: six forms, with F-based intervals and by bootstrap.

One table of cases by readers, without gaps: cases that a reader left out are left out for all, which `n`
shows. With all values equal nothing varies and no form is defined (NaN).

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
from scipy.stats import f as f_distribution

from cxpath.agreement.bootstrap import Draws, Weighted, bootstrap_interval, value_of
from cxpath.agreement.statistic import Interval, Statistic

Floats = NDArray[np.float64]
SOURCE = "Shrout & Fleiss 1979; McGraw & Wong 1996"


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

    On skewed scores it covers far less than it says; see the bootstrap beside it.

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
    intervals = [boot, f_interval(table, form, draws.level if draws else level) if known else None]
    left_out = int(np.count_nonzero(~complete))
    notes = [f"{left_out} cases without all reads left out"] if left_out else []
    notes += [] if known else ["not defined: fewer than two cases or readers, or nothing varies"]
    also = f" = {ALSO_KNOWN_AS[form]}" if form in ALSO_KNOWN_AS else ""
    return Statistic(
        key=_KEY[form],
        label=form.value,
        value=value,
        intervals=tuple(one for one in intervals if one),
        n=len(table),
        readers=table.shape[1],
        method=f"{form.value}{also} from two-way mean squares, cases read by all",
        source=SOURCE,
        note="; ".join(notes),
    )
