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
from scipy.stats import kendalltau, t as t_distribution

from cxpath.agreement.base import (
    Floats,
    Interval,
    Pair,
    Statistic,
    Weighted,
    interval_of,
    measured,
    value_of,
    with_width,
)

# Deming regression: a line through two reads that both err.
#
# Missing reads are left out; a reference that does not vary, or no covariance, gives no line (NaN).


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
            """Return the line at a score, less the score."""
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
# A replicate contains case i w_i times, and so the slope between cases i and j w_i w_j times; what a case
# makes with its own copies is no slope. The slopes are sorted once, and each replicate only counts along
# them.


MOST_AT_ONCE = 4_000_000
"""Weights of slopes in memory at a time: 32 MB."""
ROUNDING = 1e-9
"""Of the reads' own size: two differences that differ by less differ by rounding alone."""


def weighted_lines(x: Floats, y: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return slopes and intercepts, (B,), one for each row of case weights.

    Parameters
    ----------
    x, y : float64 array, (N,)
    weights : float64 array, (B, N)
        Whole numbers: how often each replicate contains each case.

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

    Equal points make no slope; equal x with different y make an infinite one. Slopes of −1 are exactly that,
    whatever the unit of the reads: 0.3 − 0.1 is not 0.2 in binary numbers.
    """
    i, j = np.triu_indices(len(x), k=1)
    d_x, d_y = x[j] - x[i], y[j] - y[i]
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.where(d_x == 0, np.where(d_y == 0, np.nan, np.copysign(np.inf, d_y)), d_y / d_x)
    size = np.maximum(np.abs(x[i]) + np.abs(x[j]), np.abs(y[i]) + np.abs(y[j]))
    slopes[(np.abs(d_x + d_y) <= ROUNDING * size) & (d_x * d_y < 0)] = -1.0
    known = ~np.isnan(slopes)
    order = np.argsort(slopes[known], kind="stable")
    return i[known][order], j[known][order], slopes[known][order]


def middle_slope(low: Floats, high: Floats) -> Floats:
    """Return the slope between two neighbours: their mean, or below 1 that of their reciprocals.

    So the mean is always taken of the steeper way to look at the two reads, and exchanging x and y gives
    the reciprocal.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, flat = (low + high) / 2, 2 * low * high / (low + high)
        return np.where(low == high, low, np.where((low > 0) & (low * high < 1), flat, mean))


def _slopes_of(weights: Floats, i: NDArray[np.int64], j: NDArray[np.int64], slopes: Floats) -> Floats:
    """Return the shifted median of each replicate's slopes."""
    reached = np.cumsum(weights[:, i] * weights[:, j], axis=1)
    number = reached[:, -1] if len(slopes) else np.zeros(len(weights))
    below, up_to = (np.searchsorted(slopes, -1.0, side=side) for side in ("left", "right"))
    before = [reached[:, place - 1] if place else np.zeros(len(weights)) for place in (below, up_to)]
    rank = (number + 1) / 2 + (before[0] + before[1]) / 2
    found = middle_slope(*_neighbours(slopes, reached, rank))
    return np.where((number >= 2) & (rank <= number) & np.isfinite(found), found, np.nan)


def _neighbours(values: Floats, reached: Floats, rank: Floats) -> tuple[Floats, Floats]:
    """Return the values of a rank counted from 1: twice the same, or the two next to a half rank.

    Parameters
    ----------
    values : float64 array, (P,) or (B, P)
        In rising order.
    reached : float64 array, (B, P)
        How many values lie up to and at each.
    rank : float64 array, (B,)
    """
    if not values.shape[-1]:
        return np.full(len(reached), np.nan), np.full(len(reached), np.nan)
    wide = np.broadcast_to(values, reached.shape)
    places = [np.argmax(reached >= end(rank)[:, None] - 1e-9, axis=1) for end in (np.floor, np.ceil)]
    low, high = (np.take_along_axis(wide, place[:, None], axis=1)[:, 0] for place in places)
    return low, high


def _intercepts(x: Floats, y: Floats, weights: Floats, slope: Floats) -> Floats:
    """Return the median of y − slope x of each replicate."""
    apart = y - np.where(np.isfinite(slope), slope, 0.0)[:, None] * x
    order = np.argsort(apart, axis=1)
    reached = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    middle = (weights.sum(axis=1) + 1) / 2
    low, high = _neighbours(np.take_along_axis(apart, order, axis=1), reached, middle)
    return np.where(np.isfinite(slope), (low + high) / 2, np.nan)


# Passing-Bablok regression with its CUSUM test: a line from the shifted median of all slopes.
#
# Pairs of equal points say nothing and are left out; equal x with different y is an infinite slope; slopes
# of −1 count half to either side. The interval runs from rank (N − C + 1) / 2 to rank (N + C + 1) / 2,
# counted from the slopes of −1 on, with C rounded and a half rank between two slopes, as in the R package
# mcr; the paper takes the nearest whole ranks (M1 and N − M1 + 1). Exchanging the two reads gives the
# reciprocal line and limits. Where reads do not rise together there is no line. Heaped scores make many
# ties; the note says so when they are too many for the theory.


PASSING_BABLOK_SOURCE = "Passing & Bablok 1983, J Clin Chem Clin Biochem 21:709"
TIED_TOO_OFTEN = 0.25
"""From this share of tied slopes on the note warns."""
MOST_SLOPES = 4_000_000_000
"""Draws × cases²: beyond it (1,400 cases at 2,000 draws) the bootstrap would take minutes."""
NOT_RISING = "not defined: the reads do not rise together (Kendall's τ), or cases are too few"
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
    slope = _ranked_slopes(slopes, (number + 1) / 2)
    reach = np.round(ndtri((1 + level) / 2) * np.sqrt(n * (n - 1) * (2 * n + 5) / 18))
    low, high = (_ranked_slopes(slopes, (number + 1 + end * reach) / 2) for end in (-1, 1))
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
    """Return the slope of a rank counted from 1 at the slopes of −1; between two of them at a half rank.

    What lies before the first is minus infinity; what lies beyond the vertical is infinity.
    """
    steep = np.count_nonzero(slopes < -1) + np.count_nonzero(slopes == -1) / 2
    if rank < 1:
        return float("-inf")
    if rank + steep > len(slopes):
        return float("inf")
    here = (slopes[int(end(rank + steep)) - 1] for end in (np.floor, np.ceil))
    return float(middle_slope(*here))


def rise_together(x: Floats, y: Floats, level: float = 0.95) -> bool:
    """Say whether y rises with x beyond chance: Kendall's τ above 0, one-sided.

    The method assumes it. Of unrelated reads it gives a slope of about 1, as if they agreed.
    """
    return bool(kendalltau(x, y, alternative="greater").pvalue < 1 - level)


def _intercept(x: Floats, y: Floats, slope: float) -> float:
    return float(np.median(y - slope * x)) if np.isfinite(slope) else float(np.sign(-slope) * np.inf)


def cusum_p(x: Floats, y: Floats, slope: float, intercept: float) -> float:
    """Return the probability of so large a cumulative sum of sides if the relation is a line.

    Points above the line score √(l⁻/l⁺), points below −√(l⁺/l⁻), in order along the line; the largest
    sum over √(l⁻ + 1) is tested against Kolmogorov and Smirnov's distribution.

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
    fitted = intercept + slope * x
    size = np.maximum(np.abs(y), np.abs(slope * x))
    side = np.where(np.abs(y - fitted) <= ROUNDING * size, 0.0, np.sign(y - fitted))
    above, below = int(np.count_nonzero(side > 0)), int(np.count_nonzero(side < 0))
    if not above or not below:
        return float("nan")
    score = np.where(side > 0, np.sqrt(below / above), np.where(side < 0, -np.sqrt(above / below), 0.0))
    along = (y + x / slope - intercept) / np.sqrt(1 + 1 / slope**2) if slope else x
    order = np.argsort(along)
    sums = np.cumsum(score[order])[_last_of_equals(along[order])]
    return float(kolmogorov(np.abs(sums).max() / np.sqrt(below + 1)))


def _last_of_equals(rising: Floats) -> NDArray[np.bool_]:
    """Say which places end a run of equal ones; within a run the order is that of the rows alone."""
    size = np.maximum(np.abs(rising[1:]), np.abs(rising[:-1]))
    return np.append(np.diff(rising) > ROUNDING * size, True)


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
        Empty when a read does not vary; without a value when the reads do not rise together.
    """
    if min(len(np.unique(pair.x)), len(np.unique(pair.y))) < 2:
        return []
    notes = [pair.note] if pair.note else []
    line = passing_bablok_line(pair.x, pair.y, level)
    if line is None or not rise_together(pair.x, pair.y, level):
        return _no_line(pair, bias_at, [*notes, NOT_RISING])
    if line.tied_share >= TIED_TOO_OFTEN:
        tied = f"{100 * line.tied_share:.0f} % of pairs share a score"
        notes.append(f"{tied}: many reads are equal, so interpret the line with care")
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


def _no_line(pair: Pair, bias_at: tuple[float, ...], notes: list[str]) -> list[Statistic]:
    """Return all figures without a value."""
    names = [("slope", "slope"), ("intercept", "intercept")]
    names += [(f"bias_at_{at:g}", f"bias at {at:g}") for at in bias_at]
    return [_statistic(name, label, float("nan"), (), pair, notes) for name, label in names]


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
    kept, without = with_width(intervals)
    return Statistic(
        key=f"passing_bablok_{name}",
        label=f"Passing-Bablok {label}",
        value=value,
        intervals=kept,
        n=len(pair),
        method="value of the line at this score, minus the score"
        if of_bias
        else "shifted median of all slopes",
        source=PASSING_BABLOK_SOURCE,
        note="; ".join([*notes, without] if without else notes),
    )
