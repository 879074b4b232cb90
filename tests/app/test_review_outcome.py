"""What a review amounts to: published, undone, signed, verified; and calls adapted to its answers."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, strategies as st

from cxpath.app.cases import case_document
from cxpath.app.configuration import ScoreRequest
from cxpath.app.review_audit import score_audit, write_audit
from cxpath.app.review_exchange import apply_edits
from cxpath.app.review_folder import open_review
from cxpath.app.review_outcome import (
    adapt_review,
    publish_late_review,
    publish_review,
    sign_review,
    undo_event,
)
from cxpath.app.score_slide import profile_for
from cxpath.app.therapy_profile import with_image_score
from cxpath.data.cells import CellTable, Kind
from cxpath.documents.base import ResultsFolder
from cxpath.documents.review import LaboratoryProfile, ScoreBasis
from cxpath.documents.score import ScoreDocument
from cxpath.errors import ConfigurationError, OutputError, ProfileError
from cxpath.io.cells import write_cells
from cxpath.network.card import ModelCard
from cxpath.patient.profile import BiomarkerProfile
from cxpath.report.html import arithmetic
from cxpath.review.cells import reviewed_cells
from cxpath.review.events import ReviewError
from cxpath.review.sign import Meaning
from cxpath.review.state import ReviewState, answer_decision
from cxpath.scores import AuditAnswer, CellAnswer
from cxpath.scores.case import CaseRule
from cxpath.scores.score import score_cells
from cxpath.scores.settings import ScoringSettings
from scripts.studies.measure_audit import KnownSlide
from tests.app.reviewed_slides import drawn_audit, fill_in, known_cells, scored_slide

READER = "Dr A. Reader"


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, KnownSlide]:
    """A slide whose audit is drawn; tests copy its folder."""
    picture, results, known = scored_slide(tmp_path_factory.mktemp("begun"))
    write_audit(results, picture, number=60)
    return results, known


@pytest.fixture
def case(begun: tuple[Path, KnownSlide], tmp_path: Path) -> tuple[Path, Path, KnownSlide]:
    """The results in a folder of this test's own, and perfect answers."""
    own = tmp_path / "out"
    shutil.copytree(begun[0], own)
    return own, fill_in(own, begun[1], tmp_path / "answers.csv"), begun[1]


def _score(folder: Path) -> ScoreDocument:
    return ScoreDocument.read(folder / "score.json")


def _edit(folder: Path, known: KnownSlide, rows: list[int]) -> None:
    kind = known.cells.kind.copy()
    kind[rows] = np.where(kind[rows] == Kind.TUMOUR, Kind.OTHER, Kind.TUMOUR)
    write_cells(replace(known.cells, kind=kind), folder.parent / "edited.parquet")
    apply_edits(folder, folder.parent / "edited.parquet", READER)


def test_the_audited_score_stands_next_to_the_networks_and_decides(
    case: tuple[Path, Path, KnownSlide],
) -> None:
    results, answers, _ = case
    before = _score(results)
    entry = score_audit(results, answers, READER)
    after = _score(results)
    assert after.cps == before.cps
    assert after.counts == before.counts
    assert after.audited is not None
    assert (after.audited.cps, after.audited.reviewer) == (entry.cps, READER)
    assert after.deciding.basis is ScoreBasis.AUDITED
    decides = after.deciding.estimate
    assert decides is not None
    assert set(decides.cutoffs) == {"1", "10"}
    (low, high), (tissue_low, tissue_high) = after.audited.interval, after.audited.interval_tissue
    assert tissue_low < low < entry.cps < high < tissue_high
    assert after.review is not None
    assert (after.review.events, after.review.head_hash) == (entry.events, entry.head_hash)
    assert after.review.signature is None


def test_the_report_shows_both_scores_the_answers_and_the_record(case: tuple[Path, Path, KnownSlide]) -> None:
    results, answers, _ = case
    lines = answers.read_text(encoding="utf-8-sig").splitlines()
    lines[1] = ",".join([*lines[1].split(",")[:2], "cannot tell", "yes", "", "", "", "", ""][:8])
    answers.write_text("\n".join(lines))
    score_audit(results, answers, READER)
    sign_review(results, READER, Meaning.APPROVED)
    score, page = _score(results), (results / "report.html").read_text(encoding="utf-8")
    assert score.cps is not None
    assert score.audited is not None
    assert score.review is not None
    for text in (
        "Audited by Dr A. Reader",
        f"{score.cps.reported} ({arithmetic(score.cps.value)})",
        "Signed: approved by Dr A. Reader",
        score.review.head_hash,
        f"record of {score.review.events} events",
        "tumour stained",
        "counted both ways",
    ):
        assert text in page, text


