"""Review a patient's profile against therapy criteria, with the scores that cxpath made."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from cxpath.app.configuration import UNKNOWN
from cxpath.app.documents import write_json
from cxpath.app.review_folder import require_current_review
from cxpath.app.therapy_files import known_jurisdictions, read_criteria, read_profile
from cxpath.data import import_extra
from cxpath.documents import (
    PDL1,
    RUN_NAME,
    CaseDocument,
    CutoffEntry,
    RunDocument,
    ScoreBasis,
    ScoreDocument,
    TherapyDocument,
)
from cxpath.errors import (
    ConfigurationError,
    MissingExtraError,
    OutputError,
    ProfileError,
)
from cxpath.io import atomic_write
from cxpath.patient import (
    JURISDICTIONS,
    BiomarkerProfile,
    Expression,
    Her2,
    Pdl1Score,
    ScoreOrigin,
    TherapyReview,
    names_a_person,
    profile_from,
    review_therapy as evaluate_criteria,
)
from cxpath.report import patient_sheet, require_pdf, write_pdf
from cxpath.report.board_page import board_page
from cxpath.scores import Decision
from cxpath.version import __version__

_log = logging.getLogger(__name__)

COMMIT_MARK = "therapy.json"


@dataclass(frozen=True)
class ReviewRequest:
    """What `cxpath therapy review` was asked for.

    Parameters
    ----------
    profile : Path
    out : Path
        Folder to write into.
    scores : tuple of Path
        `score.json` of slides to take in.
    jurisdictions : tuple of str
        Those of the profile where empty; "all" for every one.
    criteria : Path or None
        A folder of the lab's own criteria.
    patient_sheet : bool
        Whether to write the sheet for the conversation with the patient.
    pdf, overwrite : bool
    """

    profile: Path
    out: Path
    scores: tuple[Path, ...] = ()
    jurisdictions: tuple[str, ...] = ()
    criteria: Path | None = None
    patient_sheet: bool = False
    pdf: bool = False
    overwrite: bool = False


def review_therapy(
    profile: BiomarkerProfile | Mapping[str, Any] | str | Path,
    jurisdictions: tuple[str, ...] = (),
    criteria: str | Path | None = None,
) -> TherapyReview:
    """Evaluate the therapy criteria for one patient; writes nothing.

    Parameters
    ----------
    profile : BiomarkerProfile, mapping, str or Path
        A profile, its fields, or a TOML or JSON file of them.
    jurisdictions : tuple of str
        Of us, eu, jp, cn; those of the profile where empty, and all where it states none.
    criteria : str or Path, optional
        A folder of a lab's own criteria.

    Returns
    -------
    TherapyReview

    Raises
    ------
    ProfileError, CriteriaError, ConfigurationError
        When the profile or the criteria cannot be used, or a jurisdiction is unknown.
    """
    if isinstance(profile, str | Path):
        profile = read_profile(Path(profile))
    elif not isinstance(profile, BiomarkerProfile):
        profile = profile_from(profile)
    folder = Path(criteria) if criteria is not None else None
    places = known_jurisdictions(jurisdictions) or profile.jurisdictions or JURISDICTIONS
    return evaluate_criteria(profile, read_criteria(folder), places)


def review_profile(request: ReviewRequest) -> TherapyDocument:
    """Review a profile and leave pages, `fhir.json` and, last, `therapy.json`, which is returned.

    Raises
    ------
    OutputError
        When a review is there already, or cannot be written.
    ConfigurationError
        When no jurisdiction is stated, or the patient's sheet is asked for with several.
    """
    if (request.out / COMMIT_MARK).exists() and not request.overwrite:
        raise OutputError(
            f"{request.out}: contains a review already", "pass --overwrite or choose another --out"
        )
    if request.pdf:
        require_pdf()
    profile = read_profile(request.profile)
    places = _places(request, profile)
    for score in request.scores:
        profile = with_image_score(profile, score)
    review = review_therapy(profile, places, request.criteria)
    document = TherapyDocument.of_review(review, date.today())
    _write(request, review, document)
    return document


def _places(request: ReviewRequest, profile: BiomarkerProfile) -> tuple[str, ...]:
    """Return whose criteria are asked for: a patient is treated in one place, so that it must be stated."""
    places = known_jurisdictions(request.jurisdictions) or profile.jurisdictions
    if not places:
        raise ConfigurationError(
            f"{request.profile}: no jurisdiction is stated",
            f"pass --jurisdiction {'|'.join(JURISDICTIONS)}, or state jurisdictions in the profile",
        )
    if request.patient_sheet and len(places) > 1:
        raise ConfigurationError("the patient's sheet is for one jurisdiction", "pass one --jurisdiction")
    return places


def _write(request: ReviewRequest, review: TherapyReview, document: TherapyDocument) -> None:
    _make_folder(request.out)
    on = document.provenance.reviewed_on
    day = f"{on.day} {on:%B %Y}"
    provenance = [
        ("cxpath", __version__),
        ("criteria", f"{len(review.results)}, digest {document.provenance.criteria_digest[:16]}"),
    ]
    pages = {"board": board_page(review, day, provenance)}
    if request.patient_sheet:
        pages["patient"] = patient_sheet(review, day)
    _write_fhir(request.out / "fhir.json", review, document)
    for name, html in pages.items():
        with atomic_write(request.out / f"{name}.html") as partial:
            partial.write_text(html, encoding="utf-8", newline="\n")
        if request.pdf:
            write_pdf(html, request.out / f"{name}.pdf")
    document.write(request.out / COMMIT_MARK)


def _write_fhir(path: Path, review: TherapyReview, document: TherapyDocument) -> None:
    """Write the FHIR bundle, or say in the log which extra it needs: the review does not depend on it."""
    try:
        import_extra("fhir.resources", "fhir")
    except MissingExtraError as error:
        _log.warning("fhir.json was not written: %s", error)
        return
    from cxpath.report import fhir_bundle  # noqa: PLC0415  # only where the extra is installed

    write_json(path, fhir_bundle(review, document))


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{out}: cannot be written: {error.strerror or error}", "choose another --out"
        ) from error


# A score that cxpath made, taken into the profile: never confirmed by itself, never without its doubts.


_HINT = "give the score.json of a folder that cxpath score wrote"


def states_case(path: Path) -> bool:
    """Say whether a file states the schema of a case; whether it is one, reading it will say."""
    try:
        stated = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(stated, dict) and stated.get("schema") == CaseDocument.schema_of()


def with_image_score(profile: BiomarkerProfile, path: Path) -> BiomarkerProfile:
    """Add a slide's score to a profile.

    A PD-L1 score joins the entry with `origin = "cxpath"` and this slide's digest, which is where a person's
    confirmation stands; without such an entry it joins unconfirmed. Several blocks join as the `case.json` of
    `cxpath cases`, bound by its own digest. The H-score of another marker goes to that marker, and is no
    grade.

    Parameters
    ----------
    profile : BiomarkerProfile
    path : Path
        A `score.json`, or the `case.json` of several slides.

    Raises
    ------
    MissingFileError, DocumentError
        When the file is no score.
    ProfileError
        When an entry of this slide contradicts it, or was confirmed before the slide was scored.
    """
    if states_case(path):
        return _with_pdl1(profile, _pdl1_of_case(CaseDocument.read(path)), path)
    document = ScoreDocument.read(path)
    if document.marker != PDL1:
        return _with_expression(profile, document, path)
    require_current_review(document, path)
    _require_valid_signature(document, path)
    profile = _with_pdl1(profile, _pdl1(document), path)
    _require_confirmed_afterwards(profile, document, path)
    return profile


def _require_confirmed_afterwards(profile: BiomarkerProfile, document: ScoreDocument, path: Path) -> None:
    """Refuse a confirmation that is older than what it confirms: the run, or the audit."""
    made = {
        "scored": _scored_at(path),
        "audited": _moment(document.audited.utc) if document.audited else None,
    }
    for score in profile.pdl1:
        if score.slide_digest != document.slide.digest or score.confirmed_on is None:
            continue
        for what, moment in made.items():
            if moment is not None and score.confirmed_on < moment.date():
                raise ProfileError(
                    f"{path}: was confirmed on {score.confirmed_on}, but {what} on {moment.date()}",
                    "state the day on which this score was confirmed",
                )


def _require_valid_signature(document: ScoreDocument, path: Path) -> None:
    """Refuse a signature from before the scoring or from the future, or of another value than the score's."""
    signature = document.review.signature if document.review else None
    if signature is None:
        return
    signed, scored, now = _moment(signature.utc), _scored_at(path), datetime.now(UTC)
    if scored is not None and signed < scored:
        raise ProfileError(
            f"{path}: was signed at {signed:%Y-%m-%d %H:%M} UTC, but scored at {scored:%Y-%m-%d %H:%M} UTC",
            "sign the review again: cxpath review sign DIR",
        )
    if signed > now:
        raise ProfileError(
            f"{path}: its signature of {signed:%Y-%m-%d %H:%M} UTC lies in the future",
            "set this computer's clock right, then sign the review again",
        )
    read = document.deciding
    value = read.estimate.value if read.estimate else None
    if signature.cps is not None and (signature.cps, signature.basis) != (value, read.basis):
        raise ProfileError(
            f"{path}: {signature.name} signed a CPS of {signature.cps} ({signature.basis}), but the score is "
            f"{value} ({read.basis})",
            "sign the review again: cxpath review sign DIR",
        )


