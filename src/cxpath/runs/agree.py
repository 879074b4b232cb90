"""A study of agreement, whole: reads and results in; `agreement.json`, tables, figures and report out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cxpath.agreement.settings import AgreementSettings
from cxpath.agreement.study import AgreementStudy, study_reads
from cxpath.exchange.reads_table import TIDY_COLUMNS, read_reads
from cxpath.exchange.safe_rows import write_rows
from cxpath.exchange.whole_file import output_error
from cxpath.report.agreement.page import build_agreement_report
from cxpath.runs.agreement_document import agreement_document
from cxpath.runs.documents import write_json
from cxpath.runs.joined_reads import SOFTWARE, JoinedReads, join_results
from cxpath.values.errors import ConfigurationError, OutputError, StudyError
from cxpath.values.reads import Read

DOCUMENT = "agreement.json"


@dataclass(frozen=True)
class AgreementRequest:
    """What is to be compared.

    Parameters
    ----------
    reads : tuple of Path
        Tables of manual reads, taken together.
    results : tuple of Path
        Results folders of `cxpath score`, or folders that hold some.
    score : str
    software, reference : str
        The reader in the tables that is software; the one that is the reference. Empty for none; with
        `results` the software is cxpath.
    groups : tuple of str
        Further columns by which cases are grouped.
    settings : AgreementSettings
    """

    reads: tuple[Path, ...]
    results: tuple[Path, ...] = ()
    score: str = "CPS"
    software: str = ""
    reference: str = ""
    groups: tuple[str, ...] = ()
    settings: AgreementSettings = field(default_factory=AgreementSettings)


def compare(request: AgreementRequest) -> tuple[AgreementStudy, JoinedReads]:
    """Read, join and compute; writes nothing.

    Raises
    ------
    MissingFileError, ReadsFileError, RunFolderError, StudyError
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
        score=request.score,
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
        raise OutputError(f"{out}: holds a study already", "pass --overwrite or choose another --out")
    study, joined = compare(request)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(out, error) from error
    document = agreement_document(study, request.reads, joined.warnings, joined.model_digests)
    write_json(out / DOCUMENT, document)
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


def _joined(request: AgreementRequest) -> JoinedReads:
    reads: list[Read] = []
    warnings: list[str] = []
    seen: dict[tuple[object, ...], Path] = {}
    for path in request.reads:
        table = read_reads(path, request.score, request.groups)
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
        warnings += table.warnings
    if not request.results:
        return JoinedReads(tuple(reads), tuple(warnings), 0)
    if any(read.reader == SOFTWARE for read in reads):
        raise StudyError(
            f"a reader in the table is called {SOFTWARE!r}", "rename that reader, or drop --results"
        )
    joined = join_results(reads, request.results, request.score)
    return JoinedReads(joined.reads, (*warnings, *joined.warnings), joined.results, joined.model_digests)


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
