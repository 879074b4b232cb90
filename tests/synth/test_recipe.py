from __future__ import annotations

from dataclasses import asdict, fields

import numpy as np
import pytest

from cxpath.synth.optics import HELD_OUT_STAINS
from cxpath.synth.recipe import FieldRecipe, HardNegatives, NuclearLook, Staining, TissueMix, random_recipe

NUMBER = 400


@pytest.fixture(scope="module")
def recipes() -> list[FieldRecipe]:
    return [random_recipe(np.random.default_rng(seed)) for seed in range(NUMBER)]


def test_a_recipe_is_repeatable_and_keeps_size_and_mpp() -> None:
    drawn = [random_recipe(np.random.default_rng(7), size_px=(96, 128), mpp=0.3) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert drawn[0].size_px == (96, 128)
    assert drawn[0].mpp == 0.3


def test_mpp_is_jittered(recipes: list[FieldRecipe]) -> None:
    mpp = np.array([recipe.mpp for recipe in recipes])
    assert mpp.min() >= 0.45
    assert mpp.max() <= 0.55
    assert np.ptp(mpp) > 0.08


@pytest.mark.parametrize("group", ["tissue", "nuclei", "staining", "hard_negatives", "stains", "scanner"])
def test_every_parameter_varies(recipes: list[FieldRecipe], group: str) -> None:
    fixed = {"patch_scale_um", "visible_od"}
    for item in fields(getattr(recipes[0], group)):
        values = {str(getattr(getattr(recipe, group), item.name)) for recipe in recipes}
        assert len(values) > 1 or item.name in fixed, item.name


def test_shares_are_shares(recipes: list[FieldRecipe]) -> None:
    for recipe in recipes:
        for part in (recipe.tissue, recipe.nuclei, recipe.staining, recipe.hard_negatives):
            for name, value in asdict(part).items():
                if name.endswith("_share"):
                    assert 0 <= value <= 1, name


def test_every_trap_stands_in_five_percent_of_recipes_and_no_trap_in_all(recipes: list[FieldRecipe]) -> None:
    for item in fields(HardNegatives):
        if item.name in ("benign_stained_od", "nuclear_brown_od"):
            continue
        present = np.mean([getattr(recipe.hard_negatives, item.name) > 0 for recipe in recipes])
        assert 0.05 <= present < 1.0, item.name


def test_many_recipes_have_no_or_rare_positives(recipes: list[FieldRecipe]) -> None:
    share = np.array([recipe.staining.tumour_positive_share for recipe in recipes])
    assert (share == 0).mean() > 0.2
    assert ((share > 0) & (share < 0.05)).mean() > 0.1
    assert (share > 0.4).mean() > 0.15


def test_held_out_stains_reach_the_recipe() -> None:
    recipe = random_recipe(np.random.default_rng(1), stains=HELD_OUT_STAINS)
    assert recipe.stains.haematoxylin[1] > 0.8


def test_defaults_draw_something() -> None:
    assert FieldRecipe() == FieldRecipe(tissue=TissueMix(), nuclei=NuclearLook(), staining=Staining())
