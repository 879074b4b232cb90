"""Bland-Altman: bias and limits of agreement, raw and as ratio, with exact intervals.

Missing reads are left out. Constant differences give limits of no width. Heaped scores (0, 1, 5, 10) fan
out on the raw scale: the ratio of (score + 1) is then the one to quote.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import nct
from scipy.stats import t as t_distribution

from cxpath.agreement.bootstrap import bootstrap_interval
from cxpath.agreement.measure import Pair
from cxpath.agreement.statistic import Interval, Statistic

Floats = NDArray[np.float64]
SOURCE = "Bland & Altman 1986, Lancet 1:307; exact intervals Carkeet 2015, Optom Vis Sci 92:e71"
SHARE = 0.95
"""Of differences that the limits hold."""


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
    return [
        Statistic(
            key=f"{prefix}_{name}",
            label=label,
            value=_back(value, scale),
            intervals=tuple(
                Interval(_back(one.low, scale), _back(one.high, scale), one.method)
                for one in intervals
                if one
            ),
            n=len(pair),
            method=f"mean {what} ± 1.96 standard deviations",
            source=SOURCE,
            note=pair.note,
        )
        for name, label, value, intervals in rows
    ]


def _back(value: float, scale: Scale) -> float:
    return float(10**value) if scale is Scale.LOG else value
