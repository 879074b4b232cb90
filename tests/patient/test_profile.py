from __future__ import annotations

import re
import tomllib

import pytest
from hypothesis import given, strategies as st

from cxpath.app.therapy_profile import template
from cxpath.errors import ProfileError
from cxpath.patient.profile import P16, BiomarkerProfile, Hpv, HpvClass, Pdl1Score, derive_hpv, profile_from
from cxpath.patient.tmb import exact_count_interval


@pytest.mark.parametrize(
    ("hpv", "p16", "histology", "derived", "conflicts"),
    [
        ({"types": [16]}, None, None, HpvClass.ASSOCIATED, 0),
        ({"result": "negative"}, None, None, HpvClass.INDEPENDENT, 0),
        ({"types": [6]}, None, None, HpvClass.UNKNOWN, 0),
        ({}, "positive", "squamous", HpvClass.ASSOCIATED, 0),
        ({}, "positive", "gastric_type_adenocarcinoma", HpvClass.UNKNOWN, 1),
        ({"result": "negative"}, "positive", None, HpvClass.INDEPENDENT, 1),
        ({"types": [18]}, "negative", None, HpvClass.ASSOCIATED, 1),
        ({"types": [18]}, "positive", "gastric_type_adenocarcinoma", HpvClass.ASSOCIATED, 1),
        ({}, None, None, HpvClass.UNKNOWN, 0),
    ],
)
def test_the_class_its_rule_and_its_conflicts(
    hpv: dict[str, object], p16: str | None, histology: str | None, derived: HpvClass, conflicts: int
) -> None:
    found = derive_hpv(Hpv.model_validate(hpv), P16.model_validate({"result": p16}), histology)
    assert found.derived is derived
    assert len(found.conflicts) == conflicts
    assert found.rule


def test_p16_never_fills_in_for_a_direct_test() -> None:
    assert Hpv().direct is None
    assert "surrogate" in derive_hpv(Hpv(), P16.model_validate({"result": "positive"}), None).rule


@pytest.mark.parametrize(
    ("cells", "low", "high"), [(100, 0.03, 5.6), (1_000, 0.48, 1.84), (20_000, 0.87, 1.15)]
)
def test_the_interval_of_cps_1_is_that_of_the_brief(cells: int, low: float, high: float) -> None:
    bounds = exact_count_interval(cells / 100)
    assert 100 * bounds[0] / cells == pytest.approx(low, abs=0.006)
    assert 100 * bounds[1] / cells == pytest.approx(high, abs=0.03)


@given(st.integers(0, 5000))
def test_the_interval_holds_the_count_and_rises(count: int) -> None:
    low, high = exact_count_interval(count)
    assert low <= count < high
    assert exact_count_interval(count + 1)[0] > low


@pytest.mark.parametrize(
    ("stated", "near"),
    [
        ({"value": 0.96}, True),
        ({"value": 1.0}, True),
        ({"value": 0.0}, False),
        ({"value": 4.0}, False),
        ({"value": 2.5, "viable_tumour_cells": 150}, True),
        ({"value": 1.2, "viable_tumour_cells": 60_000}, False),
        ({"value": 1.0, "near_cutoff": False}, False),
        ({"value": 30.0, "near_cutoff": True}, True),
        ({"value": 4.0, "interval": (0.8, 9.0)}, True),
        ({"value": 4.0, "borderline_at": (1.0,)}, True),
        ({"value": 1.4, "clear_at": (1.0,)}, False),
        ({"value": "<1"}, True),
        ({"value": "<1", "near_cutoff": False}, False),
    ],
)
def test_near_the_cutoff(stated: dict[str, object], near: bool) -> None:
    assert bool(Pdl1Score.model_validate(stated).why_near(1.0)) is near


def test_a_confirmation_is_a_name_and_a_date() -> None:
    assert not Pdl1Score(value=3.0, confirmed_by="Dr A").confirmed
    assert Pdl1Score.model_validate({"confirmed_by": "Dr A", "confirmed_on": "2026-11-20"}).confirmed


def test_nothing_stated_is_nothing_known() -> None:
    profile = profile_from({})
    assert profile.tmb.value is None
    assert profile.her2.ihc is None
    assert profile.clinical.therapies is None
    assert profile.clinical.prior_definitive_therapy is None


def test_unknown_says_the_same_as_leaving_out() -> None:
    stated = {"tmb": {"value": "unknown"}, "clinical": {"histology": "unknown", "therapies": "unknown"}}
    assert profile_from(stated) == BiomarkerProfile()


def test_an_empty_list_of_therapies_is_known_and_differs_from_an_unknown_one() -> None:
    assert profile_from({"clinical": {"therapies": []}}).clinical.metastatic_lines == 0


