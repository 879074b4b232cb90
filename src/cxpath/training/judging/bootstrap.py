"""The percentile bootstrap (Efron & Tibshirani 1993): how far a figure could move with other images.

Knows only rows: a row is one image, one block or one slide, and a figure is any function of rows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cxpath.values.settings import Settings

Rows = NDArray[np.float64]
Statistic = Callable[[Rows], float]


class BootstrapSettings(Settings):
    """How often and over what rows are drawn again."""

    repeats: int = 2000
    level: float = 0.95
    seed: int = 1
    fewest_images: int = 10
    """With fewer images than this, blocks are drawn instead."""
    block_um: float = 100.0


def bootstrap_interval(
    rows: Rows, statistic: Statistic, settings: BootstrapSettings
) -> tuple[float, float] | None:
    """Return the percentile interval of a statistic over rows drawn with replacement.

    Parameters
    ----------
    rows : float64 array, (N, K)
        One row for each independent unit.
    statistic : callable
        Takes rows, returns a number; NaN where it is unknown, which is left out.
    settings : BootstrapSettings

    Returns
    -------
    tuple of float or None
        None with fewer than two rows, or when the statistic is never known.
    """
    if len(rows) < 2:
        return None
    rng = np.random.default_rng(settings.seed)
    drawn = (rows[rng.integers(len(rows), size=len(rows))] for _ in range(settings.repeats))
    values = np.array([statistic(sample) for sample in drawn])
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    edge = (1 - settings.level) / 2
    low, high = np.quantile(known, [edge, 1 - edge])
    return float(low), float(high)
