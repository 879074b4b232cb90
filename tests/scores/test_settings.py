"""Cut-offs, the laboratory's map, and what a laboratory may set."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from cxpath.scores.settings import (
    BorderlineRule,
    Cutoff,
    Decision,
    LaboratoryMapSettings,
    ScoringSettings,
    decide_cutoff,
)

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
    assert "no CPS" in found.basis
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
