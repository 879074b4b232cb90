"""What a review amounts to: undo, sign, verify, and what of it is valid now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cxpath.app.review_folder import (
    AUDIT,
    EDITED,
    RECORD,
    SIGNATURE,
    open_review,
    printed_name,
)
from cxpath.documents import AuditedEntry, EditedEntry, SignatureEntry
from cxpath.review.events import (
    Event,
    ReviewError,
)
from cxpath.review.sign import Meaning, Verified, seal_of, sign_decision
from cxpath.review.state import (
    ReviewState,
    replay,
    undo_of,
)


def sign_review(folder: Path, reviewer: str, meaning: Meaning) -> SignatureEntry:
    """Sign what was decided so far, and write `review/<id>/signature.json`.

    Raises
    ------
    ReviewError
        When the record is broken or there is nothing to sign.
    """
    review, name = open_review(folder), printed_name(reviewer)
    before = review.verified()
    if before is None:
        raise ReviewError(f"{folder}: there is no review to sign", "run cxpath review audit DIR first")
    after = review.append([sign_decision(before.events, name, meaning)])
    seal = seal_of(after.events)
    entry = SignatureEntry(
        events=seal.events,
        head_hash=seal.head_hash,
        name=name,
        utc=after.events[-1].utc,
        meaning=meaning.value,
    )
    entry.write(review.path / SIGNATURE)
    return entry


def undo_event(folder: Path, number: int, reviewer: str) -> Event:
    """Take back an answer, a square, an edit or an undo by a new event, which is returned.

    The files of scores stay as they are until the answers or the edited table are given again.

    Raises
    ------
    ReviewError
        When there is no such event, or a later decision rests on it.
    """
    review, name = open_review(folder), printed_name(reviewer)
    before = review.verified()
    if before is None:
        raise ReviewError(f"{folder}: there is no review", "run cxpath review audit DIR first")
    return review.append([undo_of(before.events, number, name)]).events[-1]


@dataclass(frozen=True)
class ReviewOutcome:
    """What a verified review amounts to now, for the score and the report of its slide.

    Parameters
    ----------
    audited : AuditedEntry or None
        None where an answer was changed or another audit was drawn since.
    edited : EditedEntry or None
        None where an edit was made or taken back since.
    signature : SignatureEntry or None
        None where nothing is signed, or a later decision voided it.
    """

    audited: AuditedEntry | None = None
    edited: EditedEntry | None = None
    signature: SignatureEntry | None = None


def review_outcome(folder: Path) -> ReviewOutcome | None:
    """Return what is valid of a results folder's review; None before a review was begun.

    Raises
    ------
    ReviewError, RunFolderError
        When the record or a file of the review is broken.
    """
    review = open_review(folder)
    found = review.verified()
    if found is None:
        return None
    state = found.state

    def kept(name: str) -> Path | None:
        path = review.path / name
        return path if path.is_file() else None

    audited = AuditedEntry.read(path) if (path := kept(AUDIT)) else None
    edited = EditedEntry.read(path) if (path := kept(EDITED)) else None
    signature = SignatureEntry.read(path) if (path := kept(SIGNATURE)) else None
    if audited and not _same_answers(replay(found.events[: audited.events]), state, audited.reviewer):
        audited = None
    if edited and replay(found.events[: edited.events]).edits != state.edits:
        edited = None
    return ReviewOutcome(audited, edited, signature if state.signature else None)


def _same_answers(then: ReviewState, now: ReviewState, reader: str) -> bool:
    answers = then.answers_of(reader) == now.answers_of(reader)
    return answers and then.audit == now.audit and then.squares_of(reader) == now.squares_of(reader)


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
