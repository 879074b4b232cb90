"""Tissue or glass: a mask that keeps pale, blue-only and strongly brown tissue."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.filters import threshold_otsu
from skimage.morphology import remove_small_holes, remove_small_objects

from cxpath.data import optical_density
from cxpath.tissue.settings import TissueSettings
from cxpath.tissue.stains import WhitePoint

DARKEST_FOR_THRESHOLD_OD = 0.4


def tissue_mask(
    overview: NDArray[np.uint8], overview_mpp: float, white_point: WhitePoint, settings: TissueSettings
) -> NDArray[np.bool_]:
    """Find tissue on an overview picture.

    What takes light away is tissue: the mean optical density over the three channels sees haematoxylin
    and DAB alike, where a saturation or grey cut loses one or the other. What is rough is tissue too:
    pale nuclei on a field without any glass are hardly darker than its brightest part, but never even.

    Parameters
    ----------
    overview : uint8 array, (height, width, 3)
    overview_mpp : float
        Micrometres per pixel of `overview`.
    white_point : tuple of float
    settings : TissueSettings

    Returns
    -------
    bool array, (height, width)
    """
    density = optical_density(overview, white_point).mean(axis=2)
    width_px = max(settings.smoothing_um / overview_mpp / 2, 0.5)
    smooth = cv2.GaussianBlur(density, (0, 0), width_px)
    mask = (smooth > _cut(smooth, settings)) | (
        _roughness(density, 2 * width_px) > settings.roughest_glass_od
    )
    pixel_mm2 = (overview_mpp / 1000.0) ** 2
    mask = remove_small_objects(mask, max_size=int(settings.smallest_piece_mm2 / pixel_mm2))
    mask = remove_small_holes(mask, max_size=int(settings.largest_hole_mm2 / pixel_mm2))
    return _widened(mask, settings.margin_um / overview_mpp)


def _cut(smooth: NDArray[np.float32], settings: TissueSettings) -> float:
    """Half of Otsu's cut, held between the palest tissue and the noise of glass."""
    limited = np.minimum(smooth, DARKEST_FOR_THRESHOLD_OD)
    if float(np.ptp(limited)) < 1e-6:
        return settings.faintest_od
    half = 0.5 * float(threshold_otsu(limited))
    return float(np.clip(half, settings.faintest_od, settings.palest_tissue_od))


def _roughness(density: NDArray[np.float32], width_px: float) -> NDArray[np.float32]:
    """Return the local standard deviation of the optical density."""
    mean = cv2.GaussianBlur(density, (0, 0), width_px)
    mean_square = cv2.GaussianBlur(density * density, (0, 0), width_px)
    return np.sqrt(np.maximum(mean_square - mean * mean, 0))


def _widened(mask: NDArray[np.bool_], by_px: float) -> NDArray[np.bool_]:
    reach = round(by_px)
    if reach < 1:
        return mask
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return cv2.dilate(mask.astype(np.uint8), disc).astype(bool)
