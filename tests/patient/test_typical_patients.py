"""Patients as a board meets them, evaluated in every jurisdiction; and those that were evaluated wrongly."""

from __future__ import annotations

from typing import Any

import pytest

from cxpath.patient.criteria import Verdict
from tests.patient import patients as of
from tests.patient.patients import Fields, changed, reviewed

ALL_ALTERATIONS = {
    "ntrk_fusion": "present",
    "ntrk_resistance_mutation": "absent",
    "ret_fusion": "present",
    "braf_v600e": "present",
}
EVERYTHING: Fields = {
    "her2": {"ihc": "3+", "specimen": "biopsy", "scoring": "gastric"},
    "tmb": {"value": 20.0, "assay": "f1cdx"},
    "msi": {"msi": "msi-h", "mmr": "deficient", "fda_approved_test": True},
    "alterations": ALL_ALTERATIONS,
    "pdl1": [of.PDL1],
}
"""Every biomarker of every label: what then decides is the patient's disease and history."""


def _patient(**clinical: Any) -> Fields:
    stated: Fields = {
        "age_years": 50,
        "histology": "squamous",
        "unresectable": True,
        "no_satisfactory_alternative": True,
        "setting": "metastatic",
        "therapies": [of.LINE],
    }
    return EVERYTHING | {"clinical": stated | clinical}


EARLY = _patient(
    setting="early",
    stage={"edition": "FIGO 2014", "stage": "IB1"},
    unresectable=False,
    no_satisfactory_alternative=False,
    therapies=[],
)
UNTREATED = _patient(therapies=[], no_satisfactory_alternative=False)
SECOND_LINE = _patient()
PREGNANT = changed(_patient(age_years=34), "comorbidities", {"pregnancy": True})
SMALL_CELL = _patient(histology="small_cell")
RESISTANT = changed(SECOND_LINE, "alterations.ntrk_resistance_mutation", "present")
ADOLESCENT = _patient(age_years=16)

US_AGNOSTIC = (
    "trastuzumab-deruxtecan pembrolizumab-tmb-high pembrolizumab-msi-high dostarlimab larotrectinib "
    "entrectinib repotrectinib selpercatinib dabrafenib-trametinib"
)
US_SECOND = (
    "pembrolizumab-chemotherapy pembrolizumab-monotherapy bevacizumab-chemotherapy tisotumab-vedotin "
    f"{US_AGNOSTIC}"
)
EU_AGNOSTIC = "trastuzumab-deruxtecan larotrectinib entrectinib repotrectinib selpercatinib"
EU_SECOND = f"pembrolizumab-chemotherapy bevacizumab-chemotherapy tisotumab-vedotin cemiplimab {EU_AGNOSTIC}"
JP_AGNOSTIC = "entrectinib pembrolizumab-msi-high"
JP_SECOND = f"cemiplimab tisotumab-vedotin {JP_AGNOSTIC}"
CN_SECOND = "cadonilimab-second-line"

TABLE: dict[str, tuple[Fields, dict[str, str]]] = {
    "early stage": (EARLY, {"us": "", "eu": "", "jp": "", "cn": ""}),
    "untreated": (
        UNTREATED,
        {
            "us": "pembrolizumab-chemotherapy bevacizumab-chemotherapy",
            "eu": "pembrolizumab-chemotherapy bevacizumab-chemotherapy",
            "jp": "pembrolizumab-chemotherapy entrectinib",
            "cn": "cadonilimab-first-line",
        },
    ),
    "second line": (SECOND_LINE, {"us": US_SECOND, "eu": EU_SECOND, "jp": JP_SECOND, "cn": CN_SECOND}),
    "pregnant": (PREGNANT, {"us": US_SECOND, "eu": EU_SECOND, "jp": JP_SECOND, "cn": CN_SECOND}),
    "small-cell": (SMALL_CELL, {"us": US_AGNOSTIC, "eu": EU_AGNOSTIC, "jp": JP_AGNOSTIC, "cn": ""}),
    "NTRK-resistant": (
        RESISTANT,
        {
            "us": US_SECOND.replace(" larotrectinib", "").replace(" entrectinib", ""),
            "eu": EU_SECOND,
            "jp": JP_SECOND,
            "cn": CN_SECOND,
        },
    ),
    "adolescent": (
        ADOLESCENT,
        {
            "us": "pembrolizumab-chemotherapy pembrolizumab-monotherapy bevacizumab-chemotherapy "
            "pembrolizumab-tmb-high pembrolizumab-msi-high larotrectinib entrectinib repotrectinib "
            "selpercatinib dabrafenib-trametinib",
            "eu": "larotrectinib entrectinib repotrectinib",
            "jp": JP_SECOND,
            "cn": CN_SECOND,
        },
    ),
}


