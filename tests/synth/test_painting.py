"""What is drawn is what the truth says: completeness, cytoplasm, nucleus; one cell at a time.
The ground beneath the cells: each named hard negative colours where it should, and grows with its parameter.
A window is painted alike whether alone or as part of a larger one, and DAB lies where the truth says."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cxpath.data.cells import Kind
from cxpath.synth.cells import cell_borders, new_cells
from cxpath.synth.layout import STEP_UM, Ground
from cxpath.synth.noise import points_in_map
from cxpath.synth.optics import StainLayers, StainLook
from cxpath.synth.painting import CellLayers, paint, paint_cells, paint_ground
from cxpath.synth.recipe import HardNegatives
from cxpath.synth.world import Window, World

MPP = 0.25
ROWS, COLUMNS = np.mgrid[:160, :160]
X, Y = (COLUMNS + 0.5) * MPP - 20, (ROWS + 0.5) * MPP - 20
AWAY = np.hypot(X, Y)


def _one(world: World, phase: float = 1.0, **columns: Any) -> CellLayers:
    usual: dict[str, Any] = {"reach_um": 7.0, "weight_um": 7.0, "nucleus_um": 4.0, "haematoxylin_od": 0.3,
                             "body": 0.9, "wobble": 0.02, "phase": phase}  # fmt: skip
    cells = new_cells([20.0], [20.0], **(usual | columns))
    return paint_cells(replace(world, cells=cells, borders=cell_borders(cells)), Window(0, 0, 160, 160, MPP))


def _stained_share(dab: NDArray[np.float32]) -> float:
    """Return the share of directions in which the ring reaches half the membrane's amount."""
    angle = np.floor(np.arctan2(Y, X) / (2 * np.pi) * 36).astype(int) % 36
    ring = (AWAY > 4.5) & (AWAY < 9)
    most = np.array([dab[ring & (angle == turn)].max() for turn in range(36)])
    return float((most > 0.2).mean())


@pytest.mark.parametrize("completeness", [0.25, 0.5, 0.75, 1.0])
def test_the_stained_part_of_the_outline_is_the_completeness(plain_world: World, completeness: float) -> None:
    shares = [
        _stained_share(_one(plain_world, phase, membrane_od=0.4, completeness=completeness).dab)
        for phase in np.linspace(0, 6, 8)
    ]
    assert np.mean(shares) == pytest.approx(completeness, abs=0.14)


def test_membrane_dab_is_a_ring_of_the_amount_given(plain_world: World) -> None:
    dab = _one(plain_world, membrane_od=0.5, completeness=1.0).dab
    ring, middle = dab[(AWAY > 5.5) & (AWAY < 7.5)], dab[AWAY < 3]
    assert np.percentile(ring, 80) == pytest.approx(0.5, rel=0.35)
    assert middle.mean() < 0.1 * np.percentile(ring, 80)


def test_cytoplasm_dab_fills_the_cell_and_spares_the_nucleus(plain_world: World) -> None:
    dab = _one(plain_world, cytoplasm_dab_od=0.5).dab
    assert dab[(AWAY > 4.8) & (AWAY < 5.6)].mean() > 1.5 * dab[AWAY < 2.5].mean()
    assert dab[AWAY > 10].max() < 0.01


def test_a_brown_nucleus_has_no_brown_outline(plain_world: World) -> None:
    dab = _one(plain_world, nuclear_dab_od=0.6).dab
    assert dab[AWAY < 2.5].mean() == pytest.approx(0.6, rel=0.25)
    assert dab[(AWAY > 6) & (AWAY < 8)].max() < 0.05


def test_a_cell_cut_beside_its_nucleus_has_none(plain_world: World) -> None:
    layers = _one(plain_world, nucleus_um=0.0, membrane_od=0.5, completeness=1.0, cytoplasm_od=0.05)
    assert not layers.nucleus.any()
    assert layers.dab.max() > 0.3
    assert layers.cytoplasm[AWAY < 5].mean() == pytest.approx(0.05, rel=0.3)


def test_a_vesicular_nucleus_is_paler_inside_than_at_its_rim(plain_world: World) -> None:
    vesicular = _one(plain_world, vesicular=1.0).nucleus
    assert vesicular[(AWAY > 3.2) & (AWAY < 3.7)].mean() > 1.5 * vesicular[AWAY < 2].mean()


def test_a_nucleolus_is_a_dark_spot(plain_world: World) -> None:
    plain, spotted = (_one(plain_world, nucleolus=size).nucleus for size in (0.0, 1.0))
    added = spotted - plain
    assert added.max() > 0.2
    assert (added > 0.1).sum() * MPP**2 < 6


def test_a_pale_border_lightens_the_cytoplasm_at_the_outline(plain_world: World) -> None:
    even, pale = (_one(plain_world, cytoplasm_od=0.1, pale_border=border).cytoplasm for border in (0.0, 0.9))
    rim, inside = (AWAY > 6.3) & (AWAY < 6.9), AWAY < 4
    assert pale[rim].mean() < 0.7 * even[rim].mean()
    assert pale[inside].mean() == pytest.approx(even[inside].mean(), rel=0.1)


