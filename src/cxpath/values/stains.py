"""Optical density, and a slide's own two stains: from light to how much haematoxylin and DAB it passed.

Beer-Lambert: OD = -log10(intensity / white), additive over stains (Ruifrok & Johnston 2001).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Direction = tuple[float, float, float]

DEFAULT_HEMATOXYLIN: Direction = (0.70, 0.64, 0.31)
"""Mean of what real H-DAB slides show, (.77, .56, .30) to (.63, .72, .30); textbooks say (.65, .70, .29)."""

DEFAULT_DAB: Direction = (0.33, 0.53, 0.78)
"""Mean of what real slides show, (.22-.43, .46-.58, .72-.88)."""


@dataclass(frozen=True)
class StainBasis:
    """White point and stain directions of one slide.

    Parameters
    ----------
    white_point : tuple of float
        Red, green, blue of empty glass, 0-255.
    hematoxylin, dab : tuple of float
        Optical-density directions (red, green, blue), of unit length.
    """

    white_point: tuple[float, float, float] = (255.0, 255.0, 255.0)
    hematoxylin: Direction = DEFAULT_HEMATOXYLIN
    dab: Direction = DEFAULT_DAB

    def unmixing(self) -> NDArray[np.float64]:
        """Return the (3, 2) matrix that turns an OD row vector into haematoxylin and DAB amounts.

        Least squares in the plane of the two stains; what lies outside the plane is ignored.
        """
        stains = np.array([unit(self.hematoxylin), unit(self.dab)])
        return np.linalg.pinv(stains)


def unit(direction: tuple[float, ...]) -> NDArray[np.float64]:
    """Return the direction scaled to length one."""
    vector = np.asarray(direction, dtype=np.float64)
    return vector / np.linalg.norm(vector)


def optical_density(rgb: NDArray[np.uint8], white_point: tuple[float, float, float]) -> NDArray[np.float32]:
    """Turn 8-bit light into optical density.

    Parameters
    ----------
    rgb : uint8 array, (..., 3)
    white_point : tuple of float
        Red, green, blue of empty glass.

    Returns
    -------
    float32 array, (..., 3)
        -log10((rgb + 0.5) / white), clipped below at 0: brighter than glass is glass. The half step
        keeps black finite (at 2.7).
    """
    levels = (np.arange(256, dtype=np.float64) + 0.5)[:, None] / np.maximum(np.asarray(white_point), 1.0)
    table = np.maximum(-np.log10(levels), 0.0).astype(np.float32)
    density = np.empty(rgb.shape, np.float32)
    for channel in range(3):
        density[..., channel] = table[:, channel][rgb[..., channel]]
    return density
