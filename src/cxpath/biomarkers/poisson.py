"""The exact interval of a count, which limits how well any score or burden made from it is known."""

from __future__ import annotations

from scipy.special import gammaincinv


def exact_count_interval(count: float, level: float = 0.95) -> tuple[float, float]:
    """Return Garwood's exact interval of a Poisson count.

    Parameters
    ----------
    count : float
        Observed events; may be fractional where it was recovered from a rounded ratio.
    level : float
        Coverage aimed at.

    Returns
    -------
    tuple of float
        From gamma(count) at (1 - level)/2 to gamma(count + 1) at 1 - (1 - level)/2. Garwood, Biometrika
        1936;28:437. Clinical brief 0.5 and 3.1 use it.
    """
    tail = (1.0 - level) / 2.0
    low = float(gammaincinv(count, tail)) if count > 0 else 0.0
    return low, float(gammaincinv(count + 1.0, 1.0 - tail))
