"""What a review amounts to: published in `score.json` and report, undone, signed, verified, adapted to."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cxpath import __version__
from cxpath.app.review_folder import (
    AUDIT,
    EDITED,
    RECORD,
    SIGNATURE,
    ReviewFolder,
    audited_entry,
    auditor,
    cutoffs_of,
    edited_entry,
    open_review,
    printed_name,
    require_current_review,
)
from cxpath.documents import (
    COMMIT_MARK,
    RUN_NAME,
    AdaptedEntry,
    AdaptedScore,
    AuditedEntry,
    AuditedScore,
    EditedEntry,
    EditedScore,
    Estimate,
    LaboratoryProfile,
    ProfileSource,
    ReviewState,
    RunDocument,
    ScoreDocument,
    Signature,
    SignatureEntry,
)
from cxpath.errors import ConfigurationError
from cxpath.io import claimed, write_cells
from cxpath.report import build_report
from cxpath.review import (
    Event,
    Meaning,
    ReviewError,
    Verified,
    replay,
    seal_of,
    sign_decision,
    undo_of,
)
from cxpath.scores import Adaptation, AuditError, audit_frame, fit_adaptation, score_cells, threshold_of

_log = logging.getLogger(__name__)

ADAPTED = "adapted.json"
EDITED_CELLS = "edited_cells.parquet"


@dataclass(frozen=True)
class ReviewOutcome:
    """What a verified review amounts to now, for the score and the report of its slide.

    Parameters
    ----------
    audited : AuditedEntry or None
        None where nobody has answered the latest audit whole, or an answer was changed since.
    edited : EditedEntry or None
        None where no edit is valid, or one was made or taken back since.
    signature : SignatureEntry or None
        None where nothing is signed, or a later decision voided it.
    adapted : AdaptedEntry or None
        None where the network was not adapted to the answers as they are.
    """

    audited: AuditedEntry | None = None
    edited: EditedEntry | None = None
    signature: SignatureEntry | None = None
    adapted: AdaptedEntry | None = None


def review_outcome(folder: Path) -> ReviewOutcome | None:
    """Return what the files of a review say that is still valid; None before a review was begun.

    Raises
    ------
    ReviewError, RunFolderError
        When the record or a file of the review is broken.
    """
    review = open_review(folder)
    found = review.verified()
    return _kept(review, found) if found else None


def _kept(review: ReviewFolder, found: Verified) -> ReviewOutcome:
    """Return those files of a review that the record still bears out."""
    state = found.state

    def there(name: str) -> Path | None:
        path = review.path / name
        return path if path.is_file() else None

    audited = AuditedEntry.read(path) if (path := there(AUDIT)) else None
    edited = EditedEntry.read(path) if (path := there(EDITED)) else None
    signature = SignatureEntry.read(path) if (path := there(SIGNATURE)) else None
    if audited and not state.same_audit(replay(found.events[: audited.events]), audited.reviewer):
        audited = None
    unscored = not state.changes_score()
    if edited and (unscored or not state.same_score(replay(found.events[: edited.events]))):
        edited = None
    adapted = AdaptedEntry.read(path) if (path := there(ADAPTED)) else None
    if adapted and not state.same_answers(replay(found.events[: adapted.events]), adapted.reviewer):
        adapted = None
    return ReviewOutcome(audited, edited, signature if state.signature else None, adapted)


def publish_review(folder: Path, warnings: tuple[str, ...] = ()) -> ReviewOutcome | None:
    """Bring a review's files, `score.json` and `report.html` up to what the record says now.

    To be called after every change of the record, by whoever made it. The network's score stays as it is;
    `audited` and `review` stand next to it. A score that a later decision made void is gone.

    Parameters
    ----------
    folder : Path
        A results folder, or its `review/<id>`.
    warnings : tuple of str
        About the table that edits were read from.

    Returns
    -------
    ReviewOutcome or None
        None where no review was begun; nothing is written then.

    Raises
    ------
    ReviewError, DocumentError, OutputError
        When the record is broken, or something cannot be written.
    """
    review = open_review(_results_of(folder))
    found = review.verified()
    if found is None:
        return None
    with claimed(review.path):
        outcome = _renewed(review, found, warnings)
        stated = ScoreDocument.read(review.scored.path / COMMIT_MARK)
        published = stated.model_copy(update=_entries(found, outcome))
        if published != stated:
            published.write(review.scored.path / COMMIT_MARK)
        build_report(review.scored.path)
    return outcome


def publish_any_review(folder: Path) -> None:
    """Bring `score.json` up to what the folder's review says, where there is one; other folders are left."""
    if any(folder.glob(f"review/*/{RECORD}")):
        publish_review(folder)


