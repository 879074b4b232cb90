"""A window is painted alike whether alone or as part of a larger one, and DAB lies where the truth says."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from cxpath.training.synthetic.cell_painting import paint_cells
from cxpath.training.synthetic.layout import STEP_UM, Ground
from cxpath.training.synthetic.noise import points_in_map
from cxpath.training.synthetic.painting import paint
from cxpath.training.synthetic.stains import StainLayers
from cxpath.training.synthetic.window import Window
from cxpath.training.synthetic.world import World
from cxpath.values.cell_table import Kind

MPP = 0.5


@pytest.fixture(scope="session")
def whole(rich_world: World) -> StainLayers:
    return paint(rich_world, Window(0, 0, 640, 720, MPP))


@pytest.mark.parametrize(("row", "column"), [(0, 0), (200, 312), (384, 464)])
def test_tiles_equal_the_whole(rich_world: World, whole: StainLayers, row: int, column: int) -> None:
    tile = paint(rich_world, Window(row, column, 256, 256, MPP))
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
    x = ((cells["x_um"] + cells["offset_x_um"]) / MPP).astype(int)
    y = ((cells["y_um"] + cells["offset_y_um"]) / MPP).astype(int)
    inside = (x >= 0) & (x < 720) & (y >= 0) & (y < 640)
    at_nuclei = np.median(whole.haematoxylin[y[inside], x[inside]])
    rows, columns = np.mgrid[:640:5, :720:5]
    deep = points_in_map(
        rich_world.layout.tissue_depth_um, columns.ravel() * MPP, rows.ravel() * MPP, STEP_UM
    )
    glass = whole.haematoxylin[::5, ::5].ravel()[np.asarray(deep, float) < -25]
    assert len(glass) > 50
    assert glass.max() < 0.01
    assert at_nuclei > 4 * np.median(whole.haematoxylin)


def test_membrane_dab_is_higher_on_true_positives(plain_world: World) -> None:
    dab = paint(plain_world, Window(0, 0, 520, 600, MPP)).dab
    cells = plain_world.cells[plain_world.cells["visible"] & (plain_world.cells["kind"] == Kind.TUMOUR)]
    rows, columns = np.mgrid[:520, :600]

    def ring(cell: np.void) -> float:
        away = np.hypot((columns + 0.5) * MPP - cell["x_um"], (rows + 0.5) * MPP - cell["y_um"])
        return float(np.percentile(dab[(away > 3.5) & (away < 7.5)], 75))

    values = np.array([ring(cell) for cell in cells[:160]])
    positive = cells["membrane"][:160]
    assert 20 < positive.sum() < 140
    better = (values[positive][:, None] > values[~positive][None, :]).mean()
    assert better > 0.85


def test_without_stained_cells_the_dab_layer_is_empty(plain_world: World) -> None:
    plain = paint_cells(plain_world, Window(0, 0, 64, 64, MPP))
    assert plain.dab.shape == (64, 64)
    cells = plain_world.cells
    backup = {name: cells[name].copy() for name in ("membrane_od", "cytoplasm_dab_od", "nuclear_dab_od")}
    try:
        for name in backup:
            cells[name] = 0
        assert not paint(plain_world, Window(0, 0, 400, 400, MPP)).dab.any()
    finally:
        for name, values in backup.items():
            cells[name] = values


def test_cells_cover_nests(rich_world: World) -> None:
    cover = paint_cells(rich_world, Window(0, 0, 640, 720, MPP)).cover
    rows, columns = np.mgrid[:640:3, :720:3]
    ground = points_in_map(rich_world.layout.ground, columns.ravel() * MPP, rows.ravel() * MPP, STEP_UM)
    sampled = cover[::3, ::3].ravel()
    assert sampled[ground == Ground.NEST].mean() > 0.7
    assert sampled[ground == Ground.GLASS].mean() < 0.1
    assert cover.max() <= 1
