import numpy as np
import pytest
from numpy.typing import NDArray

from cxpath.cells.measurements import measure_cells, nuclear_radius_um
from cxpath.cells.settings import CellSettings

RADII_UM = np.arange(11, dtype=np.float32)
ANGLES = 16
Rings = NDArray[np.float32]


def rings(profile: list[float]) -> Rings:
    return np.repeat(np.array(profile, np.float32)[None, :, None], ANGLES, axis=2)


NUCLEUS = rings([0.4, 0.4, 0.4, 0.4, 0.4, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
NOTHING = rings([0.0] * 11)


def test_the_nucleus_ends_where_haematoxylin_falls_to_half() -> None:
    assert nuclear_radius_um(RADII_UM, NUCLEUS)[0] == pytest.approx(4.5)
    assert measure_cells(RADII_UM, NUCLEUS, NOTHING, CellSettings()).diameter_um[0] == pytest.approx(9.0)


def test_haematoxylin_is_the_mean_within_the_nucleus() -> None:
    assert measure_cells(RADII_UM, NUCLEUS, NOTHING, CellSettings()).hematoxylin_od[0] == pytest.approx(0.4)


def test_a_complete_membrane_is_complete() -> None:
    membrane = rings([0.02] * 7 + [0.5] + [0.02] * 3)
    measured = measure_cells(RADII_UM, NUCLEUS, membrane, CellSettings())
    assert measured.membrane_completeness[0] == 1.0
    assert measured.dab_membrane_od[0] == pytest.approx(0.5)
    assert measured.dab_cytoplasm_od[0] == pytest.approx(0.02)


def test_a_quarter_of_a_membrane_is_a_quarter() -> None:
    membrane = rings([0.02] * 7 + [0.5] + [0.02] * 3)
    membrane[:, :, ANGLES // 4 :] = 0.02
    measured = measure_cells(RADII_UM, NUCLEUS, membrane, CellSettings())
    assert measured.membrane_completeness[0] == pytest.approx(0.25)


def test_an_even_wash_of_cytoplasm_is_no_membrane() -> None:
    measured = measure_cells(RADII_UM, NUCLEUS, rings([0.4] * 11), CellSettings())
    assert measured.membrane_completeness[0] == 0.0
    assert measured.dab_cytoplasm_od[0] == pytest.approx(0.4)


def test_a_brown_nucleus_is_no_membrane() -> None:
    measured = measure_cells(RADII_UM, NUCLEUS, NUCLEUS, CellSettings())
    assert measured.membrane_completeness[0] == 0.0
    assert measured.dab_membrane_od[0] == pytest.approx(0.0)


def test_no_cells_are_fine() -> None:
    empty = np.zeros((0, 11, ANGLES), dtype=np.float32)
    assert len(measure_cells(RADII_UM, empty, empty, CellSettings()).diameter_um) == 0
