from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from cxpath.app.review_audit import score_audit, write_audit
from cxpath.app.review_exchange import apply_edits
from cxpath.app.review_outcome import ReviewOutcome, review_outcome, sign_review, undo_event, verify_review
from cxpath.documents.review import AuditedEntry, SignatureEntry
from cxpath.errors import CxpathError, MissingFileError
from cxpath.io.cells import write_cells
from cxpath.review.events import ReviewError
from cxpath.review.sign import Meaning
from scripts.studies.measure_audit import KnownSlide
from tests.app.reviewed_slides import drawn_audit, fill_in, scored_slide, with_other_kinds

READER = "Dr A. Reader"

SAMPLED = {
    "method": "stratified Horvitz-Thompson/1",
    "share_read": 0.2,
    "tiles_drawn": 2,
    "tiles_with_tissue": 10,
    "context_tiles": 0,
    "looks": 1,
    "stopped_because": "narrow enough",
    "cps": 12.0,
    "interval": [10.0, 14.0],
    "level": 0.95,
    "strata": [{"tiles": 10, "drawn": 2}],
}


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, KnownSlide]:
    """A slide whose audit is drawn; tests copy its folder."""
    picture, results, known = scored_slide(tmp_path_factory.mktemp("audited"))
    write_audit(results, picture, number=60, squares=2)
    return picture, results, known


@pytest.fixture
def case(audited: tuple[Path, Path, KnownSlide], tmp_path: Path) -> tuple[Path, Path, KnownSlide]:
    """The results in a folder of this test's own, and its perfect answers."""
    _, results, known = audited
    own = tmp_path / "out"
    shutil.copytree(results, own)
    return own, fill_in(own, known, tmp_path / "answers.csv"), known


def test_the_draw_is_recorded_before_the_first_answer(case: tuple[Path, Path, KnownSlide]) -> None:
    results, _, _ = case
    review, audit = drawn_audit(results)
    found = review.verified()
    assert found is not None
    assert [event.action for event in found.events] == ["begin", "draw"]
    assert len(audit.draw.questions) == 60
    assert len(audit.squares) == 2


