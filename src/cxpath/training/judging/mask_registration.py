"""Finding where in a picture a mask's crop was cut, when nobody said."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.feature import match_template

_SMOOTHING_PX = 12.0


def register_crop(rgb: NDArray[np.uint8], mask: NDArray[np.bool_]) -> tuple[int, int]:
    """Return row and column of the picture at which the mask's top left lies.

    The place where the mask agrees best with the smoothed darkness of the picture, darker or paler within
    (normalised cross-correlation, Lewis 1995). The model has no say in it.

    Parameters
    ----------
    rgb : uint8 array, (H, W, 3)
    mask : bool array, (h, w)
        Not larger than the picture.

    Raises
    ------
    ValueError
        When the mask is larger than the picture.
    """
    if mask.shape[0] > rgb.shape[0] or mask.shape[1] > rgb.shape[1]:
        raise ValueError(f"the mask {mask.shape} is larger than the picture {rgb.shape[:2]}")
    darkness = (255.0 - rgb.mean(axis=2)).astype(np.float32)
    smooth = cv2.GaussianBlur(darkness, (0, 0), _SMOOTHING_PX)
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), _SMOOTHING_PX)
    agreement = np.abs(match_template(smooth, soft))
    row, column = np.unravel_index(int(agreement.argmax()), agreement.shape)
    return int(row), int(column)
