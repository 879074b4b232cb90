"""Cases of a laboratory: several slides of one patient to one score, and results joined with manual reads."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePath

import numpy as np

from cxpath.app.configuration import REFERENCE_ASSAY, UNKNOWN, read_assay
from cxpath.app.review_folder import require_current_review
from cxpath.data import NO_READ, NOT_EVALUABLE, Read, ReadValue, Reason, ReasonCode, coded, counted, exactly
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
    RunFolder,
    ScoreBasis,
    ScoredFolder,
    ScoreDocument,
    read_run_folder,
    read_scored_folder,
)
from cxpath.errors import CxpathError, MissingFileError, StudyError
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
        raise CaseError("no results folder was given", "give the folders of the case's slides")
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
            raise CaseError(f"{run.path}: its slide was given twice", "give every slide of the case once")


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
    for row in order[counts.tumour[order] > 0]:
        left_um, top_um = float(lattice.left_px[row]) * mpp, float(lattice.top_px[row]) * mpp
        yield FieldRow(
            field=int(lattice.numbers[row]),
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


# Manual reads joined with cxpath's own results, found by the name of the slide or of the case.


SOFTWARE = "cxpath"
"""The reader that cxpath is."""

NEWEST = "newest"
"""Of several results of one slide, that of the run that began last."""

_SCORES = ("cps", "tps")


@dataclass(frozen=True)
class JoinedReads:
    """Reads of people and of cxpath, and what a person should know about the join."""

    reads: tuple[Read, ...]
    warnings: tuple[Reason, ...]
    results: int
    model_digests: tuple[str, ...] = ()


def join_results(reads: Sequence[Read], folders: Sequence[Path], score: str, prefer: str = "") -> JoinedReads:
    """Add cxpath's score of every unit that has a results folder.

    Parameters
    ----------
    reads : sequence of Read
    folders : sequence of Path
        Results folders of `cxpath score`, or folders that contain some.
    score : str
        "CPS" or "TPS".
    prefer : str
        Which of several results of one slide; see `results_by_name`.

    Raises
    ------
    MissingFileError
        When a folder contains no result.
    DocumentError
        When a result is damaged.
    StudyError
        When several results are of one slide and none is chosen, none fits the table, or the score is not
        one of cxpath's.
    """
    if score.casefold() not in _SCORES:
        raise StudyError(
            f"cxpath results contain CPS and TPS, not {score!r}", "choose one of them with --score"
        )
    found = {name: read_run_folder(path).score for name, path in results_by_name(folders, prefer).items()}
    units = {read.unit: read for read in reads if read.score.casefold() == score.casefold()}
    matched = list(_matched(units.values(), found))
    if not matched:
        example = next(iter(found), "nothing")
        raise StudyError(
            f"none of {len(found)} results is of a slide or case in the table (first result: {example})",
            "enter the file names of the slides in the column slide or case",
        )
    used = {name for _, name in matched}
    remarks = [
        *_remarks(len(units) - len(matched), sorted(set(found) - used), _other_assays(matched, found)),
        *_used_again(len(matched) - len(used)),
    ]
    return JoinedReads(
        reads=(*reads, *(_software_read(read, found[name], score) for read, name in matched)),
        warnings=coded(ReasonCode.JOIN, remarks),
        results=len(matched),
        model_digests=tuple(sorted({found[name].provenance.model_digest for name in used})),
    )


def _matched(units: Iterable[Read], found: Collection[str]) -> Iterator[tuple[Read, str]]:
    """Yield the units that have a result, each with the result's name."""
    for read in units:
        name = next((name for name in slide_names(read.slide, read.case) if name in found), None)
        if name is not None:
            yield read, name


def _other_assays(matched: Sequence[tuple[Read, str]], found: Mapping[str, ScoreDocument]) -> list[str]:
    """Return what reads and their results state where they state different assays."""
    stated = ((read.assay, found[name].assay) for read, name in matched)
    return sorted({f"{read} and {result}" for read, result in stated if _differ(read, result)})


