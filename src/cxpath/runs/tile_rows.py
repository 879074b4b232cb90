"""The table of tiles: where each lies, what was counted in it, or why it was left out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxpath.scores.grouped_counts import grouped_counts
from cxpath.tiles.plan import TilePlan
from cxpath.values.cell_table import CellTable


def tile_rows(
    plan: TilePlan, cells: CellTable, stained_threshold: float, counted: NDArray[np.bool_]
) -> dict[str, NDArray[Any]]:
    """Return the columns of `tiles.parquet`, a row for every tile of the plan.

    Parameters
    ----------
    plan : TilePlan
    cells : CellTable
        Its `tile` column refers to the plan.
    stained_threshold : float
    counted : bool array, (N,)
        Which cells enter the numerator.
    """
    frames = [tile.frame for tile in plan.tiles]
    tile_of_cell = cells.tile.astype(np.int64)
    counts = grouped_counts(cells, stained_threshold, counted, tile_of_cell, len(frames))
    return {
        "tile": np.array([frame.index for frame in frames], dtype=np.int32),
        "x_px": np.array([frame.core_x_px for frame in frames], dtype=np.float64),
        "y_px": np.array([frame.core_y_px for frame in frames], dtype=np.float64),
        "size_px": np.array([frame.core_side_px for frame in frames], dtype=np.float64),
        "tissue_share": np.array([tile.tissue_share for tile in plan.tiles], dtype=np.float32),
        "tumour_positive": counts.tumour_positive.astype(np.int32),
        "tumour_negative": counts.tumour_negative.astype(np.int32),
        "immune_positive": counts.immune_positive.astype(np.int32),
        "immune_negative": counts.immune_negative.astype(np.int32),
        "other": counts.other.astype(np.int32),
        "cps": counts.cps().astype(np.float32),
        "excluded": np.array([tile.excluded for tile in plan.tiles], dtype=object),
    }
