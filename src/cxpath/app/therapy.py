"""Review a patient's profile against therapy criteria: `cxpath therapy review`, `explain` and `lint`."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from cxpath import __version__
from cxpath.app.therapy_profile import known_jurisdictions, read_profile, with_image_score
from cxpath.data import bundled, import_extra, parse_toml
from cxpath.documents import (
    TherapyDocument,
)
from cxpath.errors import (
    ConfigurationError,
    CriteriaError,
    MissingExtraError,
    MissingFileError,
    OutputError,
)
from cxpath.io import atomic_write, write_json
from cxpath.patient import (
    JURISDICTIONS,
    BiomarkerProfile,
    Criteria,
    CriteriaFile,
    Finding,
    Severity,
    Source,
    TherapyReview,
    condition_in_words,
    lint,
    profile_from,
    review_therapy as evaluate_criteria,
)
from cxpath.report import patient_sheet, require_pdf, write_pdf
from cxpath.report.board_page import board_page

_log = logging.getLogger(__name__)

# Reading the files of therapy criteria, those that travel with cxpath or a lab's own.


ORDER = ("us", "eu", "jp", "cn", "negative")
_CRITERIA_HINT = "`cxpath therapy lint` lists everything that is wrong"


def criteria_folder() -> Path:
    """Return the folder of the files that travel with cxpath."""
    return bundled("configs") / "therapy"


def read_criteria(folder: Path | None = None) -> Criteria:
    """Read all files of a folder.

    Parameters
    ----------
    folder : Path, optional
        The files that travel with cxpath by default.

    Raises
    ------
    CriteriaError
        When a file cannot be read, or does not pass `lint`.
    MissingFileError
        When the folder contains none.
    """
    documents = read_documents([folder or criteria_folder()])
    shipped = read_sources()
    errors = [one for one in lint(documents, date.today(), shipped) if one.severity is Severity.ERROR]
    if errors:
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise CriteriaError(f"{errors[0].file}: {errors[0].entry}: {errors[0].what}{more}", _CRITERIA_HINT)
    read = [CriteriaFile.model_validate(document) for document in documents.values()]
    sources = {one.id: one for one in (*shipped, *(one for file in read for one in file.source))}
    files = [file.citing(sources) for file in read]
    return Criteria(
        tuple(one for file in files for one in file.criterion),
        tuple(one for file in files for one in file.caution),
        tuple(one for file in files for one in file.advice),
    )


def read_sources() -> tuple[Source, ...]:
    """Return the sources that travel with cxpath; a lab's own criteria may cite them, too."""
    return CriteriaFile.model_validate(_read(criteria_folder() / "sources.toml")).source


def explain_criterion(name: str, folder: Path | None = None) -> tuple[dict[str, Any], list[str]]:
    """Return a criterion with its conditions, cautions and sources: as data, and in lines.

    Raises
    ------
    ConfigurationError
        When there is none of that id.
    """
    criteria = read_criteria(folder)
    found = next((one for one in criteria.criteria if one.id == name), None)
    if found is None:
        close = difflib.get_close_matches(name, [one.id for one in criteria.criteria], n=3)
        raise ConfigurationError(
            f"there is no criterion {name!r}",
            f"did you mean {' or '.join(close)}?" if close else _CRITERIA_HINT,
        )
    cautions = [one for one in criteria.cautions if one.agents in found.cautions]
    lines = [
        f"{found.id}: {found.regimen}",
        f"for      {found.population}",
        f"status   {found.jurisdiction.upper()}, {found.approval.value}, {found.approved_on or 'no date'}",
        f"trial    {found.trial or 'none'}",
        *(f"asks     {condition_in_words(clause)}" for clause in found.clauses),
        *(f"open     {point}" for point in found.open_points if found.approval.can_be_met),
        *([f"reason   {found.reason}"] if found.reason else []),
        *(f"note     {note}" for note in found.notes),
        *(f"caution  {one.flag} ({one.agents.replace('_', ' ')})" for one in cautions),
        *(f"source   {source.citation}" for source in found.cited),
        f"as of    {found.as_of}; {found.certainty.value}",
    ]
    return found.model_dump(mode="json"), lines


def lint_files(paths: Sequence[Path], today: date) -> list[Finding]:
    """Check files or folders of criteria; those that travel with cxpath where none is named."""
    return lint(read_documents(paths or [criteria_folder()]), today, read_sources())


def read_documents(paths: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Return the content of TOML files by path: jurisdictions in their usual order, then the rest by name.

    Raises
    ------
    CriteriaError, MissingFileError
        When there is nothing to read, or a file is no TOML.
    """
    files = [file for path in paths for file in _files(path)]
    return {str(file): _read(file) for file in files}


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = sorted(path.glob("*.toml"), key=_place) if path.is_dir() else []
    if not found:
        raise MissingFileError(f"{path}: no such file, and no folder with criteria (*.toml)")
    return found


def _place(file: Path) -> tuple[int, str]:
    return (ORDER.index(file.stem) if file.stem in ORDER else len(ORDER), file.name)


def _read(file: Path) -> dict[str, Any]:
    try:
        content = parse_toml(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CriteriaError(f"{file}: not readable as TOML: {error}", "correct the file") from error
    for name, entries in content.items():
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise CriteriaError(
                f"{file}: {name} is not a list of tables", f"start each entry with [[{name}]]"
            )
    return content


# The story of one review: a profile and perhaps a score in, a page for the board and its data out.


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
