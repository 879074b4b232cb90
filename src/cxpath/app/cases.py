"""Several slides or blocks of one patient: one score a case, and the table of fields."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from cxpath.app.configuration import REFERENCE_ASSAY, UNKNOWN, read_assay
from cxpath.app.review_folder import require_current_review
from cxpath.data import Reason, ReasonCode
from cxpath.documents import (
    COMMIT_MARK,
    CaseDocument,
    CaseSlideEntry,
    CodedText,
    Counts,
    Estimate,
    FieldRow,
    FieldTable,
    LeftOut,
    ScoreBasis,
    ScoredFolder,
    read_scored_folder,
)
from cxpath.errors import CxpathError, MissingFileError
from cxpath.scores import CaseRule, CaseScore, CaseSlide, FieldLattice, ReadSlide, score_case

# Several slides of one patient: their results folders to one score, or one clear line why not.


class CaseError(CxpathError, ValueError):
    """Slides that cannot be one case: of different assays, models or settings, or one slide twice."""


def case_document(folders: Sequence[Path], rule: CaseRule) -> CaseDocument:
    """Combine the slides of one case.

    Parameters
    ----------
    folders : sequence of Path
        Results folders of `cxpath score`.
    rule : CaseRule

    Returns
    -------
    CaseDocument
        Not evaluable when no slide is.

    Raises
    ------
    CaseError
        When the slides do not belong together.
    MissingFileError, DocumentError
        When a folder contains no result.
    """
    runs = [read_scored_folder(folder) for folder in folders]
    _require_one_kind(runs)
    evaluable = [run for run in runs if run.score.deciding.estimate is not None]
    case, first = _score(evaluable, rule) if evaluable else None, runs[0].score
    return CaseDocument(
        notice=next((run.score.notice for run in runs if run.score.notice), None),
        rule=rule.value,
        rule_in_words=rule.words,
        assay=first.assay,
        tumour=first.tumour,
        model_digest=first.provenance.model_digest,
        digest=_digest_of(runs),
        evaluable=case is not None,
        not_evaluable_because=() if case else (CodedText.of(NONE_EVALUABLE),),
        slides=tuple(map(CaseSlideEntry.of, case.parts)) if case else (),
        left_out=tuple(
            LeftOut(slide=run.name, because=_why_left_out(run))
            for run in runs
            if run.score.deciding.estimate is None
        ),
        counts=Counts.of(case.counts) if case else None,
        cps=Estimate.of_score(case.cps) if case else None,
        tps=Estimate.of_score(case.tps) if case else None,
    )


def _why_left_out(run: ScoredFolder) -> tuple[CodedText, ...]:
    by_review = run.score.deciding.not_evaluable_because
    return run.score.not_evaluable_because or tuple(
        CodedText(code=ReasonCode.TOO_FEW_TUMOUR_CELLS, text=text) for text in by_review
    )


def _digest_of(runs: Sequence[ScoredFolder]) -> str:
    digests = sorted(_reviewed_digest(run) for run in runs)
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _reviewed_digest(run: ScoredFolder) -> str:
    """Return the slide's digest, with the head of its review: a later decision makes another case of it."""
    review = run.score.review
    return f"{run.score.slide.digest} {review.head_hash}" if review else run.score.slide.digest


NONE_EVALUABLE = Reason(
    ReasonCode.NO_EVALUABLE_SLIDE, "no slide of the case is evaluable: score another block"
)


def _score(runs: Sequence[ScoredFolder], rule: CaseRule) -> CaseScore:
    slides = [
        CaseSlide(run.name, run.score.counts.as_counts(), run.fields().counts, _read_slide(run))
        for run in runs
        if run.score.counts
    ]
    assay, tumour = runs[0].score.assay, runs[0].score.tumour
    stated = read_assay(REFERENCE_ASSAY if assay.lower() == UNKNOWN else assay)
    return score_case(slides, rule, runs[0].scoring, stated.cutoffs("cps", tumour))


