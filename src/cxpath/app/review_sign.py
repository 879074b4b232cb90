"""Undo, sign and verify a review on disk."""

from __future__ import annotations

from pathlib import Path

from cxpath.app.review_folder import RECORD, SIGNATURE, open_review, printed_name
from cxpath.app.review_outcome import publish_review, require_after_scoring
from cxpath.documents import COMMIT_MARK, ScoreDocument, SignatureEntry
from cxpath.review import Event, Meaning, ReviewError, Verified, seal_of, sign_decision, undo_of


def sign_review(folder: Path, reviewer: str, meaning: Meaning) -> SignatureEntry:
    """Sign what was decided so far and the score that follows, in the record, `score.json` and the report.

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
