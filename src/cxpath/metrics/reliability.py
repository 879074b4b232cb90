"""How far a network's probabilities may be believed: what was stated next to what came true, bin by bin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cxpath.data import Kind
from cxpath.metrics.cells import Decision, MatchingSettings, Observation, above
from cxpath.metrics.figures import BootstrapSettings, Rows, bootstrap_interval
from cxpath.network import Metric, Reliability, ReliabilityCurve
from cxpath.pipeline import name_cells, positive_probability

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
