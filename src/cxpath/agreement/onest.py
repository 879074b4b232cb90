"""ONEST: how agreement of all readers falls as more of them read.

The curve at m readers is the share of cases on which m readers, drawn at random, all agree. Its mean over
all sets of m readers is exact; the band shows single orders of readers.

Two conventions for missing reads: leave the missing reads out and keep the case, or keep cases that all
read. They differ; each number says which.

References
----------
Reisenbichler et al. 2020, Modern Pathology 33:1746 (the curve).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from cxpath.agreement.base import Draws, Floats, Interval, Statistic, interval_of, wilson_interval

SOURCE = "Reisenbichler et al. 2020, Mod Pathol 33:1746; mean over all sets of readers exact"


class Missing(StrEnum):
    """What is done with missing reads."""

    IGNORED = "missing reads ignored"
    COMPLETE = "complete cases"


@dataclass(frozen=True, eq=False)
class OnestCurve:
    """The curve.

    Parameters
    ----------
    readers : int64 array, (M,)
        2 to all.
    mean, low, high : float64 array, (M,)
        Over sets of readers, with the interval over cases.
    order_low, order_high : float64 array, (M,)
        Between which 95 % of random orders of readers lie.
    cases : int
    missing : Missing
    """

    readers: NDArray[np.int64]
    mean: Floats
    low: Floats
    high: Floats
    order_low: Floats
    order_high: Floats
    cases: int
    missing: Missing
    interval_method: str = ""

    @property
    def all_readers(self) -> float:
        """The agreement of all readers."""
        return float(self.mean[-1])

    @property
    def enough_readers(self) -> int:
        """From how many readers on one more changes the mean by less than a point in a hundred."""
        steps = -np.diff(self.mean)
        small = np.flatnonzero(steps < 0.01)
        return int(self.readers[small[0]]) if len(small) else int(self.readers[-1])

    def statistics(self) -> list[Statistic]:
        """Return the two numbers to quote."""
        interval = (Interval(float(self.low[-1]), float(self.high[-1]), self.interval_method),)
        method = f"share of cases on which all readers agree, {self.missing.value}"
        key = "onest_" + ("ignored" if self.missing is Missing.IGNORED else "complete")
        whole, n = int(self.readers[-1]), self.cases
        hits = round(self.all_readers * n)
        return [
            Statistic(
                key=f"{key}_all",
                label=f"All {whole} readers agree ({self.missing.value})",
                value=self.all_readers,
                intervals=interval if self.interval_method else (),
                n=n,
                readers=whole,
                method=f"{hits} of {n}; {method}",
                source=SOURCE,
            ),
            Statistic(
                key=f"{key}_enough",
                label=f"Readers after whom one more costs under 1 point ({self.missing.value})",
                value=float(self.enough_readers),
                intervals=(),
                n=n,
                readers=whole,
                method=method,
                source=SOURCE,
            ),
        ]


def onest_curve(
    reads: Floats, missing: Missing, draws: Draws | None = None, orders: int = 500, seed: int = 1
) -> OnestCurve | None:
    """Return the curve.

    Parameters
    ----------
    reads : float64 array, (N, R)
        1 for yes, 0 for no, NaN for no read; or any category numbers.
    missing : Missing
    draws : Draws, optional
    orders : int
        Random orders of readers behind the band.
    seed : int

    Returns
    -------
    OnestCurve or None
        None with fewer than two readers, or without a case.
    """
    read = np.isfinite(reads)
    kept = np.asarray(read.all(axis=1) if missing is Missing.COMPLETE else read.any(axis=1), dtype=bool)
    table = reads[kept]
    if reads.shape[1] < 2 or not len(table):
        return None
    sizes = np.arange(2, reads.shape[1] + 1)
    agreeing = _agreement_of_sets(table, sizes)
    band = _orders(table, sizes, orders, seed)
    low = high = np.full(len(sizes), np.nan)
    method = ""
    if draws is not None:
        own = draws.only(kept)
        with np.errstate(invalid="ignore"):  # a draw that contains none of the cases has no share
            curves = own.weights @ agreeing / own.weights.sum(axis=1, keepdims=True)
        found = [_with_width(curves[:, place], agreeing[:, place], own) for place in range(len(sizes))]
        if all(found):
            low = np.array([one.low for one in found if one])
            high = np.array([one.high for one in found if one])
            method = next(one.method for one in reversed(found) if one)
    return OnestCurve(sizes, agreeing.mean(axis=0), low, high, *band, len(table), missing, method)


def _with_width(values: Floats, agreeing: Floats, draws: Draws) -> Interval | None:
    """Return the bootstrap interval of a share, or Wilson's where every draw gives the same."""
    boot = interval_of(values, draws)
    if boot is None or boot.has_width:
        return boot
    return wilson_interval(float(agreeing.mean()) * draws.patients, draws.patients, draws.level)


def _agreement_of_sets(reads: Floats, sizes: NDArray[np.int64]) -> Floats:
    """Return for each case the share of sets of m readers that agree on it, (N, M): hypergeometric."""
    readers = reads.shape[1]
    categories = np.unique(reads[np.isfinite(reads)])
    gaps = np.isnan(reads).sum(axis=1)
    shares = np.zeros((len(reads), len(sizes)))
    for category in categories:
        shares += _chosen_from((reads == category).sum(axis=1) + gaps, sizes, readers)
    # Sets of nothing but gaps were counted once a category, and agree once.
    shares -= (len(categories) - 1) * _chosen_from(gaps, sizes, readers)
    return shares


def _chosen_from(some: NDArray[np.int64], sizes: NDArray[np.int64], readers: int) -> Floats:
    """Return C(some, m) / C(readers, m), (N, M)."""
    n, m = some[:, None].astype(np.float64), sizes[None, :].astype(np.float64)
    possible = n >= m
    left = np.where(possible, n - m, 0.0)
    logarithm = gammaln(n + 1) - gammaln(left + 1) - gammaln(readers + 1.0) + gammaln(readers - m + 1)
    return np.where(possible, np.exp(logarithm), 0.0)


def _orders(reads: Floats, sizes: NDArray[np.int64], orders: int, seed: int) -> tuple[Floats, Floats]:
    """Return the 2.5 and 97.5 % quantiles of the curve over random orders of readers."""
    rng = np.random.default_rng(seed)
    largest, smallest = np.where(np.isnan(reads), -np.inf, reads), np.where(np.isnan(reads), np.inf, reads)
    curves = np.empty((orders, len(sizes)))
    for number in range(orders):
        order = rng.permutation(reads.shape[1])
        top = np.maximum.accumulate(largest[:, order], axis=1)
        bottom = np.minimum.accumulate(smallest[:, order], axis=1)
        curves[number] = (top <= bottom)[:, 1:].mean(axis=0)
    low, high = np.quantile(curves, [0.025, 0.975], axis=0)
    return low, high
