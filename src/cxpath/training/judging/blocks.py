"""Parting a picture into square blocks: the units of the bootstrap where there are few images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class BlockGrid:
    """Square blocks over a picture, from its top left; the last ones of a row may be narrower.

    Parameters
    ----------
    width_um, height_um : float
    block_um : float
    """

    def __init__(self, width_um: float, height_um: float, block_um: float) -> None:
        self._block_um = block_um
        self.columns = max(1, int(np.ceil(width_um / block_um - 1e-9)))
        self.rows = max(1, int(np.ceil(height_um / block_um - 1e-9)))

    def __len__(self) -> int:
        return self.columns * self.rows

    def of(self, points_um: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the block of each point, (N, 2) to (N,); points outside belong to the nearest block."""
        column, row = (points_um // self._block_um).astype(np.int64).reshape(-1, 2).T
        return np.asarray(row.clip(0, self.rows - 1) * self.columns + column.clip(0, self.columns - 1))

    def count(self, points_um: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return how many points lie in each block."""
        return np.bincount(self.of(points_um), minlength=len(self))
