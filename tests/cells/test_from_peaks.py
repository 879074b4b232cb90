import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cxpath.cells.from_peaks import cells_from_peaks
from cxpath.values.calibration import Calibration
from cxpath.values.cell_peaks import CellPeaks
from cxpath.values.cell_table import CellTable, CellTableFacts
from cxpath.values.tile_frame import TileFrame

FACTS = CellTableFacts(mpp=0.25, width_px=4096, height_px=4096)
CORE_PX, HALO_PX, SCALE = 128, 32, 2.0


def peaks_at(x_px: NDArray[np.float64], y_px: NDArray[np.float64]) -> CellPeaks:
    number = len(x_px)
    return CellPeaks(
        x_px=x_px,
        y_px=y_px,
        score=np.ones(number, np.float32),
        kind_logits=np.zeros((number, 10), np.float32),
        stain_logits=np.zeros((number, 2), np.float32),
        region=np.ones(number, np.uint8),
        radii_um=np.arange(11, dtype=np.float32),
        hematoxylin_od=np.zeros((number, 11, 16), np.float32),
        dab_od=np.zeros((number, 11, 16), np.float32),
    )


def frame(column: int, row: int) -> TileFrame:
    x_px, y_px = ((place * CORE_PX - HALO_PX) * SCALE for place in (column, row))
    return TileFrame(row * 4 + column, x_px, y_px, SCALE, CORE_PX, HALO_PX)


def test_positions_return_to_level_0() -> None:
    cells = cells_from_peaks(peaks_at(np.array([40.5]), np.array([50.0])), frame(1, 2), FACTS, Calibration())
    assert cells.x_px.tolist() == [(1 * CORE_PX - HALO_PX + 40.5) * SCALE]
    assert cells.y_px.tolist() == [(2 * CORE_PX - HALO_PX + 50.0) * SCALE]
    assert cells.tile.tolist() == [9]


@given(st.floats(0, 4 * CORE_PX - 1e-6), st.floats(0, 4 * CORE_PX - 1e-6))
def test_every_centre_belongs_to_exactly_one_tile(x_px: float, y_px: float) -> None:
    owners = 0
    for column in range(4):
        for row in range(4):
            here = frame(column, row)
            peaks = peaks_at(np.array([x_px - here.x_px / SCALE]), np.array([y_px - here.y_px / SCALE]))
            owners += len(cells_from_peaks(peaks, here, FACTS, Calibration()))
    assert owners == 1


def test_a_brown_cell_of_doubtful_kind_is_a_doubtful_positive_cell() -> None:
    peaks = peaks_at(np.array([40.0, 60.0]), np.array([50.0, 50.0]))
    peaks.kind_logits[0, 0] = 9.0  # surely tumour; the other may be any of ten
    peaks.stain_logits[:] = 9.0
    cells = cells_from_peaks(peaks, frame(0, 0), FACTS, Calibration())
    assert cells.stained[0] > 0.95
    assert (cells.stained <= cells.certainty).all()
    assert cells.stained[1] < 0.9


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        CellTable.from_columns(FACTS, x_px=np.zeros(2), y_px=np.zeros(3))
