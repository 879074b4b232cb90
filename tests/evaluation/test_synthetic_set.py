from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from cxpath.data.cells import Kind
from cxpath.evaluation.classifier import Calls
from cxpath.evaluation.settings import Stratum, SyntheticSettings, bundled_settings, evaluation_settings
from cxpath.evaluation.synthetic import field_counts
from cxpath.evaluation.synthetic_set import (
    HARD_NEGATIVES,
    EvaluatedArea,
    EvaluatedField,
    EvaluatedSlide,
    PlannedSlide,
    field_recipe,
    hard_negatives_in,
    make_test_slide,
    plan_slides,
    slide_look,
    spread,
    stain_together,
)
from cxpath.metrics.cells import detection_f1, macro_f1, true_cps
from cxpath.synth.cells import CellPlan
from cxpath.synth.layout import Ground, Layout, Vessel, lay_out
from cxpath.synth.optics import TRAINING_STAINS, random_stain_look
from cxpath.synth.recipe import Artefacts, FieldRecipe, HardNegatives, TissueMix
from cxpath.synth.world import World, build_world
from tests.evaluation.called_cells import small_recipe


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8), st.floats(0, 1), st.integers(0, 9))
def test_a_number_is_shared_out_wholly_and_within_room(rooms: list[int], part: float, seed: int) -> None:
    room = np.array(rooms)
    number = int(part * room.sum())
    rng = np.random.default_rng(seed)
    given_ = spread(rng, number, room, rng.gamma(2.0, 0.5, len(room)) + 0.1)
    assert given_.sum() == number
    assert (given_ <= room).all()


def worlds() -> list[World]:
    recipe = FieldRecipe(tissue=TissueMix(nest_share=0.6))
    bare = FieldRecipe(tissue=TissueMix(nest_share=0.0))
    return [
        build_world(np.random.default_rng(n), 150.0, 150.0, r) for n, r in enumerate([recipe, recipe, bare])
    ]


def cps(cells: Sequence[CellPlan]) -> float:
    together = np.concatenate(list(cells))
    together = together[together["visible"]]
    tumour = together["kind"] == Kind.TUMOUR
    positive = (tumour & together["membrane"]) | ((together["kind"] == Kind.IMMUNE) & together["any_stain"])
    return 100.0 * float(positive.sum()) / float(tumour.sum())


@pytest.mark.parametrize("wanted", [0.0, 5.0, 60.0])
def test_worlds_together_reach_the_score(wanted: float) -> None:
    before = worlds()
    stained = stain_together(np.random.default_rng(1), before, wanted, lambda _: True)
    assert cps([world.cells for world in stained]) == pytest.approx(wanted, abs=1.5)
    bare = stained[2].cells
    assert not bare["any_stain"][bare["kind"] == Kind.IMMUNE].any(), "no tumour near, nothing counts"
    assert cps([world.cells for world in before]) == cps([world.cells for world in worlds()]), "untouched"


def test_staining_is_repeated_until_accepted() -> None:
    tries = []

    def third(cells: Sequence[CellPlan]) -> bool:
        tries.append(cps(cells))
        return len(tries) == 3

    stained = stain_together(np.random.default_rng(1), worlds(), 20.0, third)
    assert len(tries) == 3
    assert cps([world.cells for world in stained]) == tries[-1]


def test_what_cannot_be_reached_is_said() -> None:
    with pytest.raises(ValueError, match="no staining in"):
        stain_together(np.random.default_rng(1), worlds()[:1], 0.0, lambda _: False)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> SyntheticSettings:
    return evaluation_settings(SyntheticSettings, small_recipe(tmp_path_factory.mktemp("recipe")))


@pytest.fixture(scope="module")
def drawn(recipe: SyntheticSettings) -> list[tuple[PlannedSlide, EvaluatedSlide]]:
    return [(slide, make_test_slide(slide, recipe.tissue, 0.5)) for slide in plan_slides(recipe)]


def perfect(field: EvaluatedField) -> Calls:
    """Calls that are the truth."""
    positive = field.cells.positive
    stained = np.where(positive, 0.9, 0.1).astype(np.float32)
    return Calls(field.points_um, field.cells.kind, stained, positive, np.ones(len(positive), np.float32))


def table(slide: EvaluatedSlide) -> NDArray[np.int64]:
    tables = [field_counts(field, perfect(field), 6.0)[0] for field in slide.fields]
    return np.asarray(np.sum(tables, axis=0), dtype=np.int64)


