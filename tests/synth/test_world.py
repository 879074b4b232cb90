from __future__ import annotations

import numpy as np
import pytest

from cxpath.data.cells import Kind, Subkind
from cxpath.synth.recipe import FieldRecipe
from cxpath.synth.slide import stain_to_cps
from cxpath.synth.world import Window, World, build_world


def test_pixel_centres_are_at_one_half() -> None:
    window = Window(10, -4, 3, 5, 0.5)
    assert window.shape == (3, 5)
    assert window.y_um.tolist() == [5.25, 5.75, 6.25]
    assert window.x_um[0] == -1.75


def test_a_grown_window_holds_the_same_noise() -> None:
    window = Window(100, 40, 30, 20, 0.37)
    grown = window.grown(7)
    assert grown.shape == (44, 34)
    for band in (False, True):
        inner = grown.texture(5, 1.0, (3.0, 9.0), band=band)[7:-7, 7:-7]
        assert np.array_equal(inner, window.texture(5, 1.0, (3.0, 9.0), band=band))


def test_a_world_map_is_sampled_in_place() -> None:
    field = np.arange(100, dtype=np.float32)[None, :] * np.ones((50, 1), np.float32)
    values = Window(4, 20, 6, 8, 0.5).world_map(field, 2.0)
    assert np.allclose(values[0], ((np.arange(20, 28) + 0.5) * 0.5) / 2.0 - 0.5)


def test_the_same_dice_build_the_same_world(rich_recipe: FieldRecipe) -> None:
    first, second = (build_world(np.random.default_rng(9), 200, 180, rich_recipe) for _ in range(2))
    assert np.array_equal(first.cells, second.cells)
    assert np.array_equal(first.layout.ground, second.layout.ground)
    assert first.texture_um == second.texture_um


def test_a_world_holds_every_kind_of_cell(rich_world: World) -> None:
    assert set(rich_world.cells["kind"]) == set(Kind)
    assert set(rich_world.cells["subkind"]) >= set(Subkind) - {Subkind.ENDOTHELIUM}


def test_ground_maps_share_out_every_spot(rich_world: World) -> None:
    assert np.allclose(np.sum(list(rich_world.ground_maps.values()), axis=0), 1)


@pytest.mark.parametrize("cps", [0.0, 0.5, 30.0, 100.0])
def test_staining_to_a_score_counts_to_the_cell(rich_recipe: FieldRecipe, cps: float) -> None:
    world = build_world(np.random.default_rng(9), 400, 400, rich_recipe)
    stain_to_cps(np.random.default_rng(1), world, cps)
    cells = world.cells
    tumour = (cells["kind"] == Kind.TUMOUR) & cells["visible"]
    positive = cells["membrane"][tumour].sum() + cells["any_stain"][cells["kind"] == Kind.IMMUNE].sum()
    assert positive == pytest.approx(cps * tumour.sum() / 100, abs=1.01)
    assert positive > 0 or cps * tumour.sum() < 50
