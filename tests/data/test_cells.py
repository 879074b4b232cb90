import numpy as np
import pytest

from cxpath.data.cells import CellTable, CellTableFacts
from tests.synthetic_cells import synthetic_cells


def test_unknown_columns_are_refused() -> None:
    facts = CellTableFacts(mpp=0.5, width_px=10, height_px=10)
    with pytest.raises(ValueError, match="pd_l1"):
        CellTable.from_columns(facts, x_px=[1.0], y_px=[1.0], pd_l1=[1])


def test_columns_left_out_are_unknown_and_a_named_kind_is_certain() -> None:
    cells = synthetic_cells("T+ L- P+")
    assert np.isnan(cells.diameter_um).all()
    assert cells.p_tumour.tolist() == [1.0, 0.0, 0.0]
    assert cells.p_immune.tolist() == [0.0, 1.0, 0.0]


def test_taking_and_joining_is_the_identity() -> None:
    cells = synthetic_cells("T+ L- P+ T-")
    first = np.array([True, True, False, False])
    assert CellTable.concatenate([cells.take(first), cells.take(~first)]) == cells
    assert cells.take(first) != cells