def test_cells_outside_the_window_still_reach_into_it(plain_world: World) -> None:
    cells = new_cells([-2.0], [10.0], reach_um=7.0, nucleus_um=4.0, haematoxylin_od=0.3)
    world = replace(plain_world, cells=cells, borders=cell_borders(cells))
    assert paint_cells(world, Window(0, 0, 80, 80, MPP)).nucleus[:, 0].max() > 0.2
    assert not paint_cells(world, Window(0, 60, 80, 80, MPP)).nucleus.any()


WINDOW = Window(0, 0, 640, 720, 0.5)
CLEAR = HardNegatives(
    haze_od=0, haze_patch_od=0, edge_od=0, necrosis_dab_od=0, keratin_dab_od=0, mucus_dab_od=0, clefts_share=0
)


def _paint(world: World, hard_negatives: HardNegatives = CLEAR, look: StainLook | None = None) -> StainLayers:
    recipe = replace(world.recipe, hard_negatives=hard_negatives, stains=look or world.recipe.stains)
    return paint_ground(replace(world, recipe=recipe), WINDOW)


@pytest.fixture(scope="module")
def ground(rich_world: World) -> NDArray[np.generic]:
    rows, columns = np.mgrid[:640, :720]
    flat = points_in_map(
        rich_world.layout.ground, (columns.ravel() + 0.5) * 0.5, (rows.ravel() + 0.5) * 0.5, STEP_UM
    )
    return flat.reshape(640, 720)


def test_without_traps_the_ground_holds_no_dab(rich_world: World) -> None:
    layers = _paint(rich_world)
    assert not layers.dab.any()
    assert layers.haematoxylin.min() >= 0


@pytest.mark.parametrize(
    ("hard_negative", "where"),
    [
        ("necrosis_dab_od", Ground.NECROSIS),
        ("keratin_dab_od", Ground.KERATIN),
        ("mucus_dab_od", Ground.LUMEN),
        ("haze_patch_od", Ground.STROMA),
    ],
)
def test_brown_ground_lies_in_its_own_tissue(
    rich_world: World, ground: NDArray[np.generic], hard_negative: str, where: Ground
) -> None:
    if not (ground == where).any():
        pytest.fail(f"the world lacks {where.name}")
    dab = _paint(rich_world, replace(CLEAR, **{hard_negative: 0.2})).dab
    inside, outside = dab[ground == where].mean(), dab[ground != where].mean()
    assert inside > 0.02
    assert outside < 0.2 * inside


def test_haze_covers_tissue_and_spares_glass(rich_world: World, ground: NDArray[np.generic]) -> None:
    dab = _paint(rich_world, replace(CLEAR, haze_od=0.1)).dab
    assert dab[ground == Ground.NEST].mean() == pytest.approx(0.1, rel=0.35)
    assert dab[ground == Ground.GLASS].mean() < 0.02


def test_edge_staining_fades_inwards(rich_world: World) -> None:
    dab = _paint(rich_world, replace(CLEAR, edge_od=0.3)).dab
    depth = WINDOW.world_map(rich_world.layout.tissue_depth_um, STEP_UM)
    assert dab[(depth > 2) & (depth < 8)].mean() > 4 * dab[depth > 30].mean()


def test_clefts_empty_part_of_the_stroma(rich_world: World, ground: NDArray[np.generic]) -> None:
    look = StainLook(stroma_blue_od=0.08, fibril_od=0.0)
    whole = _paint(rich_world, CLEAR, look).haematoxylin[ground == Ground.STROMA]
    torn = _paint(rich_world, replace(CLEAR, clefts_share=0.3), look).haematoxylin[ground == Ground.STROMA]
    emptied = (torn < 0.3 * whole).mean()
    assert 0.1 < emptied < 0.5


def test_stroma_is_as_blue_and_as_tan_as_asked(rich_world: World, ground: NDArray[np.generic]) -> None:
    stroma = ground == Ground.STROMA
    pale, full = (
        _paint(rich_world, CLEAR, StainLook(stroma_blue_od=od, stroma_tan_od=od, fibril_od=0))
        for od in (0.02, 0.08)
    )
    assert full.haematoxylin[stroma].mean() == pytest.approx(4 * pale.haematoxylin[stroma].mean(), rel=0.1)
    assert full.tan[stroma].mean() == pytest.approx(4 * pale.tan[stroma].mean(), rel=0.1)


def test_fibrils_are_thin_dark_strands(rich_world: World, ground: NDArray[np.generic]) -> None:
    bare, stranded = (_paint(rich_world, CLEAR, StainLook(fibril_od=od)).haematoxylin for od in (0.0, 0.1))
    added = (stranded - bare)[ground == Ground.STROMA]
    assert added.min() > -1e-6
    assert 0.02 < (added > 0.02).mean() < 0.5


