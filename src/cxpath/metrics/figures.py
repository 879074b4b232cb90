"""A figure with its interval: bootstrap over blocks, targets, origin."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cxpath.data import Settings
from cxpath.documents import Figure, Target, Unit

# Parting a picture into square blocks: the units of the bootstrap where there are few images.


class BlockGrid:
    """Square blocks over a picture, from its top left; the last ones of a row may be narrower.

    Parameters
    ----------
    width_um, height_um : float
    block_um : float
    """

    def __init__(self, width_um: float, height_um: float, block_um: float) -> None:
        self._block_um = block_um
        self.columns = max(1, int(np.ceil(width_um / block_um - 1e-9)))
        self.rows = max(1, int(np.ceil(height_um / block_um - 1e-9)))

    def __len__(self) -> int:
        return self.columns * self.rows

    def of(self, points_um: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the block of each point, (N, 2) to (N,); points outside belong to the nearest block."""
        column, row = (points_um // self._block_um).astype(np.int64).reshape(-1, 2).T
        return np.asarray(row.clip(0, self.rows - 1) * self.columns + column.clip(0, self.columns - 1))

    def count(self, points_um: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return how many points lie in each block."""
        return np.bincount(self.of(points_um), minlength=len(self))


# The percentile bootstrap (Efron & Tibshirani 1993): how far a figure could move with other images.
#
# Knows only rows: a row is one image, one block or one slide, and a figure is any function of rows.


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


# One measured figure: value, interval, what it rests on, and whether it reaches its target.


class Origin(Settings):
    """What all figures of one body of images share."""

    set_name: str
    mpp: float | None
    mpp_source: str


def measured(
    origin: Origin,
    name: str,
    label: str,
    rows: Rows,
    statistic: Statistic,
    bootstrap: BootstrapSettings,
    *,
    unit: Unit,
    n: int,
    n_of: str,
    method: str,
    target: Target | None = None,
) -> Figure:
    """Measure a figure over rows, with its bootstrap interval.

    Parameters
    ----------
    origin : Origin
    name, label : str
        Its key, and the same in words.
    rows : float64 array, (N, K)
        One row a unit.
    statistic : callable
        Rows to a number.
    bootstrap : BootstrapSettings
    unit : str
        What a row is.
    n, n_of : int, str
        What was counted: 1305, "labels".
    method : str
        How; the bootstrap's part is added here.
    target : Target, optional
    """
    value = statistic(rows) if len(rows) else float("nan")
    interval = bootstrap_interval(rows, statistic, bootstrap)
    known = bool(np.isfinite(value))
    resampled_over = f"100 µm {unit}" if unit == "blocks" and bootstrap.block_um == 100 else unit
    how = (
        f"percentile bootstrap over {len(rows)} {resampled_over}"
        if interval
        else "no interval: one unit only"
    )
    return Figure(
        set_name=origin.set_name,
        name=name,
        label=label,
        value=round(float(value), 4) if known else None,
        low=round(interval[0], 4) if interval else None,
        high=round(interval[1], 4) if interval else None,
        level=bootstrap.level,
        n=n,
        n_of=n_of,
        unit=unit if interval else "none",
        units=len(rows),
        method=f"{method}; {how}",
        mpp=origin.mpp,
        mpp_source=origin.mpp_source,
        target=target,
        met=target.met_by(float(value)) if target and known else None,
    )
