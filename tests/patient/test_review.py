from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from cxpath.app.therapy import criteria_folder, read_documents, read_sources
from cxpath.patient.review import Severity, lint

TODAY = date(2026, 11, 30)
CRITERION: dict[str, Any] = {
    "id": "us-example",
    "row": "none",
    "agent": "example",
    "regimen": "example alone",
    "population": "anybody with the fusion",
    "jurisdiction": "us",
    "approval": "regular",
    "approved_on": "2024-01",
    "sources": ["label", "trial"],
    "as_of": date(2026, 11, 23),
    "certainty": "verified in a public page",
    "biomarker": [{"fact": "alterations.ret_fusion", "op": "is", "value": True}],
}
LABEL: dict[str, Any] = {
    "id": "label",
    "kind": "label",
    "title": "EXAMPLE, US prescribing information, section 1",
    "revision": "2026-10",
    "address": "https://example.org/label",
    "accessed": date(2026, 11, 23),
    "read": "in full",
}
TRIAL: dict[str, Any] = LABEL | {"id": "trial", "kind": "trial", "registry": "NCT00000001"}
SOURCES = {"sources.toml": {"source": [LABEL, TRIAL]}}


def _found(**changes: Any) -> list[tuple[Severity, str]]:
    entry = {key: value for key, value in (CRITERION | changes).items() if value is not None}
    return [(one.severity, one.what) for one in lint({"us.toml": {"criterion": [entry]}, **SOURCES}, TODAY)]


def _found_in_source(source: dict[str, Any], **changes: Any) -> list[str]:
    entry = {key: value for key, value in (source | changes).items() if value is not None}
    return [one.what for one in lint({"sources.toml": {"source": [entry]}}, TODAY)]


def test_the_shipped_criteria_are_clean() -> None:
    assert lint(read_documents([criteria_folder()]), TODAY) == []


def test_a_good_criterion_and_good_sources_are_clean() -> None:
    assert _found() == []
    assert _found_in_source(LABEL) == _found_in_source(TRIAL) == []


def test_a_criterion_needs_its_label_or_guideline_and_a_trial_that_can_be_looked_up() -> None:
    assert _found(sources=["trial"]) == [(Severity.ERROR, "cites no product label or guideline")]
    assert _found(sources=["label"]) == [(Severity.ERROR, "cites no registry number, DOI or PMID")]
    assert "there is no [[source]] 'S27'" in _found(sources=["label", "trial", "S27"])[0][1]
    assert _found(approval="guideline", sources=["label"]) == []
    assert _found(approval="unverified", reason="must be read", sources=None) == []


@pytest.mark.parametrize(
    ("source", "changes", "what"),
    [
        (LABEL, {"address": None}, "has no address"),
        (LABEL, {"address": "a news site"}, "address"),
        (LABEL, {"accessed": None}, "has no accessed"),
        (LABEL, {"read": None}, "has no read"),
        (LABEL, {"revision": None}, "has no revision month"),
        (LABEL, {"read": "not read"}, "a note must say what is missing"),
        (LABEL, {"accessed": date(2025, 11, 29)}, "older than a year"),
        (TRIAL, {"registry": None}, "a trial needs its registry number"),
        (TRIAL, {"registry": "NCT1"}, "registry"),
    ],
)
def test_a_source_is_a_full_reference(source: dict[str, Any], changes: dict[str, Any], what: str) -> None:
    (found,) = _found_in_source(source, **changes)
    assert what in found


def test_a_trial_may_be_known_by_its_doi_or_pmid() -> None:
    assert _found_in_source(TRIAL, registry=None, doi="10.1000/1") == []
    assert _found_in_source(TRIAL, registry=None, pmid="1") == []


def test_shipped_sources_may_be_cited_by_a_labs_own_criteria() -> None:
    documents = {"mine.toml": {"criterion": [CRITERION | {"sources": ["fda-retevmo", "libretto-001"]}]}}
    assert lint(documents, TODAY, read_sources()) == []


@pytest.mark.parametrize("key", ["sources", "as_of", "certainty"])
@pytest.mark.parametrize("value", [None, " "])
def test_no_source_date_or_certainty_is_an_error(key: str, value: str | None) -> None:
    assert _found(**{key: value}) == [(Severity.ERROR, f"has no {key}")]


def test_an_approval_without_its_date_is_an_error() -> None:
    assert _found(approved_on=None)[0][0] is Severity.ERROR
    assert _found(approved_on="unknown") == []


