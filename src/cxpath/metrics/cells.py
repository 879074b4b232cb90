"""Cells predicted against cells known: matching, confusion tables and the figures made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import overload

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cxpath.agreement import match_points
from cxpath.data import Calibration, CellPeaks, Kind, Settings
from cxpath.network import Detector, Metric
from cxpath.pipeline import name_cells, positive_probability
from cxpath.synth import REGION_STRIDE_PX, SyntheticCells, SyntheticField

# Counts of truth against call, field by field, and every figure that follows from them.
#
# The six places are the four classes that make the score, `other`, and nothing (missed or invented).


class MatchingSettings(Settings):
    """How peaks are matched to truth, and what is measured."""

    match_radius_um: float = Field(default=6.0, gt=0)
    """A detection within this distance of a true cell may be matched to it, µm."""
    margin_px: int = Field(default=48, ge=0)
    """Cells nearer to a field's edge are not scored: there the network lacks its halo."""
    min_distance_um: float = Field(default=3.0, gt=0)
    """Two detections nearer than this are one cell, µm."""
    low_cps: float = 3.0
    """Fields with a true CPS below this are the ones that must not be overcalled."""


CLASSES = ("tumour_positive", "tumour_negative", "immune_positive", "immune_negative", "other")
OTHER, NOTHING = 4, 5
_REPEATS, _LEVEL = 1000, 0.95

CountFigure = Callable[[NDArray[np.int64]], float]


