from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from cxpath.app.review import criteria_folder, read_documents
from cxpath.patient.lint import Severity, lint

TODAY = date(2026, 11, 25)
CRITERION: dict[str, Any] = {
    "id": "us-example",
    "row": "none",
    "agent": "example",
    "regimen": "example alone",
    "population": "anybody with the fusion",
    "jurisdiction": "us",
    "approval": "regular",
    "approved_on": "2024-01",
    "source": "an address",
    "as_of": date(2026, 11, 23),
    "certainty": "verified in a public page",
    "biomarker": [{"fact": "alterations.ret_fusion", "op": "is", "value": True}],
}


def _found(**changes: Any) -> list[tuple[Severity, str]]:
    entry = {key: value for key, value in (CRITERION | changes).items() if value is not None}
    return [(one.severity, one.what) for one in lint({"us.toml": {"criterion": [entry]}}, TODAY)]


def test_the_shipped_criteria_are_clean() -> None:
    assert lint(read_documents([criteria_folder()]), TODAY) == []


def test_a_good_criterion_is_clean() -> None:
    assert _found() == []


@pytest.mark.parametrize("key", ["source", "as_of", "certainty"])
@pytest.mark.parametrize("value", [None, " "])
def test_no_source_date_or_certainty_is_an_error(key: str, value: str | None) -> None:
    assert _found(**{key: value}) == [(Severity.ERROR, f"has no {key}")]


def test_an_approval_without_its_date_is_an_error() -> None:
    assert _found(approved_on=None)[0][0] is Severity.ERROR
    assert _found(approved_on="unknown") == []


def test_older_than_a_year_is_a_warning() -> None:
    assert _found(as_of=date(2025, 11, 25)) == []
    assert [severity for severity, _ in _found(as_of=date(2025, 11, 24))] == [Severity.WARNING]
    assert [severity for severity, _ in _found(as_of=date(2026, 11, 26))] == [Severity.WARNING]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"biomarker": [{"fact": "hpv.colour", "op": "is", "value": True}]}, "no fact 'hpv.colour'"),
        ({"biomarker": [{"fact": "tmb.value", "op": ">=", "value": "ten"}]}, "takes a number"),
        ({"biomarker": [{"fact": "tmb.value", "op": "in", "value": 10}]}, "takes a list"),
        ({"biomarker": None}, "everybody would meet it"),
        ({"cautions": ["magic"]}, "there is none for 'magic'"),
        ({"certainty": "sure"}, "certainty"),
        ({"approval": "none", "reason": ""}, "must give its reason"),
        ({"stage": ["III"]}, "stage_edition"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_judged_is_an_error(changes: dict[str, Any], what: str) -> None:
    found = _found(**changes)
    assert [severity for severity, _ in found] == [Severity.ERROR]
    assert what in found[0][1]


def test_an_id_that_stands_twice_names_the_first_file() -> None:
    documents = {"us.toml": {"criterion": [CRITERION]}, "mine.toml": {"criterion": [CRITERION]}}
    assert [(one.file, one.what) for one in lint(documents, TODAY)] == [
        ("mine.toml", "id stands twice, first in us.toml")
    ]


def test_an_unknown_table_is_an_error() -> None:
    assert "no such table" in lint({"us.toml": {"criteria": []}}, TODAY)[0].what
