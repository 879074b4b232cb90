"""Optical densities of tissue seen closely, from patches spread over the slide."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cxpath.slide.slide import Slide
from cxpath.tissue.settings import TissueSettings
from cxpath.tissue.white_point import WhitePoint
from cxpath.values.stains import optical_density

VISIBLE_OD_SUM = 0.25


def stain_samples(
    slide: Slide,
    mask: NDArray[np.bool_],
    overview_mpp: float,
    white_point: WhitePoint,
    settings: TissueSettings,
) -> NDArray[np.float32]:
    """Read patches of tissue and return the optical densities of their visible pixels.

    Patches stand on evenly spaced tissue pixels of the overview in reading order: the same every time.

    Parameters
    ----------
    slide : Slide
    mask : bool array, (height, width)
        Tissue on the overview.
    overview_mpp : float
    white_point : tuple of float
    settings : TissueSettings

    Returns
    -------
    float32 array, (N, 3)
        Pixels whose optical density summed over channels is at least 0.25.
    """
    rows, columns = np.nonzero(mask)
    if len(rows) == 0:
        return np.zeros((0, 3), dtype=np.float32)
    chosen = np.unique(np.linspace(0, len(rows) - 1, settings.stain_patches).round().astype(int))
    side = round(settings.stain_patch_um / settings.stain_mpp)
    to_level0 = overview_mpp / slide.info.mpp
    half_px = settings.stain_patch_um / slide.info.mpp / 2
    patches = [
        slide.read(
            (columns[i] + 0.5) * to_level0 - half_px,
            (rows[i] + 0.5) * to_level0 - half_px,
            side,
            side,
            settings.stain_mpp,
        )
        for i in chosen
    ]
    density = optical_density(np.concatenate(patches), white_point).reshape(-1, 3)
    visible: NDArray[np.float32] = density[density.sum(axis=1) >= VISIBLE_OD_SUM]
    return visible
