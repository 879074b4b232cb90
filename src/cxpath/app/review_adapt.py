"""Adapt the network's calls on a slide by the answers of its review; keep that as a laboratory's profile."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cxpath.app.review_folder import ReviewFolder, cutoffs_of, open_review, printed_name
from cxpath.app.review_outcome import ADAPTED, publish_review
from cxpath.documents import AdaptedEntry, Estimate, LaboratoryProfile, ProfileSource
from cxpath.errors import ConfigurationError
from cxpath.review import ReviewError, Verified
from cxpath.scores import Adaptation, audit_frame, fit_adaptation, score_cells, threshold_of
from cxpath.version import __version__

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
            f"{folder}: no profile is made: held-out answers gain nothing by an adaptation",
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
            f"{name!r} is no name of a profile", "use letters, digits, dots, dashes and underscores"
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
