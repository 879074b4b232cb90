from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from pydantic import ValidationError

from cxpath.training.judging.settings_file import bundled_settings, evaluation_settings
from cxpath.training.judging.slide_plan import plan_slides
from cxpath.training.judging.slide_recipe import field_recipe, slide_look
from cxpath.training.judging.synthetic_settings import Stratum, SyntheticSettings
from cxpath.training.judging.trap_presence import TRAPS, traps_in
from cxpath.training.synthetic.layout import lay_out
from cxpath.training.synthetic.stains import TRAINING_STAINS, random_stain_look

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
    assert all(slide.stratum.holds(slide.cps) for slide in PLAN)
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
            found.update(traps_in(recipe, layout))
            fields += 1
    assert set(found) == set(TRAPS)
    assert min(found.values()) / fields >= RECIPE.targets.trap_share, found.most_common()[-3:]


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
    assert stratum.holds(0.5)
    assert not stratum.holds(3.0)
    assert Stratum(name="a", low_cps=3, high_cps=100).holds(100.0), "the cap belongs to the last"
    with pytest.raises(ValidationError, match="above 0 on a logarithmic scale"):
        Stratum(name="a", low_cps=0, high_cps=3, scale="logarithmic")


def test_an_arm_cannot_name_a_stratum_that_is_not_there() -> None:
    changed = RECIPE.model_dump() | {"stratum": [{"name": "other", "low_cps": 0, "high_cps": 1}]}
    with pytest.raises(ValidationError, match="strata that do not exist"):
        SyntheticSettings.model_validate(changed)
