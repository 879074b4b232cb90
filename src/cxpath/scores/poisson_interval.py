"""Counting noise alone: the exact Poisson interval of a count, scaled to a score.

The first, optimistic interval: it knows that another section of the same tumour would show a few more or
fewer positive cells, and nothing of clustering or of classification error.
"""

from __future__ import annotations

from scipy import stats

METHOD = "poisson-counts/1"


def poisson_interval(positive: int, tumour: int, level: float, maximum: float) -> tuple[float, float]:
    """Return the interval of 100 x positive / tumour, the denominator held fixed.

    Garwood's exact limits (Garwood 1936) of a Poisson count. Ten positive among 1,000 tumour cells give
    0.48 to 1.84 (clinical brief 0.5).

    Parameters
    ----------
    positive, tumour : int
        Numerator and denominator; `tumour` must be positive.
    level : float
        Coverage, such as 0.95.
    maximum : float
        The score's cap.
    """
    tail = (1.0 - level) / 2.0
    low = float(stats.gamma.ppf(tail, positive)) if positive else 0.0
    high = float(stats.gamma.ppf(1.0 - tail, positive + 1))
    return min(maximum, 100.0 * low / tumour), min(maximum, 100.0 * high / tumour)


def probability_at_least(cutoff: float, positive: int, tumour: int) -> float:
    """Return P(score >= cutoff) under the same counting noise, with Jeffreys' prior for the rate.

    Parameters
    ----------
    cutoff : float
        On the score's scale, such as 1 or 10.
    positive, tumour : int
        Numerator and denominator; `tumour` must be positive.
    """
    return float(stats.gamma.sf(cutoff * tumour / 100.0, positive + 0.5))