@pytest.mark.parametrize(
    ("stated", "where"),
    [
        ({"tmb": {"value": -1}}, "tmb.value"),
        ({"hpv": {"result": "maybe"}}, "hpv.result"),
        ({"clinical": {"therapies": [{"agents": ["cisplatin"]}]}}, "clinical.therapies.0.purpose"),
        ({"clinical": {"stage": {"stage": "V"}}}, "clinical.stage.stage"),
        ({"her2": {"grade": "3+"}}, "her2.grade"),
        ({"pdl1": [{"value": 101}]}, "pdl1.0.value"),
        ({"pdl1": [{"interval": [9, 4]}]}, "pdl1.0.interval"),
        ({"tmb": {"value": 7, "interval": [9, 4]}}, "tmb.interval"),
        ({"her2": {"h_score": 301}}, "her2.h_score"),
        ({"egfr": {"h_score": -1}}, "egfr.h_score"),
        ({"tumour": "lung"}, "tumour"),
        ({"hpv": {"result": "negative", "types": [16]}}, "hpv"),
        ({"clinical": {"stage": {"edition": "FIGO 2014", "stage": "IIIC1"}}}, "clinical.stage"),
    ],
)
def test_an_error_names_the_file_and_the_path_of_the_field(stated: dict[str, object], where: str) -> None:
    with pytest.raises(ProfileError, match=rf"^case.toml: {re.escape(where)}: ") as caught:
        profile_from(stated, "case.toml")
    assert "cxpath therapy init" in caught.value.hint


def test_names_compare_however_they_were_typed() -> None:
    stated = {
        "tmb": {"value": 9, "assay": " F1CDx "},
        "her2": {"scoring": "Gastric"},
        "pdl1": [{"assay": "22C3"}],
    }
    profile = profile_from(stated)
    assert (profile.tmb.assay, profile.her2.scoring, profile.pdl1[0].assay) == ("f1cdx", "gastric", "22c3")
    assert profile_from({"tmb": {"assay": "  "}}).tmb.assay is None


def test_the_template_knows_nothing_and_its_examples_are_all_valid() -> None:
    assert profile_from(tomllib.loads(template())) == BiomarkerProfile()
    lines = template().splitlines()[6:]
    is_example = re.compile(r"^# (?=(\[+[a-z0-9_.]+\]+|[a-z0-9_]+ = ))")
    full = profile_from(tomllib.loads("\n".join(is_example.sub("", line) for line in lines)))
    for part in BiomarkerProfile.model_fields:
        assert getattr(full, part) != getattr(BiomarkerProfile(), part) or part in {"schema_name", "tumour"}
    assert all(value is not None for value in full.comorbidities.model_dump().values())


def test_scores_of_several_images_are_asked_about() -> None:
    scores = [{"origin": "cxpath", "slide_digest": digest, "value": 5.0} for digest in ("a", "b")]
    (said,) = (one for one in profile_from({"pdl1": scores}).conflicts if "images" in one)
    assert said == "PD-L1 scores of 2 images are stated: are all of them of this tumour?"
    assert not [one for one in profile_from({"pdl1": scores[:1]}).conflicts if "images" in one]


def test_conflicts_are_named() -> None:
    stated = {
        "msi": {"msi": "msi-h", "mmr": "proficient"},
        "hpv": {"result": "negative"},
        "p16": {"result": "positive"},
        "clinical": {
            "prior_pelvic_radiotherapy": False,
            "therapies": [{"purpose": "chemoradiation"}],
        },
    }
    words = " | ".join(profile_from(stated).conflicts)
    assert "direct HPV test is negative, p16 is positive" in words
    assert "disagree" in words
    assert "chemoradiation is in the history" in words


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"pdl1": [{"score": "cps", "value": 0.5, "interval": [3, 5]}]}, "does not contain the value 0.5"),
        ({"pdl1": [{"score": "cps", "value": 20, "below": 1}]}, "state value or below, not both"),
        ({"pdl1": [{"score": "cps", "value": True}]}, "value is true, which is not a possible entry"),
        ({"pdl1": [{"score": "cps", "viable_tumour_cells": True}]}, "viable_tumour_cells is true"),
        ({"tmb": {"value": 12, "interval": [1, 3]}}, "does not contain the value 12"),
        ({"tmb": {"value": False}}, "value is false"),
        ({"clinical": {"age_years": True}}, "age_years is true"),
        ({"comorbidities": {"days_since_surgery": False}}, "days_since_surgery is false"),
    ],
)
def test_what_cannot_be_one_number_is_refused(stated: dict[str, object], words: str) -> None:
    with pytest.raises(ProfileError, match=re.escape(words)):
        profile_from(stated)


@pytest.mark.parametrize(
    ("clinical", "words"),
    [
        (
            {"setting": "early", "stage": {"edition": "FIGO 2014", "stage": "IIIB"}},
            "setting is early, the stage IIIB",
        ),
        ({"setting": "locally_advanced", "stage": {"stage": "IVB"}}, "locally advanced, the stage IVB"),
        (
            {"setting": "early", "therapies": [{"purpose": "recurrent_or_metastatic"}]},
            "setting is early, but a therapy of recurrent or metastatic disease is listed",
        ),
        ({"setting": "early", "stage": {"stage": "IB1"}, "therapies": [{"purpose": "surgery"}]}, ""),
        ({"setting": "recurrent", "stage": {"stage": "IVB"}, "therapies": []}, ""),
    ],
)
def test_contradictions_of_setting_stage_and_therapies_are_named(
    clinical: dict[str, object], words: str
) -> None:
    conflicts = profile_from({"clinical": clinical}).conflicts
    assert [words in one for one in conflicts] == ([True] if words else [])