def test_every_slide_has_its_cells_and_its_score(
    recipe: SyntheticSettings, drawn: list[tuple[PlannedSlide, EvaluatedSlide]]
) -> None:
    for planned, slide in drawn:
        counts = table(slide)
        assert counts[:2].sum() >= recipe.tissue.tumour_cells
        assert planned.stratum.contains(true_cps(counts)), planned.name
        assert all(field.rgb.dtype == np.uint8 and field.rgb.ndim == 3 for field in slide.fields)
    assert true_cps(table(drawn[-1][1])) != true_cps(table(drawn[0][1]))


def test_the_truth_judged_by_itself_is_perfect(drawn: list[tuple[PlannedSlide, EvaluatedSlide]]) -> None:
    counts = np.stack([table(slide) for _, slide in drawn]).sum(axis=0)
    assert detection_f1(counts) == 1.0
    assert macro_f1(counts) == 1.0


def test_true_cells_lie_on_stain(drawn: list[tuple[PlannedSlide, EvaluatedSlide]]) -> None:
    """Nuclei are darker than the field around them: pixels and truth share a frame."""
    for _, slide in drawn:
        for field in slide.fields:
            cells = field.cells.kind == Kind.TUMOUR
            column, row = (field.points_um[cells] / 0.5).astype(int).T
            if len(row) > 20:
                grey = field.rgb.mean(axis=2)
                inside = (row < grey.shape[0]) & (column < grey.shape[1])
                assert grey[row[inside], column[inside]].mean() < grey.mean()


def test_the_same_plan_draws_the_same_pixels(
    recipe: SyntheticSettings, drawn: list[tuple[PlannedSlide, EvaluatedSlide]]
) -> None:
    planned, slide = drawn[0]
    again = make_test_slide(planned, recipe.tissue, 0.5)
    assert np.array_equal(again.fields[0].rgb, slide.fields[0].rgb)
    half = make_test_slide(planned, recipe.tissue, 1.0)
    assert half.fields[0].rgb.shape[0] == slide.fields[0].rgb.shape[0] // 2
    assert np.array_equal(half.fields[0].points_um, slide.fields[0].points_um)


def test_too_little_tumour_is_said(recipe: SyntheticSettings) -> None:
    poor = recipe.tissue.model_copy(update={"most_fields": 1, "tumour_cells": 100_000})
    with pytest.raises(ValueError, match="tumour cells only"):
        make_test_slide(plan_slides(recipe)[0], poor, 0.5)


def test_edge_and_spoiled_pixels_are_not_judged() -> None:
    spoiled = np.zeros((100, 200), bool)
    spoiled[40:60, 100:120] = True
    area = EvaluatedArea(spoiled, 0.5, 10.0)
    points = np.array([[9.0, 25.0], [11.0, 25.0], [55.0, 25.0], [89.0, 25.0], [91.0, 25.0], [50.0, 41.0]])
    assert area.contains(points).tolist() == [False, True, False, True, False, False]


def test_the_truth_believes_itself_as_far_as_it_says(
    drawn: list[tuple[PlannedSlide, EvaluatedSlide]],
) -> None:
    field = drawn[-1][1].fields[0]
    table, stained, kind = field_counts(field, perfect(field), 6.0)
    assert kind[9].tolist() == pytest.approx([table[:5, :5].sum(), table[:5, :5].sum(), table[:5, :5].sum()])
    assert kind[:9].sum() == 0
    positive, negative = table[[0, 2], [0, 2]].sum(), table[[1, 3], [1, 3]].sum()
    assert stained[9].tolist() == pytest.approx([positive, 0.9 * positive, positive])
    assert stained[1].tolist() == pytest.approx([negative, 0.1 * negative, 0])


def test_settings_are_found_where_they_travel(tmp_path: Path) -> None:
    assert evaluation_settings(SyntheticSettings, small_recipe(tmp_path)).seed == 5


RECIPE = evaluation_settings(SyntheticSettings, bundled_settings("synthetic"))
PLAN = plan_slides(RECIPE)
GATED = [slide for slide in PLAN if slide.arm.gated]


