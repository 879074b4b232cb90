"""Which immune cells belong to the tumour: those in its nests and the stroma beside them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from cxpath.scores.countable import countable_kind
from cxpath.scores.lattice import places_on_lattice
from cxpath.values.cell_table import CellTable, Kind


def distance_to_tumour_um(
    cells: CellTable, candidates: NDArray[np.bool_], at_least_um: float, at_most_um: float
) -> NDArray[np.float64]:
    """Return how far candidates lie from the nearest viable tumour cell.

    Parameters
    ----------
    cells : CellTable
    candidates : bool array, (N,)
        Cells to ask about.
    at_least_um : float
        Distances of this and below need not be told apart.
    at_most_um : float
        No need to look farther.

    Returns
    -------
    float64 array, (N,)
        Micrometres between centres, 0 for what is sure to be `at_least_um` or less; infinity beyond
        `at_most_um` and for cells that were not asked about.
    """
    distance_um = np.full(len(cells), np.inf)
    tumour = countable_kind(cells) == Kind.TUMOUR
    if not tumour.any() or not candidates.any():
        return distance_um
    beside = candidates & _shares_square(cells, tumour, at_least_um)
    distance_um[beside] = 0.0
    asked = candidates & ~beside
    if asked.any():
        within_reach = tumour & _around(cells, asked, at_most_um)
        tree = cKDTree(np.column_stack([cells.x_px[within_reach], cells.y_px[within_reach]]))
        points = np.column_stack([cells.x_px[asked], cells.y_px[asked]])
        reach_px = at_most_um / cells.facts.mpp
        distances, _ = tree.query(points, k=1, distance_upper_bound=reach_px * (1 + 1e-9))
        distance_um[asked] = distances * cells.facts.mpp
    return distance_um


def _shares_square(cells: CellTable, tumour: NDArray[np.bool_], within_um: float) -> NDArray[np.bool_]:
    """Say which cells lie in a square with tumour that is too small to hold two cells farther apart."""
    place, _ = places_on_lattice(cells, within_um / np.sqrt(2.0) / cells.facts.mpp)
    holds = np.zeros(int(place.max()) + 1, dtype=bool)
    holds[place[tumour]] = True
    return np.asarray(holds[place])


def _around(cells: CellTable, asked: NDArray[np.bool_], reach_um: float) -> NDArray[np.bool_]:
    """Say which cells lie in or beside a square, as wide as the reach, that holds an asked cell."""
    place, columns = places_on_lattice(cells, reach_um / cells.facts.mpp)
    grid = np.zeros((int(place.max()) // columns + 1, columns), dtype=bool)
    grid.ravel()[place[asked]] = True
    near = ndimage.binary_dilation(grid, structure=np.ones((3, 3), dtype=bool))
    return np.asarray(near.ravel()[place])


def near_tumour(cells: CellTable, candidates: NDArray[np.bool_], distance_um: float) -> NDArray[np.bool_]:
    """Say which candidates lie within `distance_um` of a viable tumour cell.

    The rule says "tumour nests and adjacent stroma in the same field as at about 20x" (clinical brief
    1.1); a distance is the same for every cell, wherever a field's border would have fallen. No source
    fixes the number.

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
    return np.isfinite(distance_to_tumour_um(cells, candidates, distance_um, distance_um))
