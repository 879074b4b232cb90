from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from cxpath.data.cells import Kind, Subkind
from cxpath.synth.cells import CellPlan
from cxpath.synth.optics import Scanner, StainLook
from cxpath.synth.recipe import FieldRecipe, HardNegatives, Staining, TissueMix
from cxpath.synth.world import (
    EXCLUDED,
    IMMUNE_REACH_UM,
    World,
    as_developed,
    build_world,
    clear_stain,
    stain_cells,
)

Stain = Callable[..., CellPlan]
NONE = HardNegatives(**{item.name: 0.0 for item in fields(HardNegatives)})


@pytest.fixture
def stain(rich_world: World) -> Stain:
    def stained(staining: Staining, hard_negatives: HardNegatives = NONE, seed: int = 0) -> CellPlan:
        cells = rich_world.cells.copy()
        clear_stain(cells)
        stain_cells(np.random.default_rng(seed), cells, rich_world.layout, staining, hard_negatives)
        return cells

    return stained


def _tumour(cells: CellPlan) -> np.ndarray:
    return np.asarray((cells["kind"] == Kind.TUMOUR) & cells["visible"])


@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 1.0])
def test_shares_are_met_to_the_cell(stain: Stain, share: float) -> None:
    cells = stain(Staining(tumour_positive_share=share, immune_positive_share=share))
    tumour, immune = _tumour(cells), cells["kind"] == Kind.IMMUNE
    assert cells["membrane"][tumour].sum() == round(share * tumour.sum())
    assert cells["any_stain"][immune].sum() == round(share * immune.sum())


def test_without_positives_there_is_no_dab(stain: Stain) -> None:
    cells = stain(Staining(tumour_positive_share=0, immune_positive_share=0))
    for name in ("membrane_od", "cytoplasm_dab_od", "nuclear_dab_od"):
        assert not cells[name].any()


def test_every_positive_membrane_is_visible_and_wide_enough(stain: Stain) -> None:
    staining = Staining(tumour_positive_share=0.5, membrane_od=0.08, visible_od=0.075)
    cells = stain(staining)
    positive = _tumour(cells) & cells["membrane"]
    assert (cells["membrane_od"][positive] >= 0.0749).all()
    assert (cells["completeness"][positive] >= 0.1).all()


def test_patchy_staining_makes_neighbours_alike(stain: Stain) -> None:
    def alike(patchiness: float) -> float:
        cells = stain(Staining(tumour_positive_share=0.3, patchiness=patchiness))
        tumour = cells[_tumour(cells)]
        places = np.stack((tumour["x_um"], tumour["y_um"]), axis=1)
        nearest = cKDTree(places).query(places, k=2)[1][:, 1]
        return float((tumour["membrane"] == tumour["membrane"][nearest]).mean())

    assert alike(1.0) > alike(0.0) + 0.08


@pytest.mark.parametrize(
    ("hard_negative", "column"),
    [("cytoplasm_only_share", "cytoplasm_dab_od"), ("nuclear_brown_share", "nuclear_dab_od"),
     ("punctate_share", "clumping"), ("subvisible_share", "membrane_od")],
)  # fmt: skip
def test_tumour_traps_are_brown_and_negative(stain: Stain, hard_negative: str, column: str) -> None:
    cells = stain(
        Staining(tumour_positive_share=0, immune_positive_share=0),
        replace(NONE, nuclear_brown_od=0.9, **{hard_negative: 0.5}),
    )
    tumour = _tumour(cells)
    assert (cells[column][tumour] > 0).mean() == pytest.approx(0.5, abs=0.12)
    assert not cells["membrane"][tumour].any()
    assert cells["any_stain"][tumour].any() == (hard_negative == "cytoplasm_only_share")


def test_a_trace_stays_below_what_counts(stain: Stain) -> None:
    cells = stain(Staining(tumour_positive_share=0), replace(NONE, subvisible_share=1.0))
    assert cells["membrane_od"][_tumour(cells)].max() <= 0.4 * Staining().visible_od + 1e-6


