"""The slide-wide lattice of squares that fields, tumour area and association are made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cxpath.values.cell_table import CellTable


def places_on_lattice(cells: CellTable, side_px: float) -> tuple[NDArray[np.int64], int]:
    """Return each cell's square, counted row by row from the slide's top left, and the squares in a row."""
    columns = int(np.ceil(cells.facts.width_px / side_px)) + 1
    across = np.clip((cells.x_px / side_px).astype(np.int64), 0, columns - 1)
    down = np.maximum((cells.y_px / side_px).astype(np.int64), 0)
    return down * columns + across, columns