def test_an_undo_voids_the_audited_score_and_the_signature_everywhere(
    case: tuple[Path, Path, KnownSlide],
) -> None:
    results, answers, _ = case
    score_audit(results, answers, READER)
    sign_review(results, READER, Meaning.REVIEWED)
    undo_event(results, 3, READER)
    score = _score(results)
    assert score.audited is None
    assert score.deciding.basis is ScoreBasis.NETWORK
    assert score.review is not None
    assert score.review.signature is None
    assert "Not signed, or changed since" in (results / "report.html").read_text(encoding="utf-8")


def test_an_edit_voids_the_signature_and_stands_apart_from_the_audit(
    case: tuple[Path, Path, KnownSlide],
) -> None:
    results, answers, known = case
    _edit(results, known, [1, 2, 3])
    score = _score(results)
    assert score.deciding.basis is ScoreBasis.EDITED
    assert score.review is not None
    assert score.review.edited is not None
    assert score.review.edited.changed == 3
    sign_review(results, READER, Meaning.REVIEWED)
    score_audit(results, answers, READER)
    score = _score(results)
    assert score.review is not None
    assert score.review.signature is None
    assert score.deciding.basis is ScoreBasis.AUDITED
    assert score.review.edited is not None


def test_a_signed_review_confirms_the_read_value_for_therapy(case: tuple[Path, Path, KnownSlide]) -> None:
    results, answers, _ = case
    entry = score_audit(results, answers, READER)
    (pdl1,) = with_image_score(BiomarkerProfile(), results / "score.json").pdl1
    assert not pdl1.confirmed
    sign_review(results, READER, Meaning.REVIEWED)
    (pdl1,) = with_image_score(BiomarkerProfile(), results / "score.json").pdl1
    assert pdl1.confirmed
    assert (pdl1.value, pdl1.confirmed_by, pdl1.basis) == (entry.cps, READER, "audited")
    assert pdl1.confirmed_on == datetime.now(UTC).date()
    assert "audited by a person" in pdl1.words


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"utc": "2020-01-01T00:00:00Z"}, "was signed at 2020-01-01"),
        ({"utc": "2999-01-01T00:00:00Z"}, "lies in the future"),
        ({"cps": 99.0}, "signed a CPS of 99.0"),
    ],
)
def test_a_signature_before_the_scoring_from_the_future_or_of_another_value_is_refused(
    case: tuple[Path, Path, KnownSlide], change: dict[str, object], why: str
) -> None:
    results, answers, _ = case
    score_audit(results, answers, READER)
    sign_review(results, READER, Meaning.REVIEWED)
    score = json.loads((results / "score.json").read_text())
    score["review"]["signature"] |= change
    (results / "score.json").write_text(json.dumps(score))
    with pytest.raises(ProfileError, match=why):
        with_image_score(BiomarkerProfile(), results / "score.json")


def test_a_decision_that_was_not_published_bars_the_score_until_it_is(
    case: tuple[Path, Path, KnownSlide],
) -> None:
    """A browser that died between its record and `score.json` leaves no signed score behind."""
    results, answers, _ = case
    score_audit(results, answers, READER)
    sign_review(results, READER, Meaning.REVIEWED)
    review, audit = drawn_audit(results)
    found = review.verified()
    assert found is not None
    row = audit.draw.rows[0]
    review.append([answer_decision(AuditAnswer(row, CellAnswer.CANNOT_TELL), found.state, READER)])
    with pytest.raises(ReviewError, match="continued after it was written"):
        with_image_score(BiomarkerProfile(), results / "score.json")
    outcome = publish_review(review.path)
    assert outcome is not None
    assert outcome.signature is None
    assert outcome.audited is not None
    assert outcome.audited.cannot_tell == 1
    (pdl1,) = with_image_score(BiomarkerProfile(), results / "score.json").pdl1
    assert not pdl1.confirmed


def test_a_cohort_brings_a_late_review_up_to_date_and_leaves_the_others(
    case: tuple[Path, Path, KnownSlide], tmp_path: Path
) -> None:
    results, answers, _ = case
    score_audit(results, answers, READER)
    before = (results / "score.json").stat().st_mtime_ns
    publish_late_review(results)
    assert (results / "score.json").stat().st_mtime_ns == before
    review, audit = drawn_audit(results)
    found = review.verified()
    assert found is not None
    unsure = AuditAnswer(audit.draw.rows[0], CellAnswer.CANNOT_TELL)
    review.append([answer_decision(unsure, found.state, READER)])
    publish_late_review(results)
    late = _score(results).audited
    assert late is not None
    assert late.cannot_tell == 1
    publish_late_review(tmp_path)


