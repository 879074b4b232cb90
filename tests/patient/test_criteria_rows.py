"""Every criterion that a patient can meet, clause by clause: met, not met, indeterminate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from cxpath.patient.criteria import Verdict
from tests.patient import patients as of
from tests.patient.patients import Fields, changed, criteria, judged

Changes = Sequence[tuple[str, Any]]

PATIENTS: dict[str, Fields] = {
    "us-pembrolizumab-chemoradiation": of.LOCALLY_ADVANCED,
    "us-pembrolizumab-chemotherapy": of.FIRST_LINE,
    "us-pembrolizumab-monotherapy": of.LATER_LINE,
    "us-bevacizumab-chemotherapy": of.FIRST_LINE,
    "us-tisotumab-vedotin": of.LATER_LINE,
    "us-nccn-tisotumab-vedotin": of.LATER_LINE,
    "us-trastuzumab-deruxtecan": of.HER2,
    "us-nccn-trastuzumab-deruxtecan": of.HER2,
    "us-pembrolizumab-tmb-high": of.TMB,
    "us-pembrolizumab-msi-high": of.MSI,
    "us-dostarlimab": of.MSI,
    "us-larotrectinib": of.NTRK,
    "us-entrectinib": of.NTRK,
    "us-repotrectinib": of.NTRK,
    "us-selpercatinib": of.RET,
    "us-dabrafenib-trametinib": of.BRAF,
    "us-genomic-profiling": of.LATER_LINE,
    "eu-pembrolizumab-chemoradiation": of.LOCALLY_ADVANCED,
    "eu-pembrolizumab-chemotherapy": of.FIRST_LINE,
    "eu-bevacizumab-chemotherapy": of.FIRST_LINE,
    "eu-bevacizumab-topotecan": of.NO_PLATINUM,
    "eu-tisotumab-vedotin": of.LATER_LINE,
    "eu-trastuzumab-deruxtecan": of.HER2,
    "eu-larotrectinib": of.NTRK,
    "eu-entrectinib": of.NTRK,
    "eu-repotrectinib": of.NTRK,
    "eu-selpercatinib": of.RET,
    "eu-cemiplimab": of.LATER_LINE,
    "jp-pembrolizumab-chemotherapy": of.FIRST_LINE,
    "jp-cemiplimab": of.LATER_LINE,
    "jp-tisotumab-vedotin": of.LATER_LINE,
    "jp-entrectinib": of.NTRK,
    "jp-pembrolizumab-msi-high": of.MSI,
    "cn-pembrolizumab-chemoradiation": of.LOCALLY_ADVANCED,
    "cn-cadonilimab-first-line": of.FIRST_LINE,
    "cn-cadonilimab-second-line": of.LATER_LINE,
    "cn-zimberelimab": of.LATER_LINE,
    "cn-socazolimab": of.LATER_LINE,
    "cn-iparomlimab-tuvonralimab": of.LATER_LINE,
}
"""For each criterion a patient who fulfils all of its clauses."""

UNREAD = {
    "us-nccn-tisotumab-vedotin": "NCCN Guidelines",
    "us-nccn-trastuzumab-deruxtecan": "NCCN Guidelines",
    "cn-zimberelimab": "which PD-L1 test",
    "cn-socazolimab": "Socazolimab, Chinese indication",
    "cn-iparomlimab-tuvonralimab": "QL1706",
}
"""Those whose label or guideline could not be read in full: never met, and what must be read."""

UNABLE = {
    "us-cemiplimab": "withdrawn in Jan 2022",
    "us-atezolizumab-bevacizumab": "no FDA cervical label",
    "eu-atezolizumab-bevacizumab": "no EU cervical label",
    "eu-pembrolizumab-monotherapy": "none in the EU list",
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

UNVERIFIED = (
    "us-pembrolizumab-subcutaneous",
    "jp-pembrolizumab-tmb-high",
    "jp-bevacizumab-chemotherapy",
    "cn-enlonstobart",
    "unverified-2026-approvals",
)

STABLE = {**of.LINE, "progressed": False}
WITHOUT_PLATINUM = {**of.LINE, "agents": ["topotecan", "paclitaxel"]}
NTRK_INHIBITOR = {**of.LINE, "agents": ["larotrectinib"], "chemotherapy": False}
LOCAL: Changes = [("clinical.setting", "early"), ("clinical.unresectable", False)]
UNCLEAR: Changes = [("clinical.setting", "recurrent")]
NOT_LEFT = ("clinical.no_satisfactory_alternative", False)
NOT_SAID = ("clinical.no_satisfactory_alternative", "unknown")
NO_HISTORY = ("clinical.therapies", "unknown")

CHANGES: dict[str, tuple[Changes, Changes]] = {
    "clinical.setting": (LOCAL, [("clinical.setting", "unknown")]),
    "clinical.stage": ([("clinical.stage.stage", "IIB")], [("clinical.stage.stage", "unknown")]),
    "clinical.histology": ([("clinical.histology", "small_cell")], [("clinical.histology", "unknown")]),
    "clinical.age_years": ([("clinical.age_years", 0.05)], [("clinical.age_years", "unknown")]),
    "clinical.after_first_treatment": (
        [("clinical.setting", "recurrent")],
        [("clinical.setting", "unknown")],
    ),
    "clinical.prior_definitive_therapy": ([("clinical.therapies", [of.CHEMORADIATION])], [NO_HISTORY]),
    "clinical.lines": ([("clinical.therapies", [of.LINE])], [NO_HISTORY]),
    "clinical.chemotherapy_for_advanced_disease": ([("clinical.therapies", [of.LINE])], [NO_HISTORY]),
    "clinical.progressed_after_chemotherapy": ([("clinical.therapies", [STABLE])], [NO_HISTORY]),
    "clinical.progressed_after_platinum": ([("clinical.therapies", [WITHOUT_PLATINUM])], [NO_HISTORY]),
    "clinical.progressed_after_systemic": ([("clinical.therapies", [])], [NO_HISTORY]),
    "clinical.prior_systemic_therapy": ([("clinical.therapies", [])], [NO_HISTORY]),
    "clinical.prior_treatment": ([("clinical.therapies", [])], [NO_HISTORY]),
    "clinical.progressed": ([("clinical.therapies", [STABLE])], [NO_HISTORY]),
    "clinical.no_satisfactory_alternative": ([NOT_LEFT], [NOT_SAID]),
    "clinical.progressed_or_no_alternative": (
        [("clinical.therapies", [STABLE]), NOT_LEFT],
        [("clinical.therapies", [STABLE]), NOT_SAID],
    ),
    "clinical.progressed_after_systemic_or_no_alternative": (
        [("clinical.therapies", [STABLE]), NOT_LEFT],
        [("clinical.therapies", [of.CHEMORADIATION]), NOT_LEFT],
    ),
    "clinical.ntrk_pretreated_or_no_alternative": ([NOT_LEFT], [NO_HISTORY, NOT_LEFT]),
    "clinical.platinum_unsuitable": (
        [("clinical.platinum_unsuitable", False)],
        [("clinical.platinum_unsuitable", "unknown")],
    ),
    "clinical.unresectable_or_metastatic": (LOCAL, UNCLEAR),
    "clinical.metastatic_or_morbid_resection": (
        [*LOCAL, ("clinical.resection_severely_morbid", False)],
        UNCLEAR,
    ),
    "clinical.advanced_or_morbid_resection": (
        [*LOCAL, ("clinical.resection_severely_morbid", False)],
        UNCLEAR,
    ),
    "clinical.advanced": (LOCAL, UNCLEAR),
    "clinical.advanced_or_recurrent": (LOCAL, [("clinical.setting", "unknown")]),
    "history.ntrk_inhibitor": ([("clinical.therapies", [NTRK_INHIBITOR])], [NO_HISTORY]),
    "pdl1.cps": ([("pdl1.0.value", 0.0)], [("pdl1.0.value", "unknown")]),
    "tmb.value": ([("tmb.value", 9.9)], [("tmb.assay", "msk-impact")]),
    "msi.high": ([("msi.msi", "mss")], [("msi.msi", "unknown")]),
    "msi.high_or_mmr_deficient": (
        [("msi.msi", "mss"), ("msi.mmr", "proficient")],
        [("msi.msi", "unknown"), ("msi.mmr", "unknown")],
    ),
    "msi.mmr_deficient": ([("msi.mmr", "proficient")], [("msi.mmr", "unknown")]),
    "msi.fda_approved_test": ([], [("msi.fda_approved_test", False)]),
    "her2.ihc": ([("her2.ihc", "1+")], [("her2.specimen", "unknown")]),
    "alterations.ntrk_fusion": (
        [("alterations.ntrk_fusion", "absent")],
        [("alterations.ntrk_fusion", "unknown")],
    ),
    "alterations.ntrk_resistance_mutation": (
        [("alterations.ntrk_resistance_mutation", "present")],
        [("alterations.ntrk_resistance_mutation", "unknown")],
    ),
    "alterations.ret_fusion": (
        [("alterations.ret_fusion", "absent")],
        [("alterations.ret_fusion", "unknown")],
    ),
    "alterations.braf_v600e": (
        [("alterations.braf_v600e", "absent")],
        [("alterations.braf_v600e", "unknown")],
    ),
}
"""By the fact of a clause: what makes it not met, and what leaves it unknown."""

CLAUSES = [
    (one.id, clause.fact) for one in criteria().criteria if one.id in PATIENTS for clause in one.clauses
]


def changed_by(fields: Fields, changes: Changes) -> Fields:
    for path, value in changes:
        fields = changed(fields, path, value)
    return fields


def _clause(fields: Fields, name: str, fact: str) -> Verdict:
    return next(one.verdict for one in judged(fields, name).clauses if one.clause.fact == fact)


@pytest.mark.parametrize("name", PATIENTS)
def test_a_patient_who_fulfils_every_clause_meets_what_was_read_in_full(name: str) -> None:
    found = judged(PATIENTS[name], name)
    assert [one.condition for one in found.clauses if one.verdict is not Verdict.MET] == []
    assert found.verdict is (Verdict.INDETERMINATE if name in UNREAD else Verdict.MET)
    assert found.criterion.verified is (name not in UNREAD)
    if name in UNREAD:
        assert UNREAD[name] in found.missing[0]


@pytest.mark.parametrize(("name", "fact"), CLAUSES)
def test_each_clause_alone_decides_against_or_leaves_it_open(name: str, fact: str) -> None:
    against, doubtful = CHANGES[fact]
    if against:
        spoilt = changed_by(PATIENTS[name], against)
        assert _clause(spoilt, name, fact) is Verdict.NOT_MET
        found = judged(spoilt, name)
        assert found.verdict is Verdict.NOT_MET
        assert found.not_met_because
        assert not found.missing
    open_one = changed_by(PATIENTS[name], doubtful)
    assert _clause(open_one, name, fact) is Verdict.INDETERMINATE
    found = judged(open_one, name)
    assert found.verdict is Verdict.INDETERMINATE
    assert found.missing
    assert not found.not_met_because


@pytest.mark.parametrize("name", UNABLE)
def test_what_is_not_approved_or_refuted_is_never_met_and_says_why(name: str) -> None:
    for patient in (of.FIRST_LINE, of.LATER_LINE, of.HER2, of.TMB, of.MSI, {}):
        found = judged(patient, name)
        assert found.verdict is Verdict.NOT_MET
        assert UNABLE[name] in found.not_met_because[0]


@pytest.mark.parametrize("name", UNVERIFIED)
def test_what_could_not_be_verified_stays_indeterminate(name: str) -> None:
    for patient in (of.LATER_LINE, of.FIRST_LINE, {}):
        found = judged(patient, name)
        assert found.verdict is Verdict.INDETERMINATE
        assert found.missing


def test_no_row_of_the_brief_and_no_criterion_is_left_out() -> None:
    every = criteria().criteria
    names = {one.id for one in every}
    assert names == {*PATIENTS, *UNABLE, *UNVERIFIED}
    rows = {one.row for one in every}
    assert {f"2.1 row {number}" for number in range(1, 14)} <= rows
    assert {f"2.2 row {number}" for number in range(1, 12)} <= rows
    assert all(one.id.startswith(f"{one.jurisdiction}-") or one.jurisdiction == "any" for one in every)


def test_every_source_of_a_criterion_is_a_full_reference() -> None:
    for one in criteria().criteria:
        for source in one.cited:
            assert source.address.startswith("http")
            assert source.accessed.year == 2026
            assert source.title in one.source
        if one.approval.can_be_met:
            assert "clinical brief" not in one.source
