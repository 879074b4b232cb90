from __future__ import annotations

import html
import re

import pytest

from cxpath.report.board_page import board_page, patient_sheet
from tests.patient import patients as of
from tests.patient.patients import Fields, changed, reviewed

PATIENTS = [of.FIRST_LINE, of.LATER_LINE, of.HER2, of.TMB, of.MSI, of.NTRK, of.BRAF, of.LOCALLY_ADVANCED, {}]


def page(fields: Fields) -> str:
    return html.unescape(board_page(reviewed(fields), "25 November 2026", [("cxpath", "1")]))


def sheet(fields: Fields) -> str:
    return html.unescape(patient_sheet(reviewed(fields), "25 November 2026"))


def test_the_board_finds_profile_criteria_cautions_and_room_to_decide() -> None:
    shown = page(changed(of.LATER_LINE, "comorbidities.ocular_surface_disease", value=True))
    for words in (
        "CPS",
        "22C3; read by eye; confirmed by Dr A, 2026-11-20",
        "Criteria met: each needs confirmation",
        "Indeterminate",
        "Not met",
        "What would settle what",
        "boxed warning, ocular toxicity",
        "verified in a public page",
        "As of 2026-11-23",
        "Discussion and decision",
        "Sign-off",
        "For Research Use Only. Not for use in diagnostic procedures.",
    ):
        assert words.lower() in shown.lower()


@pytest.mark.parametrize("fields", PATIENTS)
def test_neither_page_calls_anybody_eligible_ranks_or_fetches_anything(fields: Fields) -> None:
    for shown in (page(fields), sheet(fields)):
        assert "eligib" not in shown.lower()
        assert not re.search(r"(src|href)=\"(?!data:)", shown)
        assert "For Research Use Only" in shown


def test_every_criterion_stands_on_the_page_with_its_source() -> None:
    review = reviewed(of.FIRST_LINE)
    shown = page(of.FIRST_LINE)
    for one in review.results:
        assert one.criterion.regimen in shown
        assert one.criterion.source in shown


def test_what_the_patient_said_is_escaped() -> None:
    fields = {"case": "<script>alert(1)</script>"}
    assert "<script>" not in board_page(reviewed(fields), "today", [])
    assert "<script>" not in patient_sheet(reviewed(fields), "today")


def test_the_sheet_speaks_plainly_and_has_no_verdict_of_the_machine() -> None:
    shown = sheet(of.FIRST_LINE).partition("<body")[2]
    assert "checked by a pathologist" in shown
    assert "it decides nothing" in shown.lower()
    for jargon in ("indeterminate", "FIGO", "KEYNOTE", "clause", "NCCN"):
        assert jargon not in shown


@pytest.mark.parametrize(
    ("score", "words"),
    [
        ({"value": 1.0}, "close to the line of 1"),
        ({"confirmed_by": "unknown"}, "still to be checked"),
        ({"value": "<1"}, "Below 1, close to the line"),
    ],
)
def test_doubt_about_the_score_reaches_the_patient(score: Fields, words: str) -> None:
    assert words in sheet(changed(of.FIRST_LINE, "pdl1", [of.PDL1 | score]))


def test_nothing_known_is_not_nothing_to_do() -> None:
    shown = sheet({})
    assert "That does not mean that there is no treatment" in shown
    assert "What we still need to know" in shown


def test_the_models_notice_is_the_boards_first_warning() -> None:
    notice = "the model was trained on synthetic tissue alone; not validated on real PD-L1 slides"
    image = {
        "origin": "cxpath", "value": 12.345, "assay": "22c3", "interval": [0.13, 22.4], "notice": notice,
    }  # fmt: skip
    shown = page({"pdl1": [image]})
    assert re.search(rf"<h2>Warnings</h2>\s*<ul>\s*<li>PD-L1 image score: {re.escape(notice)}</li>", shown)
    assert "12 (95 % interval 0.1 to 22)" in shown
    assert "<h2>Warnings</h2>" not in page(of.FIRST_LINE)


def test_a_score_read_by_eye_is_printed_as_it_was_stated() -> None:
    assert "12.345" in page({"pdl1": [{"origin": "reader", "value": 12.345, "assay": "22c3"}]})