def publish_late_review(folder: Path) -> None:
    """Do so only where decisions were recorded after `score.json` was written, as when a browser died."""
    path = folder / COMMIT_MARK
    if not any(folder.glob(f"review/*/{RECORD}")):
        return
    try:
        require_current_review(ScoreDocument.read(path), path)
    except ReviewError:
        publish_review(folder)


def _results_of(folder: Path) -> Path:
    """Return the results folder that a review's folder lies in."""
    return folder.parent.parent if folder.parent.name == "review" else folder


def _renewed(review: ReviewFolder, found: Verified, warnings: tuple[str, ...]) -> ReviewOutcome:
    """Return the outcome, with the scores made again and written where the files are out of date."""
    kept, actor = _kept(review, found), auditor(found)
    audited, edited = kept.audited, kept.edited
    if actor is None:
        audited = None
    elif audited is None or audited.reviewer != actor:
        audited = _audited_anew(review, found, actor)
    if edited is None and found.state.changes_score():
        edited, _, cells = edited_entry(review, found, warnings)
        write_cells(cells, review.path / EDITED_CELLS)
        edited.write(review.path / EDITED)
    return ReviewOutcome(audited, edited, kept.signature, kept.adapted)


def _audited_anew(review: ReviewFolder, found: Verified, actor: str) -> AuditedEntry | None:
    """Make and write the audited score; None where the answers give none, as when most are "cannot tell"."""
    try:
        audited = audited_entry(review, found, actor)
    except AuditError as error:
        _log.warning("%s: no audited score: %s", review.scored.path, error)
        return None
    audited.write(review.path / AUDIT)
    return audited


def _entries(found: Verified, outcome: ReviewOutcome) -> dict[str, AuditedScore | ReviewState | None]:
    """Return what `score.json` says of a review."""
    signed, edited = outcome.signature, outcome.edited
    return {
        "audited": AuditedScore.of(outcome.audited) if outcome.audited else None,
        "review": ReviewState(
            edits=len(found.state.edits),
            answers=len(found.state.answers),
            events=found.seal.events,
            head_hash=found.seal.head_hash,
            edited=EditedScore.of(edited) if edited else None,
            adapted=AdaptedScore.of(outcome.adapted) if outcome.adapted else None,
            signature=Signature.of(signed) if signed else None,
        ),
    }


def require_after_scoring(review: ReviewFolder) -> None:
    """Refuse to sign by a clock that is behind the scoring of the slide.

    Raises
    ------
    ReviewError
        When this computer's clock says that the slide is not scored yet.
    """
    started = datetime.fromisoformat(RunDocument.read(review.scored.path / RUN_NAME).started)
    now = datetime.now(UTC)
    if now < started:
        raise ReviewError(
            f"{review.scored.path}: was scored at {started:%Y-%m-%d %H:%M} UTC, after this computer's "
            f"{now:%Y-%m-%d %H:%M} UTC",
            "set the clock right, then sign",
        )


def sign_review(folder: Path, reviewer: str, meaning: Meaning) -> SignatureEntry:
    """Sign what was decided so far and the score that follows, in the record, `score.json` and the report.

    Parameters
    ----------
    folder : Path
        A results folder of cxpath score.
    reviewer : str
        Printed name of the person who signs.
    meaning : Meaning
        What the signature states.

    Returns
    -------
    SignatureEntry

    Raises
    ------
    ReviewError
        When the record is broken, there is nothing to sign, or the clock is behind the scoring.
    """
    review, name = open_review(folder), printed_name(reviewer)
    before = review.verified()
    if before is None:
        raise ReviewError(f"{folder}: there is no review to sign", "run cxpath review audit DIR first")
    require_after_scoring(review)
    publish_review(folder)
    read = ScoreDocument.read(folder / COMMIT_MARK).deciding
    value = read.estimate.value if read.estimate else None
    after = review.append([sign_decision(before.events, name, meaning, {"cps": value, "basis": read.basis})])
    seal = seal_of(after.events)
    entry = SignatureEntry(
        events=seal.events,
        head_hash=seal.head_hash,
        name=name,
        utc=after.events[-1].utc,
        meaning=meaning.value,
        cps=value,
        basis=read.basis,
    )
    entry.write(review.path / SIGNATURE)
    publish_review(folder)
    return entry


def undo_event(folder: Path, number: int, reviewer: str) -> Event:
    """Take back an answer, a square, an edit or an undo by a new event, which is returned.

    A score that rested on it is gone from `score.json`, until the record bears one out again.

    Raises
    ------
    ReviewError
        When there is no such event, or a later decision rests on it.
    """
    review, name = open_review(folder), printed_name(reviewer)
    before = review.verified()
    if before is None:
        raise ReviewError(f"{folder}: there is no review", "run cxpath review audit DIR first")
    event = review.append([undo_of(before.events, number, name)]).events[-1]
    publish_review(folder)
    return event