def _scored_at(path: Path) -> datetime | None:
    """Return when the slide was scored, where the run is next to its score."""
    run_path = path.with_name(RUN_NAME)
    return _moment(RunDocument.read(run_path).started) if run_path.is_file() else None


def _moment(iso: str) -> datetime:
    """Return a moment of ISO 8601; one without a zone is UTC."""
    moment = datetime.fromisoformat(iso)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _with_pdl1(profile: BiomarkerProfile, found: Pdl1Score, path: Path) -> BiomarkerProfile:
    others, entry = [], None
    for score in profile.pdl1:
        if score.origin is ScoreOrigin.CXPATH and score.slide_digest == found.slide_digest:
            entry = score
        else:
            others.append(score)
    joined = found if entry is None else _joined(found, entry, path)
    return profile.model_copy(update={"pdl1": (*others, joined)})


def _pdl1(document: ScoreDocument) -> Pdl1Score:
    read, assay = document.deciding, document.assay.lower()
    cps = read.estimate
    decided = cps.decided if cps else ()
    return Pdl1Score(
        assay=None if assay == UNKNOWN else assay,
        value=cps.value if cps else None,
        origin=ScoreOrigin.CXPATH,
        basis=read.basis.value,
        viable_tumour_cells=_tumour_cells(document),
        interval=cps.interval_tissue if cps else None,
        borderline_at=tuple(cutoff for cutoff, entry in decided if _in_doubt(entry)),
        clear_at=tuple(cutoff for cutoff, entry in decided if not _in_doubt(entry)),
        not_evaluable_because=read.not_evaluable_because,
        slide_digest=document.slide.digest,
        model_digest=document.provenance.model_digest,
        notice=document.notice,
        **_signed(document),
    )


