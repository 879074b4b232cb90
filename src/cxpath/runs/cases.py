"""Several slides of one patient: their results folders to one score, or one clear line why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cxpath.runs.assays import UNKNOWN, read_assay
from cxpath.runs.documents import RESEARCH_USE
from cxpath.runs.score_request import REFERENCE_ASSAY
from cxpath.runs.scored_folder import ScoredFolder, read_scored_folder
from cxpath.scores.case_score import CaseRule, CaseScore, CaseSlide, score_case
from cxpath.scores.counting import CellCounts
from cxpath.values.errors import CxpathError

SCHEMA = "cxpath/case/1"


class CaseError(CxpathError, ValueError):
    """Slides that cannot be one case: of different assays, models or settings, or one slide twice."""


def case_document(folders: Sequence[Path], rule: CaseRule) -> dict[str, Any]:
    """Combine the slides of one case.

    Parameters
    ----------
    folders : sequence of Path
        Results folders of `cxpath score`.
    rule : CaseRule

    Returns
    -------
    dict
        The content of a case file, schema `cxpath/case/1`; not evaluable when no slide is.

    Raises
    ------
    CaseError
        When the slides do not belong together.
    MissingFileError, RunFolderError
        When a folder holds no result.
    """
    runs = [read_scored_folder(folder) for folder in folders]
    _require_one_kind(runs)
    evaluable = [run for run in runs if run.score["evaluable"]]
    left_out = [
        {"slide": run.name, "because": list(run.score["not_evaluable_because"])}
        for run in runs
        if not run.score["evaluable"]
    ]
    case = _score(evaluable, rule) if evaluable else None
    return {
        "schema": SCHEMA,
        "research_use": RESEARCH_USE,
        "rule": rule.value,
        "rule_in_words": rule.words,
        "assay": runs[0].score["assay"],
        "tumour": runs[0].score["tumour"],
        "model_digest": runs[0].score["provenance"]["model_digest"],
        "evaluable": case is not None,
        "not_evaluable_because": [] if case else ["no slide of the case is evaluable: score another block"],
        "slides": [asdict(part) for part in case.parts] if case else [],
        "left_out": left_out,
        "counts": asdict(case.counts) if case else None,
        "cps": case.cps.as_dict() if case else None,
        "tps": case.tps.as_dict() if case else None,
    }


def _score(runs: Sequence[ScoredFolder], rule: CaseRule) -> CaseScore:
    slides = [CaseSlide(run.name, CellCounts(**run.score["counts"]), run.fields().counts) for run in runs]
    assay, tumour = str(runs[0].score["assay"]), str(runs[0].score["tumour"])
    stated = read_assay(REFERENCE_ASSAY if assay.lower() == UNKNOWN else assay)
    return score_case(slides, rule, runs[0].scoring, stated.cutoffs("cps", tumour))


def _require_one_kind(runs: Sequence[ScoredFolder]) -> None:
    if not runs:
        raise CaseError("no results folder was given", "name the folders of the case's slides")
    first = runs[0]
    for run in runs[1:]:
        for what, place in (
            ("assay", ("assay",)),
            ("tumour", ("tumour",)),
            ("model", ("provenance", "model_digest")),
        ):
            ours, theirs = _look(first, place), _look(run, place)
            if ours != theirs:
                raise CaseError(
                    f"{run.path}: {what} is {theirs[:16]!r}, but that of {first.path} is {ours[:16]!r}",
                    "score all slides of a case alike",
                )
        if run.score.get("scoring") != first.score.get("scoring"):
            raise CaseError(
                f"{run.path}: was scored with other settings than {first.path}",
                "score all slides of a case with the same --config and --set",
            )
    digests = [str(run.score["slide"]["digest"]) for run in runs]
    for number, run in enumerate(runs):
        if digests[number] in digests[:number]:
            raise CaseError(f"{run.path}: its slide is there twice", "give every slide of the case once")


def _look(run: ScoredFolder, place: tuple[str, ...]) -> str:
    found: Any = run.score
    for key in place:
        found = found[key]
    return str(found).lower()
