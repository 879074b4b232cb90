"""Which immune cells belong to the tumour: those in its nests and the stroma beside them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cxpath.values.cell_table import CellTable, Kind


def near_tumour(cells: CellTable, candidates: NDArray[np.bool_], distance_um: float) -> NDArray[np.bool_]:
    """Say which candidates lie within `distance_um` of a viable tumour cell.

    The rule says "tumour nests and adjacent stroma in the same field as at about 20x" (clinical brief
    1.1); a distance is the same for every cell, wherever a field's border would have fallen.

    Parameters
    ----------
    cells : CellTable
    candidates : bool array, (N,)
        Cells to ask about; the others come back False.
    distance_um : float

    Returns
    -------
    bool array, (N,)
    """
    near = np.zeros(len(cells), dtype=bool)
    tumour = cells.kind == Kind.TUMOUR
    if not tumour.any() or not candidates.any():
        return near
    tree = cKDTree(np.column_stack([cells.x_px[tumour], cells.y_px[tumour]]))
    points = np.column_stack([cells.x_px[candidates], cells.y_px[candidates]])
    reach_px = distance_um / cells.facts.mpp
    distances, _ = tree.query(points, k=1, distance_upper_bound=reach_px * (1 + 1e-9))
    near[candidates] = np.isfinite(distances)
    return near