def score_class(kind: NDArray[np.uint8], positive: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return each cell's place in `CLASSES`."""
    return np.where(kind == Kind.OTHER, OTHER, 2 * kind.astype(np.int64) + ~positive).astype(np.int64)


def tally(
    truth: NDArray[np.int64], found: NDArray[np.int64], pairs: NDArray[np.int64],
    scored_truth: NDArray[np.bool_], scored_found: NDArray[np.bool_],
) -> NDArray[np.int64]:  # fmt: skip
    """Count one field, (6, 6): row the true class, column the called one, last of each: nothing.

    A pair counts when its true cell is evaluated; a lone detection when it lies where cells are evaluated.

    Parameters
    ----------
    truth, found : int64 array, (T,), (F,)
        Places in `CLASSES`.
    pairs : int64 array, (P, 2)
    scored_truth, scored_found : bool array, (T,), (F,)
    """
    table = np.zeros((6, 6), dtype=np.int64)
    counted = pairs[scored_truth[pairs[:, 0]]]
    np.add.at(table, (truth[counted[:, 0]], found[counted[:, 1]]), 1)
    missed = scored_truth.copy()
    missed[pairs[:, 0]] = False
    table[:, NOTHING] += np.bincount(truth[missed], minlength=6)
    invented = scored_found.copy()
    invented[pairs[:, 1]] = False
    table[NOTHING] += np.bincount(found[invented], minlength=6)
    return table


def detection_f1(table: NDArray[np.int64]) -> float:
    """Return the F1 of finding any cell."""
    return _ratio(2 * table[:5, :5].sum(), 2 * table[:5, :5].sum() + table[:5, 5].sum() + table[5, :5].sum())


def detection_recall(table: NDArray[np.int64]) -> float:
    """Return the share of true cells that were found."""
    return _ratio(table[:5, :5].sum(), table[:5].sum())


def detection_precision(table: NDArray[np.int64]) -> float:
    """Return the share of detections that are cells."""
    return _ratio(table[:5, :5].sum(), table[:, :5].sum())


def class_f1(table: NDArray[np.int64], place: int) -> float:
    """Return the F1 of one class, place and name both right."""
    return _ratio(2 * table[place, place], table[place].sum() + table[:, place].sum())


def macro_f1(table: NDArray[np.int64]) -> float:
    """Return the mean F1 of the four classes that make the score."""
    return float(np.mean([class_f1(table, place) for place in range(4)]))


def stained_specificity(table: NDArray[np.int64]) -> float:
    """Return the share of found negative tumour and immune cells that are not called positive of any kind."""
    return 1.0 - _ratio(table[[1, 3]][:, [0, 2]].sum(), table[[1, 3], :5].sum())


def stained_recall(table: NDArray[np.int64]) -> float:
    """Return the share of found positive tumour and immune cells that are called positive of any kind."""
    return _ratio(table[[0, 2]][:, [0, 2]].sum(), table[[0, 2], :5].sum())


def false_tumour_positive(table: NDArray[np.int64]) -> float:
    """Return the share of found non-tumour cells that are called PD-L1 positive tumour."""
    return _ratio(table[2:5, 0].sum(), table[2:5, :5].sum())


def true_cps(table: NDArray[np.int64]) -> float:
    """Return the CPS of the true cells; NaN without a tumour cell."""
    return _cps(table[:5].sum(axis=1))


def predicted_cps(table: NDArray[np.int64]) -> float:
    """Return the CPS of the calls; NaN without a cell called tumour."""
    return _cps(table[:, :5].sum(axis=0))


FIGURES: dict[str, CountFigure] = {
    "detection_f1": detection_f1,
    "detection_recall": detection_recall,
    "detection_precision": detection_precision,
    "macro_f1": macro_f1,
    "stained_specificity": stained_specificity,
    "stained_recall": stained_recall,
    "false_tumour_positive": false_tumour_positive,
    **{f"f1_{name}": partial(class_f1, place=place) for place, name in enumerate(CLASSES)},
}
"""Every figure that the card names, by its name there."""


@dataclass(frozen=True, eq=False)
class FieldTables:
    """Counts of many fields, (N, 6, 6)."""

    tables: NDArray[np.int64]

    def figure(self, figure: CountFigure) -> float:
        """Return a figure of all fields pooled."""
        return figure(self.tables.sum(axis=0))

    def metric(self, figure: CountFigure, method: str) -> Metric | None:
        """Return a pooled figure with its percentile bootstrap interval over fields (seeded).

        None where the figure is not defined, as of a class that no field has: a card states numbers alone.
        """
        value = self.figure(figure)
        if not np.isfinite(value):
            return None
        rng = np.random.default_rng(0)
        number = len(self.tables)
        drawn = rng.multinomial(number, np.full(number, 1 / number), size=_REPEATS)
        pooled = np.tensordot(drawn, self.tables, axes=1)
        values = np.array([figure(table) for table in pooled])
        edge = (1 - _LEVEL) / 2
        known = values[np.isfinite(values)]
        low, high = np.quantile(known, [edge, 1 - edge]).tolist() if len(known) else (None, None)
        return Metric(
            value=_rounded(value), low=_rounded(low), high=_rounded(high),
            level=_LEVEL, count=number, method=f"{method}; bootstrap over fields",
        )  # fmt: skip


@overload
def _rounded(value: float) -> float: ...
@overload
def _rounded(value: None) -> None: ...
def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _cps(counts: NDArray[np.int64]) -> float:
    tumour = counts[0] + counts[1]
    return min(100.0, 100.0 * float(counts[0] + counts[2]) / float(tumour)) if tumour else float("nan")


def _ratio(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else float("nan")


# What a network sees in fields whose truth is known: peaks next to true cells, before any cut is chosen.


@dataclass(frozen=True, eq=False)
class Observation:
    """One field: what was seen and what is there.

    Parameters
    ----------
    peaks : CellPeaks
        Also faint ones; see `above`.
    truth : SyntheticCells
    scored_peaks, scored_truth : bool array
        False near the edge and where the field says that cells do not count.
    pairs : int64 array, (P, 2)
        Rows of truth and peaks that are one cell.
    fine : int64 array, optional
        Fine label of each true cell, or of a set of classes, where kind and subkind do not tell; see
        `fine_labels`.
    """

    peaks: CellPeaks
    truth: SyntheticCells
    scored_peaks: NDArray[np.bool_]
    scored_truth: NDArray[np.bool_]
    pairs: NDArray[np.int64]
    fine: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Decision:
    """How peaks become calls: calibration and the two cuts."""

    calibration: Calibration
    centre_threshold: float
    stained_threshold: float


def observe(
    detector: Detector, fields: Iterable[SyntheticField], matching: MatchingSettings
) -> list[Observation]:
    """Run the detector over fields, one by one; peaks below its threshold are not seen.

    Parameters
    ----------
    detector : Detector
        With a low centre threshold if a cut is still to be chosen.
    fields : iterable of SyntheticField
    matching : MatchingSettings
    """
    return [
        _observed(detector.detect(np.ascontiguousarray(field.rgb)[None])[0], field, detector.mpp, matching)
        for field in fields
    ]


def above(observation: Observation, centre_threshold: float, radius_px: float) -> Observation:
    """Return what would have been seen with a higher threshold, matched again."""
    keep = observation.peaks.score >= centre_threshold
    peaks = take_peaks(observation.peaks, keep)
    return Observation(
        peaks=peaks,
        truth=observation.truth,
        scored_peaks=observation.scored_peaks[keep],
        scored_truth=observation.scored_truth,
        pairs=match_cells(observation.truth, peaks, radius_px),
        fine=observation.fine,
    )


def table_of(
    observation: Observation, calibration: Calibration, stained_threshold: float
) -> NDArray[np.int64]:
    """Return the (6, 6) counts of one field under hard calls, as scores make them."""
    peaks, truth = observation.peaks, observation.truth
    names = name_cells(peaks.class_logits, calibration)
    stained = positive_probability(peaks.stain_logits, names, calibration) >= stained_threshold
    return tally(
        score_class(truth.kind, truth.positive),
        score_class(names.kind, stained),
        observation.pairs,
        observation.scored_truth,
        observation.scored_peaks,
    )


def take_peaks(peaks: CellPeaks, rows: NDArray[np.bool_]) -> CellPeaks:
    """Return the peaks at `rows`."""
    known = {name: values for name, values in vars(peaks).items() if values is not None}
    radii_um = known.pop("radii_um")
    return CellPeaks(radii_um=radii_um, **{name: values[rows] for name, values in known.items()})


def _observed(peaks: CellPeaks, field: SyntheticField, mpp: float, matching: MatchingSettings) -> Observation:
    return Observation(
        peaks=peaks,
        truth=field.cells,
        scored_peaks=_is_scored(peaks.x_px, peaks.y_px, field.ignore, matching.margin_px),
        scored_truth=_is_scored(field.cells.x_px, field.cells.y_px, field.ignore, matching.margin_px),
        pairs=match_cells(field.cells, peaks, matching.match_radius_um / mpp),
    )


def match_cells(truth: SyntheticCells, peaks: CellPeaks, radius_px: float) -> NDArray[np.int64]:
    """Return rows of truth and peaks that are one cell, one-to-one within a radius.

    Parameters
    ----------
    truth : SyntheticCells
    peaks : CellPeaks
    radius_px : float
        In pixels of the field, as the positions of both.

    Returns
    -------
    int64 array, (M, 2)
    """
    return match_points(
        np.column_stack([truth.x_px, truth.y_px]), np.column_stack([peaks.x_px, peaks.y_px]), radius_px
    )


def _is_scored(
    x_px: NDArray[np.float64], y_px: NDArray[np.float64], ignore: NDArray[np.bool_], margin_px: int
) -> NDArray[np.bool_]:
    height, width = (REGION_STRIDE_PX * side for side in ignore.shape)
    inner = (
        (x_px >= margin_px) & (x_px < width - margin_px) & (y_px >= margin_px) & (y_px < height - margin_px)
    )
    row = np.clip(y_px // REGION_STRIDE_PX, 0, ignore.shape[0] - 1).astype(int)
    column = np.clip(x_px // REGION_STRIDE_PX, 0, ignore.shape[1] - 1).astype(int)
    return np.asarray(inner & ~ignore[row, column])


# A whole picture brought to the network's µm/px, and the cells of a picture of any size.
#
# Knows nothing of what is labelled on it.


_STRIDE_PX = 16


def rescaled(rgb: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """Return the picture at another size: by area when it shrinks, cubic when it grows."""
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.ascontiguousarray(cv2.resize(rgb, size, interpolation=method), dtype=np.uint8)


def detect_in_picture(detector: Detector, rgb: NDArray[np.uint8]) -> CellPeaks:
    """Find the cells of a whole picture, mirrored at its borders to give the network its halo."""
    height, width = rgb.shape[:2]
    halo = detector.halo_px
    below, right = (halo + -(side + 2 * halo) % _STRIDE_PX for side in (height, width))
    tile = np.pad(rgb, ((halo, below), (halo, right), (0, 0)), mode="symmetric")
    peaks = detector.detect(tile[None])[0]
    x_px, y_px = peaks.x_px - halo, peaks.y_px - halo
    inside = (x_px >= 0) & (x_px < width) & (y_px >= 0) & (y_px < height)
    found = take_peaks(peaks, inside)
    return CellPeaks(**{**vars(found), "x_px": x_px[inside], "y_px": y_px[inside]})
