"""Laying a tile into a region that it may reach beyond."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def overlay(region: NDArray[np.uint8], tile: NDArray[np.uint8], left: int, top: int) -> None:
    """Copy the part of a tile placed at (left, top) that lies in the region.

    Parameters
    ----------
    region, tile : uint8 array, (height, width, samples)
    left, top : int
        Place of the tile's corner in the region; may be negative.
    """
    height, width = region.shape[:2]
    rows = slice(max(top, 0), min(top + tile.shape[0], height))
    columns = slice(max(left, 0), min(left + tile.shape[1], width))
    region[rows, columns] = tile[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]