@pytest.mark.parametrize("agent", ["paclitaxel without cisplatin", "no platinum", "carboplatin declined"])
def test_a_drug_that_may_not_have_been_given_is_not_taken_as_given(agent: str) -> None:
    clinical = profile_from(
        {
            "clinical": {
                "therapies": [{"purpose": "recurrent_or_metastatic", "agents": [agent], "progressed": True}]
            }
        }
    ).clinical
    assert clinical.progressed_after_platinum is None
    assert clinical.therapies
    assert "is not known here" in clinical.therapies[0].doubts[0]


def test_one_error_of_several_is_shown_and_the_others_are_counted() -> None:
    with pytest.raises(ProfileError, match=r"^case: tmb.value: [^\n]* \(and 1 more\) "):
        profile_from({"tmb": {"value": -1}, "egfr": {"h_score": -1}}, "case")
    with pytest.raises(ProfileError) as caught:
        profile_from({"tmb": {"value": -1}}, "case")
    assert "more" not in str(caught.value)


@pytest.mark.parametrize("name", ["A", "7", "!!", "A.", ""])
def test_a_confirmation_names_a_person(name: str) -> None:
    with pytest.raises(ProfileError, match="confirmed_by"):
        profile_from({"pdl1": [{"score": "cps", "value": 5, "confirmed_by": name}]})


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({}, "score (CPS or TPS is not stated) not stated by an assay that is not stated, not confirmed"),
        ({"score": "cps", "value": 0.0, "assay": "22c3"}, "CPS 0 by 22C3, not confirmed"),
        ({"score": "tps", "value": "< 1"}, "TPS <1 by an assay that is not stated, not confirmed"),
        (
            {"score": "cps", "value": 12.5, "confirmed_by": "Dr A", "confirmed_on": "2026-11-20"},
            "CPS 12.5 by an assay that is not stated, confirmed by Dr A, 2026-11-20",
        ),
        (
            {"score": "cps", "value": 2, "assay": "SP263", "basis": "audited", "confirmed_by": "Dr A"},
            "CPS 2 by SP263, audited by a person, not confirmed",
        ),
    ],
)
def test_a_score_in_the_words_of_the_page(stated: dict[str, object], words: str) -> None:
    (score,) = profile_from({"pdl1": [stated]}).pdl1
    assert score.words == words


@pytest.mark.parametrize(("cells", "adequate"), [(None, True), (99, False), (100, True), (0, False)])
def test_a_score_needs_a_hundred_tumour_cells_as_far_as_anybody_says(
    cells: int | None, adequate: bool
) -> None:
    stated = {"value": 5} | ({} if cells is None else {"viable_tumour_cells": cells})
    assert profile_from({"pdl1": [stated]}).pdl1[0].adequate is adequate


def test_a_counting_interval_is_shown_only_where_no_other_is_known() -> None:
    """Ten stained cells of 1,000: 4.80 to 18.39 by the exact Poisson interval (Garwood 1936), per cent."""
    plain, own, refused, nothing = (
        profile_from({"pdl1": [stated]}).pdl1[0].counting_interval
        for stated in (
            {"value": 1.0, "viable_tumour_cells": 1000},
            {"value": 1.0, "interval": [0.5, 2.0]},
            {"value": 1.0, "not_evaluable_because": ["blurred"]},
            {"value": "<1"},
        )
    )
    assert plain == pytest.approx((0.4795, 1.8390), abs=5e-5)
    assert (own, refused, nothing) == (None, None, None)


def test_why_a_score_is_near_a_cutoff_names_what_it_rests_on() -> None:
    def why(cutoff: float = 1.0, **stated: object) -> str:
        return profile_from({"pdl1": [{"score": "cps", **stated}]}).pdl1[0].why_near(cutoff)

    assert why(value=1.2) == "the counting interval at assumed 1000 tumour cells, 0.62 to 2.10 contains 1"
    few = why(value=1.2, viable_tumour_cells=500)
    assert few == "the counting interval at 500 tumour cells, 0.44 to 2.61 contains 1"
    assert why(value=1.2, interval=[0.9, 1.6]) == "its interval 0.90 to 1.60 contains 1"
    assert why(value=1.2, borderline_at=[1.0]) == "cxpath leaves 1 uncertain: pathologist review"
    assert why(value=1.2, borderline_at=[1.0], near_cutoff=False) == "", "the reader's word comes first"
    assert why(value=50.0, near_cutoff=True) == "the reader calls it near 1"
    assert why(value=1.2, clear_at=[1.0]) == ""
    assert why(10.0, value="<1") == "<1 alone does not say how near 10 it lies"
    assert why() == ""
    assert why(value=20.0) == ""