def test_answers_that_give_no_score_leave_the_networks_and_break_nothing(
    case: tuple[Path, Path, KnownSlide],
) -> None:
    results, _, _ = case
    review, audit = drawn_audit(results)
    found = review.verified()
    assert found is not None
    unsure = [AuditAnswer(row, CellAnswer.CANNOT_TELL) for row in audit.draw.rows]
    review.append([answer_decision(one, found.state, READER) for one in unsure])
    outcome = publish_review(results)
    assert outcome is not None
    assert outcome.audited is None
    score = _score(results)
    assert score.audited is None
    assert score.deciding.basis is ScoreBasis.NETWORK
    assert score.review is not None
    assert score.review.answers == 60


def test_scoring_again_never_loses_a_review(case: tuple[Path, Path, KnownSlide]) -> None:
    results, answers, _ = case
    score_audit(results, answers, READER)
    with pytest.raises(OutputError, match="is a person's review of these cells"):
        ResultsFolder(results, overwrite=True)
    shutil.move(results / "review", results.parent / "kept")
    ResultsFolder(results, overwrite=True)


@pytest.mark.parametrize("rule", list(CaseRule))
def test_a_case_takes_the_audited_score_of_a_slide_and_says_so(
    case: tuple[Path, Path, KnownSlide], rule: CaseRule
) -> None:
    results, answers, _ = case
    before = case_document([results], rule)
    entry = score_audit(results, answers, READER)
    after = case_document([results], rule)
    assert before.cps is not None
    assert after.cps is not None
    assert after.cps.value == pytest.approx(entry.cps)
    assert before.slides[0].basis is ScoreBasis.NETWORK
    assert after.slides[0].basis is ScoreBasis.AUDITED
    assert after.digest != before.digest
    assert after.cps.interval_slide == pytest.approx(entry.interval, rel=0.15)
    assert after.counts == before.counts


# The edited table follows from the record alone.


@given(
    st.dictionaries(
        st.integers(0, 49),
        st.one_of(
            st.just({"removed": True}),
            st.fixed_dictionaries(
                {"class": st.sampled_from(["tumour", "immune", "other"]), "stained": st.booleans()}
            ),
        ),
        max_size=20,
    )
)
def test_edits_of_a_record_give_the_table_that_a_person_would_save(
    edits: dict[int, dict[str, object]],
) -> None:
    network = known_cells(50).cells
    found = reviewed_cells(network, ReviewState(edits=edits), 0.5, 500.0)
    cells, _ = found.to_score()
    kind, stained = network.kind.copy(), network.stained.copy()
    for row, value in edits.items():
        if "class" in value:
            kind[row] = Kind[str(value["class"]).upper()]
            stained[row] = (
                float(bool(value["stained"])) if (stained[row] >= 0.5) != value["stained"] else stained[row]
            )
    kept = np.array([not edits.get(row, {}).get("removed") for row in range(50)])
    expected: CellTable = replace(network, kind=kind, stained=stained).take(kept)
    assert (cells.kind == expected.kind).all()
    assert ((cells.stained >= 0.5) == (expected.stained >= 0.5)).all()
    settings = ScoringSettings(stained_threshold=0.5, minimum_tumour_cells=1)
    assert score_cells(cells, settings).counts == score_cells(expected, settings).counts
    assert set(np.flatnonzero(found.removed).tolist()) == {
        row for row, value in edits.items() if "removed" in value
    }


def test_an_added_cell_counts_and_an_edit_that_says_nothing_is_refused() -> None:
    network = known_cells(50).cells
    added = {"class": "tumour", "stained": True, "x_px": 5.0, "y_px": 6.0}
    cells, by_person = reviewed_cells(network, ReviewState(edits={50: added}), 0.5, 500.0).to_score()
    assert len(cells) == 51
    assert by_person.tolist() == [False] * 50 + [True]
    assert (cells.x_px[-1], cells.kind[-1], cells.p_tumour[-1]) == (5.0, Kind.TUMOUR, 1.0)
    for wrong in ({"class": "tumor", "stained": True}, {"class": "tumour"}, {}):
        with pytest.raises(ReviewError, match=r"names class|states the staining"):
            reviewed_cells(network, ReviewState(edits={3: wrong}), 0.5, 500.0)
    placeless = {50: {"class": "tumour", "stained": True}}
    with pytest.raises(ReviewError, match="without a place"):
        reviewed_cells(network, ReviewState(edits=placeless), 0.5, 500.0)


def test_nothing_is_published_where_no_review_was_begun(tmp_path: Path) -> None:
    _, results, _ = scored_slide(tmp_path)
    before = (results / "score.json").read_bytes()
    assert publish_review(results) is None
    assert (results / "score.json").read_bytes() == before
    assert not open_review(results).path.exists()


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, KnownSlide]:
    """A slide that one reader audited."""
    folder = tmp_path_factory.mktemp("adapted")
    picture, results, known = scored_slide(folder)
    write_audit(results, picture, number=120)
    score_audit(results, fill_in(results, known, folder / "answers.csv"), READER)
    return results, known


