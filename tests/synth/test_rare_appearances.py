"""The scarce looks do what they are named for, and nothing else about a recipe changes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cxpath.data.cells import Kind, Subkind
from cxpath.synth.field import make_field
from cxpath.synth.recipe import (
    HEAVY_IMMUNE,
    PALE_SHEET,
    FieldRecipe,
    heavy_immune,
    pale_sheet,
    random_recipe,
    with_rare_appearances,
)

NUMBER = 300


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng([17, seed])


def recipes() -> list[FieldRecipe]:
    return [random_recipe(rng(seed)) for seed in range(NUMBER)]


def test_a_pale_sheet_has_room_between_small_pale_nuclei() -> None:
    for seed, plain in enumerate(recipes()):
        sheet = pale_sheet(plain, rng(seed))
        assert sheet.nuclei.tumour_radius_um < 4.5
        assert sheet.tissue.tumour_spacing_um >= 2.4 * sheet.nuclei.tumour_radius_um
        assert sheet.nuclei.lymphocyte_radius_um <= 0.8 * sheet.nuclei.tumour_radius_um + 1e-9
        assert sheet.nuclei.haematoxylin_od < 0.2
        same = replace(sheet, nuclei=plain.nuclei, tissue=plain.tissue)
        assert same == plain


def test_heavy_immune_cells_are_dense_and_clumped() -> None:
    for seed, plain in enumerate(recipes()):
        heavy = heavy_immune(plain, rng(seed))
        assert heavy.staining.immune_od >= 0.7
        assert heavy.staining.immune_clumping >= 0.6
        assert replace(heavy, staining=plain.staining, tissue=plain.tissue) == plain


def test_they_come_about_as_often_as_named() -> None:
    changed = [with_rare_appearances(plain, rng(seed)) != plain for seed, plain in enumerate(recipes())]
    expected = 1 - (1 - PALE_SHEET) * (1 - HEAVY_IMMUNE)
    assert abs(np.mean(changed) - expected) < 3 * np.sqrt(expected * (1 - expected) / NUMBER)


def test_the_picture_shows_it() -> None:
    plain = random_recipe(rng(1), size_px=(256, 256))
    sheet = make_field(pale_sheet(plain, rng(2)), rng(3))
    tumour = sheet.cells.kind == Kind.TUMOUR
    assert tumour.mean() > 0.5
    heavy = make_field(heavy_immune(FieldRecipe(size_px=(256, 256)), rng(2)), rng(3))
    stained = (heavy.cells.subkind == Subkind.MACROPHAGE) & heavy.cells.any_stain
    assert stained.any()
    light = make_field(FieldRecipe(size_px=(256, 256)), rng(3))
    assert (heavy.rgb.max(axis=2) < 60).sum() > 2 * (light.rgb.max(axis=2) < 60).sum() + 100
