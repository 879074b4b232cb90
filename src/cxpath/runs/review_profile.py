"""The story of one review: a profile and perhaps a score in, a page for the board and its data out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from cxpath.biomarkers.profile import BiomarkerProfile, profile_from
from cxpath.exchange.whole_file import whole_file
from cxpath.report.board_page import board_page
from cxpath.report.fhir_bundle import fhir_bundle
from cxpath.report.patient_sheet import patient_sheet
from cxpath.report.pdf import require_pdf, write_pdf
from cxpath.report.wording import RESEARCH_USE
from cxpath.runs.documents import write_json
from cxpath.runs.image_score import with_image_score
from cxpath.runs.profile_file import read_profile
from cxpath.runs.therapy_criteria import read_criteria
from cxpath.therapy.criterion import JURISDICTIONS
from cxpath.therapy.review import TherapyReview
from cxpath.therapy.review import review_therapy as judge
from cxpath.values.errors import ConfigurationError, OutputError
from cxpath.version import __version__

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
        All where empty.
    criteria : Path or None
        A folder of the lab's own criteria.
    pdf, overwrite : bool
    """

    profile: Path
    out: Path
    scores: tuple[Path, ...] = ()
    jurisdictions: tuple[str, ...] = ()
    criteria: Path | None = None
    pdf: bool = False
    overwrite: bool = False


def review_therapy(
    profile: BiomarkerProfile | Mapping[str, Any] | str | Path,
    jurisdictions: tuple[str, ...] = (),
    criteria: str | Path | None = None,
) -> TherapyReview:
    """Judge the therapy criteria for one patient; writes nothing.

    Parameters
    ----------
    profile : BiomarkerProfile, mapping, str or Path
        A profile, its fields, or a TOML or JSON file of them.
    jurisdictions : tuple of str
        Of us, eu, jp, cn; all where empty.
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
    for place in jurisdictions:
        if place not in JURISDICTIONS:
            raise ConfigurationError(
                f"jurisdiction {place!r} is not known", f"known jurisdictions: {', '.join(JURISDICTIONS)}"
            )
    folder = Path(criteria) if criteria is not None else None
    return judge(profile, read_criteria(folder), jurisdictions or JURISDICTIONS)


def review_profile(request: ReviewRequest) -> dict[str, Any]:
    """Review a profile and leave pages, `fhir.json` and, last, `therapy.json`.

    Returns
    -------
    dict
        The content of `therapy.json`.

    Raises
    ------
    OutputError
        When a review is there already, or cannot be written.
    """
    if (request.out / COMMIT_MARK).exists() and not request.overwrite:
        raise OutputError(
            f"{request.out}: holds a review already", "pass --overwrite or choose another --out"
        )
    if request.pdf:
        require_pdf()
    profile = read_profile(request.profile)
    for score in request.scores:
        profile = with_image_score(profile, score)
    review = review_therapy(profile, request.jurisdictions, request.criteria)
    document = therapy_document(review, date.today())
    _write(request, review, document)
    return document


def therapy_document(review: TherapyReview, on: date) -> dict[str, Any]:
    """Return the content of `therapy.json`."""
    return {
        "research_use": RESEARCH_USE,
        **review.as_dict(),
        "profile": review.profile.model_dump(mode="json", by_alias=True, exclude_none=True),
        "provenance": {
            "cxpath": __version__,
            "reviewed_on": on.isoformat(),
            "criteria_digest": _digest([one.criterion.model_dump(mode="json") for one in review.results]),
        },
    }


def _write(request: ReviewRequest, review: TherapyReview, document: Mapping[str, Any]) -> None:
    _make_folder(request.out)
    on = date.fromisoformat(document["provenance"]["reviewed_on"])
    day = f"{on.day} {on:%B %Y}"
    provenance = [
        ("cxpath", __version__),
        ("criteria", f"{len(review.results)}, digest {document['provenance']['criteria_digest'][:16]}"),
    ]
    pages = {"board": board_page(review, day, provenance), "patient": patient_sheet(review, day)}
    write_json(request.out / "fhir.json", fhir_bundle(review, on))
    for name, html in pages.items():
        with whole_file(request.out / f"{name}.html") as partial:
            partial.write_text(html, encoding="utf-8", newline="\n")
        if request.pdf:
            write_pdf(html, request.out / f"{name}.pdf")
    write_json(request.out / COMMIT_MARK, document)


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{out}: cannot be written: {error.strerror or error}", "choose another --out"
        ) from error


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
