"""One cell once: pairs of centres that two neighbouring tiles each claimed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cxpath.values.cell_table import CellTable


def without_seam_doubles(cells: CellTable, min_distance_um: float) -> CellTable:
    """Merge centres from different tiles that are nearer than two cells can be.

    A centre within rounding of a core's edge can be found on either side of it by two tiles. Of such a
    pair the cell that comes later in the table goes, so the result does not depend on reading order as
    long as tiles are concatenated in the order of their plan.

    Parameters
    ----------
    cells : CellTable
        In tile order.
    min_distance_um : float
        The detector's own smallest distance between two cells.
    """
    if len(cells) == 0:
        return cells
    return cells.take(~_later_of_pairs(cells, min_distance_um / cells.facts.mpp))


def _later_of_pairs(cells: CellTable, distance_px: float) -> NDArray[np.bool_]:
    points = np.column_stack([cells.x_px, cells.y_px])
    pairs = cKDTree(points).query_pairs(distance_px, output_type="ndarray")
    across = pairs[cells.tile[pairs[:, 0]] != cells.tile[pairs[:, 1]]]
    doubled = np.zeros(len(cells), dtype=bool)
    for first, second in across[np.lexsort(across.T[::-1])]:
        if not doubled[first]:
            doubled[second] = True
    return doubled