def test_the_contact_sheet_hides_every_call_and_needs_no_connection(
    case: tuple[Path, Path, KnownSlide],
) -> None:
    review, audit = drawn_audit(case[0])
    page = (review.path / "sheet.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == 62
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "http" not in re.sub(r"http-equiv|data:image[^\"]*", "", page)
    assert "C060" in page
    assert "S2" in page
    asked = re.findall(r'class="question cell" data-id="(C\d+)" data-stained="(yes|no)"', page)
    assert [told == "yes" for _, told in asked] == [one.asks_stained for one in audit.draw.questions]
    # between two cells nothing differs but the name, the picture and whether staining is asked
    blocks = re.findall(r'<div class="question cell".*?\n</div>', page, flags=re.DOTALL)
    bare = {re.sub(r"C\d{3}|data:image[^\"]*", "", block) for block in blocks}
    assert len(bare) == 2


def test_perfect_answers_give_an_interval_that_contains_the_truth(
    case: tuple[Path, Path, KnownSlide],
) -> None:
    results, answers, known = case
    entry = score_audit(results, answers, READER)
    low, high = entry.interval
    assert low <= known.cps <= high
    assert low < entry.cps < high
    assert (entry.n, entry.squares, entry.seed, entry.reviewer) == (60, 2, 1, READER)
    assert sum(stratum.answered for stratum in entry.answers) == 60
    path, found = verify_review(results)
    assert (entry.events, entry.head_hash) == (found.seal.events, found.seal.head_hash)
    assert len(found.state.answers_of(READER)) == 60
    assert AuditedEntry.read(path.parent / "audit.json") == entry


def test_the_same_answers_twice_record_nothing_new_and_a_changed_one_is_an_event(
    case: tuple[Path, Path, KnownSlide],
) -> None:
    results, answers, _ = case
    first = score_audit(results, answers, READER)
    assert score_audit(results, answers, READER) == first
    text = answers.read_text(encoding="utf-8-sig").splitlines()
    text[1] = ",".join([*text[1].split(",")[:2], "cannot tell", "yes", "", "", "", ""])
    answers.write_text("\n".join(text))
    changed = score_audit(results, answers, READER)
    assert changed.events == first.events + 1
    assert changed.cannot_tell == 1
    second = score_audit(results, answers, "Dr B. Reader")
    assert second.cps == changed.cps
    assert second.events > changed.events


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_table_saved_by_a_spreadsheet_is_read(
    case: tuple[Path, Path, KnownSlide], delimiter: str, tmp_path: Path
) -> None:
    results, answers, known = case
    other = fill_in(results, known, tmp_path / "other.csv", delimiter)
    expected = score_audit(results, answers, READER)
    assert score_audit(results, other, READER) == expected


def _spoilt(text: str, line: int, column: int, value: str) -> str:
    lines = text.splitlines()
    cells = lines[line].split(",")
    cells[column] = value
    lines[line] = ",".join(cells)
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda text: _spoilt(text, 1, 0, "0123456789ab"), "belongs to audit '0123456789ab'"),
        (lambda text: _spoilt(text, 1, 2, ""), "C001 has no class"),
        (lambda text: _spoilt(text, 1, 2, "tumor"), "class 'tumor' is not known"),
        (lambda text: _spoilt(text, 2, 1, "C001"), "C001 is answered twice"),
        (lambda text: _spoilt(text, 2, 1, "C999"), "C999 is not asked"),
        (lambda text: "\n".join(text.splitlines()[:30]), "C030 is missing"),
        (lambda text: _spoilt(text, 61, 6, ""), "S1: missed_tumour_unstained is ''"),
        (lambda text: _spoilt(text, 61, 6, "-1"), "S1: missed_tumour_unstained is '-1'"),
        (lambda text: _spoilt(text, 0, 2, "klass"), "column 'class' is missing"),
        (lambda text: "", "the file is empty"),
        (lambda text: "\x00\x01" + text, "column"),
    ],
)
def test_incomplete_and_foreign_answers_are_refused_in_one_line_and_leave_nothing(
    case: tuple[Path, Path, KnownSlide], spoil: object, why: str
) -> None:
    results, answers, _ = case
    answers.write_text(spoil(answers.read_text(encoding="utf-8-sig")))  # type: ignore[operator]
    with pytest.raises(CxpathError, match=re.escape(why)) as caught:
        score_audit(results, answers, READER)
    assert "\n" not in str(caught.value)
    _, found = verify_review(results)
    assert found.seal.events == 2
    assert not (drawn_audit(results)[0].path / "audit.json").exists()


def test_staining_that_was_asked_must_be_answered(case: tuple[Path, Path, KnownSlide]) -> None:
    results, answers, _ = case
    _, audit = drawn_audit(results)
    line = 1 + next(place for place, one in enumerate(audit.draw.questions) if one.asks_stained)
    text = _spoilt(answers.read_text(encoding="utf-8-sig"), line, 2, "tumour")
    for value, why in (("", "whether it is stained"), ("perhaps", "neither yes nor no")):
        answers.write_text(_spoilt(text, line, 4, value))
        with pytest.raises(ReviewError, match=why):
            score_audit(results, answers, READER)


def test_an_audit_that_is_there_is_shown_again_and_another_seed_draws_another(
    audited: tuple[Path, Path, KnownSlide], case: tuple[Path, Path, KnownSlide]
) -> None:
    picture, results = audited[0], case[0]
    _, before = drawn_audit(results)
    write_audit(results, picture)
    assert drawn_audit(results)[1] == before
    for size in ({"number": 80}, {"squares": 1}):
        with pytest.raises(ReviewError, match="of 60 cells and 2 squares was sampled already"):
            write_audit(results, picture, **size)
    write_audit(results, picture, number=80, seed=2)
    assert len(drawn_audit(results)[1].draw.questions) == 80
    with pytest.raises(ReviewError, match="belongs to audit"):
        score_audit(results, case[1], READER)


def test_another_slide_and_no_slide_are_refused(case: tuple[Path, Path, KnownSlide], tmp_path: Path) -> None:
    results = case[0]
    with pytest.raises(ReviewError, match="pass --slide"):
        write_audit(results, number=60)
    with pytest.raises(MissingFileError, match="no such file"):
        write_audit(results, tmp_path / "none.svs", number=60)
    (tmp_path / "other").mkdir()
    other, _, _ = scored_slide(tmp_path / "other")
    with other.open("ab") as file:
        file.write(b"more")
    with pytest.raises(ReviewError, match="another slide"):
        write_audit(results, other, number=60)


