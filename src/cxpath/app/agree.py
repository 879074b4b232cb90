"""Run an agreement study: join reads with results, compute, write document and tables."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from pydantic import ValidationError

from cxpath.agreement import (
    RULE,
    AgreementSettings,
    AgreementStudy,
    OnestCurve,
    PairwiseMeasure,
    Roles,
    Scale,
    Scored,
    draw_cases,
    onest_curves,
    pairwise_matrix,
    study_reads,
)
from cxpath.data import NO_READ, NOT_EVALUABLE, Read, ReadValue, Reason, ReasonCode, coded, exactly
from cxpath.documents import (
    COMMIT_MARK,
    AgreementDocument,
    AgreementProvenance,
    CodedText,
    OnestEntry,
    PairwiseEntry,
    RoundEntry,
    RunFolder,
    ScoreDocument,
    ScoresEntry,
    SourceTable,
    StatisticEntry,
    read_run_folder,
)
from cxpath.errors import ConfigurationError, MissingFileError, OutputError, StudyError
from cxpath.io import TIDY_COLUMNS, output_error, read_reads, refuse_lookalikes, write_rows
from cxpath.report import build_agreement_report
from cxpath.version import __version__

# `agreement.json`: every statistic of a study with estimate, interval, n and method.


def agreement_document(
    study: AgreementStudy,
    sources: Sequence[Path],
    warnings: Sequence[Reason],
    model_digests: Sequence[str] = (),
) -> AgreementDocument:
    """Return the content of `agreement.json`.

    Parameters
    ----------
    study : AgreementStudy
    sources : sequence of Path
        The reads tables; named with their digests.
    warnings : sequence of Reason
        Of reading and joining; those of the statistics are added.
    model_digests : sequence of str
        Of the models behind cxpath's results.
    """
    said = (*warnings, *coded(ReasonCode.CAVEAT, study.warnings))
    return AgreementDocument(
        score=study.score,
        software=study.software or None,
        reference=study.reference or None,
        consensus=RULE,
        settings=study.settings,
        sources=tuple(
            SourceTable(name=path.name, digest=hashlib.sha256(path.read_bytes()).hexdigest())
            for path in sources
        ),
        warnings=tuple(map(CodedText.of, said)),
        rounds=tuple(
            _round(number, roles, study.settings, study.arms.get(number, ""))
            for number, roles in study.rounds.items()
        ),
        statistics=tuple(map(StatisticEntry.of_statistic, study.statistics)),
        provenance=AgreementProvenance(
            cxpath=__version__,
            python=platform.python_version(),
            numpy=version("numpy"),
            scipy=version("scipy"),
            model_digests=tuple(model_digests),
        ),
    )


def _round(number: int, roles: Roles, settings: AgreementSettings, arm: str) -> RoundEntry:
    readers = roles.readers
    return RoundEntry(
        round=number,
        arm=arm,
        cases=len(readers.units),
        patients=len(np.unique(readers.cluster)),
        readers=tuple(readers.readers),
        reads=int(np.count_nonzero(np.isfinite(readers.values))),
        not_evaluable=int(np.count_nonzero(readers.not_evaluable)),
        groupings={
            name: tuple(sorted({level for level in of if level})) for name, of in readers.groups.items()
        },
        why=roles.why,
        compared=_scores(roles.compared),
        reference=_scores(roles.reference),
        units=tuple(readers.units),
        onest=tuple(_curves(roles, settings)),
        pairwise=tuple(_pairwise(roles, settings)),
    )


def _scores(scored: Scored | None) -> ScoresEntry | None:
    return ScoresEntry(name=scored.name, values=_numbers(scored.values)) if scored else None


def _numbers(values: np.ndarray) -> tuple[float | None, ...]:
    return tuple(round(float(value), 6) if np.isfinite(value) else None for value in values.ravel())


def _curves(roles: Roles, settings: AgreementSettings) -> Iterator[OnestEntry]:
    readers = roles.readers
    if len(readers.readers) < 2:
        return
    draws = draw_cases(readers.cluster, settings.replicates, settings.level, settings.seed)
    for cutoff in settings.cutoffs:
        for curve in onest_curves(readers.reaches(cutoff), draws, settings):
            yield _curve(curve, f"≥ {cutoff:g}")


def _curve(curve: OnestCurve, cutoff: str) -> OnestEntry:
    return OnestEntry(
        cutoff=cutoff,
        missing=curve.missing.value,
        cases=curve.cases,
        readers=tuple(curve.readers.tolist()),
        mean=_numbers(curve.mean),
        low=_numbers(curve.low),
        high=_numbers(curve.high),
        order_low=_numbers(curve.order_low),
        order_high=_numbers(curve.order_high),
    )


def _pairwise(roles: Roles, settings: AgreementSettings) -> Iterator[PairwiseEntry]:
    """Yield matrices of readers by readers, the software last."""
    readers = roles.readers
    names = readers.readers
    columns = {f"≥ {cutoff:g}": readers.reaches(cutoff) for cutoff in settings.cutoffs}
    scores = Scale.LOG.of(readers.values)
    if roles.software:
        names = (*names, roles.software.name)
        for cutoff in settings.cutoffs:
            own = roles.software.reaches[cutoff][:, None]
            columns[f"≥ {cutoff:g}"] = np.hstack([columns[f"≥ {cutoff:g}"], own])
        scores = np.hstack([scores, Scale.LOG.of(roles.software.values)[:, None]])
    if len(names) < 2:
        return
    for cutoff_name, sides in columns.items():
        for measure in (PairwiseMeasure.OPA, PairwiseMeasure.KAPPA):
            values = _table(sides, measure)
            yield PairwiseEntry(measure=measure.value, cutoff=cutoff_name, readers=names, values=values)
    ccc = PairwiseMeasure.CCC
    values = _table(scores, ccc)
    yield PairwiseEntry(measure=ccc.value, scale=Scale.LOG.value, readers=names, values=values)


def _table(reads: np.ndarray, measure: PairwiseMeasure) -> tuple[tuple[float | None, ...], ...]:
    return tuple(_numbers(row) for row in pairwise_matrix(reads, measure))


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
    joined = []
    used = set()
    assays = set()
    for read in units.values():
        name = next((name for name in slide_names(read.slide, read.case) if name in found), None)
        if name is None:
            continue
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
            ReasonCode.JOIN, _remarks(len(units) - len(joined), sorted(set(found) - used), sorted(assays))
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


# A study of agreement, whole: reads and results in; `agreement.json`, tables, figures and report out.


DOCUMENT = "agreement.json"
UNNAMED = "score"
"""What a score is called that nobody named."""


@dataclass(frozen=True)
class AgreementRequest:
    """What is to be compared.

    Parameters
    ----------
    reads : tuple of Path
        Tables of manual reads, taken together.
    results : tuple of Path
        Results folders of `cxpath score`, or folders that contain some.
    score : str
        Empty for the one that the tables name.
    prefer : str
        Which of several results of one slide: "newest", or part of its folder's path.
    software, reference : str
        The reader in the tables that is software; the one that is the reference. Empty for none; with
        `results` the software is cxpath.
    groups : tuple of str
        Further columns by which cases are grouped.
    readers : tuple of str
        The readers to take; all by default.
    settings : AgreementSettings
    """

    reads: tuple[Path, ...]
    results: tuple[Path, ...] = ()
    score: str = ""
    prefer: str = ""
    software: str = ""
    reference: str = ""
    groups: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    settings: AgreementSettings = field(default_factory=AgreementSettings)


@dataclass(frozen=True)
class StudiedReads:
    """All reads of a study, what a person should know about them, and which score they are of."""

    reads: tuple[Read, ...]
    warnings: tuple[Reason, ...]
    score: str
    model_digests: tuple[str, ...] = ()


def compare(request: AgreementRequest) -> tuple[AgreementStudy, StudiedReads]:
    """Read, join and compute; writes nothing.

    Raises
    ------
    MissingFileError, ReadsFileError, DocumentError, StudyError
    """
    joined = _joined(request)
    software = request.software
    if request.results:
        if software and software != SOFTWARE:
            raise StudyError(f"both results and software {software!r} were named", "compare one at a time")
        software = SOFTWARE
    study = study_reads(
        joined.reads,
        request.settings,
        score=joined.score,
        software=software,
        reference=request.reference,
    )
    return study, joined


def run_agreement(request: AgreementRequest, out: Path, *, overwrite: bool = False) -> AgreementStudy:
    """Compute a study and leave its folder.

    Parameters
    ----------
    request : AgreementRequest
    out : Path
        Folder for `agreement.json`, `report.html`, `tables/` and `figures/`.
    overwrite : bool
        Replace an earlier study.

    Raises
    ------
    OutputError
        When a study is there already, or the place cannot be written; else as `compare`.
    """
    if (out / DOCUMENT).exists() and not overwrite:
        raise OutputError(f"{out}: contains a study already", "pass --overwrite or choose another --out")
    study, joined = compare(request)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(out, error) from error
    document = agreement_document(study, request.reads, joined.warnings, joined.model_digests)
    document.write(out / DOCUMENT)
    build_agreement_report(out)
    return study


def agreement_settings(**stated: Any) -> AgreementSettings:
    """Return settings, checked.

    Raises
    ------
    ConfigurationError
        Naming the first that is not allowed.
    """
    try:
        return AgreementSettings.model_validate(stated)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{where}: {first['msg']}", "cut-offs are rising numbers: 1,10") from error


def _joined(request: AgreementRequest) -> StudiedReads:
    reads: list[Read] = []
    warnings: list[Reason] = []
    seen: dict[tuple[object, ...], Path] = {}
    for path in request.reads:
        table = read_reads(path, request.score, request.groups, request.readers)
        for read in table.reads:
            key = (read.unit, read.reader, read.round, read.score.casefold())
            if key in seen:
                raise StudyError(
                    f"{path}: row {read.row}: case {read.case} was read by {read.reader!r} in round "
                    f"{read.round} in {seen[key].name}, too",
                    "number the rounds, or give one of the tables",
                )
        seen |= {(r.unit, r.reader, r.round, r.score.casefold()): path for r in table.reads}
        reads += table.reads
        warnings += coded(ReasonCode.READS_TABLE, table.warnings)
    refuse_lookalikes(reads, "the tables of reads")
    score, remark = _score_of(reads, request)
    reads = [read if read.score else replace(read, score=score) for read in reads]
    warnings += coded(ReasonCode.READS_TABLE, [remark] if remark else [])
    if not request.results:
        return StudiedReads(tuple(reads), tuple(warnings), score)
    if any(read.reader == SOFTWARE for read in reads):
        raise StudyError(
            f"a reader in the table is called {SOFTWARE!r}", "rename that reader, or drop --results"
        )
    joined = join_results(reads, request.results, score, request.prefer)
    return StudiedReads(joined.reads, (*warnings, *joined.warnings), score, joined.model_digests)


def _score_of(reads: Sequence[Read], request: AgreementRequest) -> tuple[str, str]:
    """Return which score is studied, and a remark where the tables do not say it.

    Raises
    ------
    StudyError
        When the tables name several, or name one in some rows only.
    """
    if request.score:
        return request.score, ""
    named = {read.score.casefold(): read.score for read in reads if read.score}
    if len(named) > 1:
        raise StudyError(
            f"the tables contain several scores: {', '.join(named.values())}", "choose one with --score"
        )
    if named and not all(read.score for read in reads):
        raise StudyError(
            f"some reads are of score {next(iter(named.values()))} and some of no named score",
            "fill in the column score, or pass --score",
        )
    if named:
        return next(iter(named.values())), ""
    if request.results:
        return "CPS", "the tables do not name the score: compared with cxpath's CPS; pass --score to name it"
    return UNNAMED, "the tables do not name the score that was read: pass --score to name it"


def write_template(path: Path, cases: int = 3, readers: int = 2, *, overwrite: bool = False) -> None:
    """Write a table to fill in: a row for every case and reader, the value left empty.

    Parameters
    ----------
    path : Path
        `.csv` or `.xlsx`.
    cases, readers : int
    overwrite : bool

    Raises
    ------
    OutputError
        When the file is there already, or cannot be written.
    """
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: is there already", "pass --overwrite or choose another name")
    filled = {"round": "1", "score": "CPS", "assay": "22c3"}
    rows = [
        [
            {"case": f"case{case:03d}", "reader": f"reader{reader}", **filled}.get(column, "")
            for column in TIDY_COLUMNS
        ]
        for reader in range(1, readers + 1)
        for case in range(1, cases + 1)
    ]
    write_rows(path, TIDY_COLUMNS, rows)


# What `import cxpath` offers for manual reads; apart, since scoring needs no statistics and no plots.


def compare_reads(
    reads: str | Path | Sequence[str | Path],
    out: str | Path | None = None,
    *,
    results: Sequence[str | Path] = (),
    settings: AgreementSettings | None = None,
    overwrite: bool = False,
    score: str = "",
    prefer: str = "",
    software: str = "",
    reference: str = "",
    groups: Sequence[str] = (),
) -> AgreementStudy:
    """Study the agreement of manual reads and software: the same as `cxpath agree run`.

    Parameters
    ----------
    reads : path or sequence of paths
        Tables of reads, CSV or XLSX.
    out : str or Path, optional
        Folder for `agreement.json`, report, tables and figures; nothing is written without it.
    results : sequence of paths
        Results folders of `cxpath score`, or folders that contain some.
    settings : AgreementSettings, optional
    overwrite : bool
        Replace an earlier study in `out`.
    score : str
        Name of the score that was read; the one that the tables name by default.
    prefer : str
        Of several results of one slide: "newest", or part of its folder's path.
    software, reference : str
        The reader in the tables that is software, and the one that is the reference; empty for none.
    groups : sequence of str
        Further columns by which cases are grouped.

    Returns
    -------
    AgreementStudy
    """
    tables = [reads] if isinstance(reads, str | Path) else reads
    request = AgreementRequest(
        reads=tuple(Path(table) for table in tables),
        results=tuple(Path(folder) for folder in results),
        score=score,
        prefer=prefer,
        software=software,
        reference=reference,
        groups=tuple(groups),
        settings=settings or AgreementSettings(),
    )
    if out is None:
        return compare(request)[0]
    return run_agreement(request, Path(out), overwrite=overwrite)