@pytest.mark.parametrize("kind", TABLE)
@pytest.mark.parametrize("place", ["us", "eu", "jp", "cn"])
def test_a_typical_patient_meets_exactly_what_the_labels_say(kind: str, place: str) -> None:
    patient, expected = TABLE[kind]
    met = {
        one.criterion.id for one in reviewed(patient).of(Verdict.MET) if one.criterion.jurisdiction == place
    }
    met.discard("us-genomic-profiling")
    assert met == {f"{place}-{name}" for name in expected[place].split()}


def _verdicts(fields: Fields) -> dict[str, str]:
    return {one.criterion.id: one.verdict.value for one in reviewed(fields).results}


CONFIRMED = of.PDL1 | {"value": 5.0, "viable_tumour_cells": 5000}


def _metastatic(*therapies: Fields, **others: Any) -> Fields:
    clinical = {"age_years": 50, "histology": "squamous", "setting": "metastatic", "unresectable": True}
    return {"clinical": clinical | {"therapies": list(therapies)}} | others


CEMIPLIMAB = {
    "purpose": "recurrent_or_metastatic",
    "agents": ["cemiplimab"],
    "chemotherapy": False,
    "progressed": True,
}


def test_an_early_resectable_untreated_tumour_meets_nothing_for_an_alteration() -> None:
    """Stage IB1 with NTRK and RET fusion and BRAF V600E: nine criteria were met for it (issue 17)."""
    clinical = {
        "age_years": 40,
        "histology": "adenocarcinoma",
        "stage": {"edition": "FIGO 2014", "stage": "IB1"},
        "setting": "early",
        "unresectable": False,
        "no_satisfactory_alternative": False,
        "therapies": [],
    }
    found = _verdicts({"alterations": ALL_ALTERATIONS, "clinical": clinical})
    assert "met" not in found.values()
    for name in ("larotrectinib", "entrectinib", "repotrectinib", "selpercatinib"):
        assert found[f"us-{name}"] == found[f"eu-{name}"] == "not_met"
    assert found["us-dabrafenib-trametinib"] == "not_met"


def test_trastuzumab_deruxtecan_is_approved_in_the_eu_whatever_the_tumour() -> None:
    patient = _metastatic(of.LINE, her2={"ihc": "3+", "specimen": "biopsy", "scoring": "gastric"})
    patient = changed(patient, "clinical.histology", "adenocarcinoma")
    patient = changed(patient, "clinical.no_satisfactory_alternative", value=True)
    assert _verdicts(patient)["eu-trastuzumab-deruxtecan"] == "met"
    assert _verdicts(changed(patient, "her2.ihc", "2+"))["eu-trastuzumab-deruxtecan"] == "not_met"


def test_progression_on_cemiplimab_alone_is_systemic_therapy_but_no_chemotherapy() -> None:
    found = _verdicts(_metastatic(CEMIPLIMAB))
    assert found["eu-tisotumab-vedotin"] == "met"
    assert found["us-tisotumab-vedotin"] == found["jp-tisotumab-vedotin"] == "not_met"
    assert found["eu-cemiplimab"] == found["cn-cadonilimab-second-line"] == "not_met"


def test_cemiplimab_and_cadonilimab_ask_for_platinum() -> None:
    topotecan = {**of.LINE, "agents": ["topotecan"]}
    found = _verdicts(_metastatic(topotecan))
    assert found["eu-cemiplimab"] == found["cn-cadonilimab-second-line"] == "not_met"
    assert found["jp-cemiplimab"] == "met"
    unnamed = _verdicts(_metastatic({**of.LINE, "agents": []}))
    assert unnamed["eu-cemiplimab"] == unnamed["cn-cadonilimab-second-line"] == "indeterminate"


