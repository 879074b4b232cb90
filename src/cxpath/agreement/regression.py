"""Method comparison: Deming and Passing-Bablok regression.

References
----------
Linnet 1990, Statistics in Medicine 9:1463 (formula, jackknife).
Cornbleet & Gochman 1979, Clinical Chemistry 25:432.
Passing & Bablok 1983, J Clin Chem Clin Biochem 21:709.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import kolmogorov, ndtri
from scipy.stats import t as t_distribution

from cxpath.agreement.base import Interval, Pair, Statistic, Weighted, interval_of, measured, value_of

# Deming regression: a line through two reads that both err.
#
# Missing reads are left out; a reference that does not vary, or no covariance, gives no line (NaN).


Floats = NDArray[np.float64]
DEMING_SOURCE = "Linnet 1990, Statistics in Medicine 9:1463"


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
                source=DEMING_SOURCE,
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


# Passing-Bablok lines of many bootstrap replicates at once.
#
# A replicate holds case i w_i times, and so the slope between cases i and j w_i w_j times; what a case makes
# with its own copies is no slope. The slopes are sorted once, and each replicate only counts along them.


MOST_AT_ONCE = 4_000_000
"""Weights of slopes held at a time: 32 MB."""


def weighted_lines(x: Floats, y: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return slopes and intercepts, (B,), one for each row of case weights.

    Parameters
    ----------
    x, y : float64 array, (N,)
    weights : float64 array, (B, N)
        Whole numbers: how often each replicate holds each case.

    Returns
    -------
    (float64 array, float64 array)
        As `passing_bablok_line` gives of the cases so repeated; NaN where it has no line.
    """
    i, j, slopes = sorted_slopes(x, y)
    rows = max(1, MOST_AT_ONCE // max(len(slopes), 1))
    parts = [
        _slopes_of(weights[start : start + rows], i, j, slopes) for start in range(0, len(weights), rows)
    ]
    slope = np.concatenate(parts) if parts else np.zeros(0)
    return slope, _intercepts(x, y, weights, slope)


def sorted_slopes(x: Floats, y: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Return all slopes that count in rising order, (P,), after the two cases of each.

    Equal points make no slope; equal x with different y make an infinite one.
    """
    i, j = np.triu_indices(len(x), k=1)
    d_x, d_y = x[j] - x[i], y[j] - y[i]
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.where(d_x == 0, np.where(d_y == 0, np.nan, np.copysign(np.inf, d_y)), d_y / d_x)
    known = ~np.isnan(slopes)
    order = np.argsort(slopes[known], kind="stable")
    return i[known][order], j[known][order], slopes[known][order]


def _slopes_of(weights: Floats, i: NDArray[np.int64], j: NDArray[np.int64], slopes: Floats) -> Floats:
    """Return the shifted median of each replicate's slopes."""
    reached = np.cumsum(weights[:, i] * weights[:, j], axis=1)
    number = reached[:, -1] if len(slopes) else np.zeros(len(weights))
    below, up_to = (np.searchsorted(slopes, -1.0, side=side) for side in ("left", "right"))
    before = [reached[:, place - 1] if place else np.zeros(len(weights)) for place in (below, up_to)]
    rank = (number + 1) / 2 + (before[0] + before[1]) / 2
    found = _ranked(slopes, reached, rank)
    return np.where((number >= 2) & (rank <= number) & np.isfinite(found), found, np.nan)


def _ranked(values: Floats, reached: Floats, rank: Floats) -> Floats:
    """Return the value of a rank counted from 1; between two of them at a half rank.

    Parameters
    ----------
    values : float64 array, (P,) or (B, P)
        In rising order.
    reached : float64 array, (B, P)
        How many values lie up to and at each.
    rank : float64 array, (B,)
    """
    if not values.shape[-1]:
        return np.full(len(reached), np.nan)
    wide = np.broadcast_to(values, reached.shape)
    ends = []
    for whole in (np.floor(rank), np.ceil(rank)):
        place = np.argmax(reached >= whole[:, None] - 1e-9, axis=1)
        ends.append(np.take_along_axis(wide, place[:, None], axis=1)[:, 0])
    return np.where(ends[0] == ends[1], ends[0], (ends[0] + ends[1]) / 2)


def _intercepts(x: Floats, y: Floats, weights: Floats, slope: Floats) -> Floats:
    """Return the median of y − slope x of each replicate."""
    apart = y - np.where(np.isfinite(slope), slope, 0.0)[:, None] * x
    order = np.argsort(apart, axis=1)
    reached = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    medians = _ranked(np.take_along_axis(apart, order, axis=1), reached, (weights.sum(axis=1) + 1) / 2)
    return np.where(np.isfinite(slope), medians, np.nan)


# Passing-Bablok regression with its CUSUM test: a line from the shifted median of all slopes.
#
# Pairs of equal points say nothing and are left out; equal x with different y is an infinite slope; slopes
# of exactly −1 count half to either side, and the ranks of the interval are (N ± C) / 2, rounded, both as in
# the R package mcr (the paper leaves −1 out and goes one rank further up: among thousands of slopes). Heaped
# scores make many ties; the note says so when they are too many for the theory.


PASSING_BABLOK_SOURCE = "Passing & Bablok 1983, J Clin Chem Clin Biochem 21:709"
TIED_TOO_OFTEN = 0.25
"""From this share of tied slopes on the note warns."""
MOST_SLOPES = 4_000_000_000
"""Draws × cases²: beyond it (1,400 cases at 2,000 draws) the bootstrap would take minutes."""
TOO_MANY = "no bootstrap interval: no draws, or too many cases; see the Deming bias"


@dataclass(frozen=True)
class PassingBablok:
    """A line with its intervals, and the test for a bend.

    Parameters
    ----------
    slope, intercept : float
    slope_interval, intercept_interval : tuple of float
    cusum_p : float
        Small when the points bend away from the line; NaN when all lie on one side of it.
    tied_share : float
        Of pairs of points, those that share x or y.
    """

    slope: float
    intercept: float
    slope_interval: tuple[float, float]
    intercept_interval: tuple[float, float]
    cusum_p: float
    tied_share: float


def passing_bablok_line(x: Floats, y: Floats, level: float = 0.95) -> PassingBablok | None:
    """Fit the line.

    Parameters
    ----------
    x, y : float64 array, (N,)
    level : float

    Returns
    -------
    PassingBablok or None
        None when too few slopes are left.
    """
    n = len(x)
    slopes = sorted_slopes(x, y)[2]
    number = len(slopes)
    if n < 3 or number < 2:
        return None
    offset = np.count_nonzero(slopes < -1) + np.count_nonzero(slopes == -1) / 2
    reach = ndtri((1 + level) / 2) * np.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    slope = _ranked_slopes(slopes, (number + 1) / 2 + offset)
    low, high = (_ranked_slopes(slopes, np.round((number + end * reach) / 2) + offset) for end in (-1, 1))
    if not np.isfinite(slope):
        return None
    intercept = float(np.median(y - slope * x))
    return PassingBablok(
        slope=slope,
        intercept=intercept,
        slope_interval=(low, high),
        intercept_interval=(_intercept(x, y, high), _intercept(x, y, low)),
        cusum_p=cusum_p(x, y, slope, intercept),
        tied_share=_tied_share(x, y),
    )


def _tied_share(x: Floats, y: Floats) -> float:
    """Return the share of pairs of points that share x or y."""
    i, j = np.triu_indices(len(x), k=1)
    return float(np.mean((x[i] == x[j]) | (y[i] == y[j]))) if len(i) else 1.0


def _ranked_slopes(slopes: Floats, rank: float) -> float:
    """Return the slope of a rank counted from 1; between two of them at a half rank."""
    if not 1 <= rank <= len(slopes):
        return float(np.copysign(np.inf, rank - 1))
    here = (slopes[int(np.floor(rank)) - 1], slopes[int(np.ceil(rank)) - 1])
    return float(here[0]) if here[0] == here[1] else float((here[0] + here[1]) / 2)


def _intercept(x: Floats, y: Floats, slope: float) -> float:
    return float(np.median(y - slope * x)) if np.isfinite(slope) else float(np.sign(-slope) * np.inf)


def cusum_p(x: Floats, y: Floats, slope: float, intercept: float) -> float:
    """Return the probability of so large a cumulative sum of sides if the relation is a line.

    Points above the line score √(l⁻/l⁺), points below −√(l⁺/l⁻), in order along the line; the largest
    sum over √(l⁻ + 1) is judged by Kolmogorov and Smirnov's distribution.

    Parameters
    ----------
    x, y : float64 array, (N,)
    slope, intercept : float
        Of the line that is tested.

    Returns
    -------
    float
        NaN when all points lie on one side of the line.
    """
    side = np.sign(np.round(y - intercept - slope * x, 12))
    above, below = int(np.count_nonzero(side > 0)), int(np.count_nonzero(side < 0))
    if not above or not below:
        return float("nan")
    score = np.where(side > 0, np.sqrt(below / above), np.where(side < 0, -np.sqrt(above / below), 0.0))
    along = (y + x / slope - intercept) / np.sqrt(1 + 1 / slope**2) if slope else x
    largest = np.abs(np.cumsum(score[np.argsort(along, kind="stable")])).max()
    return float(kolmogorov(largest / np.sqrt(below + 1)))


def passing_bablok(pair: Pair, bias_at: tuple[float, ...] = (), level: float = 0.95) -> list[Statistic]:
    """Return slope, intercept, and the bias that the line says at some scores.

    Parameters
    ----------
    pair : Pair
        With draws, all have a bootstrap interval: the first of the bias, the second of slope and intercept.
    bias_at : tuple of float
        Scores, such as the cut-offs.
    level : float
        Of the intervals by rank.

    Returns
    -------
    list of Statistic
        Empty when there is no line.
    """
    line = passing_bablok_line(pair.x, pair.y, level)
    if line is None:
        return []
    notes = [pair.note] if pair.note else []
    if line.tied_share >= TIED_TOO_OFTEN:
        tied = f"{100 * line.tied_share:.0f} % of pairs share a score"
        notes.append(f"{tied}: heaped reads, read the line with care")
    again = _resampled(pair)
    ranks = "ranks of slopes (Kendall's variance)"
    slope = _statistic(
        "slope",
        "slope",
        line.slope,
        (Interval(*line.slope_interval, ranks), _boot(pair, again, 1, 0)),
        pair,
        [*notes, "p: CUSUM test of linearity"],
    )
    intercept = _statistic(
        "intercept",
        "intercept",
        line.intercept,
        (Interval(*line.intercept_interval, ranks), _boot(pair, again, 0, 1)),
        pair,
        notes,
    )
    biases = [
        _statistic(
            f"bias_at_{at:g}",
            f"bias at {at:g}",
            line.intercept + line.slope * at - at,
            (_boot(pair, again, at, 1, at),),
            pair,
            notes if again else [*notes, TOO_MANY],
        )
        for at in bias_at
    ]
    p_value = line.cusum_p if np.isfinite(line.cusum_p) else None
    return [replace(slope, p_value=p_value), intercept, *biases]


def _resampled(pair: Pair) -> tuple[Floats, Floats] | None:
    """Return slope and intercept of every draw of patients; None without draws, or with too many slopes."""
    n = len(pair)
    if pair.draws is None or len(pair.draws.weights) * n * n > MOST_SLOPES:
        return None
    return weighted_lines(pair.x, pair.y, pair.draws.weights)


def _boot(
    pair: Pair, again: tuple[Floats, Floats] | None, times: float, plus: float, less: float = 0.0
) -> Interval | None:
    """Return the bootstrap interval of times × slope + plus × intercept − less."""
    if again is None or pair.draws is None:
        return None
    return interval_of(times * again[0] + plus * again[1] - less, pair.draws)


def _statistic(
    name: str,
    label: str,
    value: float,
    intervals: tuple[Interval | None, ...],
    pair: Pair,
    notes: list[str],
) -> Statistic:
    of_bias = name.startswith("bias")
    return Statistic(
        key=f"passing_bablok_{name}",
        label=f"Passing-Bablok {label}",
        value=value,
        intervals=tuple(one for one in intervals if one),
        n=len(pair),
        method="what the line says at this score, less the score"
        if of_bias
        else "shifted median of all slopes",
        source=PASSING_BABLOK_SOURCE,
        note="; ".join(notes),
    )
