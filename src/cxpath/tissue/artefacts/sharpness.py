"""How sharp a patch is: fine structure over coarser structure of the same patch.

The share of fine in coarser bands does not depend on how much there is to see, so pale and dense, blue and
brown tissue are judged alike (the normalisation behind Crete et al. 2007, with two difference-of-Gaussian
bands in micrometres; a defocus takes the fine band first).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

FINE_UM, MIDDLE_UM, COARSE_UM, COARSEST_UM = 0.7, 1.4, 2.8, 5.6


@dataclass(frozen=True)
class Sharpness:
    """What a close look at one patch says.

    Parameters
    ----------
    sharpness : float
        Standard deviation of structure of 0.7-1.4 µm over that of 1.4-2.8 µm; about 0.5 to 1.1 in focus.
    contrast_od : float
        Standard deviation of structure of 2.8-5.6 µm: whether there is anything to judge.
    relative_contrast : float
        Standard deviation over mean of the optical density.
    """

    sharpness: float
    contrast_od: float
    relative_contrast: float


def measure_sharpness(density: NDArray[np.float32], mpp: float) -> Sharpness:
    """Measure a patch of mean optical density, (height, width), at about 1 µm/px or finer."""
    widths = (FINE_UM, MIDDLE_UM, COARSE_UM, COARSEST_UM)
    blurred = [cv2.GaussianBlur(density, (0, 0), width / mpp) for width in widths]
    fine, middle, coarse = (_mean_and_spread(one - other)[1] for one, other in pairwise(blurred))
    mean, spread = _mean_and_spread(density)
    return Sharpness(
        sharpness=fine / middle if middle > 0 else 1.0,
        contrast_od=coarse,
        relative_contrast=spread / mean if mean > 0 else np.inf,
    )


def _mean_and_spread(image: NDArray[np.float32]) -> tuple[float, float]:
    """Return mean and standard deviation; OpenCV needs one pass where NumPy needs three."""
    mean, spread = cv2.meanStdDev(image)
    return float(mean[0, 0]), float(spread[0, 0])