def results_by_name(folders: Sequence[Path], prefer: str = "") -> dict[str, Path]:
    """Return results folders by the plain name of their slide.

    Parameters
    ----------
    folders : sequence of Path
        Results folders of `cxpath score`, or folders that contain some.
    prefer : str
        Which of several results of one slide: `NEWEST`, or a text that is part of its folder's path; empty
        for none, so that several are refused.

    Raises
    ------
    MissingFileError, DocumentError, StudyError
        When there is no result, a damaged one, or several of one slide of which none is chosen.
    """
    seen: dict[str, list[RunFolder]] = {}
    for folder in folders:
        own = [folder] if (folder / COMMIT_MARK).exists() else _below(folder)
        if not own:
            raise MissingFileError(f"{folder}: contains no result of cxpath score", "give a results folder")
        for path in own:
            run = read_run_folder(path)
            several = seen.setdefault(plain_name(run.score.slide.name), [])
            if all(path.resolve() != one.path.resolve() for one in several):
                several.append(run)
    return {name: _chosen(several, prefer).path for name, several in seen.items()}


def _chosen(several: Sequence[RunFolder], prefer: str) -> RunFolder:
    """Return the one result of a slide that is wanted."""
    if len(several) == 1:
        return several[0]
    first, second = several[:2]
    if len({one.score.slide.digest for one in several}) > 1 and prefer in {"", NEWEST}:
        raise StudyError(
            f"{second.path}: is of another slide of the same name as {first.path}",
            "keep the one that was read, or pass part of its path with --prefer",
        )
    if prefer == NEWEST:
        return max(several, key=_started)
    fitting = [one for one in several if prefer and prefer in str(one.path)]
    if len(fitting) == 1:
        return fitting[0]
    if not prefer:
        raise StudyError(
            f"{second.path}: is of the same slide as {first.path}",
            "keep one result of each slide, or choose with --prefer newest or --prefer PART-OF-ITS-PATH",
        )
    raise StudyError(
        f"{second.path}: of {len(several)} results of its slide {len(fitting)} have {prefer!r} in their path",
        "--prefer takes newest, or a text that occurs in the path of exactly one of them",
    )


def _started(run: RunFolder) -> datetime:
    """Return when a run began."""
    try:
        began = datetime.fromisoformat(run.run.started)
    except ValueError as error:
        raise StudyError(
            f"{run.path}: run.json does not say when the run began", "choose by part of the folder's path"
        ) from error
    return began if began.tzinfo else began.replace(tzinfo=UTC)


def _below(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob(f"*/{COMMIT_MARK}"))


def plain_name(name: str) -> str:
    """Return a slide's or case's name without folder, ending and case."""
    plain = PurePath(name.strip()).name.casefold()
    stem, dot, ending = plain.rpartition(".")
    return stem if dot and ending.isalnum() and 2 <= len(ending) <= 5 and not ending.isdigit() else plain


def slide_names(slide: str, case: str) -> tuple[str, ...]:
    """Return the plain names under which a result of a read may be found, the slide's first."""
    return tuple(plain_name(name) for name in (slide, case) if name)


def _software_read(read: Read, document: ScoreDocument, score: str) -> Read:
    return Read(
        case=read.case,
        slide=read.slide,
        patient=read.patient,
        reader=SOFTWARE,
        score=read.score,
        value=_value(document, score),
        assay=document.assay,
        groups=read.groups,
    )


def _used_again(several: int) -> Iterator[str]:
    """Say how many slides have no result of their own, but that of another slide of the same case."""
    if several:
        were = f"{counted(several, 'slide')} {'was' if several == 1 else 'were'}"
        yield (
            f"{were} compared with a result that another slide of the same case was compared "
            "with, too: enter the file name of each slide in the column slide"
        )


def _value(document: ScoreDocument, score: str) -> ReadValue:
    if not document.evaluable:
        return NOT_EVALUABLE
    found = document.cps if score.casefold() == "cps" else document.tps
    return exactly(found.value) if found else NO_READ


def _differ(stated: str, scored: str) -> bool:
    return bool(stated) and scored != "unknown" and stated.casefold() != scored.casefold()


def _remarks(without: int, unused: Sequence[str], assays: Sequence[str]) -> Iterator[str]:
    if without:
        are = "has no cxpath result and is" if without == 1 else "have no cxpath result and are"
        yield f"{counted(without, 'case')} {are} compared among readers only"
    if unused:
        more = ", ..." if len(unused) > 3 else ""
        are = f"{counted(len(unused), 'cxpath result')} {'is' if len(unused) == 1 else 'are'}"
        yield f"{are} of no case in the table: {', '.join(unused[:3])}{more}"
    if assays:
        yield f"reads and results state different assays: {'; '.join(assays)}"
