"""Profiles of invented patients, as nested fields that tests change."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from typing import Any

from cxpath.app.therapy import read_criteria
from cxpath.patient.criteria import JURISDICTIONS, Criteria
from cxpath.patient.profile import profile_from
from cxpath.patient.review import CriterionResult, TherapyReview, review_therapy

Fields = dict[str, Any]

PDL1: Fields = {
    "score": "cps",
    "assay": "22c3",
    "value": 20.0,
    "origin": "reader",
    "confirmed_by": "Dr A",
    "confirmed_on": "2026-11-20",
}
CHEMORADIATION: Fields = {
    "purpose": "chemoradiation",
    "agents": ["cisplatin"],
    "chemotherapy": True,
    "progressed": True,
}
LINE: Fields = {
    "purpose": "recurrent_or_metastatic",
    "agents": ["carboplatin", "paclitaxel"],
    "chemotherapy": True,
    "progressed": True,
}


def changed(fields: Fields, path: str, value: Any) -> Fields:
    """Return fields with one of them changed; "unknown" takes it away."""
    copy = deepcopy(fields)
    table: Any = copy
    *parents, last = path.split(".")
    for key in parents:
        table = table[int(key)] if isinstance(table, list) else table.setdefault(key, {})
    table[int(last) if isinstance(table, list) else last] = value
    return copy


@cache
def criteria() -> Criteria:
    """Return the criteria that travel with cxpath, read once."""
    return read_criteria()


def reviewed(fields: Fields) -> TherapyReview:
    """Return the whole review of a patient."""
    return review_therapy(profile_from(fields), criteria(), JURISDICTIONS)


def judged(fields: Fields, criterion: str) -> CriterionResult:
    """Return one criterion's result for a patient."""
    return reviewed(fields).by_id(criterion)


FIRST_LINE: Fields = {
    "pdl1": [PDL1],
    "clinical": {
        "histology": "squamous",
        "setting": "recurrent",
        "age_years": 50,
        "therapies": [CHEMORADIATION],
    },
}
LATER_LINE: Fields = {
    "pdl1": [PDL1],
    "clinical": {
        "histology": "adenocarcinoma",
        "setting": "metastatic",
        "age_years": 50,
        "therapies": [CHEMORADIATION, LINE],
    },
}
LAST_RESORT = changed(LATER_LINE, "clinical.no_satisfactory_alternative", value=True)
LOCALLY_ADVANCED: Fields = {
    "clinical": {
        "age_years": 50,
        "histology": "squamous",
        "setting": "locally_advanced",
        "stage": {"edition": "FIGO 2014", "stage": "IIIB"},
        "therapies": [],
    }
}
HER2 = changed(LAST_RESORT, "her2", {"ihc": "3+", "specimen": "biopsy", "scoring": "gastric"})
TMB = changed(LAST_RESORT, "tmb", {"value": 12.0, "assay": "f1cdx"})
MSI = changed(LAST_RESORT, "msi", {"msi": "msi-h", "mmr": "deficient", "fda_approved_test": True})
NTRK = changed(LAST_RESORT, "alterations", {"ntrk_fusion": "present", "ntrk_resistance_mutation": "absent"})
RET = changed(LAST_RESORT, "alterations", {"ret_fusion": "present"})
BRAF = changed(LAST_RESORT, "alterations", {"braf_v600e": "present"})
NO_PLATINUM = changed(FIRST_LINE, "clinical.platinum_unsuitable", value=True)
