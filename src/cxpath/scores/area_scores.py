"""Tumour area in squares, and which share of it stained cells take: the ground of `ic_area` and TAP.

A reader judges by eye which part of the tumour area is brown. Here every cell takes an equal share of the
small square it lies in, and the tumour area is the squares that hold cells and lie with the tumour. So
the numbers follow from cells alone, whatever measured them; no cell outline is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cxpath.scores.countable import in_uncounted_region
from cxpath.scores.fields import FieldLattice, lay_fields
from cxpath.values.cell_table import CellTable

SQUARE_UM = 50.0
"""Side of a square: some ten cells wide enough to mean a share, fine enough to follow nests."""


@dataclass(frozen=True)
class TumourArea:
    """The tumour area and what stained cells take of it.

    Parameters
    ----------
    area_mm2 : float
        Squares with cells, not of necrosis or benign epithelium alone, within the association distance of
        a viable tumour cell.
    immune_positive_mm2, tumour_positive_mm2 : float
        Area that counted stained immune cells, and stained tumour cells, take.
    """

    area_mm2: float
    immune_positive_mm2: float
    tumour_positive_mm2: float


def tumour_area(
    cells: CellTable,
    stained_threshold: float,
    counted: NDArray[np.bool_],
    association_distance_um: float,
    square_um: float = SQUARE_UM,
) -> TumourArea:
    """Measure the tumour area in squares.

    Parameters
    ----------
    cells : CellTable
    stained_threshold : float
    counted : bool array, (N,)
        Which cells count as positive (see `counted_positive`).
    association_distance_um : float
        Squares whose centre lies this near to a square with tumour belong to the tumour area.
    square_um : float
    """
    squares = lay_fields(cells, stained_threshold, counted, square_um)
    apart = in_uncounted_region(cells)
    in_square = np.bincount(squares.field_of_cell[~apart], minlength=len(squares.left_px))
    holds = squares.counts.tumour > 0
    if not holds.any():
        return TumourArea(0.0, 0.0, 0.0)
    near = _within_reach(squares, holds, association_distance_um / square_um)
    near &= in_square > 0
    one_mm2 = (square_um / 1000.0) ** 2

    def taken(positive: NDArray[np.int64]) -> float:
        return one_mm2 * float((positive[near] / in_square[near]).sum())

    return TumourArea(
        one_mm2 * int(near.sum()),
        taken(squares.counts.immune_positive),
        taken(squares.counts.tumour_positive),
    )


def _within_reach(squares: FieldLattice, holds: NDArray[np.bool_], reach: float) -> NDArray[np.bool_]:
    """Say which squares lie within `reach` squares, centre to centre, of one that holds tumour."""
    across = np.rint(squares.left_px / squares.side_px).astype(np.int64)
    down = np.rint(squares.top_px / squares.side_px).astype(np.int64)
    grid = np.ones((int(down.max()) + 1, int(across.max()) + 1), dtype=bool)
    grid[down[holds], across[holds]] = False
    return np.asarray(ndimage.distance_transform_edt(grid)[down, across] <= reach * (1 + 1e-9))
