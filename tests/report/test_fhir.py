from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle

from cxpath.documents.patient import TherapyDocument
from cxpath.report.fhir import OWN_SYSTEM, fhir_bundle, read_codes
from tests.patient import patients as of
from tests.patient.patients import Fields, changed, reviewed

FULL = of.MSI | {
    "hpv": {"method": "dna_pcr", "types": [16]},
    "p16": {"result": "positive"},
    "tmb": {"value": 12.0, "assay": "msk-impact"},
    "egfr": {"h_score": 200},
    "her2": {"ihc": "2+"},
}


def bundle(fields: Fields) -> dict[str, Any]:
    review = reviewed(fields)
    return fhir_bundle(review, TherapyDocument.of_review(review, date(2026, 11, 25)))


def resources(fields: Fields, kind: str) -> list[dict[str, Any]]:
    found = [entry["resource"] for entry in bundle(fields)["entry"]]
    return [one for one in found if one["resourceType"] == kind]


def code_of(resource: dict[str, Any]) -> str:
    return str(resource["code"]["coding"][0]["code"])


@pytest.mark.parametrize("fields", [FULL, {}, of.FIRST_LINE, of.NTRK])
def test_it_is_a_valid_collection_and_all_of_it_is_preliminary(fields: Fields) -> None:
    made = bundle(fields)
    assert Bundle.model_validate(made).type == "collection"
    for kind in ("DiagnosticReport", "Observation"):
        assert {one["status"] for one in resources(fields, kind)} == {"preliminary"}
    assert all("meta" not in entry["resource"] for entry in made["entry"])


def test_every_reference_leads_into_the_bundle() -> None:
    made = bundle(FULL)
    addresses = {entry["fullUrl"] for entry in made["entry"]}
    assert len(addresses) == len(made["entry"])
    report = resources(FULL, "DiagnosticReport")[0]
    named = [one["reference"] for one in report["result"]]
    for one in resources(FULL, "Observation"):
        named += [link["reference"] for link in one.get("derivedFrom", ())]
        named += [one["device"]["reference"]] if "device" in one else []
    assert set(named) <= addresses
    assert len(report["result"]) == len(resources(FULL, "Observation"))


def test_codes_are_those_of_the_map_and_cps_has_none_of_loinc() -> None:
    codes = {code_of(one): one for one in resources(FULL, "Observation")}
    assert codes["94076-7"]["valueQuantity"]["value"] == 12.0
    assert codes["81695-9"]["valueCodeableConcept"]["text"] == "msi-h"
    assert codes["77399-4"]["valueCodeableConcept"]["text"] == "detected"
    assert codes["pdl1-cps"]["code"]["coding"][0]["system"] == OWN_SYSTEM
    assert codes["pdl1-cps"]["component"][0]["code"]["coding"][0]["code"] == "105302-4"
    assert all(code.certainty for code in read_codes().values())


def test_a_score_of_cxpath_says_whose_cells_it_counts() -> None:
    audited = changed(of.FIRST_LINE, "pdl1", [of.PDL1 | {"basis": "audited"}])
    score = next(one for one in resources(audited, "Observation") if code_of(one) == "pdl1-cps")
    assert score["component"][1]["valueString"] == "audited"
    assert "audited by a person" in score["note"][0]["text"]
    plain = next(one for one in resources(of.FIRST_LINE, "Observation") if code_of(one) == "pdl1-cps")
    assert len(plain["component"]) == 1


def test_p16_is_never_an_hpv_test() -> None:
    codes = {code_of(one) for one in resources({"p16": {"result": "positive"}}, "Observation")}
    assert "p16" in codes
    assert not codes & {"hpv", "77399-4", "77400-0"}


def test_a_score_below_a_number_keeps_its_sign_and_an_absent_one_its_reason() -> None:
    below = changed(of.FIRST_LINE, "pdl1", [of.PDL1 | {"value": "<1"}])
    score = next(one for one in resources(below, "Observation") if code_of(one) == "pdl1-cps")
    assert score["valueQuantity"]["comparator"] == "<"
    poor = {"not_evaluable_because": ["too few"], "value": "unknown"}
    absent = changed(of.FIRST_LINE, "pdl1", [of.PDL1 | poor])
    score = next(one for one in resources(absent, "Observation") if code_of(one) == "pdl1-cps")
    assert score["dataAbsentReason"]["text"] == "too few"


def test_a_criterion_points_to_its_findings_and_requests_no_medication() -> None:
    found = [one for one in resources(FULL, "Observation") if code_of(one) == "therapy-criterion"]
    by_id = {(one["component"][0]["valueString"], one["component"][1]["valueString"]): one for one in found}
    msi = by_id["pembrolizumab alone, MSI-H or mismatch repair deficient", "us"]
    assert msi["valueCodeableConcept"]["text"] == "criteria met, needs confirmation"
    assert msi["derivedFrom"]
    assert "Medication" not in str(bundle(FULL))


def test_the_device_names_version_and_model() -> None:
    scored = changed(of.FIRST_LINE, "pdl1", [of.PDL1 | {"model_digest": "ab" * 32}])
    (device,) = resources(scored, "Device")
    assert device["version"][0]["value"]
    assert device["identifier"][0]["value"] == "ab" * 32


def test_case_and_specimen_are_the_laboratorys_own_free_form_identifiers() -> None:
    named = FULL | {"case": "CX/17 (b)", "specimen": "block 2, core 1"}
    score = next(one for one in resources(named, "Observation") if code_of(one) == "pdl1-cps")
    assert score["subject"]["identifier"] == {"value": "CX/17 (b)"}
    assert score["specimen"]["identifier"] == {"value": "block 2, core 1"}
    (report,) = resources(named, "DiagnosticReport")
    assert report["subject"]["identifier"] == {"value": "CX/17 (b)"}
    assert "specimen" not in resources(FULL, "Observation")[0]


def test_a_criterion_says_whether_its_wording_was_read() -> None:
    read = [
        part["valueString"]
        for one in resources(of.LATER_LINE, "Observation")
        for part in one.get("component", ())
        if part["code"]["text"] == "wording read in full"
    ]
    assert set(read) == {"yes", "no"}


def test_a_score_without_a_name_is_neither_a_cps_nor_a_tps() -> None:
    unnamed = {key: value for key, value in of.PDL1.items() if key != "score"}
    codes = {code_of(one) for one in resources(changed(of.FIRST_LINE, "pdl1", [unnamed]), "Observation")}
    assert "pdl1-score-not-stated" in codes
    assert not codes & {"pdl1-cps", "pdl1-tps"}
