"""Fields: squares of a slide-wide lattice, and how much each of them moves the score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxpath.scores.grouped_counts import GroupedCounts, grouped_counts
from cxpath.scores.lattice import places_on_lattice
from cxpath.values.cell_table import CellTable


@dataclass(frozen=True, eq=False)
class FieldLattice:
    """The fields that hold cells; arrays of length F.

    Parameters
    ----------
    left_px, top_px : float64 array
        Top left corners in level-0 pixels.
    side_px : float
        Side of a field in level-0 pixels.
    counts : GroupedCounts
    field_of_cell : int64 array, (N,)
        Field of each cell of the table it was made from.
    """

    left_px: NDArray[np.float64]
    top_px: NDArray[np.float64]
    side_px: float
    counts: GroupedCounts
    field_of_cell: NDArray[np.int64]

    def influence(self) -> NDArray[np.float64]:
        """Return by how much the slide's CPS (uncapped) would change without each field.

        Positive where the field raises the score; NaN where nothing but the field holds tumour.
        """
        positive, tumour = self.counts.positive, self.counts.tumour
        rest = (tumour.sum() - tumour).astype(np.float64)
        rest[rest == 0] = np.nan
        whole = 100.0 * positive.sum() / max(int(tumour.sum()), 1)
        return np.asarray(whole - 100.0 * (positive.sum() - positive) / rest)


def lay_fields(
    cells: CellTable, stained_threshold: float, counted: NDArray[np.bool_], field_um: float
) -> FieldLattice:
    """Sort cells into fields of a lattice that starts at the slide's top left corner.

    Parameters
    ----------
    cells : CellTable
    stained_threshold : float
    counted : bool array, (N,)
        Which cells enter the numerator.
    field_um : float
        Side of a field.
    """
    side_px = field_um / cells.facts.mpp
    place, columns = places_on_lattice(cells, side_px)
    held = np.bincount(place) > 0
    occupied, row_of_place = np.flatnonzero(held), np.cumsum(held) - 1
    field_of_cell = row_of_place[place]
    return FieldLattice(
        left_px=np.asarray((occupied % columns) * side_px, dtype=np.float64),
        top_px=np.asarray((occupied // columns) * side_px, dtype=np.float64),
        side_px=side_px,
        counts=grouped_counts(cells, stained_threshold, counted, field_of_cell, len(occupied)),
        field_of_cell=field_of_cell,
    )
