from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cxpath.data.cells import Kind, Subkind, TissueRegion
from cxpath.synth.field import NETWORK_MPP, SyntheticField, brought_to, make_field, make_scanned_field
from cxpath.synth.recipe import Artefacts, FieldRecipe, Staining, TissueMix, random_recipe


@pytest.fixture(scope="session")
def plain(plain_recipe: FieldRecipe) -> SyntheticField:
    return make_field(plain_recipe, np.random.default_rng(1))


def test_the_same_seed_draws_the_same_field(plain: SyntheticField, plain_recipe: FieldRecipe) -> None:
    again = make_field(plain_recipe, np.random.default_rng(1))
    other = make_field(plain_recipe, np.random.default_rng(2))
    assert np.array_equal(plain.rgb, again.rgb)
    assert np.array_equal(plain.cells.x_px, again.cells.x_px)
    assert not np.array_equal(plain.rgb, other.rgb)


@pytest.mark.parametrize("seed", range(12))
def test_random_fields_keep_the_contract(seed: int) -> None:
    rng = np.random.default_rng(seed)
    recipe = random_recipe(rng, size_px=(200, 264))
    field = make_field(recipe, rng)
    assert field.rgb.shape == (200, 264, 3)
    assert field.rgb.dtype == np.uint8
    assert field.region.shape == field.ignore.shape == (25, 33)
    assert field.mpp == recipe.mpp
    cells = field.cells
    assert ((cells.x_px >= 0) & (cells.x_px < 264) & (cells.y_px >= 0) & (cells.y_px < 200)).all()
    assert (cells.subkind[cells.kind == Kind.TUMOUR] == Subkind.UNKNOWN).all()
    assert (cells.subkind[cells.kind != Kind.TUMOUR] != Subkind.UNKNOWN).all()
    assert np.isin(cells.subkind[cells.kind == Kind.IMMUNE], (Subkind.LYMPHOCYTE, Subkind.MACROPHAGE)).all()
    assert not (cells.membrane & ~cells.any_stain).any()
    assert ((cells.completeness >= 0) & (cells.completeness <= 1)).all()
    assert (cells.completeness[cells.membrane] > 0.1).all()
    assert (cells.radius_um > 0.5).all()


def test_cells_lie_where_nuclei_are_dark(plain: SyntheticField) -> None:
    dark = -plain.rgb[..., 0].astype(float)
    here = dark[plain.cells.y_px.astype(int), plain.cells.x_px.astype(int)].mean()
    assert here > dark.mean() + 0.5 * dark.std()


def test_tumour_lies_in_nests_and_fibroblasts_in_stroma(plain: SyntheticField) -> None:
    cells = plain.cells
    rows = (cells.y_px / 8).astype(int).clip(0, plain.region.shape[0] - 1)
    columns = (cells.x_px / 8).astype(int).clip(0, plain.region.shape[1] - 1)
    region = plain.region[rows, columns]
    assert (region[cells.kind == Kind.TUMOUR] == TissueRegion.NEST).mean() > 0.85
    assert (region[cells.subkind == Subkind.FIBROBLAST] == TissueRegion.STROMA).mean() > 0.85


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_brown_comes_with_positive_cells(plain_recipe: FieldRecipe, share: float) -> None:
    staining = Staining(tumour_positive_share=share, immune_positive_share=share, membrane_od=0.5)
    field = make_field(replace(plain_recipe, staining=staining), np.random.default_rng(3))
    brown = (field.rgb[..., 0].astype(int) - field.rgb[..., 2] > 40).mean()
    assert (brown > 0.02) == (share == 1.0)
    assert field.cells.true_cps() == (0.0 if share == 0 else 100.0)


@pytest.mark.parametrize("name", ["pen", "bubble", "fold", "crush"])
def test_artefacts_mark_what_they_spoil(plain_recipe: FieldRecipe, plain: SyntheticField, name: str) -> None:
    artefacts = replace(Artefacts(), **{name: True})
    field = make_field(replace(plain_recipe, artefacts=artefacts), np.random.default_rng(1))
    changed = np.abs(field.rgb.astype(int) - plain.rgb).max(axis=2) > 60
    squares = changed.reshape(32, 8, 40, 8).any(axis=(1, 3))
    assert field.ignore.any()
    assert not plain.ignore.any()
    assert (squares & ~field.ignore).sum() <= 0.02 * squares.size


def test_defocus_blurs_what_it_marks(plain_recipe: FieldRecipe) -> None:
    recipe = replace(plain_recipe, artefacts=Artefacts(defocus_um=3.0))
    field = make_field(recipe, np.random.default_rng(6))
    assert 0 < field.ignore.mean() <= 1
    sharp = make_field(plain_recipe, np.random.default_rng(6))
    rough = [np.abs(np.diff(f.rgb[..., 0].astype(int), axis=1)).mean() for f in (field, sharp)]
    assert rough[0] < rough[1]


def test_empty_glass_has_no_cells(plain_recipe: FieldRecipe) -> None:
    recipe = replace(plain_recipe, tissue=TissueMix(glass_share=1.0))
    field = make_field(recipe, np.random.default_rng(1))
    assert len(field.cells) == 0
    assert (field.region == TissueRegion.UNKNOWN).all()
    assert np.isnan(field.cells.true_cps())


def _field(mpp: float, side_px: int, seed: int = 4) -> SyntheticField:
    rng = np.random.default_rng(seed)
    return make_field(random_recipe(rng, size_px=(side_px, side_px), mpp=mpp), rng)


@pytest.mark.parametrize(("mpp", "before", "after"), [(0.25, 256, 128), (0.64, 96, 128)])
def test_a_field_keeps_its_tissue_at_another_resolution(mpp: float, before: int, after: int) -> None:
    field = _field(mpp, before)
    other = brought_to(field, after)
    assert other.rgb.shape == (after, after, 3)
    assert other.region.shape == other.ignore.shape == (after // 8, after // 8)
    assert other.mpp * after == pytest.approx(field.mpp * before)
    np.testing.assert_allclose(other.cells.x_px * other.mpp, field.cells.x_px * field.mpp)
    assert other.rgb.mean() == pytest.approx(field.rgb.mean(), abs=1.0)
    for name in np.unique(field.region):
        assert (other.region == name).mean() == pytest.approx((field.region == name).mean(), abs=0.08)


def test_a_field_of_the_right_size_is_left_alone() -> None:
    field = _field(0.5, 96)
    assert brought_to(field, 96) is field


def test_fields_come_near_the_network_s_resolution_whatever_scanned_them() -> None:
    fields = [make_scanned_field(np.random.default_rng(seed), 96) for seed in range(24)]
    mpps = np.array([field.mpp for field in fields])
    # A scan's side is a whole number of squares, so its µm/px may miss the range by that much.
    assert (mpps > NETWORK_MPP[0] * 0.88).all()
    assert (mpps < NETWORK_MPP[1] * 1.1).all()
    assert {field.rgb.shape for field in fields} == {(96, 96, 3)}


def test_the_same_dice_draw_the_same_field() -> None:
    first, second = (make_scanned_field(np.random.default_rng(5), 64) for _ in range(2))
    np.testing.assert_array_equal(first.rgb, second.rgb)
