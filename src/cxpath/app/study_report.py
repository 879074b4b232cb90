"""`cxpath study report`: export, agreement, and unaided against aided reading, in one folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement import (
    OTHERS,
    AgreementSettings,
    AidedReads,
    ArmsTest,
    MrmcTest,
    Statistic,
    aided_reads,
    aided_statistics,
    arms_tests,
    by_reader,
    read_matrix,
)
from cxpath.app.agree import AgreementRequest, run_agreement
from cxpath.app.study import READS, StudyFolder, StudyRead, export_study, reads_of, submitted_reads
from cxpath.app.study_facts import counted, study_facts, study_methods
from cxpath.data import Read
from cxpath.documents import (
    ArmEntry,
    ArmsTestEntry,
    ComponentsEntry,
    ExportDocument,
    StatisticEntry,
    StudyReportDocument,
    finite,
)
from cxpath.errors import OutputError
from cxpath.io import folder_for
from cxpath.report import build_study_page, checklist
from cxpath.review import Arm, Start, StudyDesign
from cxpath.version import __version__

DOCUMENT, EXPORT_FOLDER, AGREEMENT_FOLDER = "study.json", "export", "agreement"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ReportRequest:
    """How a report is computed.

    Parameters
    ----------
    replicates, seed : int
        Of the bootstrap.
    level : float
        Of all intervals.
    """

    replicates: int = 2000
    seed: int = 1
    level: float = 0.95


def report_study(
    study: StudyFolder, out: Path, request: ReportRequest | None = None, *, overwrite: bool = False
) -> StudyReportDocument:
    """Write `export/`, `agreement/`, `study.json`, `report.html`, tables and figures.

    Raises
    ------
    OutputError
        When a report is there already, or nothing can be written.
    ReviewError, StudyError
        When a record is broken, or the reads allow no study.
    """
    if (out / DOCUMENT).exists() and not overwrite:
        raise OutputError(f"{out}: contains a report already", "pass --overwrite or choose another --out")
    request = request or ReportRequest()
    settings = AgreementSettings(
        cutoffs=study.design.cutoffs, replicates=request.replicates, seed=request.seed, level=request.level
    )
    folder_for(out)
    exported = export_study(study, out / EXPORT_FOLDER, overwrite=overwrite)
    table = (out / EXPORT_FOLDER / READS,)
    if len({read.reader for read in reads_of(study)}) > 1:
        agreement = AgreementRequest(table, score=study.design.score, settings=settings)
        run_agreement(agreement, out / AGREEMENT_FOLDER, overwrite=overwrite)
    document = study_document(study, exported, settings)
    document.write(out / DOCUMENT)
    build_study_page(out, document, agreement=(out / AGREEMENT_FOLDER / "report.html").is_file())
    return document


def study_document(
    study: StudyFolder, exported: ExportDocument, settings: AgreementSettings
) -> StudyReportDocument:
    """Return the content of `study.json`."""
    design, reads = study.design, reads_of(study)
    answered = list(submitted_reads(study))
    compared = compared_reads(design, reads, answered)
    statistics: list[Statistic] = []
    tests: list[ArmsTest] = []
    if compared is not None:
        statistics = [*aided_statistics(compared, settings), *by_reader(compared, settings)]
        tests = arms_tests(compared, settings)
    reference = compared.reference if compared else ""
    facts = study_facts(design, exported, answered, statistics, reference)
    return StudyReportDocument(
        study=design.name,
        design=design.digest,
        score=design.score,
        readers=tuple(dict.fromkeys(read.reader for read in reads)),
        cases=len({read.unit for read in reads}),
        patients=len({read.patient or read.case for read in reads}),
        rounds=tuple(one.arm.value for one in design.rounds),
        reads=exported.reads,
        planned=exported.planned,
        not_evaluable=sum(one.read.answer.score is None for one in answered),
        reference=reference,
        settings=settings,
        statistics=tuple(map(StatisticEntry.of_statistic, statistics)),
        tests=tuple(map(_test_entry, tests)),
        checklist=checklist(facts),
        methods=tuple(study_methods(facts)),
        warnings=tuple(_warnings(design, exported, compared)),
        cxpath=__version__,
    )


def compared_reads(
    design: StudyDesign, reads: Sequence[Read], answered: Sequence[StudyRead]
) -> AidedReads | None:
    """Return the first unaided and the first aided round side by side; None where one has no reads."""
    numbers = [_first_round(design, arm) for arm in (Arm.UNAIDED, Arm.AIDED)]
    made = {read.round for read in reads}
    if None in numbers or not set(numbers) <= made:
        return None
    first, second = (read_matrix(reads, number or 0) for number in numbers)
    units = first.units
    software = _of_slides(units, {one.id: one.software for one in design.slides})
    stated = {one.id: one.reference for one in design.slides}
    reference = _of_slides(units, stated) if any(value is not None for value in stated.values()) else None
    joined = aided_reads(first, second, software, reference)
    if design.rounds[(numbers[1] or 0) - 1].start is Start.SAME_SITTING:
        return joined  # its time comes on top of the unaided read's
    seconds = {
        arm.value: _seconds(joined, answered, number or 0)
        for arm, number in zip((Arm.UNAIDED, Arm.AIDED), numbers, strict=True)
    }
    return aided_reads(first, second, software, reference, seconds)


def _first_round(design: StudyDesign, arm: Arm) -> int | None:
    return next((number for number, one in enumerate(design.rounds, 1) if one.arm is arm), None)


def _of_slides(units: Sequence[tuple[str, str]], values: Mapping[str, float | str | None]) -> Floats:
    """Return a number for each unit's slide; NaN without one."""
    found = [values.get(slide) for _, slide in units]
    return np.array([value if isinstance(value, float) else np.nan for value in found], dtype=np.float64)


