from __future__ import annotations

import html
import re
import tomllib
from pathlib import Path

import pytest

from cxpath.data.settings import bundled
from cxpath.patient.profile import profile_from
from cxpath.patient.review import review_therapy
from cxpath.report.board_page import board_page, patient_sheet
from cxpath.report.board_summary import counts_of
from tests.browser import printed_pages
from tests.patient import patients as of
from tests.patient.patients import Fields, changed, criteria, reviewed

WORKED: Fields = tomllib.loads(
    (bundled("configs") / "profile" / "worked_case.toml").read_text(encoding="utf-8")
)

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
        "Criteria met, each needs confirmation",
        "Indeterminate, and what would settle it",
        "Not met",
        "What would settle each",
        "boxed warning, ocular toxicity",
        "verified in a public page",
        "As of 2026-11-30",
        "The patient’s own wishes",
        "Chair of the board, date, signature",
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


def first_page(shown: str) -> str:
    return shown[: shown.index('<div class="appendix">')]


def test_the_first_page_has_score_live_options_cautions_and_room_to_decide() -> None:
    shown = first_page(
        page(changed(of.LATER_LINE, "comorbidities", {"pregnancy": True, "hypertension": True}))
    )
    order = [
        "PD-L1 CPS 20",
        "confirmed by Dr A, 2026-11-20",
        "Criteria met, each needs confirmation",
        "Tisotumab vedotin",
        "Not tested: NTRK1/2/3 fusion",
        "Cautions for these options",
        "▲ Pregnancy: yes",
        "Chair of the board, date, signature",
    ]
    places = [shown.index(words) for words in order]
    assert places == sorted(places)
    assert shown.count("▲ Pregnancy") == 1, "once, with every drug that it concerns"
    assert "cetuximab" not in shown.lower()


def test_counts_are_those_of_the_terminal() -> None:
    review = reviewed(of.FIRST_LINE)
    counts = counts_of(review.results)
    assert sum(counts.values()) == len(review.results)
    words = (
        f"{counts['met']} met, {counts['indeterminate']} indeterminate, {counts['not_met']} not met, "
        f"{counts['unable']} not approved"
    )
    shown = page(of.FIRST_LINE)
    assert words in shown
    for title in ("confirmation", "another test", "Not met", "not verified"):
        assert re.search(rf"{title} \(\d+\)</h2>", shown)
    assert f"Not met ({counts['not_met']})</h2>" in shown


def test_an_unconfirmed_score_is_marked_on_the_first_page() -> None:
    shown = first_page(page(changed(of.FIRST_LINE, "pdl1", [of.PDL1 | {"confirmed_by": "unknown"}])))
    assert "not confirmed by a person: decides nothing" in shown
    assert "counting alone, at an assumed 1000 tumour cells" in shown


def test_what_was_not_read_in_full_is_shown_as_unverified() -> None:
    shown = page(of.LATER_LINE)
    assert "Unverified: its own wording was not read in full." in shown
    assert "the full wording of NCCN Guidelines, Cervical Cancer: it could not be read" in first_page(shown)


EVERYTHING = (
    of.MSI
    | {name: fields[name] for name, fields in (("her2", of.HER2), ("tmb", of.TMB))}
    | {"alterations": of.NTRK["alterations"] | of.RET["alterations"] | of.BRAF["alterations"]}
    | {"comorbidities": dict.fromkeys(("pregnancy", "hypertension", "bleeding", "lung_disease"), True)}
)


@pytest.mark.parametrize("place", ["us", "eu", "jp", "cn"])
@pytest.mark.parametrize("fields", [WORKED, EVERYTHING, {}], ids=["worked case", "everything", "nothing"])
def test_the_first_page_is_one_sheet_of_a4(fields: Fields, place: str, tmp_path: Path) -> None:
    review = review_therapy(profile_from(fields), criteria(), (place,))
    shown = board_page(review, "30 November 2026", [("cxpath", "1")])
    alone = tmp_path / "first.html"
    alone.write_text(f"{first_page(shown)}</main></body></html>", encoding="utf-8")
    assert printed_pages(alone) == 1


def test_the_appendix_begins_on_a_sheet_of_its_own(tmp_path: Path) -> None:
    whole = tmp_path / "board.html"
    whole.write_text(board_page(reviewed(WORKED), "30 November 2026", []), encoding="utf-8")
    assert printed_pages(whole) > 3


def test_the_sheet_speaks_plainly_and_has_no_verdict_of_the_machine() -> None:
    shown = sheet(of.FIRST_LINE).partition("<body")[2]
    assert "checked by a doctor" in shown
    assert "it does not decide anything" in shown.lower()
    for jargon in ("indeterminate", "FIGO", "KEYNOTE", "clause", "NCCN", "Not clear yet"):
        assert jargon not in shown


def _syllables(word: str) -> int:
    groups = len(re.findall(r"[aeiouy]+", word.lower()))
    silent = word.lower().endswith("e") and not word.lower().endswith("le")
    return max(1, groups - silent)


def _grade(text: str) -> float:
    """Return the school grade by the formula of Flesch and Kincaid (1975), with syllables told by vowels."""
    sentences = [one for one in re.split(r"[.?!:]\s+", text) if one.strip()]
    words = re.findall(r"[A-Za-z’]+", text)
    return 0.39 * len(words) / len(sentences) + 11.8 * sum(map(_syllables, words)) / len(words) - 15.59


@pytest.mark.parametrize("fields", PATIENTS)
def test_the_sheet_can_be_read_at_about_twelve_years(fields: Fields) -> None:
    """Names of tests and drugs stand in bold and are left out: they are explained next to."""
    body = re.sub(r"(?s)<(strong|style|title)>.*?</\1>", "", sheet(fields)).partition("<main>")[2]
    text = re.sub(r"</(p|li|td|h1|h2)>", ". ", body.partition("</main>")[0])
    plain = re.sub(r"[.:;]\s*(?=[.])", "", re.sub(r"<[^>]+>", "", text))
    assert _grade(plain) <= 6.5


@pytest.mark.parametrize(
    ("score", "words"),
    [
        ({"value": 1.0}, "close to 1"),
        ({"confirmed_by": "unknown"}, "Not checked by a doctor yet"),
        ({"value": "<1"}, "Below 1, close to 1"),
    ],
)
def test_doubt_about_the_score_reaches_the_patient(score: Fields, words: str) -> None:
    assert words in sheet(changed(of.FIRST_LINE, "pdl1", [of.PDL1 | score]))


def test_a_number_that_no_doctor_has_checked_is_not_on_the_sheet() -> None:
    unchecked = changed(of.FIRST_LINE, "pdl1", [of.PDL1 | {"value": 37.5, "confirmed_by": "unknown"}])
    assert "37.5" not in sheet(unchecked)


def test_nothing_known_is_not_nothing_to_do() -> None:
    shown = sheet({})
    assert "This does not mean that there is no treatment" in shown
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
