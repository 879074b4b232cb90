"""Shares of cases and Wilson's interval for them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from cxpath.agreement.bootstrap import Weighted
from cxpath.agreement.statistic import Interval


def wilson_interval(hits: float, total: float, level: float = 0.95) -> Interval | None:
    """Return Wilson's score interval of hits out of total (Wilson 1927, JASA 22:209); None of nothing.

    Parameters
    ----------
    hits, total : float
        Need not be whole: mean agreement counts each case by the share of its pairs.
    level : float
    """
    if total <= 0:
        return None
    z = float(ndtri((1 + level) / 2))
    share = hits / total
    centre = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * np.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    return Interval(float(max(centre - half, 0.0)), float(min(centre + half, 1.0)), "Wilson")


def share_of(hit: NDArray[np.bool_]) -> Weighted:
    """Return the share of hits as a function of case weights."""
    return lambda weights: weights @ hit.astype(np.float64) / weights.sum(axis=1)
