"""QuPath's frame against the file's own: QuPath crops a slide to its scanned bounds, cxpath does not."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Bounds = tuple[int, int, int, int]
"""x, y, width, height of the scanned part, in level-0 pixels."""

Numbers = TypeVar("Numbers", float, NDArray[np.float64])


def to_qupath_frame(x_px: Numbers, y_px: Numbers, bounds_px: Bounds) -> tuple[Numbers, Numbers]:
    """Turn level-0 positions of the file into positions in QuPath's image.

    QuPath's OpenSlide reader shows only the bounds a scanner wrote (`openslide.bounds-x`, `-y`), so its
    origin is their top left corner. A slide without bounds has (0, 0, width, height), and nothing moves.

    Parameters
    ----------
    x_px, y_px : float or float64 array
        Level-0 pixels, origin at the top left of the file.
    bounds_px : tuple of int
        x, y, width, height of the scanned part.
    """
    return x_px - bounds_px[0], y_px - bounds_px[1]


def from_qupath_frame(x_px: Numbers, y_px: Numbers, bounds_px: Bounds) -> tuple[Numbers, Numbers]:
    """Turn positions in QuPath's image into level-0 positions of the file; undoes `to_qupath_frame`."""
    return x_px + bounds_px[0], y_px + bounds_px[1]
