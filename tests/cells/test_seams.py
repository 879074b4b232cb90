import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxpath.cells.seams import SeamFilter
from cxpath.values.cell_table import CellTable, CellTableFacts
from cxpath.values.tile_frame import TileFrame

FACTS = CellTableFacts(mpp=0.25, width_px=4096, height_px=4096)
COLUMNS, SIDE_PX = 4, 256.0
Places = list[tuple[float, float]]


def frame(index: int) -> TileFrame:
    row, column = divmod(index, COLUMNS)
    return TileFrame(index, column * SIDE_PX - 64, row * SIDE_PX - 64, 2.0, 128, 32)


def table(places: Places) -> CellTable:
    x_px, y_px = np.array(places, dtype=np.float64).reshape(-1, 2).T
    return CellTable.from_columns(FACTS, x_px=x_px, y_px=y_px)


def kept(tiles: dict[int, Places], min_distance_px: float = 12.0) -> Places:
    seams = SeamFilter(COLUMNS, min_distance_px)
    tables = [seams.keep(table(places), frame(index)) for index, places in tiles.items()]
    return [(x, y) for cells in tables for x, y in zip(cells.x_px, cells.y_px, strict=True)]


def test_a_double_across_a_seam_goes_and_the_first_stays() -> None:
    assert kept({0: [(255.8, 10.0), (200.0, 10.0)], 1: [(256.2, 10.0)]}) == [(255.8, 10.0), (200.0, 10.0)]
    assert kept({1: [(256.2, 10.0)], 0: [(255.8, 10.0)]}) == [(256.2, 10.0)]


def test_near_cells_of_one_tile_both_stay() -> None:
    assert len(kept({0: [(250.0, 10.0), (251.0, 10.0)]})) == 2


def test_a_dropped_cell_drops_no_other() -> None:
    """A chain over the corner of four tiles: the middle one goes, so the last one stays."""
    chain = {0: [(250.0, 250.0)], 1: [(258.0, 254.0)], 4: [(254.0, 264.0)]}
    assert kept(chain) == [(250.0, 250.0), (254.0, 264.0)]


@pytest.mark.parametrize("neighbour", [0, 1, 2, 4, 6, 8, 9, 10])
def test_all_eight_neighbours_are_asked(neighbour: int) -> None:
    row, column = divmod(neighbour, COLUMNS)
    towards = np.array([np.sign(column - 1), np.sign(row - 1)])
    on_edge = np.array([384.0, 384.0]) + towards * SIDE_PX / 2
    (x, y), (other_x, other_y) = (on_edge + towards).tolist(), (on_edge - towards).tolist()
    assert len(kept({neighbour: [(x, y)], 5: [(other_x, other_y)]})) == 1


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1023.9), st.floats(0, 511.9)), max_size=60), st.permutations(range(8)))
def test_no_pair_across_a_seam_is_left(places: Places, order: list[int]) -> None:
    def owner(place: tuple[float, float]) -> int:
        return int(place[1] // SIDE_PX) * COLUMNS + int(place[0] // SIDE_PX)

    left = kept({index: [place for place in places if owner(place) == index] for index in order})
    for number, one in enumerate(left):
        for other in left[number + 1 :]:
            assert owner(one) == owner(other) or np.hypot(one[0] - other[0], one[1] - other[1]) > 12.0
