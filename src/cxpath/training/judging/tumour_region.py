"""The tumour region that called cells make: where smoothed tumour cells outnumber all other cells."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.training.judging.calls import Calls
from cxpath.values.cell_table import Kind

FEWEST_PER_MM2 = 1000.0
"""A thinner scatter makes no region: a nest holds several thousand tumour cells per mm²."""


def tumour_region(calls: Calls, shape: tuple[int, int], mpp: float, smoothing_um: float) -> NDArray[np.bool_]:
    """Return where tumour is, at the pixels of the picture.

    Parameters
    ----------
    calls : Calls
    shape : tuple of int
        Height and width of the picture.
    mpp : float
    smoothing_um : float
        Standard deviation of the kernel that spreads each cell.
    """
    is_tumour = calls.kind == Kind.TUMOUR
    tumour, other = (
        _density_mm2(calls.points_um[rows], shape, mpp, smoothing_um) for rows in (is_tumour, ~is_tumour)
    )
    return np.asarray((tumour > other) & (tumour >= FEWEST_PER_MM2))


def _density_mm2(
    points_um: NDArray[np.float64], shape: tuple[int, int], mpp: float, smoothing_um: float
) -> NDArray[np.float32]:
    single = np.zeros(shape, np.float32)
    column, row = (points_um / mpp).astype(np.int64).reshape(-1, 2).T
    np.add.at(single, (row.clip(0, shape[0] - 1), column.clip(0, shape[1] - 1)), 1e6 / mpp**2)
    return np.asarray(
        cv2.GaussianBlur(single, (0, 0), smoothing_um / mpp, borderType=cv2.BORDER_REFLECT), np.float32
    )
