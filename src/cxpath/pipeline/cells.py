"""From peaks to measured cells: probabilities, staining measurements, duplicates at tile borders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cxpath.data import (
    FINE_CLASSES,
    IMMUNE_SUBKINDS,
    STAIN_CLASSES,
    Calibration,
    CellPeaks,
    CellTable,
    CellTableFacts,
    Kind,
    Subkind,
    TileFrame,
)
from cxpath.pipeline.settings import CellSettings

# What is measured on each cell from its ring samples: nucleus, membrane and cytoplasm.
#
# These serve the H-score, other markers and display. Whether a cell is positive is the network's calibrated
# probability, not a cut on these.


SMALLEST_RADIUS_UM = 1.5
CYTOPLASM_DEPTH_UM = 2.0


@dataclass(frozen=True, eq=False)
class CellMeasurements:
    """Arrays of length N; optical densities, a share and micrometres."""

    dab_membrane_od: NDArray[np.float32]
    dab_cytoplasm_od: NDArray[np.float32]
    membrane_completeness: NDArray[np.float32]
    hematoxylin_od: NDArray[np.float32]
    diameter_um: NDArray[np.float32]


def measure_cells(
    radii_um: NDArray[np.float32],
    hematoxylin_od: NDArray[np.float32],
    dab_od: NDArray[np.float32],
    settings: CellSettings,
) -> CellMeasurements:
    """Measure cells on rings around their centres.

    Parameters
    ----------
    radii_um : float32 array, (R,)
        Rising from 0.
    hematoxylin_od, dab_od : float32 array, (N, R, A)
        Stain amounts at each radius and angle.
    settings : CellSettings

    Returns
    -------
    CellMeasurements
        `diameter_um` is where the nucleus's haematoxylin falls to half; `dab_membrane_od` the mean over
        angles of the darkest DAB between the nucleus and `membrane_reach_um` outside it;
        `dab_cytoplasm_od` the median just outside the nucleus; `membrane_completeness` the share of
        angles with a visible line.
    """
    profile = _profile(hematoxylin_od)
    nucleus_um = _nuclear_radius_um(radii_um, profile)
    outside = radii_um[None, :] - nucleus_um[:, None]
    ring = (outside >= 0) & (outside <= settings.membrane_reach_um)
    inner = (outside >= -0.5) & (outside <= CYTOPLASM_DEPTH_UM)
    line = _highest(dab_od, ring)
    cytoplasm = _masked_median(dab_od, inner)
    visible = (line >= settings.membrane_visible_od) & (
        line >= settings.membrane_contrast * np.maximum(cytoplasm[:, None], 0)
    )
    core = radii_um[None, :] <= np.maximum(nucleus_um[:, None] - 0.5, 1.0)
    return CellMeasurements(
        dab_membrane_od=line.mean(axis=1).astype(np.float32),
        dab_cytoplasm_od=cytoplasm.astype(np.float32),
        membrane_completeness=visible.mean(axis=1).astype(np.float32),
        hematoxylin_od=((profile * core).sum(axis=1) / core.sum(axis=1)).astype(np.float32),
        diameter_um=(2 * nucleus_um).astype(np.float32),
    )


def nuclear_radius_um(
    radii_um: NDArray[np.float32], hematoxylin_od: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return where haematoxylin, averaged over angles, first falls half way from the middle to the rim.

    Parameters
    ----------
    radii_um : float32 array, (R,)
    hematoxylin_od : float32 array, (N, R, A)

    Returns
    -------
    float32 array, (N,)
        Between `SMALLEST_RADIUS_UM` and 0.6 of the largest radius.
    """
    return _nuclear_radius_um(radii_um, _profile(hematoxylin_od))


