"""One cell once: pairs of centres that two neighbouring tiles each claimed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cxpath.values.cell_table import CellTable
from cxpath.values.tile_frame import TileFrame


class SeamFilter:
    """Drops, tile by tile, the cells that an earlier tile has claimed already.

    A centre within rounding of a core's edge can be found on either side of it by two tiles, nearer to each
    other than two cells can be. Of such a pair the one that comes later goes. Only the cells along the edges
    of each core are remembered, so tiles may come in any order and memory does not grow with their cells.

    Parameters
    ----------
    columns : int
        Tiles in a row of the plan.
    min_distance_px : float
        The detector's own smallest distance between two cells, in level-0 pixels.
    """

    def __init__(self, columns: int, min_distance_px: float) -> None:
        self._columns = columns
        self._reach_px = min_distance_px * (1 + 1e-9)
        self._rims: dict[tuple[int, int], NDArray[np.float64]] = {}

    def keep(self, cells: CellTable, frame: TileFrame) -> CellTable:
        """Return the cells of a tile that none of its neighbours so far has.

        Parameters
        ----------
        cells : CellTable
            All from this tile.
        frame : TileFrame
            Where it lies.
        """
        points = np.column_stack([cells.x_px, cells.y_px])
        near_edge = self._near_edge(points, frame)
        doubled = np.zeros(len(cells), dtype=bool)
        claimed = self._claimed_around(*divmod(frame.index, self._columns))
        if len(claimed) and near_edge.any():
            distance, _ = cKDTree(claimed).query(points[near_edge], distance_upper_bound=self._reach_px)
            doubled[near_edge] = np.isfinite(distance)
        self._rims[divmod(frame.index, self._columns)] = points[near_edge & ~doubled]
        return cells.take(~doubled) if doubled.any() else cells

    def _near_edge(self, points: NDArray[np.float64], frame: TileFrame) -> NDArray[np.bool_]:
        inner = points - (frame.core_x_px, frame.core_y_px)
        reach, side = self._reach_px, frame.core_side_px
        return np.asarray(((inner <= reach) | (inner >= side - reach)).any(axis=1))

    def _claimed_around(self, row: int, column: int) -> NDArray[np.float64]:
        places = ((row + down, column + across) for down in (-1, 0, 1) for across in (-1, 0, 1))
        rims = [self._rims[place] for place in places if place in self._rims]
        return np.concatenate(rims) if rims else np.zeros((0, 2))
