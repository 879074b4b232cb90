"""Deming regression: a line through two reads that both err.

Missing reads are left out; a reference that does not vary, or no covariance, gives no line (NaN).

References
----------
Linnet 1990, Statistics in Medicine 9:1463 (formula, jackknife).
Cornbleet & Gochman 1979, Clinical Chemistry 25:432.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as t_distribution

from cxpath.agreement.bootstrap import Weighted, value_of
from cxpath.agreement.measure import Pair, measured
from cxpath.agreement.statistic import Interval, Statistic

Floats = NDArray[np.float64]
SOURCE = "Linnet 1990, Statistics in Medicine 9:1463"


def deming_line(x: Floats, y: Floats, weights: Floats, error_ratio: float = 1.0) -> tuple[Floats, Floats]:
    """Return slopes and intercepts, (B,), one for each row of case weights.

    Parameters
    ----------
    x, y : float64 array, (N,)
    weights : float64 array, (B, N)
    error_ratio : float
        Variance of the errors of y over that of x; 1 gives the orthogonal line.
    """
    n = weights.sum(axis=1)
    shift = x.mean()
    u, v = x - shift, y - shift
    mean_x, mean_y = weights @ u / n, weights @ v / n
    s_x = weights @ u**2 / n - mean_x**2
    s_y = weights @ v**2 / n - mean_y**2
    s_xy = weights @ (u * v) / n - mean_x * mean_y
    apart = s_y - error_ratio * s_x
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (apart + np.sqrt(apart**2 + 4 * error_ratio * s_xy**2)) / (2 * s_xy)
        slope = np.where(np.abs(s_xy) > 1e-15, slope, np.nan)
        return slope, mean_y + shift - slope * (mean_x + shift)


def deming(
    pair: Pair, error_ratio: float = 1.0, bias_at: tuple[float, ...] = (), level: float = 0.95
) -> list[Statistic]:
    """Return slope, intercept and the bias that the line says at some scores.

    Parameters
    ----------
    pair : Pair
    error_ratio : float
        Variance of the errors of y over that of x.
    bias_at : tuple of float
        Scores, such as the cut-offs.
    level : float
        Of the jackknife intervals.
    """
    if len(pair) < 3:
        return []
    x, y = pair.x, pair.y
    parts: list[tuple[str, str, Weighted]] = [
        ("deming_slope", "Deming slope", lambda w: deming_line(x, y, w, error_ratio)[0]),
        ("deming_intercept", "Deming intercept", lambda w: deming_line(x, y, w, error_ratio)[1]),
    ]
    for at in bias_at:

        def bias(weights: Floats, at: float = at) -> Floats:
            slope, intercept = deming_line(x, y, weights, error_ratio)
            return intercept + slope * at - at

        parts.append((f"deming_bias_at_{at:g}", f"Deming bias at {at:g}", bias))
    left_out = _jackknife_weights(pair)
    found = []
    for key, label, statistic in parts:
        value = value_of(statistic, len(pair))
        with np.errstate(divide="ignore", invalid="ignore"):
            interval = _jackknife_interval(value, statistic(left_out), level)
        found.append(
            measured(
                key,
                label,
                statistic,
                len(pair),
                pair.draws,
                method=f"Deming regression, ratio of error variances {error_ratio:g}",
                source=SOURCE,
                analytic=interval,
                quote_analytic=True,
                note=pair.note,
            )
        )
    return found


def _jackknife_weights(pair: Pair) -> Floats:
    """Return weights that leave out one patient at a time, (G, N)."""
    cluster = pair.draws.cluster if pair.draws else np.arange(len(pair))
    weights: Floats = (np.unique(cluster)[:, None] != cluster[None, :]).astype(np.float64)
    return weights


def _jackknife_interval(value: float, left_out: Floats, level: float) -> Interval | None:
    """Return value ± t s, with n − 2 degrees of freedom."""
    n = len(left_out)
    if n < 3 or not np.isfinite(left_out).all():
        return None
    error = np.sqrt((n - 1) / n * np.sum((left_out - left_out.mean()) ** 2))
    half = float(t_distribution.ppf((1 + level) / 2, n - 2) * error)
    return Interval(value - half, value + half, "jackknife")
