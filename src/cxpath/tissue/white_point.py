"""The colour of empty glass: optical density is measured from it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WhitePoint = tuple[float, float, float]

BRIGHTEST_SHARE = 0.03
BEYOND_SCAN = 254
DARKEST_GLASS = 120.0


def estimate_white_point(overview: NDArray[np.uint8]) -> WhitePoint:
    """Return the colour of the brightest part of a slide.

    Real glass is a warm 187 to 250. Pure white is what readers fill in beyond the scan, so it is left
    out as long as something else is there.

    Parameters
    ----------
    overview : uint8 array, (height, width, 3)

    Returns
    -------
    tuple of float
        Median red, green, blue of the brightest 3 % of pixels.
    """
    pixels = overview.reshape(-1, 3)
    scanned = pixels[~(pixels >= BEYOND_SCAN).all(axis=1)]
    if len(scanned) < BRIGHTEST_SHARE * len(pixels):
        scanned = pixels
    brightness = scanned.sum(axis=1, dtype=np.int32)
    brightest = scanned[brightness >= np.quantile(brightness, 1.0 - BRIGHTEST_SHARE)]
    red, green, blue = np.median(brightest, axis=0)
    return float(red), float(green), float(blue)


def is_brightfield(white_point: WhitePoint) -> bool:
    """Say whether the brightest part could be lit glass; in fluorescence it is dark or coloured."""
    return min(white_point) >= DARKEST_GLASS
