"""A patient's profile as a file: read, begun from the template, and joined with scores of slides."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from cxpath.app.configuration import UNKNOWN
from cxpath.app.review_folder import require_current_review
from cxpath.data import bundled, parse_toml, refuse_pipe
from cxpath.documents import (
    PDL1,
    RUN_NAME,
    CaseDocument,
    CutoffEntry,
    Estimate,
    RunDocument,
    ScoreBasis,
    ScoreDocument,
)
from cxpath.errors import (
    ConfigurationError,
    MissingFileError,
    OutputError,
    ProfileError,
)
from cxpath.io import atomic_write, contains_half_characters
from cxpath.patient import (
    HINT,
    JURISDICTIONS,
    BiomarkerProfile,
    Expression,
    Her2,
    Pdl1Score,
    ScoreKind,
    ScoreOrigin,
    names_a_person,
    profile_from,
)
from cxpath.scores import Decision

# A score that cxpath made, taken into the profile: never confirmed by itself, never without its doubts.


_HINT = "give the score.json of a folder that cxpath score wrote"


def states_case(path: Path) -> bool:
    """Say whether a file states the schema of a case; whether it is one, reading it will say."""
    try:
        refuse_pipe(path)
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
    read = document.deciding
    return Pdl1Score(
        **_cps_of_cxpath(read.estimate, document.assay),
        basis=read.basis.value,
        viable_tumour_cells=_tumour_cells(document),
        not_evaluable_because=read.not_evaluable_because,
        slide_digest=document.slide.digest,
        model_digest=document.provenance.model_digest,
        notice=document.notice,
        **_signed(document),
    )


def _cps_of_cxpath(cps: Estimate | None, assay: str) -> dict[str, Any]:
    """Return what a CPS of cxpath states, of a slide or of a case."""
    decided = cps.decided if cps else ()
    return {
        "score": ScoreKind.CPS,
        "assay": None if assay.lower() == UNKNOWN else assay.lower(),
        "value": cps.value if cps else None,
        "origin": ScoreOrigin.CXPATH,
        "interval": cps.interval_tissue if cps else None,
        "borderline_at": tuple(cutoff for cutoff, entry in decided if _in_doubt(entry)),
        "clear_at": tuple(cutoff for cutoff, entry in decided if not _in_doubt(entry)),
    }


def _tumour_cells(document: ScoreDocument) -> int | None:
    """Return the viable tumour cells: those by the answers, where an audit decides."""
    if document.deciding.basis is ScoreBasis.AUDITED and document.audited is not None:
        return round(document.audited.tumour_cells)
    return document.adequacy.viable_tumour_cells


def _pdl1_of_case(case: CaseDocument) -> Pdl1Score:
    """Return the score of several blocks; a person confirms it by the case's digest."""
    counts = case.counts
    return Pdl1Score(
        **_cps_of_cxpath(case.cps, case.assay),
        viable_tumour_cells=counts.tumour_positive + counts.tumour_negative if counts else None,
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
                "confirm the score again, or leave the number out of the entry",
            )
    words: dict[str, Any] = {"near_cutoff": entry.near_cutoff, "assay": found.assay or entry.assay}
    if entry.confirmed:
        words |= {"confirmed_by": entry.confirmed_by, "confirmed_on": entry.confirmed_on}
    return found.model_copy(update=words)


def _with_expression(profile: BiomarkerProfile, document: ScoreDocument, path: Path) -> BiomarkerProfile:
    marker, h_score = document.marker, document.h_score
    made_by = "H-score by cxpath, with the laboratory's limits"
    updated: dict[str, Expression | Her2] = {
        "her2": profile.her2.model_copy(update={"h_score": h_score}),
        "egfr": profile.egfr.model_copy(update={"h_score": h_score, "method": made_by}),
        "vegf": profile.vegf.model_copy(update={"h_score": h_score, "method": made_by}),
    }
    if marker not in updated:
        raise ProfileError(f"{path}: contains marker {marker!r}, which a profile cannot contain", _HINT)
    return profile.model_copy(update={marker: updated[marker]})


# A patient's profile as a file: read from TOML or JSON, or begun from the commented template.


def read_profile(path: Path) -> BiomarkerProfile:
    """Read a profile.

    Parameters
    ----------
    path : Path
        JSON where the name ends in `.json`, else TOML.

    Raises
    ------
    MissingFileError
        When there is no such file.
    ProfileError
        With the path of the field that is wrong.
    """
    profile = profile_from(_content(path), path)
    for number, score in enumerate(profile.pdl1):
        if score.confirmed_on is not None and score.confirmed_on > date.today():
            raise ProfileError(
                f"{path}: pdl1.{number}.confirmed_on: {score.confirmed_on} lies in the future",
                "state the day on which the score was confirmed",
            )
    return profile


def write_profile_template(path: Path, jurisdictions: Sequence[str] = ()) -> None:
    """Write the commented template; an existing file is not replaced.

    Parameters
    ----------
    path : Path
    jurisdictions : sequence of str
        Stated in it, where there are any.

    Raises
    ------
    OutputError
        When the file is there already, or cannot be written.
    """
    if path.exists():
        raise OutputError(f"{path}: is there already", "choose another name")
    with atomic_write(path) as partial:
        partial.write_text(_for(known_jurisdictions(jurisdictions)), encoding="utf-8")


def known_jurisdictions(names: Sequence[str]) -> tuple[str, ...]:
    """Return the jurisdictions, each once; "all" stands for every one.

    Raises
    ------
    ConfigurationError
        When one is unknown.
    """
    if "all" in names:
        return JURISDICTIONS
    for place in names:
        if place not in JURISDICTIONS:
            raise ConfigurationError(
                f"jurisdiction {place!r} is not known", f"known jurisdictions: {', '.join(JURISDICTIONS)}"
            )
    return tuple(dict.fromkeys(names))


def _for(jurisdictions: Sequence[str]) -> str:
    """Return the template with its line of jurisdictions stated."""
    if not jurisdictions:
        return template()
    stated = f"jurisdictions = {json.dumps(list(jurisdictions))}"
    lines = template().splitlines(keepends=True)
    return "".join(f"{stated}\n" if line.startswith("# jurisdictions = ") else line for line in lines)


def template() -> str:
    """Return the template's text: every field, each with what it means, all of them unknown."""
    return (bundled("configs") / "profile" / "template.toml").read_text(encoding="utf-8")


def _content(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise MissingFileError(f"{path}: no such file", HINT)
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = json.loads(text) if path.suffix.lower() == ".json" else parse_toml(text)
    except (OSError, ValueError, RecursionError) as error:  # JSON, too, may be nested too deeply
        raise ProfileError(f"{path}: not readable: {error}", HINT) from error
    if contains_half_characters(text.encode()):
        raise ProfileError(f"{path}: a text of it contains half a character (such as \\ud800)", HINT)
    if not isinstance(content, dict):
        raise ProfileError(f"{path}: contains no table of fields", HINT)
    return content
