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

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import kolmogorov, ndtri

from cxpath.agreement.measure import Pair
from cxpath.agreement.statistic import Interval, Statistic

Floats = NDArray[np.float64]
SOURCE = "Passing & Bablok 1983, J Clin Chem Clin Biochem 21:709"
TIED_TOO_OFTEN = 0.25
"""From this share of tied slopes on the note warns."""


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
    slopes, tied_share = _slopes(x, y)
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
        tied_share=tied_share,
    )


def _slopes(x: Floats, y: Floats) -> tuple[Floats, float]:
    """Return all slopes that count, in rising order, and the share of pairs tied in x or y."""
    i, j = np.triu_indices(len(x), k=1)
    d_x, d_y = x[j] - x[i], y[j] - y[i]
    tied = (d_x == 0) | (d_y == 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = np.where(d_x == 0, np.where(d_y == 0, np.nan, np.copysign(np.inf, d_y)), d_y / d_x)
    return np.sort(slopes[~np.isnan(slopes)]), float(tied.mean()) if len(tied) else 1.0


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
    """Return slope, intercept, and the bias that the line says at some scores."""
    line = passing_bablok_line(pair.x, pair.y, level)
    if line is None:
        return []
    notes = [pair.note] if pair.note else []
    if line.tied_share >= TIED_TOO_OFTEN:
        notes.append(f"{line.tied_share:.0%} of pairs share a score: heaped reads, read the line with care")
    method = "shifted median of all slopes"
    rows = [
        ("slope", "Passing-Bablok slope", line.slope, line.slope_interval),
        ("intercept", "Passing-Bablok intercept", line.intercept, line.intercept_interval),
    ]
    found = [
        Statistic(
            key=f"passing_bablok_{name}",
            label=label,
            value=value,
            intervals=(Interval(*edges, "ranks of slopes (Kendall's variance)"),),
            n=len(pair),
            method=method,
            source=SOURCE,
            p_value=line.cusum_p if name == "slope" and np.isfinite(line.cusum_p) else None,
            note="; ".join([*notes, "p: CUSUM test of linearity"] if name == "slope" else notes),
        )
        for name, label, value, edges in rows
    ]
    return found + [_bias(line, pair, at, notes) for at in bias_at]


def _bias(line: PassingBablok, pair: Pair, at: float, notes: list[str]) -> Statistic:
    return Statistic(
        key=f"passing_bablok_bias_at_{at:g}",
        label=f"Passing-Bablok bias at {at:g}",
        value=line.intercept + line.slope * at - at,
        intervals=(),
        n=len(pair),
        method="what the line says at this score, less the score",
        source=SOURCE,
        note="; ".join([*notes, "no interval: see the Deming bias"]),
    )
