"""What a model sees in one restained tile, as counts that can be pooled over tiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from cxpath.data import FINE_CLASSES, STAIN_CLASSES, CellPeaks, Kind, match_points
from cxpath.metrics import Decision, binned
from cxpath.pipeline import calibrated_logits, name_cells, positive_probability
from cxpath.synth import LABELS, RestainedTile, Tissue

HISTOGRAM = np.linspace(-12, 12, 97)
"""Edges of the histograms of log-odds, from which areas under curves are computed."""

_EPITHELIUM = np.array([label.tissue is Tissue.EPITHELIUM for label in LABELS])


@dataclass(frozen=True, eq=False)
class SeenTile:
    """The cells found in one restained tile, calibrated.

    Parameters
    ----------
    places_um : float64 array, (F, 2)
    share : float64 array, (F, C)
        Probability of each of the C labels that the data set distinguishes, adding up to 1.
    log_odds : float64 array, (F,)
        Of the data set's epithelial label against its others.
    membrane, any_stain : float64 array, (F,)
        Log-odds of either staining.
    called_positive : bool array, (F,)
        Called PD-L1 positive tumour at the model's threshold.
    """

    places_um: NDArray[np.float64]
    share: NDArray[np.float64]
    log_odds: NDArray[np.float64]
    membrane: NDArray[np.float64]
    any_stain: NDArray[np.float64]
    called_positive: NDArray[np.bool_]


def see(peaks: CellPeaks, labels: NDArray[np.int64], decision: Decision, mpp: float) -> SeenTile:
    """Return the found cells in the terms of a data set.

    Parameters
    ----------
    peaks : CellPeaks
    labels : int64 array, (C,)
        Rows of `LABELS` that the data set distinguishes. A cell found is what is likeliest among these: what
        the data set has no name for cannot be evaluated with it.
    decision : Decision
    mpp : float
    """
    calibration = decision.calibration
    fine = softmax(calibrated_logits(peaks.class_logits, calibration).astype(np.float64), axis=1)
    members = np.array([[name in LABELS[row].classes for name in FINE_CLASSES] for row in labels])
    summed = np.maximum(fine @ members.T, 1e-12)
    epithelial = summed[:, _EPITHELIUM[labels]].sum(axis=1)
    names = name_cells(peaks.class_logits, calibration)
    positive = positive_probability(peaks.stain_logits, names, calibration) >= decision.stained_threshold
    stains = np.asarray(peaks.stain_logits, np.float64)
    membrane, any_stain = (stains[:, STAIN_CLASSES.index(one)] for one in ("membrane", "any"))
    return SeenTile(
        places_um=np.column_stack([peaks.x_px, peaks.y_px]) * mpp,
        share=summed / summed.sum(axis=1, keepdims=True),
        log_odds=np.log(epithelial) - np.log(np.maximum(summed.sum(axis=1) - epithelial, 1e-12)),
        membrane=membrane / calibration.membrane_temperature + calibration.membrane_bias,
        any_stain=any_stain / calibration.any_temperature + calibration.any_bias,
        called_positive=(names.kind == Kind.TUMOUR) & positive,
    )


@dataclass(frozen=True, eq=False)
class TileCounts:
    """Counts of one tile or, added up, of many.

    Parameters
    ----------
    near, wide : float64 array, (C + 1, C + 1)
        Row the true label, column the called one, last of each: nothing; pairs within either radius.
    class_bins, stained_bins : float64 array, (10, 3)
        `reliability.binned` of the called label, and of the staining that decides the true label.
    membrane, epithelium : float64 array, (2, 96)
        Histogram of the log-odds of membrane staining in epithelial cells, negative and positive; of
        epithelium, in other and in epithelial cells.
    positive : float64 array, (3,)
        PD-L1 positive tumour cells: called and true, called, true.
    """

    near: NDArray[np.float64]
    wide: NDArray[np.float64]
    class_bins: NDArray[np.float64]
    stained_bins: NDArray[np.float64]
    membrane: NDArray[np.float64]
    epithelium: NDArray[np.float64]
    positive: NDArray[np.float64]

    def flat(self) -> NDArray[np.float64]:
        """Return all counts as one row."""
        return np.concatenate([part.ravel() for part in vars(self).values()])

    @classmethod
    def from_flat(cls, row: NDArray[np.float64], classes: int) -> TileCounts:
        """Return the counts that `flat` wrote."""
        side = classes + 1
        shapes = [(side, side)] * 2 + [(10, 3)] * 2 + [(2, len(HISTOGRAM) - 1)] * 2 + [(3,)]
        edges = np.cumsum([int(np.prod(shape)) for shape in shapes])
        parts = np.split(row, edges[:-1])
        return cls(*(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)))


def count_tile(
    seen: SeenTile, tile: RestainedTile, labels: NDArray[np.int64], near_um: float, wide_um: float
) -> TileCounts:
    """Count one tile.

    Parameters
    ----------
    seen : SeenTile
    tile : RestainedTile
        Its labels are all among `labels`.
    labels : int64 array, (C,)
    near_um, wide_um : float
        Two radii of a pair; everything but `wide` is counted within the first.
    """
    truth = np.searchsorted(labels, tile.label)
    places = np.column_stack([tile.x_px, tile.y_px]) * tile.mpp
    pairs = match_points(places, seen.places_um, near_um)
    true, found = pairs.T
    called = seen.share.argmax(axis=1)
    epithelial = _EPITHELIUM[tile.label]
    known = tile.stain_known[true]
    decided = np.where(epithelial[true], seen.membrane[found], seen.any_stain[found])
    stained = np.where(epithelial, tile.membrane, tile.any_stain)[true]
    lined = known & epithelial[true]
    return TileCounts(
        near=label_table(truth, called, pairs, len(labels)),
        wide=label_table(truth, called, match_points(places, seen.places_um, wide_um), len(labels)),
        class_bins=binned(seen.share.max(axis=1)[found].astype(np.float32), called[found] == truth[true]),
        stained_bins=binned(expit(decided[known]).astype(np.float32), stained[known]),
        membrane=_histograms(seen.membrane[found][lined], stained[lined]),
        epithelium=_histograms(seen.log_odds[found], epithelial[true]),
        positive=_positives(seen, tile, pairs, epithelial & tile.membrane),
    )


def label_table(
    truth: NDArray[np.int64], called: NDArray[np.int64], pairs: NDArray[np.int64], classes: int
) -> NDArray[np.float64]:
    """Return counts of true against called labels, (C + 1, C + 1); the last place is nothing."""
    table = np.zeros((classes + 1, classes + 1))
    np.add.at(table, (truth[pairs[:, 0]], called[pairs[:, 1]]), 1)
    table[:classes, classes] = np.bincount(np.delete(truth, pairs[:, 0]), minlength=classes)
    table[classes, :classes] = np.bincount(np.delete(called, pairs[:, 1]), minlength=classes)
    return table


def area_under_curve(histograms: NDArray[np.float64]) -> float:
    """Return the chance that a positive has higher log-odds than a negative; ties count half.

    Parameters
    ----------
    histograms : float64 array, (2, bins)
        Negatives, positives.
    """
    negative, positive = histograms
    below = np.cumsum(negative) - negative
    pairs = negative.sum() * positive.sum()
    return float((positive * (below + negative / 2)).sum() / pairs) if pairs else float("nan")


def _histograms(log_odds: NDArray[np.float64], positive: NDArray[np.bool_]) -> NDArray[np.float64]:
    inside = np.clip(log_odds, HISTOGRAM[0], HISTOGRAM[-1])
    return np.array(
        [np.histogram(inside[positive == answer], HISTOGRAM)[0] for answer in (False, True)], dtype=np.float64
    )


def _positives(
    seen: SeenTile, tile: RestainedTile, pairs: NDArray[np.int64], positive: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Count PD-L1 positive tumour cells; cells that could be called either way count nowhere."""
    doubtful = np.zeros(len(seen.called_positive), bool)
    doubtful[pairs[~tile.stain_known[pairs[:, 0]], 1]] = True
    called = seen.called_positive & ~doubtful
    both = called[pairs[:, 1]] & positive[pairs[:, 0]] & tile.stain_known[pairs[:, 0]]
    return np.array([both.sum(), called.sum(), (positive & tile.stain_known).sum()], dtype=np.float64)