@pytest.fixture
def answered(audited: tuple[Path, KnownSlide], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The results in a folder of this test's own, which is the working folder."""
    shutil.copytree(audited[0], tmp_path / "out")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "out"


def test_the_adapted_score_stands_apart_and_the_audit_decides(answered: Path) -> None:
    before = ScoreDocument.read(answered / "score.json")
    done = adapt_review(answered)
    after = ScoreDocument.read(answered / "score.json")
    assert after.cps == before.cps
    assert after.audited == before.audited
    assert after.deciding.basis is ScoreBasis.AUDITED
    assert after.review is not None
    assert after.review.adapted is not None
    assert after.review.adapted.stained_threshold == done.entry.stained_threshold
    assert "Network, adapted to Dr A. Reader" in (answered / "report.html").read_text(encoding="utf-8")
    undo_event(answered, 3, READER)
    gone = ScoreDocument.read(answered / "score.json").review
    assert gone is not None
    assert gone.adapted is None


def test_a_profile_is_kept_only_where_held_out_answers_gain_and_counts_its_versions(
    answered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = adapt_review(answered)
    assert not done.entry.offered or done.entry.tumour_gain is not None
    if not done.entry.offered:
        with pytest.raises(ReviewError, match="does not improve"):
            adapt_review(answered, save_profile="ours")
    offered = done.entry.model_copy(update={"offered": True})
    monkeypatch.setattr("cxpath.documents.review.AdaptedEntry.of_fit", lambda *_: offered)
    first = adapt_review(answered, save_profile="ours")
    assert first.profile == Path("ours.profile.json")
    profile = LaboratoryProfile.read(Path("ours.profile.json"))
    assert (profile.version, profile.sources[0].reviewer) == (1, READER)
    adapt_review(answered, save_profile="ours")
    assert LaboratoryProfile.read(Path("ours.profile.json")).version == 2
    with pytest.raises(ConfigurationError, match="not a valid profile name"):
        adapt_review(answered, save_profile="../ours")
    other = json.loads(Path("ours.profile.json").read_text()) | {"model_digest": "00" * 32}
    Path("ours.profile.json").write_text(json.dumps(other))
    with pytest.raises(ConfigurationError, match="of another model"):
        adapt_review(answered, save_profile="ours")


def test_readers_must_be_named_where_there_are_several(
    answered: Path, audited: tuple[Path, KnownSlide]
) -> None:
    with pytest.raises(ReviewError, match="Dr B answered no cell"):
        adapt_review(answered, "Dr B")
    score_audit(answered, fill_in(answered, audited[1], answered.parent / "answers.csv"), "Dr B")
    with pytest.raises(ReviewError, match=r"several readers answered: Dr A\. Reader, Dr B"):
        adapt_review(answered)
    assert adapt_review(answered, "Dr B").entry.reviewer == "Dr B"


def _profile(folder: Path) -> Path:
    LaboratoryProfile(
        name="ours", version=3, made_utc="2026-11-30T10:00:00+00:00", cxpath="0", model="small",
        model_digest="ab" * 32, tumour_shift=-0.5, tumour_scale=1.1, stained_threshold=0.3, tumour_gain=None,
        stained_gain=None, sources=(),
    ).write(folder / "ours.profile.json")  # fmt: skip
    return folder / "ours.profile.json"


def test_a_profile_of_another_model_is_refused(tmp_path: Path) -> None:
    request = ScoreRequest(Path("slide.svs"), profile=_profile(tmp_path))
    card = cast(ModelCard, SimpleNamespace(digest="ab" * 32, name="small"))
    found = profile_for(request, card)
    assert found is not None
    assert (found.tumour.shift, found.stained_threshold) == (-0.5, 0.3)
    other = cast(ModelCard, SimpleNamespace(digest="cd" * 32, name="base"))
    with pytest.raises(ConfigurationError, match="made for model small"):
        profile_for(request, other)
    assert profile_for(replace(request, profile=None), other) is None


@pytest.mark.parametrize("changes", [{"cells": Path("cells.csv")}, {"marker": "her2"}, {"mode": "adaptive"}])
def test_a_profile_goes_with_the_networks_own_calls_only(tmp_path: Path, changes: dict[str, Any]) -> None:
    request = replace(ScoreRequest(Path("slide.svs"), profile=_profile(tmp_path)), **changes)
    with pytest.raises(ConfigurationError, match="--profile adapts"):
        request.check()
