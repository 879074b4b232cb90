"""Every caution: raised, not raised, unknown; and never an exclusion."""

from __future__ import annotations

from typing import Any

import pytest

from cxpath.patient.criteria import CautionState, Verdict
from cxpath.patient.profile import profile_from
from cxpath.patient.review import evaluate_caution
from tests.patient import patients as of
from tests.patient.patients import changed, criteria, judged, reviewed

IMMUNE = {**of.LINE, "agents": ["pembrolizumab"]}
PACLITAXEL = {**of.LINE, "agents": ["Paclitaxel", "carboplatin"]}

CASES: dict[str, tuple[str, Any, Any]] = {
    "immune-autoimmune-disease": ("comorbidities.autoimmune_disease", True, False),
    "immune-steroids": ("comorbidities.steroids_mg_per_day", 10.5, 10),
    "immune-organ-transplant": ("comorbidities.solid_organ_transplant", True, False),
    "immune-stem-cell-transplant": ("comorbidities.allogeneic_stem_cell_transplant", True, False),
    "immune-lung-disease": ("comorbidities.lung_disease", True, False),
    "immune-pregnancy": ("comorbidities.pregnancy", True, False),
    "immune-earlier-checkpoint-antibody": ("clinical.therapies", [IMMUNE], [of.CHEMORADIATION]),
    "bevacizumab-pelvic-radiotherapy": ("clinical.prior_pelvic_radiotherapy", True, False),
    "bevacizumab-invasion": ("comorbidities.bowel_or_bladder_invasion", True, False),
    "bevacizumab-fistula": ("comorbidities.fistula", True, False),
    "bevacizumab-bleeding": ("comorbidities.bleeding", True, False),
    "bevacizumab-hypertension": ("comorbidities.hypertension", True, False),
    "bevacizumab-proteinuria": ("comorbidities.proteinuria", True, False),
    "bevacizumab-surgery": ("comorbidities.days_since_surgery", 27, 28),
    "bevacizumab-thromboembolism": ("comorbidities.venous_thromboembolism", True, False),
    "tisotumab-ocular-surface": ("comorbidities.ocular_surface_disease", True, False),
    "tisotumab-eye-examination": ("comorbidities.eye_examination_done", False, True),
    "tisotumab-neuropathy": ("comorbidities.neuropathy_grade", 2, 1),
    "tisotumab-earlier-paclitaxel": ("clinical.therapies", [PACLITAXEL], [of.CHEMORADIATION]),
    "tisotumab-bleeding": ("comorbidities.bleeding", True, False),
    "tisotumab-lung-disease": ("comorbidities.lung_disease", True, False),
    "deruxtecan-lung-disease": ("comorbidities.lung_disease", True, False),
    "deruxtecan-ejection-fraction": ("comorbidities.lvef_reduced", True, False),
    "deruxtecan-neutropenia": ("comorbidities.neutropenia", True, False),
    "deruxtecan-pregnancy": ("comorbidities.pregnancy", True, False),
    "platinum-creatinine-clearance": ("comorbidities.creatinine_clearance_reduced", True, False),
    "platinum-hearing": ("comorbidities.hearing_loss", True, False),
    "platinum-neuropathy": ("comorbidities.neuropathy_grade", 1, 0),
    "platinum-unsuitable": ("clinical.platinum_unsuitable", True, False),
    "bevacizumab-pregnancy": ("comorbidities.pregnancy", True, False),
    "tisotumab-pregnancy": ("comorbidities.pregnancy", True, False),
    "tisotumab-severe-skin-reactions": ("comorbidities.severe_skin_reaction", True, False),
    "platinum-pregnancy": ("comorbidities.pregnancy", True, False),
    "topotecan-pregnancy": ("comorbidities.pregnancy", True, False),
    "kinase-pregnancy": ("comorbidities.pregnancy", True, False),
    "braf-mek-pregnancy": ("comorbidities.pregnancy", True, False),
    "braf-mek-bleeding": ("comorbidities.bleeding", True, False),
    "braf-mek-ejection-fraction": ("comorbidities.lvef_reduced", True, False),
    "braf-mek-thromboembolism": ("comorbidities.venous_thromboembolism", True, False),
    "braf-mek-qtc": ("comorbidities.qtc_prolonged", True, False),
    "braf-mek-eyes": ("comorbidities.ocular_surface_disease", True, False),
    "braf-mek-lung-disease": ("comorbidities.lung_disease", True, False),
    "kinase-qtc": ("comorbidities.qtc_prolonged", True, False),
    "kinase-liver": ("comorbidities.liver_enzymes_raised", True, False),
    "kinase-central-nervous": ("comorbidities.central_nervous_symptoms", True, False),
    "kinase-blood-pressure": ("comorbidities.hypertension", True, False),
}
CAUTIONS = {one.id: one for one in criteria().cautions}