def test_excluded_and_benign_cells_can_stain(stain: Stain) -> None:
    hard_negatives = replace(NONE, excluded_stained_share=1.0, benign_stained_share=1.0)
    cells = stain(Staining(tumour_positive_share=0, immune_positive_share=0), hard_negatives)
    assert cells["any_stain"][np.isin(cells["subkind"], EXCLUDED)].all()
    assert cells["any_stain"][cells["subkind"] == Subkind.BENIGN_EPITHELIUM].all()
    assert not cells["any_stain"][cells["kind"] == Kind.IMMUNE].any()


def test_brown_immune_nuclei_are_negative(stain: Stain) -> None:
    cells = stain(Staining(tumour_positive_share=0, immune_positive_share=0),
                  replace(NONE, nuclear_brown_immune_share=1.0))  # fmt: skip
    immune = cells["kind"] == Kind.IMMUNE
    assert (cells["nuclear_dab_od"][immune] > 0.1).all()
    assert not cells["any_stain"][immune].any()


def test_no_positive_immune_cell_is_far_from_tumour() -> None:
    recipe_mix = TissueMix(nest_share=0.03, nest_scale_um=60, stroma_cells_mm2=2000)
    recipe = FieldRecipe(tissue=recipe_mix, staining=Staining(immune_positive_share=0.5, border_preference=0))
    cells = build_world(np.random.default_rng(3), 2000, 500, recipe).cells
    tumour, stained = _tumour(cells), (cells["kind"] == Kind.IMMUNE) & cells["any_stain"]
    places = np.stack((cells["x_um"], cells["y_um"]), axis=1)
    away = cKDTree(places[tumour]).query(places)[0]
    assert away[cells["kind"] == Kind.IMMUNE].max() > IMMUNE_REACH_UM
    assert stained.any()
    assert away[stained].max() <= IMMUNE_REACH_UM


def test_what_convinces_is_what_the_slide_shows(stain: Stain) -> None:
    faint = Staining(tumour_positive_share=1.0, membrane_od=0.01, intensity_spread=0.01)
    pale = StainLook(dab_gain=0.8, section_thickness=0.5)
    sharp = Scanner(blur_um=0.0, gamma=1.0)
    cells = stain(as_developed(faint, pale, sharp), NONE)
    stained = cells[_tumour(cells) & cells["membrane"]]
    shown = stained["membrane_od"] * 0.8 * 0.5
    assert shown.min() >= faint.visible_od - 1e-6
    partial, whole = stained["completeness"] < 0.5, stained["completeness"] > 0.9
    assert shown[partial].min() > shown[whole].max()


def test_a_soft_or_flat_scan_must_be_stained_more_to_convince() -> None:
    def least(blur_um: float, gamma: float) -> float:
        return as_developed(Staining(), StainLook(), Scanner(blur_um=blur_um, gamma=gamma)).visible_od

    assert least(0.0, 1.0) == pytest.approx(Staining().visible_od)
    width_um = Staining().membrane_width_um
    assert least(width_um / 2, 1.0) == pytest.approx(np.sqrt(2) * Staining().visible_od)
    assert least(0.0, 0.8) == pytest.approx(Staining().visible_od / 0.8)


def test_neighbours_are_alike_even_without_patches(stain: Stain) -> None:
    cells = stain(Staining(tumour_positive_share=0.3, patchiness=0.0))
    tumour = cells[_tumour(cells)]
    nearest = cKDTree(np.stack((tumour["x_um"], tumour["y_um"]), axis=1)).query(
        np.stack((tumour["x_um"], tumour["y_um"]), axis=1), k=2
    )[1][:, 1]
    by_chance = 0.3**2 + 0.7**2
    assert (tumour["membrane"] == tumour["membrane"][nearest]).mean() > by_chance + 0.1
