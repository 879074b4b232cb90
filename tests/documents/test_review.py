"""What a review leaves: which score decides, and files that are read whole or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cxpath.documents.base import Estimate
from cxpath.documents.review import (
    AdaptedEntry,
    AnsweredBy,
    AuditedEntry,
    AuditedScore,
    EditedEntry,
    GainEntry,
    LaboratoryProfile,
    ProfileSource,
    ReviewState,
    ScoreBasis,
    SignatureEntry,
    StratumEntry,
)
from cxpath.errors import DocumentError, MissingFileError
from cxpath.scores import Adaptation, AuditedScore as AuditEstimate, LogOddsMap, Regression, ScoreEstimate
from cxpath.scores.adaptation import Gain
from cxpath.scores.audit import StratumAnswers
from cxpath.scores.settings import Cutoff, CutoffVerdict, Decision

HEAD = "ab" * 32
STAINED = StratumEntry(
    name="tumour stained", cells=400, answered=60, cannot_tell=1, in_numerator=50, in_denominator=58
)


def audited(**changes: Any) -> AuditedScore:
    stated: dict[str, Any] = {
        "cps": 4.25, "interval": (2.0, 9.0), "interval_tissue": (1.5, 11.0), "level": 0.95,
        "bounds": (4.0, 4.5), "n": 100, "cannot_tell": 3, "tumour_cells": 812.4, "hidden_cells": 2.5,
        "answers": (STAINED,),
        "squares": 0, "reviewer": "Dr A", "utc": "2026-11-30T09:00:00Z", "seed": 1, "events": 8,
        "head_hash": HEAD, "method": "difference", "cutoffs": {}, "warnings": (),
    }  # fmt: skip
    return AuditedScore(**stated | changes)


def test_an_audited_score_is_an_estimate_like_all_others() -> None:
    found = audited().estimate
    assert isinstance(found, Estimate)
    assert (found.value, found.interval_slide, found.interval_tissue) == (4.25, (2.0, 9.0), (1.5, 11.0))
    assert found.reported == "4.2"


def test_an_audit_decides_where_its_answers_leave_enough_tumour_cells() -> None:
    decides = audited().deciding(100)
    assert (decides.basis, decides.estimate) == (ScoreBasis.AUDITED, audited().estimate)
    assert decides.not_evaluable_because == ()


def test_too_few_tumour_cells_by_the_answers_are_not_evaluable_and_never_0() -> None:
    decides = audited(tumour_cells=99.4).deciding(100)
    assert decides.estimate is None
    assert decides.not_evaluable_because == (
        "by the answers about 99 viable tumour cells were found, 100 are required",
    )
    assert audited(tumour_cells=100.0).deciding(100).estimate is not None


@pytest.mark.parametrize(
    ("field", "value"),
    [("cps", 100.1), ("interval", (9.0, 2.0)), ("bounds", (-1.0, 2.0)), ("n", 0), ("tumour_cells", 0.0)],
)
def test_an_impossible_audit_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        audited(**{field: value})


def test_every_basis_has_words() -> None:
    assert len({basis.words for basis in ScoreBasis}) == len(ScoreBasis)


EDITED = EditedEntry(
    events=3, head_hash=HEAD, estimate=None, tps=None, not_evaluable_because=("too few",),
    counts={"tumour_positive": 3, "lymphocyte": None}, changed=2, added=0, removed=1, reviewer="Dr A",
)  # fmt: skip
SIGNED = SignatureEntry(
    events=4, head_hash=HEAD, name="Dr B", utc="2026-11-30T10:00:00Z", meaning="approved", cps=4.25
)


@pytest.mark.parametrize("entry", [EDITED, SIGNED])
def test_an_entry_comes_back_as_it_was_written(entry: EditedEntry | SignatureEntry, tmp_path: Path) -> None:
    entry.write(tmp_path / "a.json")
    assert type(entry).read(tmp_path / "a.json") == entry
    assert json.loads((tmp_path / "a.json").read_text())["schema"] == entry.schema_of()


def test_a_score_that_edits_leave_not_evaluable_has_no_cps() -> None:
    assert EDITED.cps is None


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"head_hash": "AB" * 32}, "head_hash: String should match pattern"),
        ({"events": 0}, "events: Input should be greater than or equal to 1"),
        ({"meaning": "seen"}, "meaning: Input should be 'reviewed' or 'approved'"),
        ({"name": ""}, "name: String should have at least 1 character"),
        ({"cps": 101}, "cps: Input should be less than or equal to 100"),
        ({"signed": True}, "signed: is not a key of this document"),
        ({"schema": "cxpath/signature/0"}, "schema is 'cxpath/signature/0', not 'cxpath/signature/1'"),
    ],
)
def test_a_signature_that_was_tampered_with_is_named(
    changes: dict[str, Any], wrong: str, tmp_path: Path
) -> None:
    path = tmp_path / "signature.json"
    SIGNED.write(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(DocumentError) as caught:
        SignatureEntry.read(path)
    assert str(caught.value).startswith(f"{path}: {wrong}")
    assert caught.value.hint == "run cxpath review again, or restore the file from a backup"


def test_a_review_without_a_record_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="restore the file from a backup"):
        SignatureEntry.read(tmp_path / "signature.json")


def test_a_state_needs_an_event_that_it_rests_on() -> None:
    state = ReviewState(edits=0, events=1, head_hash=HEAD)
    assert (state.answers, state.edited, state.adapted, state.signature) == (0, None, None, None)
    with pytest.raises(ValidationError, match="events"):
        ReviewState(edits=0, events=0, head_hash=HEAD)


GAIN = GainEntry(answers=40, loss_network=0.4, loss_adapted=0.3, error=0.02, offered=True)
SOURCE = ProfileSource(slide_digest="cd" * 32, events=40, head_hash=HEAD, reviewer="Dr A")


def profile(**changes: Any) -> LaboratoryProfile:
    stated: dict[str, Any] = {
        "name": "scanner-2", "version": 1, "made_utc": "2026-11-30T10:00:00Z", "cxpath": "0.2",
        "model": "small", "model_digest": "ef" * 32, "tumour_shift": 0.5, "tumour_scale": 1.2,
        "stained_threshold": 0.4, "tumour_gain": GAIN, "stained_gain": None, "sources": (SOURCE,),
    }  # fmt: skip
    return LaboratoryProfile(**stated | changes)


def test_a_profile_keeps_what_it_does_to_the_calls(tmp_path: Path) -> None:
    profile().write(tmp_path / "a.profile.json")
    read = LaboratoryProfile.read(tmp_path / "a.profile.json")
    assert read == profile()
    assert (read.tumour.shift, read.tumour.scale) == (0.5, 1.2)


@pytest.mark.parametrize(
    ("field", "value"),
    [("tumour_scale", 0.0), ("tumour_shift", 21.0), ("stained_threshold", 1.0), ("version", 0), ("name", "")],
)
def test_a_profile_that_no_answers_could_give_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        profile(**{field: value})


# Entries that are made from what was computed: every number in its own place.

COMPUTED = AuditEstimate(
    cps=12.5, interval=(9.0, 16.0), level=0.9, bounds=(12.0, 13.0), answered=100, cannot_tell=4,
    strata=(StratumAnswers("tumour stained", 400, 60, 1, 50, 58),), tumour_cells=812.5, hidden_cells=2.5,
    squares=20, warnings=("one",),
)  # fmt: skip
ESTIMATE = ScoreEstimate(
    value=12.5, interval_slide=(9.0, 16.0), interval_tissue=(7.0, 21.0), level=0.9, method="by hand",
    reported="12",
    cutoffs=(CutoffVerdict(Cutoff(10.0, "trial stratum"), Decision.UNCERTAIN, 0.8, borderline=True),),
)  # fmt: skip


def test_an_audit_is_written_with_every_number_in_its_place(tmp_path: Path) -> None:
    answered = AnsweredBy("Dr A", "2026-11-30T09:00:00Z", seed=3, events=140, head_hash=HEAD)
    entry = AuditedEntry.of_score(COMPUTED, ESTIMATE, answered)
    assert (entry.cps, entry.interval, entry.interval_tissue) == (12.5, (9.0, 16.0), (7.0, 21.0))
    assert (entry.bounds, entry.n, entry.cannot_tell, entry.squares) == ((12.0, 13.0), 100, 4, 20)
    assert (entry.tumour_cells, entry.hidden_cells, entry.level) == (812.5, 2.5, 0.9)
    assert (entry.reviewer, entry.utc, entry.seed, entry.events) == ("Dr A", "2026-11-30T09:00:00Z", 3, 140)
    assert entry.answers == (STAINED,)
    assert entry.cutoffs["10"].probability == 0.8
    assert entry.warnings == ("one",)
    entry.write(tmp_path / "audit.json")
    assert AuditedEntry.read(tmp_path / "audit.json") == entry


@pytest.mark.parametrize("regression", [None, Regression(LogOddsMap(), Gain(70, 0.9, 0.6, 0.1))])
def test_an_adaptation_is_written_with_each_gain_under_its_name(
    regression: Regression | None, tmp_path: Path
) -> None:
    found = Adaptation(
        LogOddsMap(0.5, 1.25), 0.375, Gain(40, 0.5, 0.4, 0.2), Gain(50, 0.7, 0.3, 0.1), regression, None
    )
    entry = AdaptedEntry.of_fit(found, None, "Dr A", (140, HEAD))
    assert (entry.tumour_shift, entry.tumour_scale, entry.stained_threshold) == (0.5, 1.25, 0.375)
    assert entry.tumour_gain is not None
    assert (entry.tumour_gain.answers, entry.tumour_gain.offered) == (40, False)
    assert entry.stained_gain is not None
    assert (entry.stained_gain.answers, entry.stained_gain.offered) == (50, True)
    regressed = entry.tumour_regression_gain
    assert (regressed.answers if regressed else None) == (70 if regression else None)
    assert entry.stained_regression_gain is None
    assert (entry.offered, entry.events, entry.head_hash) == (True, 140, HEAD)
    entry.write(tmp_path / "adapted.json")
    assert AdaptedEntry.read(tmp_path / "adapted.json") == entry


def test_too_few_answers_leave_no_gain_and_offer_nothing() -> None:
    entry = AdaptedEntry.of_fit(Adaptation(LogOddsMap(), 0.5, None, None), None, "Dr A", (3, HEAD))
    assert (entry.tumour_gain, entry.stained_gain, entry.offered) == (None, None, False)
    assert not entry.offered_for_slide


def test_only_a_regression_is_offered_for_one_slide_alone() -> None:
    regression = Regression(LogOddsMap(), Gain(70, 0.9, 0.6, 0.1))
    entry = AdaptedEntry.of_fit(
        Adaptation(LogOddsMap(), 0.5, None, None, None, regression), None, "Dr A", (3, HEAD)
    )
    assert (entry.offered, entry.offered_for_slide) == (False, True)


def test_an_edited_score_has_the_cps_of_its_estimate() -> None:
    assert EDITED.model_copy(update={"estimate": audited().estimate}).cps == 4.25
