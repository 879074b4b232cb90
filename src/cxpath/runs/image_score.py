"""A score that cxpath made, taken into the profile: never confirmed by itself, never without its doubts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cxpath.biomarkers.molecular import Expression, Her2
from cxpath.biomarkers.pdl1 import Pdl1Score, ScoreOrigin
from cxpath.biomarkers.profile import BiomarkerProfile
from cxpath.report.run_folder import SCORE_SCHEMA, read_json
from cxpath.values.errors import ProfileError

_HINT = "give the score.json of a folder that cxpath score wrote"


def with_image_score(profile: BiomarkerProfile, path: Path) -> BiomarkerProfile:
    """Add a slide's score to a profile.

    A PD-L1 score joins the entry with `origin = "cxpath"` and this slide's digest, which is where a person's
    confirmation stands; without such an entry it joins unconfirmed. The H-score of another marker goes to
    that marker, and is no grade.

    Parameters
    ----------
    profile : BiomarkerProfile
    path : Path
        A `score.json`.

    Raises
    ------
    MissingFileError, RunFolderError
        When the file is no score.
    ProfileError
        When an entry of this slide contradicts it.
    """
    document = read_json(path, SCORE_SCHEMA)
    marker = str(document.get("marker", "pdl1"))
    if marker != "pdl1":
        return _with_expression(profile, marker, document, path)
    found = _pdl1(document)
    others, entry = [], None
    for score in profile.pdl1:
        if score.origin is ScoreOrigin.CXPATH and score.slide_digest == found.slide_digest:
            entry = score
        else:
            others.append(score)
    joined = found if entry is None else _joined(found, entry, path)
    return profile.model_copy(update={"pdl1": (*others, joined)})


def _pdl1(document: Mapping[str, Any]) -> Pdl1Score:
    cps = document["cps"] or {}
    judged = {float(cutoff): bool(entry["borderline"]) for cutoff, entry in cps.get("cutoffs", {}).items()}
    assay = str(document["assay"]).lower()
    return Pdl1Score(
        assay=None if assay == "unknown" else assay,
        value=cps.get("value"),
        origin=ScoreOrigin.CXPATH,
        viable_tumour_cells=document["adequacy"]["viable_tumour_cells"],
        interval=tuple(cps["interval_tissue"]) if cps else None,
        borderline_at=tuple(cutoff for cutoff, borderline in judged.items() if borderline),
        clear_at=tuple(cutoff for cutoff, borderline in judged.items() if not borderline),
        not_evaluable_because=tuple(document["not_evaluable_because"]),
        slide_digest=document["slide"]["digest"],
        model_digest=document["provenance"]["model_digest"],
    )


def _joined(found: Pdl1Score, entry: Pdl1Score, path: Path) -> Pdl1Score:
    """Take the person's words from the entry and the numbers from the score; they must not disagree."""
    for name in ("value", "assay"):
        stated, made = getattr(entry, name), getattr(found, name)
        if None not in {stated, made} and stated != made:
            raise ProfileError(
                f"{path}: {name} is {made}, but the profile's entry of this slide states {stated}",
                "confirm the score anew, or leave the number out of the entry",
            )
    kept = ("near_cutoff", "confirmed_by", "confirmed_on")
    words = {name: getattr(entry, name) for name in kept}
    return found.model_copy(update=words | {"assay": found.assay or entry.assay})


def _with_expression(
    profile: BiomarkerProfile, marker: str, document: Mapping[str, Any], path: Path
) -> BiomarkerProfile:
    h_score = document["h_score"]
    made_by = "H-score by cxpath, with the laboratory's cuts"
    updated: dict[str, Expression | Her2] = {
        "her2": profile.her2.model_copy(update={"h_score": h_score}),
        "egfr": profile.egfr.model_copy(update={"h_score": h_score, "method": made_by}),
        "vegf": profile.vegf.model_copy(update={"h_score": h_score, "method": made_by}),
    }
    if marker not in updated:
        raise ProfileError(f"{path}: holds marker {marker!r}, which no profile knows", _HINT)
    return profile.model_copy(update={marker: updated[marker]})