def test_older_than_a_year_is_a_warning() -> None:
    assert _found(as_of=date(2025, 11, 30)) == []
    assert [severity for severity, _ in _found(as_of=date(2025, 11, 29))] == [Severity.WARNING]
    assert [severity for severity, _ in _found(as_of=date(2026, 12, 1))] == [Severity.WARNING]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"biomarker": [{"fact": "hpv.colour", "op": "is", "value": True}]}, "no fact 'hpv.colour'"),
        ({"biomarker": [{"fact": "tmb.value", "op": ">=", "value": "ten"}]}, "takes a number"),
        ({"biomarker": [{"fact": "tmb.value", "op": "in", "value": 10}]}, "takes a list"),
        ({"biomarker": None}, "every patient would meet it"),
        ({"cautions": ["magic"]}, "there is none for 'magic'"),
        ({"certainty": "sure"}, "certainty"),
        ({"approval": "none", "reason": ""}, "must give its reason"),
        ({"stage": ["III"]}, "stage_edition"),
        ({"colour": "red"}, "colour"),
        ({"cited": []}, "cited"),
    ],
)
def test_what_cannot_be_judged_is_an_error(changes: dict[str, Any], what: str) -> None:
    found = _found(**changes)
    assert [severity for severity, _ in found] == [Severity.ERROR]
    assert what in found[0][1]


def test_an_id_that_stands_twice_names_the_first_file() -> None:
    documents = {"us.toml": {"criterion": [CRITERION]}, "mine.toml": {"criterion": [CRITERION]}, **SOURCES}
    assert [(one.file, one.what) for one in lint(documents, TODAY)] == [
        ("mine.toml", "id occurs twice, first in us.toml")
    ]


def test_an_unknown_table_is_an_error() -> None:
    assert "no such table" in lint({"us.toml": {"criteria": []}}, TODAY)[0].what


def test_entries_without_a_name_are_named_by_their_place_and_not_taken_for_one_another() -> None:
    nameless = {key: value for key, value in CRITERION.items() if key != "id"}
    found = lint({"us.toml": {"criterion": [CRITERION, nameless, nameless]}, **SOURCES}, TODAY)
    assert [(one.entry, one.what) for one in found] == [
        ("criterion 2", "id: Field required"),
        ("criterion 3", "id: Field required"),
    ]


def test_everything_that_is_wrong_with_an_entry_is_found_at_once() -> None:
    found = _found(jurisdiction="mars", approval="maybe", certainty="sure")
    wrong = {what.partition(":")[0].partition(".")[0] for _, what in found}
    assert wrong == {"jurisdiction", "approval", "certainty"}


def test_a_finding_as_data_has_its_place_and_plain_words() -> None:
    (found,) = lint({"us.toml": {"criterion": [CRITERION | {"cautions": ["magic"]}]}, **SOURCES}, TODAY)
    assert found.as_dict() == {
        "severity": "error",
        "file": "us.toml",
        "entry": "us-example",
        "what": "cautions: there is none for 'magic'",
    }


def test_a_caution_of_another_file_is_known_and_its_fact_is_checked() -> None:
    caution: dict[str, Any] = {
        "id": "lung",
        "agents": "magic",
        "flag": "pneumonitis",
        "when": {"fact": "comorbidities.lung_disease", "op": "is", "value": True},
        "as_of": date(2026, 11, 23),
        "certainty": "verified in a public page",
    }
    documents = {
        "us.toml": {"criterion": [CRITERION | {"cautions": ["magic"]}]},
        "cautions.toml": {"caution": [caution]},
        **SOURCES,
    }
    assert lint(documents, TODAY) == []
    wrong = caution | {"when": {"fact": "comorbidities.hiccups", "op": "is", "value": True}}
    found = lint(documents | {"cautions.toml": {"caution": [wrong]}}, TODAY)
    assert [(one.file, one.entry, one.what) for one in found] == [
        ("cautions.toml", "lung", "there is no fact 'comorbidities.hiccups'")
    ]


def test_a_broken_source_does_not_count_as_cited() -> None:
    documents = {
        "us.toml": {"criterion": [CRITERION]},
        "sources.toml": {"source": [LABEL | {"kind": 7}, TRIAL]},
    }
    what = [one.what for one in lint(documents, TODAY)]
    assert "sources: there is no [[source]] 'label'" in what
    assert "cites no product label or guideline" in what
    assert any(one.startswith("kind: ") for one in what)