def test_answers_before_a_draw_and_a_sampled_slide_are_refused(tmp_path: Path) -> None:
    picture, results, _ = scored_slide(tmp_path)
    with pytest.raises(ReviewError, match="there is no audit"):
        score_audit(results, picture, READER)
    with pytest.raises(ReviewError, match="no review to verify"):
        verify_review(results)
    score = json.loads((results / "score.json").read_text())
    (results / "score.json").write_text(json.dumps(score | {"sampling": SAMPLED}))
    with pytest.raises(ReviewError, match="adaptive mode"):
        write_audit(results, picture, number=60)


def test_changed_cells_or_score_and_a_cut_record_are_found(case: tuple[Path, Path, KnownSlide]) -> None:
    results, answers, _ = case
    score_audit(results, answers, READER)
    path, _ = verify_review(results)
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    with pytest.raises(ReviewError, match=r"line 64 is missing: score\.json states 64 events"):
        verify_review(results)
    path.write_bytes(whole.replace(b'"other"', b'"tumor"', 1))
    with pytest.raises(ReviewError, match=r"line \d+ was changed"):
        verify_review(results)
    path.unlink()
    with pytest.raises(ReviewError, match="has no event"):
        verify_review(results)
    path.write_bytes(whole)
    score = json.loads((results / "score.json").read_text())
    assert score["audited"] is not None
    (results / "score.json").write_text(json.dumps(score | {"audited": None, "review": None}))
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    with pytest.raises(ReviewError, match=r"line 64 is missing: audit\.json states 64 events"):
        verify_review(results)
    path.write_bytes(whole)
    verify_review(results)
    (results / "score.json").write_text(json.dumps(score | {"assay": "sp142"}))
    with pytest.raises(ReviewError, match="not those of the review"):
        verify_review(results)


def test_a_signature_holds_until_the_next_decision(case: tuple[Path, Path, KnownSlide]) -> None:
    results, answers, _ = case
    with pytest.raises(ReviewError, match="nothing to sign"):
        sign_review(results, READER, Meaning.APPROVED)
    score_audit(results, answers, READER)
    entry = sign_review(results, READER, Meaning.APPROVED)
    path, found = verify_review(results)
    assert SignatureEntry.read(path.parent / "signature.json") == entry
    assert (entry.events, entry.head_hash) == (found.seal.events, found.seal.head_hash)
    assert found.state.signature is not None
    assert found.state.signature["meaning"] == "approved"
    score_audit(results, answers, "Dr B. Reader")
    assert verify_review(results)[1].state.signature is None


def test_the_outcome_holds_only_what_nothing_later_changed(
    audited: tuple[Path, Path, KnownSlide], case: tuple[Path, Path, KnownSlide], tmp_path: Path
) -> None:
    results, answers, known = case
    assert review_outcome(results) == ReviewOutcome()
    entry = score_audit(results, answers, READER)
    write_cells(with_other_kinds(known, [5]), tmp_path / "edited.parquet")
    edited, _ = apply_edits(results, tmp_path / "edited.parquet", READER)
    signature = sign_review(results, READER, Meaning.REVIEWED)
    assert review_outcome(results) == ReviewOutcome(entry, edited, signature)
    undo_event(results, edited.events, READER)
    assert review_outcome(results) == ReviewOutcome(entry, None, None)
    undo_event(results, 3, READER)
    assert review_outcome(results) == ReviewOutcome()
    again = score_audit(results, answers, READER)
    assert review_outcome(results) == ReviewOutcome(again)
    write_audit(results, audited[0], seed=9)
    assert review_outcome(results) == ReviewOutcome()


def test_a_slide_that_nobody_reviewed_has_no_outcome(tmp_path: Path) -> None:
    _, results, _ = scored_slide(tmp_path)
    assert review_outcome(results) is None


@pytest.mark.parametrize("name", ["", "  ", "cxpath", "Dr \udcff", "Dr \x07"])
def test_a_reader_needs_a_printed_name(case: tuple[Path, Path, KnownSlide], name: str) -> None:
    with pytest.raises(ReviewError, match="printed name"):
        score_audit(case[0], case[1], name)
