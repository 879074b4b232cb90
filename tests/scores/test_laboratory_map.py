from __future__ import annotations

import pytest
from pydantic import ValidationError

from cxpath.scores.laboratory_map import LaboratoryMapSettings
from cxpath.scores.settings import ScoringSettings

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
    assert found["value"] == pytest.approx(19)
    assert "no CPS" in found["basis"]
    assert (found["cases"], found["concordance"], found["concordance_unmapped"]) == (64, 0.91, 0.84)
    assert [OWN.value_of(cps)["beyond_its_cases"] for cps in (9.0, 9.5)] == [False, True]


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