def _seconds(joined: AidedReads, answered: Sequence[StudyRead], number: int) -> Floats:
    """Return how long each read of a round took, (N, R); NaN where there is none."""
    place = {unit: row for row, unit in enumerate(joined.units)}
    taken = np.full(joined.unaided.shape, np.nan)
    for one in answered:
        if one.round == number and one.reader in joined.readers and (one.case, one.slide) in place:
            taken[place[one.case, one.slide], joined.readers.index(one.reader)] = one.read.seconds
    return taken


def _test_entry(one: ArmsTest) -> ArmsTestEntry:
    stated = {"figure": one.figure, "cutoff": one.cutoff, "cases": one.cases, "left_out": one.left_out}
    if one.test is None:
        return ArmsTestEntry(**stated, why=one.why)
    return _tested(one.test, stated)


def _tested(test: MrmcTest, stated: Mapping[str, object]) -> ArmsTestEntry:
    return ArmsTestEntry(
        **stated,
        why="",
        difference=test.difference,
        standard_error=test.standard_error,
        interval=(test.interval.low, test.interval.high),
        f=test.f,
        degrees=finite(test.degrees),
        p_value=test.p_value,
        arms=tuple(
            ArmEntry(
                arm=arm.value,
                mean=mean.value,
                standard_error=mean.standard_error,
                degrees=finite(mean.degrees),
                interval=(mean.interval.low, mean.interval.high),
            )
            for arm, mean in zip((Arm.UNAIDED, Arm.AIDED), test.arms, strict=True)
        ),
        components=ComponentsEntry(**vars(test.components)),
    )


_FEWEST_READERS, _FEWEST_CASES = 5, 50


def _warnings(design: StudyDesign, exported: ExportDocument, compared: AidedReads | None) -> list[str]:
    """Return the caveats for a reader of the report."""
    found = []
    if not exported.complete:
        found.append(f"The study is not finished: {exported.reads} of {exported.planned} planned reads.")
    if compared is None:
        return found
    readers, cases = len(compared.readers), len(compared.units)
    if readers < _FEWEST_READERS:
        found.append(
            f"{counted(readers, 'reader')}: intervals for readers in general are wide and rest on few; "
            f"aim for {_FEWEST_READERS} or more."
        )
    if cases < _FEWEST_CASES:
        found.append(f"{counted(cases, 'case')}: aim for {_FEWEST_CASES} or more.")
    if compared.reference == OTHERS:
        found.append(
            "No reference scores are stated: right is what the other readers' median said unaided. Aided "
            "readers can agree with it by following the same software; it is no truth."
        )
    same = [one for one in design.rounds if one.start is Start.SAME_SITTING and one.arm is Arm.AIDED]
    if same:
        found.append(
            "Aided reads followed in the same sitting: their time comes on top of the unaided "
            "read's, and no time saved is computed."
        )
    return found
