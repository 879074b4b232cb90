from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cxpath.synth.clutter import Clutter, Thing, lay_artefacts, scatter_clutter
from cxpath.synth.layout import STEP_UM, Ground, Layout
from cxpath.synth.noise import points_in_map
from cxpath.synth.optics import StainLayers
from cxpath.synth.painting import paint_clutter
from cxpath.synth.recipe import Artefacts, FieldRecipe, random_artefacts
from cxpath.synth.world import Window, World

LAYER = {Thing.GRANULE: "dab", Thing.PIGMENT: "pigment", Thing.CARBON: "carbon", Thing.TAN_BODY: "tan",
         Thing.RED_CELL: "blood", Thing.FRAGMENT: "dab"}  # fmt: skip


def _one(thing: Thing, radius_um: float = 3.0) -> Clutter:
    one = np.ones(1, np.float32)
    return Clutter(
        np.array([thing], np.uint8), np.array([20.0]), np.array([20.0]), radius_um * one, one, 0 * one, one
    )


def _painted(world: World, clutter: Clutter, filled: float = 0.0) -> StainLayers:
    layers = StainLayers.empty((80, 80))
    layers.haematoxylin[:] = filled
    paint_clutter(replace(world, clutter=clutter), Window(0, 0, 80, 80, 0.5), layers)
    return layers


@pytest.mark.parametrize("thing", LAYER)
def test_each_thing_colours_its_own_layer_where_it_lies(rich_world: World, thing: Thing) -> None:
    layer = getattr(_painted(rich_world, _one(thing)), LAYER[thing])
    rows, columns = np.nonzero(layer > 0.02)
    assert len(rows) > 4
    assert np.hypot(rows - 40, columns - 40).max() < 12


def test_a_vacuole_is_a_hole(rich_world: World) -> None:
    layers = _painted(rich_world, _one(Thing.VACUOLE, 4.0), 0.2)
    assert layers.haematoxylin[40, 40] < 0.02
    assert layers.haematoxylin[5, 5] == pytest.approx(0.2)


def test_things_lie_in_tissue_at_their_density(rich_layout: Layout, rich_recipe: FieldRecipe) -> None:
    hard_negatives = replace(
        rich_recipe.hard_negatives, granules_mm2=4000.0, red_cells_mm2=0.0, anthracosis_mm2=0.0
    )
    clutter = scatter_clutter(
        np.random.default_rng(1), rich_layout, replace(rich_recipe, hard_negatives=hard_negatives)
    )
    ground = points_in_map(rich_layout.ground, clutter.x_um, clutter.y_um, STEP_UM)
    assert (ground != Ground.GLASS).all()
    tissue_mm2 = rich_layout.area_mm2(*(set(Ground) - {Ground.GLASS}))
    granules = clutter.thing == Thing.GRANULE
    assert granules.sum() == pytest.approx(4000 * tissue_mm2, rel=0.3)
    assert not (clutter.thing == Thing.CARBON).any()
    assert (ground[clutter.thing == Thing.RED_CELL] == Ground.VESSEL).all()


@pytest.fixture
def od() -> NDArray[np.float32]:
    rough = np.random.default_rng(0).random((240, 280, 3)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(rough, (0, 0), 1.5), np.float32)


def test_no_artefact_changes_nothing(od: NDArray[np.float32]) -> None:
    laid, spoiled = lay_artefacts(np.random.default_rng(1), od, Artefacts(), 0.5)
    assert laid is od
    assert not spoiled.any()


@pytest.mark.parametrize("name", ["pen", "bubble", "fold", "crush"])
def test_each_artefact_changes_what_it_marks_and_little_else(od: NDArray[np.float32], name: str) -> None:
    for seed in range(6):
        laid, spoiled = lay_artefacts(
            np.random.default_rng(seed), od, replace(Artefacts(), **{name: True}), 0.5
        )
        change = np.abs(laid - od).mean(axis=2)
        assert laid.dtype == np.float32
        assert (laid >= -1e-5).all()
        if spoiled.any():
            assert change[spoiled].mean() > 0.01
        if (~spoiled).any():
            assert change[~spoiled].mean() < 0.03


def test_a_fold_doubles_the_tissue(od: NDArray[np.float32]) -> None:
    laid, spoiled = lay_artefacts(np.random.default_rng(2), od, Artefacts(fold=True), 0.5)
    assert laid[spoiled].mean() > 1.5 * od.mean()


def test_ink_is_far_from_any_stain(od: NDArray[np.float32]) -> None:
    laid, spoiled = lay_artefacts(np.random.default_rng(2), od * 0.1, Artefacts(pen=True), 0.5)
    assert laid[spoiled].mean() > 2 * (0.1 * od).mean()


def test_artefacts_are_rare_but_all_occur_in_training() -> None:
    drawn = [random_artefacts(np.random.default_rng(seed)) for seed in range(600)]
    for name in ("pen", "bubble", "fold", "crush"):
        assert 0.01 < np.mean([getattr(artefacts, name) for artefacts in drawn]) < 0.1
    assert 0.01 < np.mean([artefacts.defocus_um > 0 for artefacts in drawn]) < 0.1