def test_every_caution_has_its_case() -> None:
    assert set(CAUTIONS) == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_raised_not_raised_and_unknown(name: str) -> None:
    path, raising, clearing = CASES[name]
    for value, state in (
        (raising, CautionState.RAISED),
        (clearing, CautionState.NOT_RAISED),
        ("unknown", CautionState.UNKNOWN),
    ):
        found = evaluate_caution(profile_from(changed({}, path, value)), CAUTIONS[name])
        assert found.state is state
        assert found.found.words


def test_chemoradiation_in_the_history_raises_the_fistula_flag() -> None:
    profile = profile_from({"clinical": {"therapies": [of.CHEMORADIATION]}})
    found = evaluate_caution(profile, CAUTIONS["bevacizumab-pelvic-radiotherapy"])
    assert found.state is CautionState.RAISED
    assert "14.5 %" in found.caution.flag


def test_no_caution_excludes_anything() -> None:
    everything = {path.split(".")[1]: value for path, value, _ in CASES.values() if "comorbidities" in path}
    everything["neuropathy_grade"] = 2
    flagged = reviewed(changed(of.LATER_LINE, "comorbidities", everything))
    plain = reviewed(of.LATER_LINE)
    assert [one.verdict for one in flagged.results] == [one.verdict for one in plain.results]
    met = flagged.by_id("us-tisotumab-vedotin")
    assert met.verdict is Verdict.MET
    raised = [flag for flag in met.cautions if flag.state is CautionState.RAISED]
    assert len(raised) == 8
    assert all(flag.found.words for flag in raised)


def test_every_kind_of_agent_that_a_criterion_names_has_cautions() -> None:
    kinds = {kind for one in criteria().criteria for kind in one.cautions}
    assert kinds == {one.agents for one in CAUTIONS.values()}


def test_pregnancy_is_flagged_for_every_drug_of_a_therapy_that_is_met() -> None:
    """A second-line patient of 34 who is pregnant: platinum, bevacizumab and tisotumab, too (issue 17)."""
    pregnant = changed(
        changed(of.LATER_LINE, "clinical.age_years", 34), "comorbidities.pregnancy", value=True
    )
    met = [one for one in reviewed(pregnant).of(Verdict.MET) if one.criterion.agent != "none: a test"]
    assert len(met) >= 8
    for one in met:
        flagged = {flag.caution.agents for flag in one.cautions if "pregnancy" in flag.caution.id}
        assert flagged == set(one.criterion.cautions), one.criterion.id
        assert all(
            flag.state is CautionState.RAISED for flag in one.cautions if "pregnancy" in flag.caution.id
        )


def test_a_caution_that_was_not_looked_up_says_so() -> None:
    for one in CAUTIONS.values():
        assert bool(one.sources) is not one.certainty.value.startswith("from memory"), one.id
        assert one.source


def test_platinum_that_cannot_be_given_is_flagged() -> None:
    patient = changed(of.FIRST_LINE, "clinical.platinum_unsuitable", value=True)
    raised = [one for one in judged(patient, "eu-bevacizumab-chemotherapy").cautions if one.state == "raised"]
    assert "the board judged that platinum cannot be given" in [one.caution.flag for one in raised]
