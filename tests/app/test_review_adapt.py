from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cxpath.app.configuration import ScoreRequest
from cxpath.app.review_adapt import adapt_review
from cxpath.app.review_audit import score_audit, write_audit
from cxpath.app.review_outcome import undo_event
from cxpath.app.score_slide import profile_for
from cxpath.documents.review import LaboratoryProfile, ScoreBasis
from cxpath.documents.score import ScoreDocument
from cxpath.errors import ConfigurationError
from cxpath.network.card import ModelCard
from cxpath.review.events import ReviewError
from scripts.studies.measure_audit import KnownSlide
from tests.app.reviewed_slides import fill_in, scored_slide

READER = "Dr A. Reader"


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, KnownSlide]:
    """A slide that one reader audited."""
    folder = tmp_path_factory.mktemp("adapted")
    picture, results, known = scored_slide(folder)
    write_audit(results, picture, number=120)
    score_audit(results, fill_in(results, known, folder / "answers.csv"), READER)
    return results, known


@pytest.fixture
def case(audited: tuple[Path, KnownSlide], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The results in a folder of this test's own, which is the working folder."""
    shutil.copytree(audited[0], tmp_path / "out")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "out"


def test_the_adapted_score_stands_apart_and_the_audit_decides(case: Path) -> None:
    before = ScoreDocument.read(case / "score.json")
    done = adapt_review(case)
    after = ScoreDocument.read(case / "score.json")
    assert after.cps == before.cps
    assert after.audited == before.audited
    assert after.deciding.basis is ScoreBasis.AUDITED
    assert after.review is not None
    assert after.review.adapted is not None
    assert after.review.adapted.stained_threshold == done.entry.stained_threshold
    assert "Network, adapted to Dr A. Reader" in (case / "report.html").read_text(encoding="utf-8")
    undo_event(case, 3, READER)
    gone = ScoreDocument.read(case / "score.json").review
    assert gone is not None
    assert gone.adapted is None


def test_a_profile_is_kept_only_where_held_out_answers_gain_and_counts_its_versions(
    case: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = adapt_review(case)
    assert not done.entry.offered or done.entry.tumour_gain is not None
    if not done.entry.offered:
        with pytest.raises(ReviewError, match="gain nothing"):
            adapt_review(case, save_profile="ours")
    offered = done.entry.model_copy(update={"offered": True})
    monkeypatch.setattr("cxpath.documents.review.AdaptedEntry.of_fit", lambda *_: offered)
    first = adapt_review(case, save_profile="ours")
    assert first.profile == Path("ours.profile.json")
    profile = LaboratoryProfile.read(Path("ours.profile.json"))
    assert (profile.version, profile.sources[0].reviewer) == (1, READER)
    adapt_review(case, save_profile="ours")
    assert LaboratoryProfile.read(Path("ours.profile.json")).version == 2
    with pytest.raises(ConfigurationError, match="no name of a profile"):
        adapt_review(case, save_profile="../ours")
    other = json.loads(Path("ours.profile.json").read_text()) | {"model_digest": "00" * 32}
    Path("ours.profile.json").write_text(json.dumps(other))
    with pytest.raises(ConfigurationError, match="of another model"):
        adapt_review(case, save_profile="ours")


def test_readers_must_be_named_where_there_are_several(case: Path, audited: tuple[Path, KnownSlide]) -> None:
    with pytest.raises(ReviewError, match="Dr B answered no cell"):
        adapt_review(case, "Dr B")
    score_audit(case, fill_in(case, audited[1], case.parent / "answers.csv"), "Dr B")
    with pytest.raises(ReviewError, match=r"several readers answered: Dr A\. Reader, Dr B"):
        adapt_review(case)
    assert adapt_review(case, "Dr B").entry.reviewer == "Dr B"


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
