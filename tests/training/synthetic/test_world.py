from __future__ import annotations

import numpy as np
import pytest

from cxpath.training.synthetic.recipe import FieldRecipe
from cxpath.training.synthetic.slide_staining import stain_to_cps
from cxpath.training.synthetic.world import World, build_world
from cxpath.values.cell_table import Kind, Subkind


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
