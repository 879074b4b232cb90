"""Each maker puts its cells where they belong and gives them the look of their kind."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cxpath.data.cells import Kind, Subkind
from cxpath.synth.cells import CELL, CellPlan, join, new_cells
from cxpath.synth.layout import STEP_UM, Ground, Layout, ellipse_radius, lay_out
from cxpath.synth.noise import points_in_map
from cxpath.synth.populate import (
    endothelium,
    fibroblasts,
    gland_cells,
    immune_cells,
    necrotic_cells,
    nest_cells,
    sample_subkinds,
    squamous_cells,
    stromal_immune_cells,
)
from cxpath.synth.recipe import FieldRecipe, NuclearLook, TissueMix
from cxpath.synth.world import World


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(12)


@pytest.fixture(scope="module")
def stroma() -> Layout:
    """Stroma alone, with vessels and glands."""
    mix = TissueMix(nest_share=0.0, vessels_mm2=80, glands_mm2=60)
    return lay_out(np.random.default_rng(2), 600.0, 600.0, mix)


def _ground(cells: CellPlan, layout: Layout) -> NDArray[np.generic]:
    return points_in_map(layout.ground, cells["x_um"], cells["y_um"], STEP_UM)


def _look(rng: np.random.Generator, subkind: Subkind) -> CellPlan:
    places = np.zeros(300)
    return immune_cells(rng, np.full(300, subkind, np.uint8), places, places, NuclearLook())


def test_nests_hold_tumour_cells_and_some_guests(
    rng: np.random.Generator, rich_layout: Layout, rich_recipe: FieldRecipe
) -> None:
    cells = nest_cells(rng, rich_layout, rich_recipe)
    assert np.isin(_ground(cells, rich_layout), (Ground.NEST, Ground.KERATIN)).all()
    tumour = cells["kind"] == Kind.TUMOUR
    assert 0.6 < tumour.mean() < 1
    assert (cells["subkind"][tumour] == Subkind.UNKNOWN).all()
    unseen = ~cells["visible"][tumour]
    assert unseen.mean() == pytest.approx(rich_recipe.nuclei.unseen_nucleus_share, abs=0.05)


def test_only_lymphocytes_and_macrophages_are_immune(rng: np.random.Generator) -> None:
    for subkind in (Subkind.LYMPHOCYTE, Subkind.MACROPHAGE):
        assert (_look(rng, subkind)["kind"] == Kind.IMMUNE).all()
    for subkind in (Subkind.PLASMA, Subkind.NEUTROPHIL, Subkind.EOSINOPHIL):
        assert (_look(rng, subkind)["kind"] == Kind.OTHER).all()


def test_kinds_look_as_they_should(rng: np.random.Generator) -> None:
    lymphocyte, macrophage = _look(rng, Subkind.LYMPHOCYTE), _look(rng, Subkind.MACROPHAGE)
    plasma, neutrophil = _look(rng, Subkind.PLASMA), _look(rng, Subkind.NEUTROPHIL)
    assert macrophage["reach_um"].mean() > 1.5 * lymphocyte["reach_um"].mean()
    assert macrophage["haematoxylin_od"].mean() < 0.8 * lymphocyte["haematoxylin_od"].mean()
    assert np.hypot(plasma["offset_x_um"], plasma["offset_y_um"]).min() > 1
    assert (neutrophil["lobes"] >= 2).all()
    assert (_look(rng, Subkind.EOSINOPHIL)["tan_od"] > neutrophil["tan_od"]).all()


def test_subkinds_follow_their_shares(rng: np.random.Generator) -> None:
    drawn = sample_subkinds(rng, 20_000, {Subkind.MACROPHAGE: 0.3, Subkind.PLASMA: 0.1})
    assert (drawn == Subkind.MACROPHAGE).mean() == pytest.approx(0.3, abs=0.02)
    assert (drawn == Subkind.LYMPHOCYTE).mean() == pytest.approx(0.6, abs=0.02)


def test_stroma_holds_its_cells(
    rng: np.random.Generator, rich_layout: Layout, rich_recipe: FieldRecipe
) -> None:
    for cells in (
        stromal_immune_cells(rng, rich_layout, rich_recipe),
        fibroblasts(rng, rich_layout, rich_recipe),
    ):
        assert len(cells) > 5
        assert (_ground(cells, rich_layout) == Ground.STROMA).all()


def test_aggregates_are_dense_and_lymphocytic(
    rng: np.random.Generator, rich_layout: Layout, rich_recipe: FieldRecipe
) -> None:
    cells = stromal_immune_cells(rng, rich_layout, rich_recipe)
    within = points_in_map(rich_layout.aggregate, cells["x_um"], cells["y_um"], STEP_UM).astype(bool)
    area = rich_layout.aggregate.sum() * STEP_UM**2 * 1e-6
    assert within.sum() / area > 8000
    assert (cells["subkind"][within] == Subkind.LYMPHOCYTE).mean() > 0.8


def test_fibroblasts_are_spindles_along_the_fibres(
    rng: np.random.Generator, rich_layout: Layout, rich_recipe: FieldRecipe
) -> None:
    cells = fibroblasts(rng, rich_layout, rich_recipe)
    along = points_in_map(rich_layout.fibre_angle, cells["x_um"], cells["y_um"], STEP_UM).astype(float)
    assert np.median(cells["nucleus_aspect"]) > 2.3
    assert np.abs(np.cos(cells["nucleus_angle"] - along)).mean() > 0.9


def test_endothelium_lines_vessels(
    rng: np.random.Generator, stroma: Layout, rich_recipe: FieldRecipe
) -> None:
    vessels = [vessel for vessel in stroma.vessels if not vessel.gland]
    cells = endothelium(rng, stroma, rich_recipe)
    away = np.min([np.abs(ellipse_radius(cells["x_um"], cells["y_um"], vessel) - vessel.radius_um)
                   for vessel in vessels], axis=0)  # fmt: skip
    assert len(cells) >= 2 * len(vessels) > 0
    assert away.max() < 2


def test_benign_epithelium_is_its_own_kind(
    rng: np.random.Generator, stroma: Layout, rich_layout: Layout, rich_recipe: FieldRecipe
) -> None:
    squamous, glands = squamous_cells(rng, rich_layout, rich_recipe), gland_cells(rng, stroma, rich_recipe)
    for cells in (squamous, glands):
        assert len(cells) > 10
        assert (cells["subkind"] == Subkind.BENIGN_EPITHELIUM).all()
        assert (cells["kind"] == Kind.OTHER).all()
    assert (_ground(squamous, rich_layout) == Ground.BENIGN).all()


def test_necrosis_holds_ghosts_and_uncounted_debris(
    rng: np.random.Generator, rich_layout: Layout, rich_recipe: FieldRecipe
) -> None:
    cells = necrotic_cells(rng, rich_layout, rich_recipe)
    assert (_ground(cells, rich_layout) == Ground.NECROSIS).all()
    debris = ~cells["visible"]
    assert debris.any()
    assert cells["nucleus_um"][debris].max() < 1.3
    assert (cells["kind"] == Kind.OTHER).all()


def test_nuclei_in_a_world_do_not_pile_up(rich_world: World) -> None:
    cells = rich_world.cells
    places = np.stack((cells["x_um"], cells["y_um"]), axis=1)
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    radius = np.maximum(cells["nucleus_um"], 1.0)
    close = apart < 0.81 * (radius[:, None] + radius[None])
    assert close.sum() == len(cells)


def test_records_join_and_default_to_round() -> None:
    cells = join([new_cells([1.0], [2.0], nucleus_um=3.0), new_cells([4.0, 5.0], [0.0, 0.0])])
    assert cells["x_um"].tolist() == [1, 4, 5]
    assert (cells["aspect"] == 1).all()
    assert len(join([])) == 0
    assert join([]).dtype == CELL
