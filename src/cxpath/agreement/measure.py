"""From a function of case weights to a statistic with its intervals: the frame that all statistics share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement.bootstrap import Draws, Weighted, bootstrap_interval, value_of
from cxpath.agreement.statistic import Interval, Statistic

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pair:
    """Two reads of the same cases, without gaps.

    Parameters
    ----------
    x, y : float64 array, (N,)
        The reference, and what is compared with it.
    draws : Draws or None
        Of these cases; None for no bootstrap.
    left_out : int
        Cases that lack a read.
    """

    x: Floats
    y: Floats
    draws: Draws | None = None
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.x)

    @property
    def level(self) -> float:
        """Of the intervals: that of the draws, 0.95 without any."""
        return self.draws.level if self.draws else 0.95

    @property
    def note(self) -> str:
        """What was left out, in words."""
        return f"{self.left_out} cases lack a read" if self.left_out else ""


def pair_up(x: Floats, y: Floats, draws: Draws | None = None) -> Pair:
    """Return the cases that have both reads.

    Parameters
    ----------
    x, y : float64 array, (N,)
        NaN where there is no read.
    draws : Draws, optional
        Of all N cases.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    kept = np.isfinite(x) & np.isfinite(y)
    return Pair(x[kept], y[kept], draws.only(kept) if draws else None, int(np.count_nonzero(~kept)))


def measured(
    key: str,
    label: str,
    statistic: Weighted,
    cases: int,
    draws: Draws | None,
    *,
    method: str,
    source: str,
    analytic: Interval | None = None,
    quote_analytic: bool = False,
    readers: int = 2,
    note: str = "",
    undefined: str = "not defined: nothing varies or too few cases",
) -> Statistic:
    """Measure a statistic over cases, by formula and by bootstrap.

    Parameters
    ----------
    key, label : str
    statistic : callable
        Weights, (B, cases), to values, (B,).
    cases : int
    draws : Draws or None
    method, source : str
    analytic : Interval, optional
        The interval by formula.
    quote_analytic : bool
        Put the formula's interval first.
    readers : int
    note, undefined : str
        What to know; and why there is no value, where there is none.
    """
    value = value_of(statistic, cases) if cases else float("nan")
    known = bool(np.isfinite(value))
    boot = bootstrap_interval(statistic, draws) if draws and known else None
    usable = analytic if analytic and known and np.isfinite([analytic.low, analytic.high]).all() else None
    ordered = (usable, boot) if quote_analytic else (boot, usable)
    return Statistic(
        key=key,
        label=label,
        value=value,
        intervals=tuple(one for one in ordered if one),
        n=cases,
        readers=readers,
        method=method,
        source=source,
        note="; ".join(part for part in (note, "" if known else undefined) if part),
    )
