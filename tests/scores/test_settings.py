"""Cut-offs, the laboratory's map, and what a laboratory may set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import special

from cxpath.scores.settings import (
    RATES,
    SLOPES,
    BorderlineRule,
    Cutoff,
    Decision,
    LaboratoryMapSettings,
    SamplingSettings,
    ScoringSettings,
    SlideErrorSettings,
    borderline_rule,
    decades_of,
    decide_cutoff,
    slide_error_of,
    threshold_of,
    with_threshold_of,
)
from tests.synthetic_cells import many

ONE = Cutoff(1.0, "label")
RULE = BorderlineRule(tail=0.025, fold=2.0, tail_beyond=0.125)


@pytest.mark.parametrize(
    ("score", "probability", "borderline"),
    [
        (1.0, 0.98, False),
        (1.0, 0.97, True),
        (2.0, 0.97, True),
        (2.1, 0.97, False),
        (2.1, 0.87, True),
        (0.5, 0.03, True),
        (0.49, 0.03, False),
        (0.0, 0.12, False),
        (0.0, 0.13, True),
    ],
)
def test_near_the_cut_off_a_small_chance_of_the_other_side_asks_for_review_and_far_away_a_larger_one(
    score: float, probability: float, *, borderline: bool
) -> None:
    assert decide_cutoff(score, (score, score), probability, ONE, RULE).borderline is borderline


@pytest.mark.parametrize(("score", "probability"), [(0.2, 0.99), (5.0, 0.01)])
def test_a_count_on_the_less_likely_side_is_borderline_however_sure_that_is(
    score: float, probability: float
) -> None:
    """Calls are known to miss or to invent cells: the score is what was counted, the chance knows better."""
    assert decide_cutoff(score, (score, score), probability, ONE, RULE).borderline


@pytest.mark.parametrize(
    ("score", "interval", "decision", "met"),
    [
        (1.6, (1.0, 2.4), Decision.MET, True),
        (1.6, (0.999, 2.4), Decision.UNCERTAIN, None),
        (0.6, (0.2, 0.999), Decision.NOT_MET, False),
        (0.6, (0.2, 1.0), Decision.UNCERTAIN, None),
        (1.2, (0.3, 0.9), Decision.UNCERTAIN, None),
        (0.7, (1.1, 3.0), Decision.UNCERTAIN, None),
    ],
)
def test_a_cut_off_is_decided_only_where_score_and_interval_lie_on_one_side(
    score: float, interval: tuple[float, float], decision: Decision, *, met: bool | None
) -> None:
    verdict = decide_cutoff(score, interval, 0.5, ONE, RULE)
    assert (verdict.decision, verdict.met) == (decision, met)


OWN = LaboratoryMapSettings(
    scores=(0.0, 9.0),
    reads=(0.0, 19.0),
    cases=64,
    concordance=0.91,
    concordance_unmapped=0.84,
    model_digest="a" * 64,
    assay="22c3",
    stained_threshold=0.4,
    association_distance_um=500.0,
)
SAME = {"model_digest": "a" * 64, "assay": "22C3", "stained_threshold": 0.4, "association_distance_um": 500.0}


def test_the_mapped_score_says_what_it_is_and_how_good() -> None:
    found = OWN.value_of(9.0)
    assert found.value == pytest.approx(19)
    assert "not a CPS" in found.basis
    assert (found.cases, found.concordance, found.concordance_unmapped) == (64, 0.91, 0.84)
    assert [OWN.value_of(cps).beyond_its_cases for cps in (9.0, 9.5)] == [False, True]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"model_digest": "b" * 64}, "of model aaaaaaaaaaaa, not bbbbbbbbbbbb"),
        ({"assay": "sp263"}, "of assay 22c3, not sp263"),
        ({"stained_threshold": 0.5}, "of staining threshold 0.4, not 0.5"),
        ({"association_distance_um": 250.0}, "of association distance 500, not 250"),
    ],
)
def test_a_map_holds_for_the_scores_it_was_fitted_to(other: dict[str, object], words: str) -> None:
    assert OWN.why_not(**SAME) == ""  # type: ignore[arg-type]
    assert words in OWN.why_not(**{**SAME, **other})  # type: ignore[arg-type]


def test_points_that_are_no_rising_map_are_refused() -> None:
    with pytest.raises(ValidationError, match="reads must not fall"):
        ScoringSettings(laboratory_map=OWN.model_copy().model_dump() | {"reads": (3.0, 1.0)})


def test_between_its_points_a_map_is_straight_on_logarithmic_axes_and_level_beyond_them() -> None:
    """From (0, 0) to (9, 19): halfway on log10(x + 1) lie sqrt(10) - 1 and sqrt(20) - 1."""
    assert OWN.value_of(10**0.5 - 1).value == pytest.approx(20**0.5 - 1)
    assert OWN.value_of(50.0).value == pytest.approx(19.0)
    assert OWN.value_of(0.0).value == pytest.approx(0.0)


def test_the_first_difference_of_a_map_is_named() -> None:
    """A map of another model and another assay is another model's."""
    other = {
        "model_digest": "c" * 64,
        "assay": "sp142",
        "stained_threshold": 0.7,
        "association_distance_um": 1.0,
    }
    assert "of model" in OWN.why_not(**other)  # type: ignore[arg-type]


