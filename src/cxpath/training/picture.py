"""A whole picture brought to the network's µm/px, and the cells of a picture of any size.

Knows nothing of what is labelled on it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.network.detector import Detector
from cxpath.training.observation import take_peaks
from cxpath.values.cell_peaks import CellPeaks

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
