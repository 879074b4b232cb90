"""Every criterion that a patient can meet: met, not met, indeterminate, by a patient written for it."""

from __future__ import annotations

from typing import Any

import pytest

from cxpath.patient.criteria import Verdict
from tests.patient import patients as of
from tests.patient.patients import Fields, changed, criteria, judged

AFTER_CHEMOTHERAPY = ("clinical.therapies", [of.CHEMORADIATION], "clinical.therapies")
FIRST = ("clinical.therapies", [of.LINE], "clinical.therapies")
BY_CPS = ("pdl1", [of.PDL1 | {"value": 0.0}], "pdl1.0.value")
NOT_LEFT = ("clinical.no_satisfactory_alternative", False, "clinical.no_satisfactory_alternative")

ROWS: dict[str, tuple[Fields, tuple[str, Any, str]]] = {
    "us-pembrolizumab-chemoradiation": (
        of.LOCALLY_ADVANCED,
        ("clinical.stage.stage", "IIB", "clinical.stage.stage"),
    ),
    "eu-pembrolizumab-chemoradiation": (
        of.LOCALLY_ADVANCED,
        ("clinical.therapies", [of.CHEMORADIATION], "clinical.therapies"),
    ),
    "us-pembrolizumab-chemotherapy": (of.FIRST_LINE, BY_CPS),
    "eu-pembrolizumab-chemotherapy": (of.FIRST_LINE, FIRST),
    "us-pembrolizumab-monotherapy": (of.LATER_LINE, BY_CPS),
    "us-bevacizumab-chemotherapy": (of.FIRST_LINE, ("clinical.setting", "early", "clinical.setting")),
    "eu-bevacizumab-chemotherapy": (
        of.FIRST_LINE,
        ("clinical.histology", "small_cell", "clinical.histology"),
    ),
    "us-tisotumab-vedotin": (of.LATER_LINE, AFTER_CHEMOTHERAPY),
    "eu-tisotumab-vedotin": (of.LATER_LINE, AFTER_CHEMOTHERAPY),
    "us-nccn-tisotumab-vedotin": (of.LATER_LINE, AFTER_CHEMOTHERAPY),
    "us-trastuzumab-deruxtecan": (of.HER2, ("her2.ihc", "2+", "her2.ihc")),
    "us-nccn-trastuzumab-deruxtecan": (of.HER2, ("her2.ihc", "1+", "her2.specimen")),
    "us-pembrolizumab-tmb-high": (of.TMB, ("tmb.value", 9.9, "tmb.assay")),
    "us-pembrolizumab-msi-high": (
        of.MSI,
        ("msi", {"msi": "mss", "mmr": "proficient", "fda_approved_test": True}, "msi.fda_approved_test"),
    ),
    "us-dostarlimab": (of.MSI, NOT_LEFT),
    "us-larotrectinib": (
        of.NTRK,
        ("alterations.ntrk_resistance_mutation", "present", "alterations.ntrk_resistance_mutation"),
    ),
    "eu-larotrectinib": (of.NTRK, ("alterations.ntrk_fusion", "absent", "alterations.ntrk_fusion")),
    "us-entrectinib": (of.NTRK, ("clinical.age_years", 0.05, "clinical.age_years")),
    "eu-entrectinib": (of.NTRK, ("alterations.ntrk_fusion", "absent", "alterations.ntrk_fusion")),
    "us-repotrectinib": (of.NTRK, ("clinical.age_years", 11, "clinical.age_years")),
    "eu-repotrectinib": (of.NTRK, ("clinical.age_years", 11, "clinical.age_years")),
    "us-selpercatinib": (of.RET, ("clinical.age_years", 1, "clinical.age_years")),
    "eu-selpercatinib": (of.RET, ("alterations.ret_fusion", "absent", "alterations.ret_fusion")),
    "us-dabrafenib-trametinib": (of.BRAF, ("alterations.braf_v600e", "absent", "alterations.braf_v600e")),
    "us-genomic-profiling": (of.LATER_LINE, ("clinical.setting", "early", "clinical.setting")),
    "eu-cemiplimab": (of.LATER_LINE, AFTER_CHEMOTHERAPY),
    "jp-cemiplimab": (of.LATER_LINE, AFTER_CHEMOTHERAPY),
    "cn-cadonilimab-first-line": (of.FIRST_LINE, FIRST),
    "cn-cadonilimab-second-line": (of.LATER_LINE, AFTER_CHEMOTHERAPY),
    "cn-zimberelimab": (of.LATER_LINE, BY_CPS),
    "cn-socazolimab": (of.LATER_LINE, AFTER_CHEMOTHERAPY),
    "cn-enlonstobart": (of.LATER_LINE, BY_CPS),
    "cn-iparomlimab-tuvonralimab": (of.LATER_LINE, AFTER_CHEMOTHERAPY),
}

UNABLE = {
    "us-cemiplimab": "withdrawn in Jan 2022",
    "us-atezolizumab-bevacizumab": "no FDA cervical label",
    "eu-atezolizumab-bevacizumab": "no EU cervical label",
    "eu-pembrolizumab-monotherapy": "none in the EU list",
    "eu-trastuzumab-deruxtecan": "not in the EU list",
    "eu-pembrolizumab-tmb-high": "selects no therapy in the EU",
    "eu-pembrolizumab-msi-high": "does not hold for cervical cancer",
    "eu-dostarlimab": "endometrial cancer only",
    "eu-dabrafenib-trametinib": "no EU approval",
    "negative-cetuximab": "0 of 35",
    "negative-vegf-testing": "no part in selecting",
    "negative-hpv-selection": "no approved drug is selected by HPV",
    "negative-cps-gate": "ask for no CPS",
    "negative-nivolumab": "off-label",
}


@pytest.mark.parametrize("name", ROWS)
def test_met_not_met_and_indeterminate(name: str) -> None:
    patient, (path, spoiling, needed) = ROWS[name]
    assert judged(patient, name).verdict is Verdict.MET

    spoilt = judged(changed(patient, path, spoiling), name)
    assert spoilt.verdict is Verdict.NOT_MET
    assert spoilt.not_met_because
    assert not spoilt.missing

    doubtful = judged(changed(patient, needed, "unknown"), name)
    assert doubtful.verdict is Verdict.INDETERMINATE
    assert doubtful.missing
    assert not doubtful.not_met_because


@pytest.mark.parametrize("name", UNABLE)
def test_what_is_not_approved_or_refuted_is_never_met_and_says_why(name: str) -> None:
    for patient in (of.FIRST_LINE, of.LATER_LINE, of.HER2, of.TMB, of.MSI, {}):
        found = judged(patient, name)
        assert found.verdict is Verdict.NOT_MET
        assert UNABLE[name] in found.not_met_because[0]


@pytest.mark.parametrize("name", ["us-pembrolizumab-subcutaneous", "unverified-2026-approvals"])
def test_what_could_not_be_verified_stays_indeterminate(name: str) -> None:
    found = judged(of.LATER_LINE, name)
    assert found.verdict is Verdict.INDETERMINATE
    assert found.missing


def test_no_row_of_the_brief_and_no_criterion_is_left_out() -> None:
    every = criteria().criteria
    names = {one.id for one in every}
    assert names == {*ROWS, *UNABLE, "us-pembrolizumab-subcutaneous", "unverified-2026-approvals"}
    rows = {one.row for one in every}
    assert {f"2.1 row {number}" for number in range(1, 14)} <= rows
    assert {f"2.2 row {number}" for number in range(1, 12)} <= rows
    assert all(one.id.startswith(f"{one.jurisdiction}-") or one.jurisdiction == "any" for one in every)
