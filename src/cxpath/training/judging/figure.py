"""One measured figure: value, interval, what it rests on, and whether it reaches its target."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import model_validator

from cxpath.training.judging.bootstrap import BootstrapSettings, Rows, Statistic, bootstrap_interval
from cxpath.values.settings import Settings

Unit = Literal["images", "blocks", "slides", "fields", "none"]


class Target(Settings):
    """What a figure must reach; exactly one of the two."""

    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> Target:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("a target is either at_least or at_most")
        return self

    def met_by(self, value: float) -> bool:
        """Say whether a value reaches the target."""
        if self.at_least is not None:
            return value >= self.at_least
        return self.at_most is not None and value <= self.at_most

    def __str__(self) -> str:
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"


class Figure(Settings):
    """One line of an evaluation."""

    set_name: str
    """Which body of images: "bcdata", "synthetic", ..."""
    name: str
    label: str
    """The figure in words."""
    value: float | None
    """None when nothing of the kind was there to measure."""
    low: float | None
    high: float | None
    level: float
    n: int
    """How many things were counted, as `n_of` says."""
    n_of: str
    unit: Unit
    """What the bootstrap draws again; `none` when there is no interval."""
    units: int
    """How many of these there are."""
    method: str
    mpp: float | None
    """Micrometres per pixel of the pictures; None when they differ."""
    mpp_source: str
    """ "assumed", "file" or "drawn"."""
    target: Target | None
    met: bool | None
    """None without a target, or without a value."""


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
    drawn_over = f"100 µm {unit}" if unit == "blocks" and bootstrap.block_um == 100 else unit
    how = f"percentile bootstrap over {len(rows)} {drawn_over}" if interval else "no interval: one unit only"
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