def _profile(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean over angles, (N, R); a quarter of the time of NumPy's own `mean`."""
    return np.asarray(np.einsum("nra->nr", samples) / np.float32(samples.shape[2]))


def _highest(samples: NDArray[np.float32], rings: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the largest over the chosen rings, (N, A), of (N, R, A) and (N, R).

    Ring by ring, since NumPy is slow where the last axis is short.
    """
    left_out = np.where(rings, np.float32(0), np.float32(-np.inf))
    return np.asarray(np.add(samples.swapaxes(0, 1), left_out.T[:, :, None], order="C").max(axis=0))


def _nuclear_radius_um(radii_um: NDArray[np.float32], profile: NDArray[np.float32]) -> NDArray[np.float32]:
    middle = profile[:, radii_um <= SMALLEST_RADIUS_UM].mean(axis=1)
    half = (middle + profile.min(axis=1, initial=np.inf)) / 2
    below = (profile < half[:, None]) & (radii_um[None, :] >= SMALLEST_RADIUS_UM)
    first = np.where(below.any(axis=1), below.argmax(axis=1), len(radii_um) - 1)
    rows = np.arange(len(profile))
    above, under = profile[rows, first - 1], profile[rows, first]
    step = np.clip((above - half) / np.maximum(above - under, 1e-6), 0, 1)
    crossing = radii_um[first - 1] + step * (radii_um[first] - radii_um[first - 1])
    limited = np.clip(crossing, SMALLEST_RADIUS_UM, 0.6 * radii_um[-1])
    return np.asarray(limited, dtype=np.float32)


def _masked_median(samples: NDArray[np.float32], rings: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the median over the chosen rings and all angles; (N, R, A) and (N, R) to (N,)."""
    if not len(samples):
        return np.zeros(0, dtype=np.float32)
    chosen = np.where(rings[:, :, None], samples, np.float32(np.inf))
    ordered = np.sort(chosen.reshape(len(samples), -1), axis=1)  # five times as fast as numpy's nanmedian
    count = rings.sum(axis=1) * samples.shape[2]
    row = np.arange(len(samples))
    return np.asarray((ordered[row, (count - 1) // 2] + ordered[row, count // 2]) / 2, dtype=np.float32)


# From logits to calibrated probabilities, and from probabilities to the name of a cell.


_SUBKIND_OF_FINE = np.array([0, *(Subkind[name.upper()] for name in FINE_CLASSES[1:])], dtype=np.uint8)
_KIND_OF_FINE = np.array(
    [
        Kind.TUMOUR,
        *(Kind.IMMUNE if Subkind(s) in IMMUNE_SUBKINDS else Kind.OTHER for s in _SUBKIND_OF_FINE[1:]),
    ],
    dtype=np.uint8,
)


@dataclass(frozen=True, eq=False)
class CellNames:
    """Class of each cell with its probabilities; arrays of length N."""

    kind: NDArray[np.uint8]
    subkind: NDArray[np.uint8]
    p_tumour: NDArray[np.float32]
    p_immune: NDArray[np.float32]
    p_other: NDArray[np.float32]

    @property
    def certainty(self) -> NDArray[np.float32]:
        """Probability of the kind that each cell is called."""
        return np.maximum(self.p_tumour, np.maximum(self.p_immune, self.p_other))


def name_cells(class_logits: NDArray[np.float32], calibration: Calibration) -> CellNames:
    """Name cells from the network's fine classes.

    The kind is the one with the largest summed probability, the subkind the likeliest within it: a cell
    split between plasma cell and neutrophil is `other`, whatever single class leads.

    Parameters
    ----------
    class_logits : float32 array, (N, 10)
        In the order of `FINE_CLASSES`.
    calibration : Calibration
    """
    fine = _softmax(calibrated_logits(class_logits, calibration))
    summed = np.stack([fine[:, kind == _KIND_OF_FINE].sum(axis=1) for kind in Kind], axis=1)
    kind = summed.argmax(axis=1).astype(np.uint8)
    within = np.where(_KIND_OF_FINE[None, :] == kind[:, None], fine, -1.0)
    return CellNames(kind, _SUBKIND_OF_FINE[within.argmax(axis=1)], *summed.astype(np.float32).T)


def calibrated_logits(class_logits: NDArray[np.float32], calibration: Calibration) -> NDArray[np.float32]:
    """Return the kind logits, (N, 10), after temperature and biases."""
    biases = np.array(calibration.class_biases or [0.0] * len(FINE_CLASSES), dtype=np.float32)
    return np.asarray(class_logits / calibration.class_temperature + biases, dtype=np.float32)


def stained_probability(
    stain_logits: NDArray[np.float32], kind: NDArray[np.uint8], calibration: Calibration
) -> NDArray[np.float32]:
    """Return the calibrated probability of being PD-L1 positive by the rule of the kind named.

    Tumour cells need linear membrane staining; immune cells, and others for display, membrane and/or
    cytoplasm (clinical brief 1.1).

    Parameters
    ----------
    stain_logits : float32 array, (N, 2)
        In the order of `STAIN_CLASSES`.
    kind : uint8 array, (N,)
    calibration : Calibration
    """
    membrane_logit = stain_logits[:, STAIN_CLASSES.index("membrane")]
    any_logit = stain_logits[:, STAIN_CLASSES.index("any")]
    membrane = membrane_logit / calibration.membrane_temperature + calibration.membrane_bias
    either = any_logit / calibration.any_temperature + calibration.any_bias
    logit = np.where(kind == Kind.TUMOUR, membrane, either).astype(np.float64)
    return (1.0 / (1.0 + np.exp(-np.clip(logit, -60.0, 60.0)))).astype(np.float32)


def positive_probability(
    stain_logits: NDArray[np.float32], names: CellNames, calibration: Calibration
) -> NDArray[np.float32]:
    """Return the calibrated probability that each cell is what it is called, and PD-L1 positive.

    A stained cell that may as well be a plasma cell is a doubtful positive lymphocyte, however brown. Without
    the doubt about its kind, such cells carry slides of low CPS over a cut-off.

    Parameters
    ----------
    stain_logits : float32 array, (N, 2)
        In the order of `STAIN_CLASSES`.
    names : CellNames
    calibration : Calibration
    """
    return names.certainty * stained_probability(stain_logits, names.kind, calibration)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True, initial=-np.inf)
    raised = np.exp(shifted)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


# From the peaks of one tile to the cells that this tile owns.


def cells_from_peaks(
    peaks: CellPeaks,
    frame: TileFrame,
    facts: CellTableFacts,
    calibration: Calibration,
    settings: CellSettings | None = None,
) -> CellTable:
    """Turn peaks into cells, keeping only those whose centre lies in the tile's core.

    Half-open cores tile the plane, so that every centre belongs to exactly one tile.

    Parameters
    ----------
    peaks : CellPeaks
        Of the whole tile, halo included.
    frame : TileFrame
    facts : CellTableFacts
    calibration : Calibration
    settings : CellSettings, optional
    """
    first, last = frame.halo_px, frame.halo_px + frame.core_px
    own = (peaks.x_px >= first) & (peaks.x_px < last) & (peaks.y_px >= first) & (peaks.y_px < last)
    names = name_cells(peaks.class_logits[own], calibration)
    measured = measure_cells(
        peaks.radii_um, peaks.hematoxylin_od[own], peaks.dab_od[own], settings or CellSettings()
    )
    return CellTable.from_columns(
        facts,
        x_px=frame.x_px + peaks.x_px[own] * frame.scale,
        y_px=frame.y_px + peaks.y_px[own] * frame.scale,
        **vars(names),
        **vars(measured),
        stained=positive_probability(peaks.stain_logits[own], names, calibration),
        region=peaks.region[own],
        embedding=None if peaks.embedding is None else peaks.embedding[own],
        tile=np.full(int(own.sum()), frame.index, dtype=np.int32),
    )


# One cell once: pairs of centres that two neighbouring tiles each claimed.


class Deduplicator:
    """Drops, tile by tile, the cells that an earlier tile has claimed already.

    A centre within rounding of a core's edge can be found on either side of it by two tiles, nearer to each
    other than two cells can be. Of such a pair the one that comes later goes. Only the cells along the edges
    of each core are remembered, so tiles may come in any order and memory does not grow with their cells.

    Parameters
    ----------
    columns : int
        Tiles in a row of the plan.
    min_distance_px : float
        The detector's own smallest distance between two cells, in level-0 pixels.
    """

    def __init__(self, columns: int, min_distance_px: float) -> None:
        self._columns = columns
        self._reach_px = min_distance_px * (1 + 1e-9)
        self._rims: dict[tuple[int, int], NDArray[np.float64]] = {}

    def keep(self, cells: CellTable, frame: TileFrame) -> CellTable:
        """Return the cells of a tile that none of its neighbours so far has.

        Parameters
        ----------
        cells : CellTable
            All from this tile.
        frame : TileFrame
            Where it lies.
        """
        points = np.column_stack([cells.x_px, cells.y_px])
        near_edge = self._near_edge(points, frame)
        doubled = np.zeros(len(cells), dtype=bool)
        claimed = self._claimed_around(*divmod(frame.index, self._columns))
        if len(claimed) and near_edge.any():
            distance, _ = cKDTree(claimed).query(points[near_edge], distance_upper_bound=self._reach_px)
            doubled[near_edge] = np.isfinite(distance)
        self._rims[divmod(frame.index, self._columns)] = points[near_edge & ~doubled]
        return cells.take(~doubled) if doubled.any() else cells

    def _near_edge(self, points: NDArray[np.float64], frame: TileFrame) -> NDArray[np.bool_]:
        inner = points - (frame.core_x_px, frame.core_y_px)
        reach, side = self._reach_px, frame.core_side_px
        return np.asarray(((inner <= reach) | (inner >= side - reach)).any(axis=1))

    def _claimed_around(self, row: int, column: int) -> NDArray[np.float64]:
        places = ((row + down, column + across) for down in (-1, 0, 1) for across in (-1, 0, 1))
        rims = [self._rims[place] for place in places if place in self._rims]
        return np.concatenate(rims) if rims else np.zeros((0, 2))