def _read_slide(run: ScoredFolder) -> ReadSlide | None:
    """Return what a person's review made of a slide; None where the network's score decides."""
    require_current_review(run.score, run.path / COMMIT_MARK)
    decides = run.score.deciding
    if decides.estimate is None or decides.basis is ScoreBasis.NETWORK:
        return None
    tumour = run.score.adequacy.viable_tumour_cells or 0
    return ReadSlide(
        basis=decides.basis.value,
        cps=decides.estimate.value,
        interval_slide=decides.estimate.interval_slide,
        interval_tissue=decides.estimate.interval_tissue,
        level=decides.estimate.level,
        tumour_cells=run.score.audited.tumour_cells if run.score.audited else float(tumour),
    )


def _require_one_kind(runs: Sequence[ScoredFolder]) -> None:
    if not runs:
        raise CaseError("no results folder was given", "name the folders of the case's slides")
    first = runs[0]
    for run in runs[1:]:
        for what, ours, theirs in (
            ("assay", first.score.assay, run.score.assay),
            ("tumour", first.score.tumour, run.score.tumour),
            ("model", first.score.provenance.model_digest, run.score.provenance.model_digest),
        ):
            if ours.lower() != theirs.lower():
                raise CaseError(
                    f"{run.path}: {what} is {theirs[:16].lower()!r}, "
                    f"but that of {first.path} is {ours[:16].lower()!r}",
                    "score all slides of a case alike",
                )
        if run.scoring != first.scoring:
            raise CaseError(
                f"{run.path}: was scored with other settings than {first.path}",
                "score all slides of a case with the same --config and --set",
            )
    digests = [run.score.slide.digest for run in runs]
    for number, run in enumerate(runs):
        if digests[number] in digests[:number]:
            raise CaseError(f"{run.path}: its slide is there twice", "give every slide of the case once")


# Viable tumour cells of every field of a scored slide: a denominator for readers who score by eye.


def field_table(folder: Path) -> FieldTable:
    """Return a row for each field with viable tumour cells, those with most of them first.

    Parameters
    ----------
    folder : Path
        A results folder of `cxpath score`.

    Raises
    ------
    MissingFileError, DocumentError
        When the folder contains no result, or one without cells.
    """
    run = read_scored_folder(folder)
    if not (folder / "cells.parquet").is_file():
        why = run.score.reasons() or "no cells were looked for"
        raise MissingFileError(f"{folder}: contains no cells ({why})", "score the slide again")
    rows = tuple(_field_rows(run.fields(), run.score.slide.mpp))
    return FieldTable(viable_tumour_cells=sum(row.viable_tumour_cells for row in rows), fields=rows)


def _field_rows(lattice: FieldLattice, mpp: float) -> Iterator[FieldRow]:
    counts, side_um = lattice.counts, lattice.side_px * mpp
    local, influence = counts.cps(), lattice.influence()
    order = np.lexsort((lattice.left_px, lattice.top_px, -counts.tumour))
    for number, row in enumerate((row for row in order if counts.tumour[row] > 0), start=1):
        left_um, top_um = float(lattice.left_px[row]) * mpp, float(lattice.top_px[row]) * mpp
        yield FieldRow(
            field=number,
            left_px=round(float(lattice.left_px[row]), 1),
            top_px=round(float(lattice.top_px[row]), 1),
            left_um=round(left_um, 1),
            top_um=round(top_um, 1),
            centre_x_um=round(left_um + side_um / 2, 1),
            centre_y_um=round(top_um + side_um / 2, 1),
            side_um=round(side_um, 1),
            viable_tumour_cells=int(counts.tumour[row]),
            tumour_positive=int(counts.tumour_positive[row]),
            immune_positive=int(counts.immune_positive[row]),
            share_of_tumour_cells=round(float(counts.tumour[row] / counts.tumour.sum()), 5),
            local_cps=round(float(local[row]), 4),
            influence=round(float(influence[row]), 5) if np.isfinite(influence[row]) else None,
        )


def field_csv(table: FieldTable) -> str:
    """Return the rows as CSV with a header; what is unknown is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(FieldRow.model_fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.model_dump() for row in table.fields)
    return text.getvalue()
