"""Run an agreement study: join reads with results, compute, write document and tables."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from cxpath import __version__
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
from cxpath.app.cases import SOFTWARE, join_results
from cxpath.data import Read, Reason, ReasonCode, coded
from cxpath.documents import (
    AgreementDocument,
    AgreementProvenance,
    CodedText,
    OnestEntry,
    PairwiseEntry,
    RoundEntry,
    ScoresEntry,
    SourceTable,
    StatisticEntry,
)
from cxpath.errors import ConfigurationError, OutputError, StudyError
from cxpath.io import TIDY_COLUMNS, output_error, read_reads, refuse_lookalikes, write_rows
from cxpath.report import build_agreement_report

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
            raise StudyError(f"both results and software {software!r} were given", "compare one at a time")
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
    try:
        build_agreement_report(out)
    except BaseException:  # a signal or a full disk: without its tables it is no study yet
        with suppress(OSError):
            (out / DOCUMENT).unlink()
        raise
    return study


_HINTS = {"level": "0.95 is 95 %", "margin": "0.05 is 5 points"}


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
        hint = "cut-offs are rising numbers: 1,10" if where.startswith("cutoffs") else _HINTS.get(where, "")
        raise ConfigurationError(f"{where}: {first['msg']}", hint) from error


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
    refuse_lookalikes(reads, " and ".join(str(path) for path in request.reads))
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
            f"some reads are of score {next(iter(named.values()))} and some of no stated score",
            "fill in the column score, or pass --score",
        )
    if named:
        return next(iter(named.values())), ""
    if request.results:
        return (
            "CPS",
            "the tables do not state the score: compared with cxpath's CPS; pass --score to state it",
        )
    return UNNAMED, "the tables do not state the score that was read: pass --score to state it"


def write_reads_template(path: Path, cases: int = 3, readers: int = 2, *, overwrite: bool = False) -> None:
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