MPP_OF_PAINTING = 0.5


@pytest.fixture(scope="session")
def whole(rich_world: World) -> StainLayers:
    return paint(rich_world, Window(0, 0, 640, 720, MPP_OF_PAINTING))


@pytest.mark.parametrize(("row", "column"), [(0, 0), (200, 312), (384, 464)])
def test_tiles_equal_the_whole(rich_world: World, whole: StainLayers, row: int, column: int) -> None:
    tile = paint(rich_world, Window(row, column, 256, 256, MPP_OF_PAINTING))
    expected = whole.crop(slice(row, row + 256), slice(column, column + 256))
    for layer in fields(StainLayers):
        assert np.allclose(getattr(tile, layer.name), getattr(expected, layer.name), atol=2e-5), layer.name


def test_the_same_tissue_at_another_mpp_has_the_same_mean(rich_world: World, whole: StainLayers) -> None:
    fine = paint(rich_world, Window(200, 200, 512, 512, 0.25))
    coarse = whole.crop(slice(100, 356), slice(100, 356))
    shrunk = fine.haematoxylin.reshape(256, 2, 256, 2).mean(axis=(1, 3))
    assert shrunk.mean() == pytest.approx(coarse.haematoxylin.mean(), rel=0.03)
    assert np.corrcoef(shrunk.ravel(), coarse.haematoxylin.ravel())[0, 1] > 0.97


def test_glass_is_clear_and_nuclei_are_dark(rich_world: World, whole: StainLayers) -> None:
    cells = rich_world.cells[rich_world.cells["visible"] & (rich_world.cells["lobes"] == 0)]
    x = ((cells["x_um"] + cells["offset_x_um"]) / MPP_OF_PAINTING).astype(int)
    y = ((cells["y_um"] + cells["offset_y_um"]) / MPP_OF_PAINTING).astype(int)
    inside = (x >= 0) & (x < 720) & (y >= 0) & (y < 640)
    at_nuclei = np.median(whole.haematoxylin[y[inside], x[inside]])
    rows, columns = np.mgrid[:640:5, :720:5]
    deep = points_in_map(
        rich_world.layout.tissue_depth_um,
        columns.ravel() * MPP_OF_PAINTING,
        rows.ravel() * MPP_OF_PAINTING,
        STEP_UM,
    )
    glass = whole.haematoxylin[::5, ::5].ravel()[np.asarray(deep, float) < -25]
    assert len(glass) > 50
    assert glass.max() < 0.01
    assert at_nuclei > 4 * np.median(whole.haematoxylin)


def test_membrane_dab_is_higher_on_true_positives(plain_world: World) -> None:
    dab = paint(plain_world, Window(0, 0, 520, 600, MPP_OF_PAINTING)).dab
    cells = plain_world.cells[plain_world.cells["visible"] & (plain_world.cells["kind"] == Kind.TUMOUR)]
    rows, columns = np.mgrid[:520, :600]

    def ring(cell: np.void) -> float:
        away = np.hypot(
            (columns + 0.5) * MPP_OF_PAINTING - cell["x_um"], (rows + 0.5) * MPP_OF_PAINTING - cell["y_um"]
        )
        return float(np.percentile(dab[(away > 3.5) & (away < 7.5)], 75))

    values = np.array([ring(cell) for cell in cells[:160]])
    positive = cells["membrane"][:160]
    assert 20 < positive.sum() < 140
    better = (values[positive][:, None] > values[~positive][None, :]).mean()
    assert better > 0.85


def test_without_stained_cells_the_dab_layer_is_empty(plain_world: World) -> None:
    plain = paint_cells(plain_world, Window(0, 0, 64, 64, MPP_OF_PAINTING))
    assert plain.dab.shape == (64, 64)
    cells = plain_world.cells
    backup = {name: cells[name].copy() for name in ("membrane_od", "cytoplasm_dab_od", "nuclear_dab_od")}
    try:
        for name in backup:
            cells[name] = 0
        assert not paint(plain_world, Window(0, 0, 400, 400, MPP_OF_PAINTING)).dab.any()
    finally:
        for name, values in backup.items():
            cells[name] = values


def test_cells_cover_nests(rich_world: World) -> None:
    cover = paint_cells(rich_world, Window(0, 0, 640, 720, MPP_OF_PAINTING)).cover
    rows, columns = np.mgrid[:640:3, :720:3]
    ground = points_in_map(
        rich_world.layout.ground, columns.ravel() * MPP_OF_PAINTING, rows.ravel() * MPP_OF_PAINTING, STEP_UM
    )
    sampled = cover[::3, ::3].ravel()
    assert sampled[ground == Ground.NEST].mean() > 0.7
    assert sampled[ground == Ground.GLASS].mean() < 0.1
    assert cover.max() <= 1