def verify_review(folder: Path) -> tuple[Path, Verified]:
    """Return the record's path and what it contains.

    Raises
    ------
    ReviewError
        Naming the first bad line; or when there is no review.
    """
    review = open_review(folder)
    found = review.verified()
    if found is None:
        raise ReviewError(f"{folder}: there is no review to verify", "run cxpath review audit DIR first")
    return review.path / RECORD, found


# The network's calls adapted to the answers of a review; kept as a laboratory's profile.


SUFFIX = ".profile.json"


@dataclass(frozen=True)
class Adapted:
    """What an adaptation left; the profile is None where none was asked for."""

    entry: AdaptedEntry
    profile: Path | None


def adapt_review(folder: Path, reviewer: str = "", save_profile: str = "") -> Adapted:
    """Adapt the calls of a slide to its answers; the audited score stays the audit's.

    Parameters
    ----------
    folder : Path
        A results folder.
    reviewer : str
        Whose answers; needed where several readers answered.
    save_profile : str
        Name of a profile: `NAME.profile.json` in the working folder, its version counted up.

    Raises
    ------
    AuditError, ReviewError
        When too few cells are answered, or a profile is asked for that nothing is gained by.
    ConfigurationError
        When the profile's name is no name, or a file of that name is of another model.
    """
    review = open_review(folder)
    found = review.verified()
    if found is None:
        raise ReviewError(f"{folder}: there is no review", "run cxpath review audit DIR first")
    name = _reader(folder, found, reviewer)
    adaptation = _fitted(review, found, name)
    entry = AdaptedEntry.of_fit(
        adaptation, _estimate(review, adaptation), name, (found.seal.events, found.seal.head_hash)
    )
    if save_profile and not entry.offered:
        raise ReviewError(
            f"{folder}: no profile is saved: adaptation does not improve the prediction of held-out answers",
            "answer more cells, or score without a profile",
        )
    path = _save(review, entry, save_profile) if save_profile else None
    entry.write(review.path / ADAPTED)
    publish_review(folder)
    return Adapted(entry, path)


def _reader(folder: Path, found: Verified, reviewer: str) -> str:
    readers = sorted({actor for actor, _ in found.state.answers})
    if not readers:
        raise ReviewError(f"{folder}: no cell was answered", "answer an audit first")
    if reviewer or len(readers) == 1:
        name = printed_name(reviewer) if reviewer else readers[0]
        if name not in readers:
            raise ReviewError(f"{folder}: {name} answered no cell", f"readers: {', '.join(readers)}")
        return name
    raise ReviewError(f"{folder}: several readers answered: {', '.join(readers)}", "name one with --reviewer")


def _fitted(review: ReviewFolder, found: Verified, reader: str) -> Adaptation:
    scored = review.scored
    frame = audit_frame(scored.cells(), scored.scoring)
    answers, threshold = found.state.answers_of(reader), threshold_of(scored.scoring)
    return fit_adaptation(frame, answers, threshold, embedding=frame.cells.embedding)


def _estimate(review: ReviewFolder, adaptation: Adaptation) -> Estimate | None:
    """Return the score of the adapted cells, with the errors of the network before it was adapted."""
    scored = review.scored
    network = scored.cells()
    cells = adaptation.adapted(network, network.embedding)
    scoring = scored.scoring.model_copy(update={"stained_threshold": cells.facts.stained_threshold})
    score = score_cells(cells, scoring, cutoffs_of(scored))
    return Estimate.of_score(score.cps) if score.cps else None


def _save(review: ReviewFolder, entry: AdaptedEntry, name: str) -> Path:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}", name):
        raise ConfigurationError(
            f"{name!r} is not a valid profile name", "use letters, digits, dots, dashes and underscores"
        )
    path = Path(name + SUFFIX)
    provenance = review.scored.score.provenance
    earlier = LaboratoryProfile.read(path) if path.exists() else None
    if earlier and earlier.model_digest != provenance.model_digest:
        raise ConfigurationError(f"{path}: is a profile of another model", "choose another name")
    source = ProfileSource(
        slide_digest=review.scored.score.slide.digest,
        events=entry.events,
        head_hash=entry.head_hash,
        reviewer=entry.reviewer,
    )
    LaboratoryProfile(
        name=name,
        version=earlier.version + 1 if earlier else 1,
        made_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        cxpath=__version__,
        model=provenance.model,
        model_digest=provenance.model_digest,
        tumour_shift=entry.tumour_shift,
        tumour_scale=entry.tumour_scale,
        stained_threshold=entry.stained_threshold,
        tumour_gain=entry.tumour_gain,
        stained_gain=entry.stained_gain,
        sources=(source,),
    ).write(path)
    return path
