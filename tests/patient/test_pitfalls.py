"""What goes wrong in practice (clinical brief 0.7 and 2.5) does not go wrong here."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from cxpath.documents.patient import TherapyDocument
from cxpath.patient.criteria import Verdict
from cxpath.patient.profile import profile_from
from tests.patient import patients as of
from tests.patient.patients import changed, criteria, judged, reviewed

CPS_CRITERIA = ("us-pembrolizumab-chemotherapy", "eu-pembrolizumab-chemotherapy")


def test_a_stage_of_another_edition_is_never_mapped() -> None:
    patient = changed(of.LOCALLY_ADVANCED, "clinical.stage", {"edition": "FIGO 2018", "stage": "IIIC1"})
    found = judged(patient, "us-pembrolizumab-chemoradiation")
    assert found.verdict is Verdict.INDETERMINATE
    assert "FIGO 2014" in found.missing[0]


def test_a_stage_without_its_edition_decides_nothing() -> None:
    patient = changed(of.LOCALLY_ADVANCED, "clinical.stage", {"stage": "IIIB"})
    assert judged(patient, "us-pembrolizumab-chemoradiation").verdict is Verdict.INDETERMINATE


def test_unknown_is_not_negative() -> None:
    review = reviewed({})
    assert not review.of(Verdict.MET)
    assert all(not one.criterion.approval.can_be_met for one in review.of(Verdict.NOT_MET))


@pytest.mark.parametrize("assay", ["msk-impact", "tso500", "f1cdx_like", "unknown"])
def test_tmb_by_another_panel_is_never_on_label(assay: str) -> None:
    patient = changed(of.TMB, "tmb", {"value": 40.0, "assay": assay})
    found = judged(patient, "us-pembrolizumab-tmb-high")
    assert found.verdict is Verdict.INDETERMINATE
    assert "F1CDx" in found.missing[0]


def test_her2_2_plus_stands_in_a_guideline_only() -> None:
    patient = changed(of.HER2, "her2.ihc", "2+")
    assert judged(patient, "us-trastuzumab-deruxtecan").verdict is Verdict.NOT_MET
    guideline = judged(patient, "us-nccn-trastuzumab-deruxtecan")
    assert all(clause.verdict is Verdict.MET for clause in guideline.clauses)
    assert guideline.criterion.approval == "guideline"
    assert guideline.verdict is Verdict.INDETERMINATE, "the guideline's own text was not read"


def test_her2_by_other_criteria_or_on_an_unstated_specimen_decides_nothing() -> None:
    for path, value in (("her2.scoring", "endometrial"), ("her2.specimen", "unknown")):
        found = judged(changed(of.HER2, path, value), "us-trastuzumab-deruxtecan")
        assert found.verdict is Verdict.INDETERMINATE


AGNOSTIC = ("tmb-high", "msi-high", "dostarlimab", "trectinib", "selpercatinib", "dabrafenib", "deruxtecan")


@pytest.mark.parametrize("histology", ["small_cell", "neuroendocrine"])
def test_only_tumour_agnostic_therapies_are_met_in_small_cell_and_neuroendocrine_tumours(
    histology: str,
) -> None:
    """No tumour-agnostic label excludes a histology; the trials of the cervical ones did."""
    agnostic = set()
    for patient in (
        of.FIRST_LINE,
        of.LATER_LINE,
        of.LOCALLY_ADVANCED,
        of.HER2,
        of.TMB,
        of.MSI,
        of.NTRK,
        of.RET,
        of.BRAF,
    ):
        met = {
            one.criterion.id
            for one in reviewed(changed(patient, "clinical.histology", histology)).of(Verdict.MET)
        }
        met.discard("us-genomic-profiling")
        assert all(any(part in name for part in AGNOSTIC) for name in met), met
        agnostic |= met
    assert len(agnostic) >= 14
    found = judged(changed(of.LATER_LINE, "clinical.histology", histology), "eu-tisotumab-vedotin")
    assert "excluded from the trial" in found.not_met_because[0]


def test_chemoradiation_is_no_metastatic_line() -> None:
    assert judged(of.FIRST_LINE, "us-pembrolizumab-chemotherapy").verdict is Verdict.MET
    assert judged(of.FIRST_LINE, "us-tisotumab-vedotin").verdict is Verdict.NOT_MET
    assert judged(of.FIRST_LINE, "us-pembrolizumab-monotherapy").verdict is Verdict.NOT_MET


@pytest.mark.parametrize("score", [[], [of.PDL1 | {"value": 0.0}]])
def test_tisotumab_chemoradiation_and_cemiplimab_ask_for_no_pdl1(score: list[Any]) -> None:
    later, early = changed(of.LATER_LINE, "pdl1", score), changed(of.LOCALLY_ADVANCED, "pdl1", score)
    for name in ("us-tisotumab-vedotin", "eu-tisotumab-vedotin", "eu-cemiplimab"):
        assert judged(later, name).verdict is Verdict.MET
    assert judged(early, "us-pembrolizumab-chemoradiation").verdict is Verdict.MET


@pytest.mark.parametrize(
    ("score", "missing"),
    [
        ({"value": 1.0}, "second read"),
        ({"value": 0.96}, "second read"),
        ({"value": 5.0, "borderline_at": [1.0], "origin": "cxpath"}, "second read"),
        ({"confirmed_by": "unknown"}, "confirmation"),
        ({"confirmed_on": "unknown"}, "confirmation"),
        ({"origin": "cxpath", "confirmed_by": "unknown"}, "confirmation"),
        ({"assay": "unknown"}, "which assay"),
        ({"assay": "sp263"}, "by 22C3"),
        ({"viable_tumour_cells": 99}, "another block"),
        ({"not_evaluable_because": ["only 3 tumour cells"]}, "another block"),
        ({"score": "tps"}, "CPS by 22C3"),
    ],
)
def test_a_doubtful_pdl1_score_decides_nothing(score: dict[str, Any], missing: str) -> None:
    patient = changed(of.FIRST_LINE, "pdl1", [of.PDL1 | score])
    for name in CPS_CRITERIA:
        found = judged(patient, name)
        assert found.verdict is Verdict.INDETERMINATE
        assert missing in found.missing[0]


def test_every_doubt_about_a_score_is_named_and_the_least_doubtful_score_speaks() -> None:
    poor = of.PDL1 | {"assay": "unknown", "confirmed_by": "unknown", "value": 1.0}
    found = judged(changed(of.FIRST_LINE, "pdl1", [poor]), "us-pembrolizumab-chemotherapy")
    for words in ("which assay", "confirmation", "second read"):
        assert words in found.missing[0]
    better = of.PDL1 | {"confirmed_by": "unknown"}
    found = judged(changed(of.FIRST_LINE, "pdl1", [poor, better]), "us-pembrolizumab-chemotherapy")
    assert found.missing == ("a pathologist's confirmation of this CPS, with date",)


def test_a_score_below_the_cutoff_by_the_readers_word_is_not_met() -> None:
    patient = changed(of.FIRST_LINE, "pdl1", [of.PDL1 | {"value": "<1", "near_cutoff": False}])
    found = judged(patient, "us-pembrolizumab-chemotherapy")
    assert found.verdict is Verdict.NOT_MET
    assert "CPS <1 by 22C3" in found.not_met_because[0]


def test_below_10_says_nothing_about_1() -> None:
    patient = changed(of.FIRST_LINE, "pdl1", [of.PDL1 | {"value": "<10", "near_cutoff": False}])
    assert judged(patient, "us-pembrolizumab-chemotherapy").verdict is Verdict.INDETERMINATE


def test_scores_that_disagree_decide_nothing() -> None:
    both = changed(of.FIRST_LINE, "pdl1", [of.PDL1, of.PDL1 | {"value": 0.0}])
    assert judged(both, "us-pembrolizumab-chemotherapy").verdict is Verdict.INDETERMINATE
    near = changed(of.FIRST_LINE, "pdl1", [of.PDL1, of.PDL1 | {"value": 1.0}])
    assert judged(near, "us-pembrolizumab-chemotherapy").verdict is Verdict.INDETERMINATE
    unconfirmed = changed(
        of.FIRST_LINE, "pdl1", [of.PDL1, of.PDL1 | {"value": 0.0, "confirmed_by": "unknown"}]
    )
    assert judged(unconfirmed, "us-pembrolizumab-chemotherapy").verdict is Verdict.MET


def test_no_criterion_asks_for_hpv_egfr_or_vegf() -> None:
    facts = {clause.fact for one in criteria().criteria for clause in one.clauses}
    assert not [fact for fact in facts if fact.split(".")[0] in {"hpv", "p16", "egfr", "vegf"}]


def test_words_of_a_recommendation_are_nowhere() -> None:
    text = TherapyDocument.of_review(reviewed(of.LATER_LINE), date(2026, 11, 30)).text().lower()
    assert "eligible" not in text
    assert "recommended" not in text.replace("nothing here is ranked or recommended", "")
    assert "needs confirmation" in text


@pytest.mark.parametrize("stated", ["unknown", None])
def test_a_number_that_is_neither_called_cps_nor_tps_decides_nothing(stated: str | None) -> None:
    score = {key: value for key, value in of.PDL1.items() if key != "score"} | (
        {"score": stated} if stated else {}
    )
    patient = changed(of.FIRST_LINE, "pdl1", [score])
    result = of.judged(patient, "us-pembrolizumab-chemotherapy")
    assert result.verdict is Verdict.INDETERMINATE
    assert "which score the number is" in result.missing
    assert any("whether it is a CPS or a TPS is not stated" in one for one in profile_from(patient).conflicts)


def test_a_named_score_decides_next_to_one_without_a_name() -> None:
    unnamed = {key: value for key, value in of.PDL1.items() if key != "score"}
    patient = changed(of.FIRST_LINE, "pdl1", [unnamed | {"value": 0.0}, of.PDL1])
    assert of.judged(patient, "us-pembrolizumab-chemotherapy").verdict is Verdict.MET


def test_a_stage_of_chemoradiation_is_not_met_by_disease_that_contradicts_it() -> None:
    stage = {"edition": "FIGO 2014", "stage": "IIIB"}
    clinical = {"age_years": 50, "histology": "squamous", "setting": "locally_advanced", "stage": stage}
    fresh, treated = {**clinical, "therapies": []}, {**clinical, "therapies": [of.LINE]}
    for place in ("us", "eu", "cn"):
        name = f"{place}-pembrolizumab-chemoradiation"
        assert of.judged({"clinical": fresh}, name).verdict is Verdict.MET
        assert of.judged({"clinical": treated}, name).verdict is Verdict.INDETERMINATE
        assert of.judged({"clinical": {**fresh, "setting": "early"}}, name).verdict is Verdict.INDETERMINATE


@pytest.mark.parametrize(
    ("therapies", "right"),
    [([], Verdict.NOT_MET), ([{"purpose": "surgery"}], Verdict.INDETERMINATE), ([of.LINE], Verdict.MET)],
)
def test_prior_treatment_of_the_eu_is_not_systemic_alone(therapies: list[Any], right: Verdict) -> None:
    clinical = {
        "age_years": 50,
        "setting": "metastatic",
        "no_satisfactory_alternative": True,
        "therapies": therapies,
    }
    her2 = {"ihc": "3+", "specimen": "biopsy", "scoring": "gastric"}
    assert of.judged({"clinical": clinical, "her2": her2}, "eu-trastuzumab-deruxtecan").verdict is right
