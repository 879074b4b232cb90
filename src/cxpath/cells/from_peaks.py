"""From the peaks of one tile to the cells that this tile owns."""

from __future__ import annotations

import numpy as np

from cxpath.cells.measurements import measure_cells
from cxpath.cells.probabilities import name_cells, positive_probability
from cxpath.cells.settings import CellSettings
from cxpath.values.calibration import Calibration
from cxpath.values.cell_peaks import CellPeaks
from cxpath.values.cell_table import CellTable, CellTableFacts
from cxpath.values.tile_frame import TileFrame


def cells_from_peaks(
    peaks: CellPeaks,
    frame: TileFrame,
    facts: CellTableFacts,
    calibration: Calibration,
    settings: CellSettings | None = None,
) -> CellTable:
    """Turn peaks into cells, keeping only those whose centre lies in the tile's core.

    Half-open cores tile the plane, so that every centre belongs to exactly one tile.

    Parameters
    ----------
    peaks : CellPeaks
        Of the whole tile, halo included.
    frame : TileFrame
    facts : CellTableFacts
    calibration : Calibration
    settings : CellSettings, optional
    """
    first, last = frame.halo_px, frame.halo_px + frame.core_px
    own = (peaks.x_px >= first) & (peaks.x_px < last) & (peaks.y_px >= first) & (peaks.y_px < last)
    names = name_cells(peaks.kind_logits[own], calibration)
    measured = measure_cells(
        peaks.radii_um, peaks.hematoxylin_od[own], peaks.dab_od[own], settings or CellSettings()
    )
    return CellTable.from_columns(
        facts,
        x_px=frame.x_px + peaks.x_px[own] * frame.scale,
        y_px=frame.y_px + peaks.y_px[own] * frame.scale,
        **vars(names),
        **vars(measured),
        stained=positive_probability(peaks.stain_logits[own], names, calibration),
        region=peaks.region[own],
        tile=np.full(int(own.sum()), frame.index, dtype=np.int32),
    )
