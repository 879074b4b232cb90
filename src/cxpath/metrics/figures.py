"""A figure with its interval: bootstrap over blocks, targets, origin; reliability of probabilities."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cxpath.data import Kind, Settings
from cxpath.documents import Figure, Target, Unit
from cxpath.metrics.cells import Decision, MatchingSettings, Observation, above
from cxpath.network import Metric, Reliability, ReliabilityCurve
from cxpath.pipeline import name_cells, positive_probability

# A figure with its interval: bootstrap over blocks, targets, origin.


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
#
# Agreement has a bootstrap of its own (`agreement/base.py`), and they are not one: there a statistic is a
# function of weights of cases, cases of a patient are drawn together, and the interval is expanded for few
# patients. A figure here may be anything of its rows, such as a rank correlation, which no weights express,
# and its intervals are those of published cards, to the last digit.


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


# How far a network's probabilities may be believed: what was stated next to what came true, bin by bin.


BINS = 10


def binned(probability: NDArray[np.float32], came_true: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return for each of ten equal bins of probability: cells, summed probability, those that came true."""
    bins = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
    weights = (None, probability.astype(np.float64), came_true.astype(np.float64))
    return np.column_stack([np.bincount(bins, weight, BINS) for weight in weights]).astype(np.float64)


def expected_error(rows: Rows) -> float:
    """Return the mean gap between probability and truth over bins, weighted by cells (Guo et al. 2017).

    Parameters
    ----------
    rows : float64 array, (N, 30)
        `binned` of each field or slide, flat; they are pooled.
    """
    number, summed, came_true = rows.sum(axis=0).reshape(BINS, 3).T
    return float(np.abs(summed - came_true).sum() / number.sum()) if number.sum() else float("nan")


def reliability_curve(
    bins: Sequence[NDArray[np.float64]], unit: str, method: str, bootstrap: BootstrapSettings
) -> ReliabilityCurve | None:
    """Return the pooled curve; None without a cell.

    Parameters
    ----------
    bins : sequence of float64 array, (10, 3)
        `binned` of each field or slide.
    unit : str
        What the bootstrap draws again: "fields" or "slides".
    method : str
    bootstrap : BootstrapSettings
    """
    pooled = np.sum(bins, axis=0).reshape(BINS, 3) if len(bins) else np.zeros((BINS, 3))
    held = pooled[:, 0] > 0
    if not held.any():
        return None
    number, summed, came_true = pooled[held].T
    return ReliabilityCurve(
        method=method,
        bin_width=1 / BINS,
        from_probability=tuple(np.round(np.flatnonzero(held) / BINS, 4).tolist()),
        count=tuple(number.astype(int).tolist()),
        mean_probability=tuple(np.round(summed / number, 4).tolist()),
        observed_share=tuple(np.round(came_true / number, 4).tolist()),
        expected_error=_error(np.array(bins).reshape(len(bins), -1), unit, bootstrap),
    )


def measure_reliability(
    observations: Sequence[Observation], decision: Decision, matching: MatchingSettings, mpp: float, what: str
) -> Reliability:
    """Return both curves of the card.

    Parameters
    ----------
    observations : sequence of Observation
        Of fields that neither calibrated nor chose anything.
    decision : Decision
    matching : MatchingSettings
    mpp : float
    what : str
        The fields in words.
    """
    radius_px = matching.match_radius_um / mpp
    kind, stained = [], []
    for one in observations:
        seen = above(one, decision.centre_threshold, radius_px)
        of_kind, of_stain = _field_bins(seen, decision)
        kind.append(of_kind)
        stained.append(of_stain)
    found, settings = f"{what}, found cells", BootstrapSettings()
    return Reliability(
        kind=reliability_curve(kind, "fields", found, settings),
        stained=reliability_curve(stained, "fields", f"{found} called tumour or immune", settings),
    )


def _field_bins(seen: Observation, decision: Decision) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    pairs = seen.pairs[seen.scored_truth[seen.pairs[:, 0]]]
    truth, rows = pairs.T
    names = name_cells(seen.peaks.class_logits, decision.calibration)
    stained = positive_probability(seen.peaks.stain_logits, names, decision.calibration)
    scored = names.kind[rows] != Kind.OTHER
    right = names.kind[rows] == seen.truth.kind[truth]
    return (
        binned(names.certainty[rows], right),
        binned(stained[rows[scored]], (right & seen.truth.positive[truth])[scored]),
    )


def _error(rows: Rows, unit: str, bootstrap: BootstrapSettings) -> Metric:
    low, high = bootstrap_interval(rows, expected_error, bootstrap) or (None, None)
    return Metric(
        value=round(expected_error(rows), 4),
        low=None if low is None else round(low, 4),
        high=None if high is None else round(high, 4),
        level=bootstrap.level,
        count=len(rows),
        method=f"ten equal bins; percentile bootstrap over {unit}" if low is not None else "ten equal bins",
    )
