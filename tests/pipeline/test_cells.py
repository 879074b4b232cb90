from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from cxpath.data.cells import FINE_CLASSES, Calibration, CellPeaks, CellTable, CellTableFacts, Kind, Subkind
from cxpath.data.slide_info import TileFrame
from cxpath.pipeline.cells import (
    Deduplicator,
    cells_from_peaks,
    measure_cells,
    name_cells,
    nuclear_radius_um,
    positive_probability,
    stained_probability,
)
from cxpath.pipeline.settings import CellSettings

FACTS = CellTableFacts(mpp=0.25, width_px=4096, height_px=4096)
CORE_PX, HALO_PX, SCALE = 128, 32, 2.0


def peaks_at(x_px: NDArray[np.float64], y_px: NDArray[np.float64]) -> CellPeaks:
    number = len(x_px)
    return CellPeaks(
        x_px=x_px,
        y_px=y_px,
        score=np.ones(number, np.float32),
        class_logits=np.zeros((number, 10), np.float32),
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
    peaks.class_logits[0, 0] = 9.0  # surely tumour; the other may be any of ten
    peaks.stain_logits[:] = 9.0
    cells = cells_from_peaks(peaks, frame(0, 0), FACTS, Calibration())
    assert cells.stained[0] > 0.95
    assert (cells.stained <= cells.certainty).all()
    assert cells.stained[1] < 0.9


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        CellTable.from_columns(FACTS, x_px=np.zeros(2), y_px=np.zeros(3))


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


PLAIN = Calibration()


def logits(**chosen: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    row = np.full((1, len(FINE_CLASSES)), -9.0, dtype=np.float32)
    for name, value in chosen.items():
        row[0, FINE_CLASSES.index(name)] = value
    return row


@pytest.mark.parametrize(
    ("fine", "kind", "subkind"),
    [
        ("tumour", Kind.TUMOUR, Subkind.UNKNOWN),
        ("lymphocyte", Kind.IMMUNE, Subkind.LYMPHOCYTE),
        ("macrophage", Kind.IMMUNE, Subkind.MACROPHAGE),
        ("plasma", Kind.OTHER, Subkind.PLASMA),
        ("neutrophil", Kind.OTHER, Subkind.NEUTROPHIL),
        ("benign_epithelium", Kind.OTHER, Subkind.BENIGN_EPITHELIUM),
    ],
)
def test_fine_classes_have_the_kind_that_the_rule_gives_them(fine: str, kind: Kind, subkind: Subkind) -> None:
    names = name_cells(logits(**{fine: 9.0}), PLAIN)
    assert names.kind[0] == kind
    assert names.subkind[0] == subkind


def test_certainty_is_that_of_the_kind_called() -> None:
    names = name_cells(
        np.concatenate([logits(plasma=1.0, neutrophil=1.0), logits(tumour=2.0, plasma=0.0)]), PLAIN
    )
    assert names.certainty == pytest.approx(np.array([names.p_other[0], names.p_tumour[1]]))
    assert names.certainty[0] > 0.99


def test_a_cell_split_between_excluded_classes_is_excluded() -> None:
    names = name_cells(logits(tumour=1.0, plasma=0.8, neutrophil=0.8), PLAIN)
    assert names.kind[0] == Kind.OTHER
    assert names.subkind[0] == Subkind.PLASMA


@given(st.lists(st.floats(-20, 20, width=32), min_size=10, max_size=10), st.floats(0.2, 5))
def test_probabilities_add_up_to_one(values: list[float], temperature: float) -> None:
    names = name_cells(np.array([values], dtype=np.float32), Calibration(class_temperature=temperature))
    total = names.p_tumour + names.p_immune + names.p_other
    assert total[0] == pytest.approx(1.0, abs=1e-5)


def test_biases_move_cells_between_kinds() -> None:
    values = logits(tumour=1.0, plasma=1.4)
    biases = [0.0] * len(FINE_CLASSES)
    biases[0] = 1.0
    assert name_cells(values, PLAIN).kind[0] == Kind.OTHER
    moved = name_cells(values, Calibration(class_biases=tuple(biases)))
    assert moved.kind[0] == Kind.TUMOUR
    assert moved.p_tumour[0] == pytest.approx(1 / (1 + np.exp(1.4 - 2.0)), abs=1e-3)


def test_tumour_needs_membrane_and_immune_cells_do_not() -> None:
    cytoplasm_only = np.array([[-5.0, 5.0]] * 3, dtype=np.float32)
    kinds = np.array([Kind.TUMOUR, Kind.IMMUNE, Kind.OTHER], dtype=np.uint8)
    assert (stained_probability(cytoplasm_only, kinds, PLAIN) > 0.5).tolist() == [False, True, True]


def test_calibration_moves_probabilities_as_stated() -> None:
    raw = np.array([[2.0, 2.0]], dtype=np.float32)
    tumour = np.array([Kind.TUMOUR], dtype=np.uint8)
    softer = Calibration(membrane_temperature=2.0, membrane_bias=-1.0)
    assert stained_probability(raw, tumour, softer)[0] == pytest.approx(0.5)


def test_no_cells_are_fine_of_probabilities() -> None:
    empty = np.zeros((0, 10), dtype=np.float32)
    assert len(name_cells(empty, PLAIN).kind) == 0
    assert len(stained_probability(empty[:, :2], np.zeros(0, np.uint8), PLAIN)) == 0


def test_doubt_about_the_kind_is_doubt_about_the_positive_cell() -> None:
    sure, doubtful = logits(lymphocyte=9.0), logits(lymphocyte=1.0, plasma=0.9)
    brown = np.array([[0.0, 6.0]], dtype=np.float32)
    of_sure, of_doubtful = (
        positive_probability(brown, name_cells(one, PLAIN), PLAIN)[0] for one in (sure, doubtful)
    )
    assert of_sure > 0.95
    assert of_doubtful < 0.6


@given(arrays(np.float32, (5, 12), elements=st.floats(-20, 20, width=32)))
def test_it_is_never_more_than_either_alone(values: NDArray[np.float32]) -> None:
    names = name_cells(values[:, 2:], PLAIN)
    both = positive_probability(values[:, :2], names, PLAIN)
    stained = stained_probability(values[:, :2], names.kind, PLAIN)
    assert (both <= stained + 1e-6).all()
    assert (both <= names.certainty + 1e-6).all()


COLUMNS, SIDE_PX = 4, 256.0
Places = list[tuple[float, float]]


def frame_of_duplicates(index: int) -> TileFrame:
    row, column = divmod(index, COLUMNS)
    return TileFrame(index, column * SIDE_PX - 64, row * SIDE_PX - 64, 2.0, 128, 32)


def table(places: Places) -> CellTable:
    x_px, y_px = np.array(places, dtype=np.float64).reshape(-1, 2).T
    return CellTable.from_columns(FACTS, x_px=x_px, y_px=y_px)


def kept(tiles: dict[int, Places], min_distance_px: float = 12.0) -> Places:
    duplicates = Deduplicator(COLUMNS, min_distance_px)
    tables = [duplicates.keep(table(places), frame_of_duplicates(index)) for index, places in tiles.items()]
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
