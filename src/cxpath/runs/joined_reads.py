"""Manual reads joined with cxpath's own results, found by the name of the slide or of the case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from cxpath.report.run_folder import read_run_folder
from cxpath.runs.results_folder import COMMIT_MARK
from cxpath.values.errors import MissingFileError, StudyError
from cxpath.values.reads import NO_READ, NOT_EVALUABLE, Read, ReadValue, exactly

SOFTWARE = "cxpath"
"""The reader that cxpath is."""

_SCORES = {"cps": "cps", "tps": "tps"}


@dataclass(frozen=True)
class JoinedReads:
    """Reads of people and of cxpath, and what a person should know about the join."""

    reads: tuple[Read, ...]
    warnings: tuple[str, ...]
    results: int
    model_digests: tuple[str, ...] = ()


def join_results(reads: Sequence[Read], folders: Sequence[Path], score: str) -> JoinedReads:
    """Add cxpath's score of every unit that has a results folder.

    Parameters
    ----------
    reads : sequence of Read
    folders : sequence of Path
        Results folders of `cxpath score`, or folders that hold some.
    score : str
        "CPS" or "TPS".

    Raises
    ------
    MissingFileError
        When a folder holds no result.
    RunFolderError
        When a result is damaged.
    StudyError
        When two results are of one slide, none fits the table, or the score is not one of cxpath's.
    """
    if score.casefold() not in _SCORES:
        raise StudyError(f"cxpath results hold CPS and TPS, not {score!r}", "choose one of them with --score")
    found = {name: read_run_folder(path).score for name, path in results_by_name(folders).items()}
    units = {read.unit: read for read in reads if read.score.casefold() == score.casefold()}
    joined = []
    used = set()
    assays = set()
    for read in units.values():
        name = next((name for name in slide_names(read.slide, read.case) if name in found), None)
        if name is None:
            continue
        used.add(name)
        if _differ(read.assay, str(found[name]["assay"])):
            assays.add(f"{read.assay} and {found[name]['assay']}")
        joined.append(_software_read(read, found[name], score))
    if not joined:
        example = next(iter(found), "nothing")
        raise StudyError(
            f"none of {len(found)} results is of a slide or case in the table (first result: {example})",
            "name slides in the column slide, or cases, as the slide files are called",
        )
    return JoinedReads(
        reads=(*reads, *joined),
        warnings=tuple(_remarks(len(units) - len(joined), sorted(set(found) - used), sorted(assays))),
        results=len(joined),
        model_digests=tuple(sorted({str(found[name]["provenance"]["model_digest"]) for name in used})),
    )


def results_by_name(folders: Sequence[Path]) -> dict[str, Path]:
    """Return results folders by the plain name of their slide.

    Parameters
    ----------
    folders : sequence of Path
        Results folders of `cxpath score`, or folders that hold some.

    Raises
    ------
    MissingFileError, RunFolderError, StudyError
        When there is no result, a damaged one, or two of one slide.
    """
    seen: dict[str, Path] = {}
    for folder in folders:
        own = [folder] if (folder / COMMIT_MARK).exists() else _below(folder)
        if not own:
            raise MissingFileError(f"{folder}: holds no result of cxpath score", "name a results folder")
        for path in own:
            name = plain_name(str(read_run_folder(path).score["slide"]["name"]))
            if name in seen:
                raise StudyError(
                    f"{path}: is of the same slide as {seen[name]}", "keep one result of a slide"
                )
            seen[name] = path
    return seen


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


def _software_read(read: Read, document: Mapping[str, Any], score: str) -> Read:
    return Read(
        case=read.case,
        slide=read.slide,
        patient=read.patient,
        reader=SOFTWARE,
        score=read.score,
        value=_value(document, _SCORES[score.casefold()]),
        assay=str(document["assay"]),
        groups=read.groups,
    )


def _value(document: Mapping[str, Any], key: str) -> ReadValue:
    if not document["evaluable"]:
        return NOT_EVALUABLE
    return exactly(float(document[key]["value"])) if document.get(key) else NO_READ


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