# The error term of a model card.

STATED = {f"slide_error_{name}": 0.5 for name in RATES}


def test_a_card_that_states_all_rates_replaces_the_error_term() -> None:
    found = SlideErrorSettings().updated(STATED | {"f1": 0.9}, held_out_slides=7)
    assert {getattr(found, name) for name in RATES} == {0.5}
    assert found.held_out_slides == 7
    assert not found.has_slopes


def test_a_card_that_states_slopes_hands_them_on() -> None:
    found = SlideErrorSettings().updated(STATED | {"slide_error_immune_recall_slope": -0.4}, 7)
    assert found.has_slopes
    assert (found.immune_recall_slope, found.tumour_recall_slope) == (-0.4, 0.0)


@pytest.mark.parametrize("left_out", RATES)
def test_half_an_error_term_is_none(left_out: str) -> None:
    own = SlideErrorSettings(tumour_recall=0.8)
    metrics = {name: value for name, value in STATED.items() if name != f"slide_error_{left_out}"}
    assert own.updated(metrics, 7) is own


def test_the_rates_are_all_numbers_of_the_term_but_slopes_and_their_basis() -> None:
    assert len(RATES) == 10
    assert len(SLOPES) == 4
    assert "held_out_slides" not in RATES


def test_a_rate_rises_by_its_slope_with_each_power_of_ten() -> None:
    """The logit of .8 is ln 4. A CPS of 3 has its median; 57 + 3 is ten times 3 + 3."""
    term = SlideErrorSettings(tumour_recall=0.8, tumour_recall_slope=0.7)
    found = term.logit_at("tumour_recall", decades_of(np.array([3.0, 57.0])))
    assert found == pytest.approx([np.log(4.0), np.log(4.0) + 0.7])
    flat = term.logit_at("immune_recall", decades_of(np.array([0.0, 100.0])))
    assert flat == pytest.approx(np.full(2, special.logit(term.immune_recall)))


# What stands in for what nobody set.


def test_a_threshold_comes_from_the_laboratory_else_from_the_cells_else_it_is_one_half() -> None:
    plain = many({"T+": 1})
    carrying = replace(plain, facts=replace(plain.facts, stained_threshold=0.35))
    own = ScoringSettings(stained_threshold=0.7)
    assert threshold_of(with_threshold_of(carrying, own)) == 0.7
    assert threshold_of(with_threshold_of(carrying, ScoringSettings())) == 0.35
    assert threshold_of(with_threshold_of(plain, ScoringSettings())) == 0.5


def test_the_laboratorys_error_term_and_borderline_rule_are_used() -> None:
    own = SlideErrorSettings(tumour_recall=0.9)
    assert slide_error_of(ScoringSettings(slide_error=own)) is own
    assert slide_error_of(ScoringSettings()) == SlideErrorSettings()
    settings = ScoringSettings(borderline_tail=0.04, borderline_fold=3.0, borderline_tail_beyond=0.2)
    assert borderline_rule(settings) == BorderlineRule(tail=0.04, fold=3.0, tail_beyond=0.2)


@pytest.mark.parametrize(
    ("section", "wrong"),
    [
        (ScoringSettings, {"stained_threshold": 0.0}),
        (ScoringSettings, {"stained_threshold": 1.0}),
        (ScoringSettings, {"association_distance_um": 0.0}),
        (ScoringSettings, {"minimum_tumour_cells": 0}),
        (ScoringSettings, {"level": 0.5}),
        (ScoringSettings, {"level": 1.0}),
        (ScoringSettings, {"borderline_fold": 0.9}),
        (ScoringSettings, {"field_um": 50.0}),
        (ScoringSettings, {"least_membrane_completeness": 1.1}),
        (ScoringSettings, {"intensity_thresholds_od": (0.1, 0.2)}),
        (ScoringSettings, {"stained_treshold": 0.5}),
        (SamplingSettings, {"first_share": 0.0}),
        (SamplingSettings, {"fewest_in_stratum": 1}),
        (SlideErrorSettings, {"tumour_recall": 1.0}),
        (SlideErrorSettings, {"tumour_recall_spread": -0.1}),
        (LaboratoryMapSettings, OWN.model_dump() | {"cases": 1}),
    ],
)
def test_what_cannot_be_is_refused_by_name(section: type, wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=list(wrong)[-1] if len(wrong) == 1 else "cases"):
        section(**wrong)
