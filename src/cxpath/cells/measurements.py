"""What is measured on each cell from its ring samples: nucleus, membrane and cytoplasm.

These serve the H-score, other markers and display. Whether a cell is positive is the network's
calibrated probability, not a cut on these.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxpath.cells.settings import CellSettings

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
    nucleus_um = nuclear_radius_um(radii_um, hematoxylin_od)
    outside = radii_um[None, :] - nucleus_um[:, None]
    ring = (outside >= 0) & (outside <= settings.membrane_reach_um)
    inner = (outside >= -0.5) & (outside <= CYTOPLASM_DEPTH_UM)
    line = np.where(ring[:, :, None], dab_od, np.float32(-np.inf)).max(axis=1)
    cytoplasm = _masked_median(dab_od, inner)
    visible = (line >= settings.membrane_visible_od) & (
        line >= settings.membrane_contrast * np.maximum(cytoplasm[:, None], 0)
    )
    core = radii_um[None, :] <= np.maximum(nucleus_um[:, None] - 0.5, 1.0)
    weight = (core / core.sum(axis=1, keepdims=True))[:, :, None]
    return CellMeasurements(
        dab_membrane_od=line.mean(axis=1).astype(np.float32),
        dab_cytoplasm_od=cytoplasm.astype(np.float32),
        membrane_completeness=visible.mean(axis=1).astype(np.float32),
        hematoxylin_od=(hematoxylin_od * weight).sum(axis=1).mean(axis=1).astype(np.float32),
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
    profile = hematoxylin_od.mean(axis=2)
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
