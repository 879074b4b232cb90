"""What a network sees in fields whose truth is known: peaks beside true cells, before any cut is chosen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement.matching import match_points
from cxpath.cells.probabilities import name_cells, positive_probability
from cxpath.network.detector import Detector
from cxpath.training.confusion import score_class, tally
from cxpath.training.settings import JudgingSettings
from cxpath.training.synthetic.drawn_field import REGION_STRIDE_PX, DrawnCells, DrawnField
from cxpath.values.calibration import Calibration
from cxpath.values.cell_peaks import CellPeaks


@dataclass(frozen=True, eq=False)
class Observation:
    """One field: what was seen and what is there.

    Parameters
    ----------
    peaks : CellPeaks
        Also faint ones; see `above`.
    truth : DrawnCells
    judged_peaks, judged_truth : bool array
        False near the edge and where the drawing says that cells are not to be judged.
    pairs : int64 array, (P, 2)
        Rows of truth and peaks that are one cell.
    """

    peaks: CellPeaks
    truth: DrawnCells
    judged_peaks: NDArray[np.bool_]
    judged_truth: NDArray[np.bool_]
    pairs: NDArray[np.int64]


@dataclass(frozen=True)
class Decision:
    """How peaks become calls: calibration and the two cuts."""

    calibration: Calibration
    centre_threshold: float
    stained_threshold: float


def observe(detector: Detector, drawn: Iterable[DrawnField], judging: JudgingSettings) -> list[Observation]:
    """Run the detector over fields, one by one; peaks below its threshold are not seen.

    Parameters
    ----------
    detector : Detector
        With a low centre threshold if a cut is still to be chosen.
    drawn : iterable of DrawnField
    judging : JudgingSettings
    """
    return [
        _observed(detector.detect(np.ascontiguousarray(field.rgb)[None])[0], field, detector.mpp, judging)
        for field in drawn
    ]


def above(observation: Observation, centre_threshold: float, radius_px: float) -> Observation:
    """Return what would have been seen with a higher threshold, matched anew."""
    keep = observation.peaks.score >= centre_threshold
    peaks = take_peaks(observation.peaks, keep)
    return Observation(
        peaks=peaks,
        truth=observation.truth,
        judged_peaks=observation.judged_peaks[keep],
        judged_truth=observation.judged_truth,
        pairs=_pairs(observation.truth, peaks, radius_px),
    )


def table_of(
    observation: Observation, calibration: Calibration, stained_threshold: float
) -> NDArray[np.int64]:
    """Return the (6, 6) counts of one field under hard calls, as scores make them."""
    peaks, truth = observation.peaks, observation.truth
    names = name_cells(peaks.kind_logits, calibration)
    stained = positive_probability(peaks.stain_logits, names, calibration) >= stained_threshold
    return tally(
        score_class(truth.kind, truth.positive),
        score_class(names.kind, stained),
        observation.pairs,
        observation.judged_truth,
        observation.judged_peaks,
    )


def take_peaks(peaks: CellPeaks, rows: NDArray[np.bool_]) -> CellPeaks:
    """Return the peaks at `rows`."""
    one_each = {
        item.name: getattr(peaks, item.name)[rows] for item in fields(CellPeaks) if item.name != "radii_um"
    }
    return CellPeaks(radii_um=peaks.radii_um, **one_each)


def _observed(peaks: CellPeaks, field: DrawnField, mpp: float, judging: JudgingSettings) -> Observation:
    return Observation(
        peaks=peaks,
        truth=field.cells,
        judged_peaks=_judged(peaks.x_px, peaks.y_px, field.ignore, judging.margin_px),
        judged_truth=_judged(field.cells.x_px, field.cells.y_px, field.ignore, judging.margin_px),
        pairs=_pairs(field.cells, peaks, judging.match_radius_um / mpp),
    )


def _pairs(truth: DrawnCells, peaks: CellPeaks, radius_px: float) -> NDArray[np.int64]:
    return match_points(
        np.column_stack([truth.x_px, truth.y_px]), np.column_stack([peaks.x_px, peaks.y_px]), radius_px
    )


def _judged(
    x_px: NDArray[np.float64], y_px: NDArray[np.float64], ignore: NDArray[np.bool_], margin_px: int
) -> NDArray[np.bool_]:
    height, width = (REGION_STRIDE_PX * side for side in ignore.shape)
    inner = (
        (x_px >= margin_px) & (x_px < width - margin_px) & (y_px >= margin_px) & (y_px < height - margin_px)
    )
    row = np.clip(y_px // REGION_STRIDE_PX, 0, ignore.shape[0] - 1).astype(int)
    column = np.clip(x_px // REGION_STRIDE_PX, 0, ignore.shape[1] - 1).astype(int)
    return np.asarray(inner & ~ignore[row, column])
