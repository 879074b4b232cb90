"""Passing-Bablok lines of many bootstrap replicates at once.

A replicate holds case i w_i times, and so the slope between cases i and j w_i w_j times; what a case makes
with its own copies is no slope. The slopes are sorted once, and each replicate only counts along them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
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
