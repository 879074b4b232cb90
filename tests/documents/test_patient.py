"""A review of therapy criteria comes back as it was written."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from cxpath.data.settings import bundled, read_settings
from cxpath.documents.patient import FunnelEntry, SampleBurden, TherapyDocument, TmbDocument, TmbTable
from cxpath.errors import DocumentError
from cxpath.patient.criteria import Verdict
from cxpath.patient.tmb import Burden, FunnelStep, Preset
from tests.patient import patients as of
from tests.patient.patients import Fields, reviewed

PATIENTS = [of.FIRST_LINE, of.LATER_LINE, of.HER2, of.TMB, of.MSI, of.NTRK, of.BRAF, of.LOCALLY_ADVANCED, {}]


def document_of(fields: Fields) -> TherapyDocument:
    return TherapyDocument.of_review(reviewed(fields), date(2026, 11, 30))


@pytest.mark.parametrize("fields", PATIENTS)
def test_a_review_comes_back_as_it_was_written(fields: Fields, tmp_path: Path) -> None:
    document, path = document_of(fields), tmp_path / "therapy.json"
    document.write(path)
    again = TherapyDocument.read(path)
    assert again.text() == document.text()
    assert again.criteria == document.criteria
    assert again.provenance.reviewed_on == date(2026, 11, 30)


def test_every_criterion_stands_under_one_verdict() -> None:
    document = document_of(of.FIRST_LINE)
    assert Verdict.MET in {one.verdict for one in document.criteria}


def test_what_is_unknown_of_the_patient_is_left_out() -> None:
    assert "hpv" in json.loads(document_of(of.FIRST_LINE).text())["profile"]
    assert "null" not in json.dumps(json.loads(document_of(of.FIRST_LINE).text())["profile"])


@pytest.mark.parametrize(
    ("key", "wrong", "said"),
    [
        ("criteria", [{"id": "x"}], "criteria.0.agent: is missing"),
        ("settling", {"a test": "x"}, "settling.a test: "),
        ("profile", {"pdl1": [{"value": 200}]}, "profile: "),
        (
            "provenance",
            {"cxpath": "1", "reviewed_on": "today", "criteria_digest": ""},
            "provenance.reviewed_on: ",
        ),
    ],
)
def test_a_damaged_review_names_the_field(tmp_path: Path, key: str, wrong: object, said: str) -> None:
    content = json.loads(document_of({}).text()) | {key: wrong}
    (tmp_path / "therapy.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DocumentError) as caught:
        TherapyDocument.read(tmp_path / "therapy.json")
    assert f"therapy.json: {said}" in str(caught.value)


BURDEN = SampleBurden(
    sample="T1", preset="msk_like", method="MSK-IMPACT-like", value=8.5, interval=(3.9, 16.1), level=0.95,
    variants=8, megabases=0.94, not_applied=(), not_reproduced=("nothing",), warnings=("less than 1 Mb",),
    funnel=(FunnelEntry(step="called", left=9, removed=1, unknown=0, applied=True, why_not=""),),
    source="a paper", as_of="2026-11-01", certainty="read",
)  # fmt: skip


def test_one_sample_comes_back(tmp_path: Path) -> None:
    document = TmbDocument(cxpath="1", **dict(BURDEN))
    document.write(tmp_path / "tmb.json")
    assert TmbDocument.read(tmp_path / "tmb.json") == document


def test_several_samples_come_back(tmp_path: Path) -> None:
    document = TmbTable(cxpath="1", samples=(BURDEN, BURDEN.model_copy(update={"sample": "T2"})))
    document.write(tmp_path / "tmb.json")
    assert TmbTable.read(tmp_path / "tmb.json") == document


def test_a_burden_is_written_with_every_number_in_its_place_and_names_what_was_not_applied() -> None:
    preset = read_settings(Preset, bundled("configs") / "tmb" / "msk_like.toml", "see configs/tmb")
    steps = (FunnelStep("called", 9, 1, 2), FunnelStep("depth", 9, applied=False, why_not="no DP"))
    burden = Burden("T1", preset, 8.5, (3.9, 16.1), 8, 0.94, steps, ("less than 1 Mb",))
    entry = SampleBurden.of_burden(burden)
    assert (entry.sample, entry.value, entry.interval, entry.level) == ("T1", 8.5, (3.9, 16.1), 0.95)
    assert (entry.variants, entry.megabases) == (8, 0.94)
    assert (entry.preset, entry.method, entry.source) == (preset.name, preset.title, preset.source)
    assert (entry.as_of, entry.certainty) == (preset.as_of, preset.certainty)
    assert entry.not_applied == ("depth",)
    assert entry.not_reproduced == preset.not_reproduced
    assert [(one.step, one.left, one.removed, one.unknown, one.why_not) for one in entry.funnel] == [
        ("called", 9, 1, 2, ""),
        ("depth", 9, 0, 0, "no DP"),
    ]
    assert entry.warnings == ("less than 1 Mb",)


def test_the_digest_of_criteria_follows_the_criteria_and_not_the_patient() -> None:
    first, other = (document_of(fields).provenance.criteria_digest for fields in (of.FIRST_LINE, of.HER2))
    assert first == other
    review = reviewed(of.FIRST_LINE)
    fewer = replace(review, results=review.results[1:])
    assert TherapyDocument.of_review(fewer, date(2026, 11, 30)).provenance.criteria_digest != first
