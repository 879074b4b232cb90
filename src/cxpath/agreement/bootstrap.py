"""The bootstrap by case: how far a figure could move with other cases.

A replicate is a row of weights, how often each case was drawn, and a statistic is a function of such rows.
Most statistics are sums over cases, so that 2,000 replicates are one product of matrices. Cases of one
patient are drawn together. Readers are not drawn again: an interval is for these readers.

References
----------
Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13 (percentile interval).
Hesterberg 2015, The American Statistician 69:371 (expanded percentile interval: without it, intervals are
too short by about the factor of t to z and of n to n - 1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import t as t_distribution

from cxpath.agreement.statistic import Interval

Floats = NDArray[np.float64]
Weighted = Callable[[Floats], Floats]
"""Weights, (B, N), to values, (B,)."""


@dataclass(frozen=True, eq=False)
class Draws:
    """The replicates that all statistics of one study share.

    Parameters
    ----------
    weights : float64 array, (B, N)
        How often each replicate holds each case.
    cluster : int64 array, (N,)
        The patient of each case.
    level : float
    """

    weights: Floats
    cluster: NDArray[np.int64]
    level: float

    @property
    def patients(self) -> int:
        """The number of patients."""
        return len(np.unique(self.cluster))

    def only(self, kept: NDArray[np.bool_]) -> Draws:
        """Return the draws of some cases."""
        return Draws(self.weights[:, kept], self.cluster[kept], self.level)


def draw_cases(cluster: NDArray[np.int64], replicates: int, level: float, seed: int) -> Draws:
    """Draw patients with replacement, all cases of a patient together.

    Parameters
    ----------
    cluster : int64 array, (N,)
        The patient of each case, numbered from 0 without gaps.
    replicates : int
    level : float
    seed : int
    """
    groups = int(cluster.max()) + 1 if len(cluster) else 0
    if not groups:
        return Draws(np.zeros((replicates, 0)), cluster, level)
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(groups, np.full(groups, 1 / groups), size=replicates)
    return Draws(counts[:, cluster].astype(np.float64), cluster, level)


def value_of(statistic: Weighted, cases: int) -> float:
    """Return the statistic of the cases themselves; NaN where it is not defined."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(statistic(np.ones((1, cases)))[0])


def bootstrap_interval(statistic: Weighted, draws: Draws) -> Interval | None:
    """Return the expanded percentile interval of a statistic; see `interval_of`.

    Parameters
    ----------
    statistic : callable
        Weights, (B, N), to values, (B,).
    draws : Draws
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return interval_of(statistic(draws.weights), draws)


def interval_of(values: Floats, draws: Draws) -> Interval | None:
    """Return the expanded percentile interval of replicates that are already at hand.

    Replicates without a value (one without positives, say) are left out; None with fewer than three
    patients, or when more than half of the replicates have none.

    Parameters
    ----------
    values : float64 array, (B,)
    draws : Draws
        That they were made with.
    """
    known = values[np.isfinite(values)]
    patients = draws.patients
    if patients < 3 or len(known) < len(values) / 2:
        return None
    tail = expanded_tail(patients, draws.level)
    low, high = np.quantile(known, [tail, 1 - tail])
    whom = "cases" if patients == len(draws.cluster) else "patients"
    method = f"expanded percentile bootstrap, {len(values)} draws of {patients} {whom}"
    return Interval(float(low), float(high), method)


def expanded_tail(n: int, level: float) -> float:
    """Return the share of replicates beyond each end, below the nominal one (Hesterberg 2015)."""
    t = t_distribution.ppf((1 + level) / 2, n - 1)
    return float(ndtr(-np.sqrt(n / (n - 1)) * t))
