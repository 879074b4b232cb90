"""Manual reads joined with cxpath's own results, found by the name of the slide or of the case."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePath

from cxpath.data import NO_READ, NOT_EVALUABLE, Read, ReadValue, Reason, ReasonCode, coded, exactly
from cxpath.documents import COMMIT_MARK, RunFolder, ScoreDocument, read_run_folder
from cxpath.errors import MissingFileError, StudyError

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
    joined = []
    used: set[str] = set()
    assays: set[str] = set()
    several = 0
    for read in units.values():
        name = next((name for name in slide_names(read.slide, read.case) if name in found), None)
        if name is None:
            continue
        several += name in used
        used.add(name)
        if _differ(read.assay, found[name].assay):
            assays.add(f"{read.assay} and {found[name].assay}")
        joined.append(_software_read(read, found[name], score))
    if not joined:
        example = next(iter(found), "nothing")
        raise StudyError(
            f"none of {len(found)} results is of a slide or case in the table (first result: {example})",
            "name slides in the column slide, or cases, as the slide files are called",
        )
    return JoinedReads(
        reads=(*reads, *joined),
        warnings=coded(
            ReasonCode.JOIN,
            [
                *_remarks(len(units) - len(joined), sorted(set(found) - used), sorted(assays)),
                *_used_again(several),
            ],
        ),
        results=len(joined),
        model_digests=tuple(sorted({found[name].provenance.model_digest for name in used})),
    )


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
            raise MissingFileError(f"{folder}: contains no result of cxpath score", "name a results folder")
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
            "keep the one that was read, or name part of its folder with --prefer",
        )
    if prefer == NEWEST:
        return max(several, key=_started)
    fitting = [one for one in several if prefer and prefer in str(one.path)]
    if len(fitting) == 1:
        return fitting[0]
    if not prefer:
        raise StudyError(
            f"{second.path}: is of the same slide as {first.path}",
            "keep one result of a slide, or choose with --prefer newest, or --prefer part-of-its-folder",
        )
    raise StudyError(
        f"{second.path}: of {len(several)} results of its slide {len(fitting)} have {prefer!r} in their path",
        "--prefer takes newest, or a text that is in the path of one of them",
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
        yield (
            f"{several} slides were compared with a result that another slide of the same case was compared "
            "with, too: name slides in the column slide as the slide files are called"
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
        yield f"{without} cases have no cxpath result and are compared among readers only"
    if unused:
        more = ", ..." if len(unused) > 3 else ""
        yield f"{len(unused)} cxpath results are of no case in the table: {', '.join(unused[:3])}{more}"
    if assays:
        yield f"reads and results state different assays: {'; '.join(assays)}"
