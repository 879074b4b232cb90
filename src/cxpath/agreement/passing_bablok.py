"""Passing-Bablok regression with its CUSUM test: a line from the shifted median of all slopes.

Pairs of equal points say nothing and are left out; equal x with different y is an infinite slope; slopes of
exactly −1 count half to either side, and the ranks of the interval are (N ± C) / 2, rounded, both as in the
R package mcr (the paper leaves −1 out and goes one rank further up: among thousands of slopes). Heaped
scores make many ties; the note says so when they are too many for the theory.

References
----------
Passing & Bablok 1983, J Clin Chem Clin Biochem 21:709.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import kolmogorov, ndtri

from cxpath.agreement.bootstrap import interval_of
from cxpath.agreement.measure import Pair
from cxpath.agreement.passing_bablok_weighted import sorted_slopes, weighted_lines
from cxpath.agreement.statistic import Interval, Statistic

Floats = NDArray[np.float64]
SOURCE = "Passing & Bablok 1983, J Clin Chem Clin Biochem 21:709"
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
    slope = _ranked(slopes, (number + 1) / 2 + offset)
    low, high = (_ranked(slopes, np.round((number + end * reach) / 2) + offset) for end in (-1, 1))
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


def _ranked(slopes: Floats, rank: float) -> float:
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
    again = _drawn_again(pair)
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


def _drawn_again(pair: Pair) -> tuple[Floats, Floats] | None:
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
        source=SOURCE,
        note="; ".join(notes),
    )
