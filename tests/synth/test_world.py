from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from cxpath.data.cells import Kind, Subkind
from cxpath.synth.cells import CellPlan, new_cells
from cxpath.synth.field import true_cells
from cxpath.synth.optics import Scanner, StainLook
from cxpath.synth.recipe import FieldRecipe, Staining
from cxpath.synth.slide import slide_truth, stain_to_cps
from cxpath.synth.world import Window, World, as_developed, build_world, clear_stain, populate


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


def test_what_is_painted_is_what_must_be_there_before_the_optics_take_some() -> None:
    """A line of standard deviation .8 µm blurred by .6 keeps .8 of its height; dye shows 1.2 x .9 of it."""
    look = StainLook(dab_gain=1.2, section_thickness=0.9)
    scanner = Scanner(blur_um=0.6, gamma=1.0)
    developed = as_developed(Staining(membrane_width_um=1.6, visible_od=0.2), look, scanner)
    assert developed.visible_od == pytest.approx(0.2 / (0.8 * 1.2 * 0.9))
    assert as_developed(developed, StainLook(), Scanner(blur_um=0.0)).visible_od == developed.visible_od


def test_cleared_cells_carry_no_dab_and_keep_their_shape(plain_world: World) -> None:
    cells = plain_world.cells.copy()
    assert cells["any_stain"].any()
    clear_stain(cells)
    dab = ("membrane_od", "completeness", "cytoplasm_dab_od", "nuclear_dab_od", "granularity", "clumping")
    assert all((cells[name] == 0).all() for name in dab)
    assert not cells["membrane"].any()
    assert not cells["any_stain"].any()
    for name in ("x_um", "y_um", "kind", "subkind", "nucleus_um", "haematoxylin_od"):
        assert np.array_equal(cells[name], plain_world.cells[name]), name


def test_cells_lie_in_their_world_and_no_nearer_than_they_may(plain_world: World) -> None:
    cells, layout = plain_world.cells, plain_world.layout
    assert ((cells["x_um"] >= 0) & (cells["x_um"] < layout.width_um)).all()
    assert ((cells["y_um"] >= 0) & (cells["y_um"] < layout.height_um)).all()
    assert len(plain_world.borders.distance_um) == len(cells)


def test_another_place_for_the_same_dice_is_another_texture(plain_recipe: FieldRecipe) -> None:
    starts = {
        build_world(np.random.default_rng(seed), 60.0, 60.0, plain_recipe).texture_um for seed in range(5)
    }
    assert len(starts) == 5


def test_the_more_out_of_focus_the_softer_and_never_beyond_a_limit(plain_recipe: FieldRecipe) -> None:
    blur = []
    for spread_um in (0.0, 0.5, 50.0):
        nuclei = replace(plain_recipe.nuclei, focus_spread_um=spread_um)
        world = build_world(np.random.default_rng(2), 120.0, 120.0, replace(plain_recipe, nuclei=nuclei))
        blur.append(world.cells["blur"])
    assert blur[0].mean() < blur[1].mean() < blur[2].mean()
    assert blur[2].max() == pytest.approx(2.6)


def test_the_firmer_structure_stays_where_cells_would_overlap(rich_recipe: FieldRecipe) -> None:
    """Endothelium is placed first, fibroblasts last: no cell of the first is lost to another kind."""
    rng = np.random.default_rng(8)
    layout = build_world(rng, 200.0, 200.0, rich_recipe).layout
    crowded = replace(rich_recipe, tissue=replace(rich_recipe.tissue, fibroblasts_mm2=20_000.0))
    cells = populate(np.random.default_rng(1), layout, crowded)
    lonely = populate(
        np.random.default_rng(1),
        layout,
        replace(rich_recipe, tissue=replace(rich_recipe.tissue, fibroblasts_mm2=0.0)),
    )
    for subkind in (Subkind.ENDOTHELIUM, Subkind.BENIGN_EPITHELIUM):
        assert (cells["subkind"] == subkind).sum() == (lonely["subkind"] == subkind).sum()


# The truth of a slide.


def planned(kinds: list[Kind], stained: list[bool]) -> CellPlan:
    """Return cells in a row, ten micrometres apart; those of an unseen nucleus last."""
    subkinds = {Kind.TUMOUR: Subkind.UNKNOWN, Kind.IMMUNE: Subkind.LYMPHOCYTE, Kind.OTHER: Subkind.PLASMA}
    return new_cells(
        np.arange(len(kinds)) * 10.0 + 5,
        np.full(len(kinds), 5.0),
        kind=kinds,
        subkind=[subkinds[kind] for kind in kinds],
        membrane=stained,
        any_stain=stained,
        nucleus_um=3.0,
    )


@given(st.lists(st.tuples(st.sampled_from(Kind), st.booleans()), min_size=1, max_size=40))
def test_the_truth_counts_every_visible_cell_once(cells: list[tuple[Kind, bool]]) -> None:
    world = World(
        None, planned([kind for kind, _ in cells], [stained for _, stained in cells]),  # type: ignore[arg-type]
        None, None, FieldRecipe(), (0.0, 0.0),  # type: ignore[arg-type]
    )  # fmt: skip
    seen = true_cells(world, Window(0, 0, 20, 20 * len(cells), 0.5))
    truth = slide_truth(seen, 0.5)
    numbers = (truth.tumour_positive, truth.tumour_negative, truth.immune_positive, truth.immune_negative)
    assert sum(numbers) + truth.other == len(cells)
    assert truth.tumour_positive == cells.count((Kind.TUMOUR, True))
    assert truth.immune_positive == cells.count((Kind.IMMUNE, True))
    tumour = truth.tumour_cells
    if tumour:
        assert truth.cps == pytest.approx(min(100.0, 100 * (numbers[0] + numbers[2]) / tumour))