def test_selpercatinib_is_for_adults_only_in_the_eu() -> None:
    patient = changed(_metastatic(of.LINE), "clinical.age_years", 16)
    patient = changed(patient, "clinical.no_satisfactory_alternative", value=True)
    found = _verdicts(patient | {"alterations": {"ret_fusion": "present"}})
    assert (found["eu-selpercatinib"], found["us-selpercatinib"]) == ("not_met", "met")


def test_bevacizumab_with_topotecan_is_for_those_without_platinum_in_the_eu() -> None:
    patient = _metastatic(of.LINE)
    assert _verdicts(patient)["eu-bevacizumab-topotecan"] == "indeterminate"
    assert (
        _verdicts(changed(patient, "clinical.platinum_unsuitable", value=False))["eu-bevacizumab-topotecan"]
        == "not_met"
    )
    assert (
        _verdicts(changed(patient, "clinical.platinum_unsuitable", value=True))["eu-bevacizumab-topotecan"]
        == "met"
    )


def test_no_label_of_pembrolizumab_with_chemotherapy_names_a_line() -> None:
    found = _verdicts(_metastatic(of.LINE, pdl1=[CONFIRMED]))
    assert found["us-pembrolizumab-chemotherapy"] == found["eu-pembrolizumab-chemotherapy"] == "met"
    assert found["jp-pembrolizumab-chemotherapy"] == "not_met", "Japan: no earlier chemotherapy"


def test_an_ntrk_inhibitor_before_rules_out_entrectinib_in_the_eu_and_opens_repotrectinib() -> None:
    inhibitor = {**of.LINE, "agents": ["Vitrakvi"], "chemotherapy": False}
    patient = changed(SECOND_LINE, "clinical.therapies", [inhibitor])
    assert _verdicts(patient)["eu-entrectinib"] == "not_met"
    left = _verdicts(changed(patient, "clinical.no_satisfactory_alternative", value=False))
    assert (left["eu-repotrectinib"], left["eu-larotrectinib"]) == ("met", "not_met")


def test_chemoradiation_with_pembrolizumab_ends_with_the_first_treatment() -> None:
    recurrent = changed(of.LOCALLY_ADVANCED, "clinical.setting", "recurrent")
    for place in ("us", "eu", "cn"):
        assert _verdicts(of.LOCALLY_ADVANCED)[f"{place}-pembrolizumab-chemoradiation"] == "met"
        assert _verdicts(recurrent)[f"{place}-pembrolizumab-chemoradiation"] == "not_met"
    treated = _verdicts(changed(of.LOCALLY_ADVANCED, "clinical.therapies", [{"purpose": "surgery"}]))
    assert treated["eu-pembrolizumab-chemoradiation"] == "not_met"
    assert treated["us-pembrolizumab-chemoradiation"] == "met", "the US label does not ask for it"


def test_approvals_that_were_missing_are_listed() -> None:
    names = _verdicts({})
    for name in (
        "cn-pembrolizumab-chemoradiation",
        "jp-pembrolizumab-chemotherapy",
        "jp-tisotumab-vedotin",
        "jp-entrectinib",
        "jp-pembrolizumab-msi-high",
        "jp-pembrolizumab-tmb-high",
        "jp-bevacizumab-chemotherapy",
    ):
        assert names[name] == "indeterminate"


def test_persistent_disease_is_metastatic_only_by_its_extent() -> None:
    patient = changed(_metastatic(of.LINE), "clinical.setting", "persistent")
    assert _verdicts(patient)["eu-tisotumab-vedotin"] == "indeterminate"
    local = changed(patient, "clinical.extent", "locally_advanced")
    assert _verdicts(local)["eu-tisotumab-vedotin"] == "not_met"
    assert _verdicts(changed(patient, "clinical.extent", "metastatic"))["eu-tisotumab-vedotin"] == "met"