def angle(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    return float(np.degrees(np.arccos(np.clip(np.dot(first, second), -1, 1))))


def test_the_plan_holds_what_was_promised() -> None:
    assert len(GATED) >= RECIPE.targets.slides == 300
    strata = Counter(slide.stratum.name for slide in GATED)
    assert strata["below_half"] >= RECIPE.targets.slides_below_half == 80
    assert strata["half_to_3"] >= RECIPE.targets.slides_from_0_3_to_3 == 100
    assert RECIPE.tissue.tumour_cells >= RECIPE.targets.tumour_cells == 2000
    assert len({slide.name for slide in PLAN}) == len(PLAN) == len({slide.seed for slide in PLAN})
    assert all(slide.stratum.contains(slide.cps) for slide in PLAN)
    assert sum(slide.cps == 0 for slide in GATED) >= 5
    assert max(slide.cps for slide in GATED) > 80


def test_the_order_mixes_arms_and_strata() -> None:
    for number in (24, 60, 120):
        first = PLAN[:number]
        assert abs(sum(slide.arm.gated for slide in first) / number - 5 / 6) < 0.08
        low = sum(slide.stratum.name == "below_half" for slide in first)
        assert abs(low / number - 0.3) < 0.08


def test_colours_of_gated_slides_are_ten_degrees_from_any_of_trainings() -> None:
    rng = np.random.default_rng(0)
    training = [random_stain_look(rng, TRAINING_STAINS) for _ in range(400)]
    for slide in GATED[::10]:
        look = slide_look(slide, RECIPE.tissue).stains
        assert min(angle(look.haematoxylin, one.haematoxylin) for one in training) >= 10
        assert min(angle(look.dab, one.dab) for one in training) >= 10


def test_every_trap_lies_in_enough_fields() -> None:
    """Over the ground plans of 480 fields; the evaluation counts all that were drawn."""
    found: Counter[str] = Counter()
    fields = 0
    for slide in GATED[:160]:
        look = slide_look(slide, RECIPE.tissue)
        for number in range(3):
            recipe, rng = field_recipe(slide, look, number, RECIPE.tissue)
            layout = lay_out(rng, RECIPE.tissue.field_um, RECIPE.tissue.field_um, recipe.tissue)
            found.update(hard_negatives_in(recipe, layout))
            fields += 1
    assert set(found) == set(HARD_NEGATIVES)
    assert min(found.values()) / fields >= RECIPE.targets.hard_negative_share, found.most_common()[-3:]


def test_a_slide_is_the_same_every_time_and_unlike_others() -> None:
    first, second = slide_look(PLAN[0], RECIPE.tissue), slide_look(PLAN[1], RECIPE.tissue)
    assert first == slide_look(PLAN[0], RECIPE.tissue)
    assert first != second
    assert first.size_px[0] % 8 == 0
    assert first.size_px[0] * first.mpp == pytest.approx(512, abs=5)
    fields = [field_recipe(PLAN[0], first, number, RECIPE.tissue)[0] for number in (0, 0, 1)]
    assert fields[0] == fields[1]
    assert fields[0] != fields[2]


def test_strata_hold_their_scores() -> None:
    stratum = Stratum(name="a", low_cps=0.5, high_cps=3)
    assert stratum.contains(0.5)
    assert not stratum.contains(3.0)
    assert Stratum(name="a", low_cps=3, high_cps=100).contains(100.0), "the cap belongs to the last"
    with pytest.raises(ValidationError, match="above 0 on a logarithmic scale"):
        Stratum(name="a", low_cps=0, high_cps=3, scale="logarithmic")


def test_an_arm_cannot_name_a_stratum_that_is_not_there() -> None:
    changed = RECIPE.model_dump() | {"stratum": [{"name": "other", "low_cps": 0, "high_cps": 1}]}
    with pytest.raises(ValidationError, match="strata that do not exist"):
        SyntheticSettings.model_validate(changed)


# Which hard negatives a field is said to contain: what is on its ground, not what its recipe would allow.

BARE = FieldRecipe(
    tissue=TissueMix(
        benign_share=0.0, lumen_share=0.0, aggregate_share=0.0, plasma_share=0.0, neutrophil_share=0.0,
        eosinophil_share=0.0, macrophage_sheet_share=0.0, intratumour_immune_share=0.0,
    ),
    hard_negatives=HardNegatives(**{item.name: 0.0 for item in fields(HardNegatives)}),
)  # fmt: skip


def ground_of(*grounds: Ground, glands: int = 0) -> Layout:
    """Return a ground plan of one row that shows these grounds."""
    row = np.array([grounds], np.uint8)
    flat = np.zeros(row.shape, np.float32)
    vessels = tuple(Vessel(1.0, 1.0, 1.0, 1.0, 0.0, gland=True) for _ in range(glands))
    return Layout(row, flat, flat, flat, np.zeros(row.shape, bool), flat, flat, vessels)


def names_of(layout: Layout, recipe: FieldRecipe = BARE) -> set[str]:
    return set(hard_negatives_in(recipe, layout)) - set(hard_negatives_in(BARE, ground_of(Ground.GLASS)))


@pytest.mark.parametrize(
    ("ground", "name"),
    [(Ground.KERATIN, "keratinising_nest"), (Ground.NECROSIS, "necrosis"), (Ground.VESSEL, "vessels")],
)
def test_a_ground_that_is_there_is_its_own_hard_negative(ground: Ground, name: str) -> None:
    assert name in names_of(ground_of(Ground.NEST, ground))
    assert name not in names_of(ground_of(Ground.NEST))


def test_a_gland_is_neither_surface_epithelium_nor_a_glandular_nest() -> None:
    """Its wall is benign ground and its middle a lumen, though the recipe has no share of either."""
    with_gland = names_of(ground_of(Ground.STROMA, Ground.BENIGN, Ground.LUMEN, glands=1))
    assert "endocervical_glands" in with_gland
    assert not {"benign_epithelium", "glandular_nest", "cervical_intraepithelial_neoplasia"} & with_gland


def test_dysplasia_needs_epithelium_to_be_in() -> None:
    dysplastic = replace(BARE, tissue=replace(BARE.tissue, benign_share=0.2, cervical_intraepithelial=True))
    benign = replace(BARE, tissue=replace(BARE.tissue, benign_share=0.2, cervical_intraepithelial=False))
    name = "cervical_intraepithelial_neoplasia"
    assert name in names_of(ground_of(Ground.BENIGN), dysplastic)
    assert name not in names_of(ground_of(Ground.BENIGN), benign)
    assert name not in names_of(ground_of(Ground.STROMA), dysplastic)


@pytest.mark.parametrize(
    ("changes", "ground", "name"),
    [
        ({"cytoplasm_only_share": 0.1}, Ground.NEST, "cytoplasm_only"),
        ({"subvisible_share": 0.1}, Ground.NEST, "membrane_below_visible"),
        ({"necrosis_dab_od": 0.1}, Ground.NECROSIS, "brown_necrosis"),
        ({"mucus_dab_od": 0.1}, Ground.LUMEN, "brown_mucus"),
        ({"clefts_share": 0.1}, Ground.STROMA, "clefts"),
        ({"benign_stained_share": 0.1}, Ground.BENIGN, "benign_stained"),
    ],
)
def test_a_hard_negative_of_one_tissue_needs_that_tissue(
    changes: dict[str, float], ground: Ground, name: str
) -> None:
    recipe = replace(BARE, hard_negatives=replace(BARE.hard_negatives, **changes))
    assert name in names_of(ground_of(ground), recipe)
    assert name not in names_of(ground_of(Ground.VESSEL), recipe)
    assert name not in names_of(ground_of(ground))


@pytest.mark.parametrize(
    ("artefacts", "names"),
    [
        (Artefacts(), set()),
        (Artefacts(pen=True), {"pen"}),
        (Artefacts(bubble=True, fold=True), {"bubble", "fold"}),
        (Artefacts(crush=True, defocus_um=2.0), {"crush", "out_of_focus"}),
    ],
)
def test_artefacts_are_named_one_by_one(artefacts: Artefacts, names: set[str]) -> None:
    found = names_of(ground_of(Ground.GLASS), replace(BARE, artefacts=artefacts))
    assert found == names


def test_a_field_is_evaluated_from_its_margin_on_and_not_up_to_it() -> None:
    """20 by 16 pixels of .5 µm are 10 by 8 µm; with a margin of 2 µm, 2 to below 8 and 2 to below 6."""
    spoiled = np.zeros((16, 20), bool)
    spoiled[8, 10] = True
    area = EvaluatedArea(spoiled, 0.5, 2.0)
    points = [
        (2.0, 2.0),
        (1.99, 3.0),
        (7.99, 5.99),
        (8.0, 3.0),
        (3.0, 6.0),
        (5.0, 4.0),
        (5.49, 4.49),
        (5.5, 4.0),
    ]
    assert area.contains(np.array(points)).tolist() == [True, False, True, False, False, False, False, True]
    assert area.contains(np.zeros((0, 2))).tolist() == []