def _tumour_cells(document: ScoreDocument) -> int | None:
    """Return the viable tumour cells: those by the answers, where an audit decides."""
    if document.deciding.basis is ScoreBasis.AUDITED and document.audited is not None:
        return round(document.audited.tumour_cells)
    return document.adequacy.viable_tumour_cells


def _pdl1_of_case(case: CaseDocument) -> Pdl1Score:
    """Return the score of several blocks; a person confirms it by the case's digest."""
    cps, assay = case.cps, case.assay.lower()
    decided = cps.decided if cps else ()
    return Pdl1Score(
        assay=None if assay == UNKNOWN else assay,
        value=cps.value if cps else None,
        origin=ScoreOrigin.CXPATH,
        viable_tumour_cells=case.counts.tumour_positive + case.counts.tumour_negative
        if case.counts
        else None,
        interval=cps.interval_tissue if cps else None,
        borderline_at=tuple(cutoff for cutoff, entry in decided if _in_doubt(entry)),
        clear_at=tuple(cutoff for cutoff, entry in decided if not _in_doubt(entry)),
        not_evaluable_because=tuple(reason.text for reason in case.not_evaluable_because),
        slide_digest=case.digest,
        model_digest=case.model_digest,
        notice=case.notice,
    )


def _signed(document: ScoreDocument) -> dict[str, Any]:
    """Return who confirmed the score by signing its review, and when."""
    signature = document.review.signature if document.review else None
    if signature is None or not names_a_person(signature.name):
        return {}
    return {"confirmed_by": signature.name, "confirmed_on": signature.utc[:10]}


def _in_doubt(entry: CutoffEntry) -> bool:
    return entry.borderline or entry.decision is Decision.UNCERTAIN


def _joined(found: Pdl1Score, entry: Pdl1Score, path: Path) -> Pdl1Score:
    """Take the person's words from the entry and the numbers from the score; they must not disagree."""
    for name in ("value", "assay"):
        stated, made = getattr(entry, name), getattr(found, name)
        if None not in {stated, made} and stated != made:
            raise ProfileError(
                f"{path}: {name} is {made}, but the profile's entry of this slide states {stated}",
                "confirm the score anew, or leave the number out of the entry",
            )
    words: dict[str, Any] = {"near_cutoff": entry.near_cutoff, "assay": found.assay or entry.assay}
    if entry.confirmed:
        words |= {"confirmed_by": entry.confirmed_by, "confirmed_on": entry.confirmed_on}
    return found.model_copy(update=words)


def _with_expression(profile: BiomarkerProfile, document: ScoreDocument, path: Path) -> BiomarkerProfile:
    marker, h_score = document.marker, document.h_score
    made_by = "H-score by cxpath, with the laboratory's cuts"
    updated: dict[str, Expression | Her2] = {
        "her2": profile.her2.model_copy(update={"h_score": h_score}),
        "egfr": profile.egfr.model_copy(update={"h_score": h_score, "method": made_by}),
        "vegf": profile.vegf.model_copy(update={"h_score": h_score, "method": made_by}),
    }
    if marker not in updated:
        raise ProfileError(f"{path}: contains marker {marker!r}, which no profile knows", _HINT)
    return profile.model_copy(update={marker: updated[marker]})
