"""Several slides or blocks of one patient: one score a case, and the table of fields."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from cxpath.app.configuration import UNKNOWN, read_assay
from cxpath.app.documents import RESEARCH_USE
from cxpath.app.request import REFERENCE_ASSAY
from cxpath.documents.folder import ScoredFolder, read_scored_folder
from cxpath.errors import CxpathError, MissingFileError
from cxpath.scores.case import CaseRule, CaseScore, CaseSlide, score_case
from cxpath.scores.counts import CellCounts

# Several slides of one patient: their results folders to one score, or one clear line why not.


CASES_SCHEMA = "cxpath/case/1"


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
        "schema": CASES_SCHEMA,
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


# Viable tumour cells of every field of a scored slide: a denominator for readers who score by eye.


FIELD_TABLE_SCHEMA = "cxpath/field-table/1"
COLUMNS = (
    "field", "left_px", "top_px", "left_um", "top_um", "centre_x_um", "centre_y_um", "side_um",
    "viable_tumour_cells", "tumour_positive", "immune_positive", "share_of_tumour_cells",
    "local_cps", "influence",
)  # fmt: skip


def field_rows(folder: Path) -> list[dict[str, Any]]:
    """Return a row for each field with viable tumour cells, those with most of them first.

    Parameters
    ----------
    folder : Path
        A results folder of `cxpath score`.

    Returns
    -------
    list of dict
        By the names of `COLUMNS`. Pixels are level-0, micrometres from the slide's top left corner;
        `local_cps` is of the field's own cells, `influence` the CPS less the one without the field (None
        where the field holds all tumour).

    Raises
    ------
    MissingFileError, RunFolderError
        When the folder holds no result, or one without cells.
    """
    run = read_scored_folder(folder)
    if not (folder / "cells.parquet").is_file():
        why = "; ".join(run.score["not_evaluable_because"]) or "no cells were looked for"
        raise MissingFileError(f"{folder}: holds no cells ({why})", "score the slide again")
    lattice, mpp = run.fields(), float(run.score["slide"]["mpp"])
    counts, side_um = lattice.counts, lattice.side_px * mpp
    local, influence = counts.cps(), lattice.influence()
    order = np.lexsort((lattice.left_px, lattice.top_px, -counts.tumour))
    rows = [row for row in order if counts.tumour[row] > 0]
    return [
        {
            "field": number,
            "left_px": round(float(lattice.left_px[row]), 1),
            "top_px": round(float(lattice.top_px[row]), 1),
            "left_um": round(float(lattice.left_px[row]) * mpp, 1),
            "top_um": round(float(lattice.top_px[row]) * mpp, 1),
            "centre_x_um": round(float(lattice.left_px[row]) * mpp + side_um / 2, 1),
            "centre_y_um": round(float(lattice.top_px[row]) * mpp + side_um / 2, 1),
            "side_um": round(side_um, 1),
            "viable_tumour_cells": int(counts.tumour[row]),
            "tumour_positive": int(counts.tumour_positive[row]),
            "immune_positive": int(counts.immune_positive[row]),
            "share_of_tumour_cells": round(float(counts.tumour[row] / counts.tumour.sum()), 5),
            "local_cps": round(float(local[row]), 4),
            "influence": round(float(influence[row]), 5) if np.isfinite(influence[row]) else None,
        }
        for number, row in enumerate(rows, start=1)
    ]


def field_document(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the rows as the JSON that `cxpath fields --json` prints."""
    total = sum(row["viable_tumour_cells"] for row in rows)
    return {
        "schema": FIELD_TABLE_SCHEMA,
        "research_use": RESEARCH_USE,
        "viable_tumour_cells": total,
        "fields": rows,
    }


def field_csv(rows: list[dict[str, Any]]) -> str:
    """Return the rows as CSV with a header; what is unknown is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
