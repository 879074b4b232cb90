"""Transparent pixels laid over white glass: what a scanner did not scan looks like empty glass."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

WHITE = 255


def on_white(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return RGB of straight (not premultiplied) RGBA over white.

    Parameters
    ----------
    rgba : uint8 array, (height, width, 4)

    Returns
    -------
    uint8 array, (height, width, 3)
    """
    if rgba[..., 3].min(initial=WHITE) == WHITE:
        return np.asarray(cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB), dtype=np.uint8)
    alpha = rgba[..., 3:].astype(np.uint16)
    light = rgba[..., :3] * alpha + WHITE * (WHITE - alpha)
    return ((light + WHITE // 2) // WHITE).astype(np.uint8)
