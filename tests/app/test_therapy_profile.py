from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from cxpath.app.cases import case_document
from cxpath.app.therapy_profile import with_image_score
from cxpath.errors import DocumentError, MissingFileError, ProfileError
from cxpath.patient.profile import BiomarkerProfile, profile_from
from cxpath.scores.case import CaseRule
from tests.cli.scored_folders import scored_folder
from tests.report.run_folders import NOTICE, RUN, TRIAL, coded, cutoff, normal_score
from tests.synthetic_cells import many

DIGEST = "ab" * 32


def _score(folder: Path, **changes: Any) -> Path:
    score = normal_score() | changes
    score["slide"] = score["slide"] | {"digest": DIGEST}
    path = folder / "score.json"
    path.write_text(json.dumps(score), encoding="utf-8")
    return path


def _confirmed(**changes: Any) -> BiomarkerProfile:
    entry = {"origin": "cxpath", "slide_digest": DIGEST, "confirmed_by": "Dr A", "confirmed_on": "2026-11-20"}
    return profile_from({"pdl1": [entry | changes]})


def test_a_score_comes_in_unconfirmed(tmp_path: Path) -> None:
    path = _score(tmp_path, assay="22c3")
    (score,) = with_image_score(BiomarkerProfile(), path).pdl1
    document = json.loads(path.read_text())
    assert score.value == document["cps"]["value"]
    assert score.assay == "22c3"
    assert not score.confirmed
    assert {*score.borderline_at, *score.clear_at} == {1.0, 10.0}
    assert score.notice == NOTICE


def test_a_cut_off_that_is_uncertain_decides_no_criterion(tmp_path: Path) -> None:
    """Far from the score, so that no pathologist is asked, but inside the interval: not clear either."""
    cps = normal_score()["cps"]
    far = {"1": cutoff("label", "met", 0.99), "10": cutoff(TRIAL, "uncertain", 0.06)}
    (score,) = with_image_score(BiomarkerProfile(), _score(tmp_path, cps=cps | {"cutoffs": far})).pdl1
    assert (score.clear_at, score.borderline_at) == ((1.0,), (10.0,))
    assert "uncertain" in score.why_near(10.0)


def test_a_persons_confirmation_of_this_slide_is_kept(tmp_path: Path) -> None:
    (score,) = with_image_score(_confirmed(), _score(tmp_path)).pdl1
    assert score.confirmed
    assert score.value is not None


def _reviewed_by(name: str | None) -> dict[str, Any]:
    signature = (
        {"name": name, "utc": "2026-11-21T09:30:00Z", "meaning": "reviewed and agreed"} if name else None
    )
    return {"edits": 0, "events": 2, "head_hash": "ef" * 32, "signature": signature}


def test_a_signed_review_confirms_the_score(tmp_path: Path) -> None:
    (score,) = with_image_score(BiomarkerProfile(), _score(tmp_path, review=_reviewed_by("Dr B"))).pdl1
    assert (score.confirmed_by, str(score.confirmed_on)) == ("Dr B", "2026-11-21")
    (own,) = with_image_score(_confirmed(), _score(tmp_path, review=_reviewed_by("Dr B"))).pdl1
    assert own.confirmed_by == "Dr A", "the profile's own confirmation of this slide is kept"


@pytest.mark.parametrize("name", [None, "1", "-"])
def test_a_review_that_nobody_signed_confirms_nothing(tmp_path: Path, name: str | None) -> None:
    (score,) = with_image_score(BiomarkerProfile(), _score(tmp_path, review=_reviewed_by(name))).pdl1
    assert not score.confirmed


def test_a_confirmation_of_another_slide_confirms_nothing(tmp_path: Path) -> None:
    scores = with_image_score(_confirmed(slide_digest="cd" * 32), _score(tmp_path)).pdl1
    assert [one.confirmed for one in scores if one.value is not None] == [False]


def test_a_confirmed_number_that_is_not_the_scores_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="but the profile's entry of this slide states"):
        with_image_score(_confirmed(value=77.0), _score(tmp_path))


def test_who_confirms_may_state_the_assay_but_not_another_one(tmp_path: Path) -> None:
    (score,) = with_image_score(_confirmed(assay="22c3"), _score(tmp_path, assay="unknown")).pdl1
    assert score.assay == "22c3"
    with pytest.raises(ProfileError, match="assay is sp263"):
        with_image_score(_confirmed(assay="22c3"), _score(tmp_path, assay="SP263"))


def test_an_unstated_assay_stays_unknown(tmp_path: Path) -> None:
    assert with_image_score(BiomarkerProfile(), _score(tmp_path, assay="unknown")).pdl1[0].assay is None


def test_a_slide_that_is_not_evaluable_brings_its_reason(tmp_path: Path) -> None:
    path = _score(tmp_path, evaluable=False, not_evaluable_because=[coded("no_tumour", "too few")], cps=None)
    score = with_image_score(BiomarkerProfile(), path).pdl1[0]
    assert (score.value, score.not_evaluable_because) == (None, ("too few",))


@pytest.mark.parametrize("marker", ["her2", "egfr", "vegf"])
def test_another_markers_h_score_goes_to_that_marker_and_is_no_grade(tmp_path: Path, marker: str) -> None:
    profile = with_image_score(BiomarkerProfile(), _score(tmp_path, marker=marker, cps=None, h_score=140.0))
    assert getattr(profile, marker).h_score == 140.0
    assert profile.her2.ihc is None
    assert profile.pdl1 == ()


def test_what_is_no_score_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError):
        with_image_score(BiomarkerProfile(), tmp_path / "none.json")
    (tmp_path / "other.json").write_text('{"schema": "cxpath/run/2"}', encoding="utf-8")
    with pytest.raises(DocumentError, match="schema"):
        with_image_score(BiomarkerProfile(), tmp_path / "other.json")


def test_a_confirmation_older_than_the_score_is_refused(tmp_path: Path) -> None:
    path = _score(tmp_path)
    run = copy.deepcopy(RUN)
    run["started"] = "2026-11-25T08:00:00+00:00"
    (tmp_path / "run.json").write_text(json.dumps(run), encoding="utf-8")
    with pytest.raises(ProfileError, match="confirmed on 2026-11-20, but scored on 2026-11-25"):
        with_image_score(_confirmed(), path)
    (score,) = with_image_score(_confirmed(confirmed_on="2026-11-25"), path).pdl1
    assert score.confirmed


def test_several_blocks_come_in_as_a_case_bound_by_its_digest(tmp_path: Path) -> None:
    blocks = [
        scored_folder(tmp_path / name, many({"T+": positive, "T-": 200 - positive}))
        for name, positive in (("a", 10), ("b", 80))
    ]
    case = case_document(blocks, CaseRule.POOLED)
    case.write(tmp_path / "case.json")
    (score,) = with_image_score(BiomarkerProfile(), tmp_path / "case.json").pdl1
    assert score.value == pytest.approx(22.5)
    assert score.viable_tumour_cells == 400
    assert not score.confirmed
    entry = {
        "origin": "cxpath",
        "slide_digest": case.digest,
        "confirmed_by": "Dr A",
        "confirmed_on": "2026-11-20",
    }
    (confirmed,) = with_image_score(profile_from({"pdl1": [entry]}), tmp_path / "case.json").pdl1
    assert confirmed.confirmed
    assert confirmed.value == score.value
    other = case_document(blocks[:1], CaseRule.POOLED)
    assert other.digest != case.digest
