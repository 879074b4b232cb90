"""`cxpath study report`: export, agreement, and unaided against aided reading, in one folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxpath import __version__
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
from cxpath.data import Read, counted
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

# What a reader study says of itself, in sentences: for its checklist and its methods section.

_BLINDING = (
    "Readers saw slides one by one under random names, in a random order for each reader, from a "
    "seed; file names, labels, other readers' answers and the software's score were "
    "withheld{until}."
)
_MISSING = (
    "Missing reads were not imputed. Tests over readers and cases use "
    "cases that all readers read in both arms."
)
_PROTOCOL = (
    "The design is in study.toml (SHA-256 {digest}…); each reader's record is a chain of hashes "
    "that begins with it, so that a later change would show."
)
_STATISTICS = (
    "We report the share of reads on the right side of each cut-off, mean pairwise agreement, "
    "changes of side and anchoring (reads that were right unaided and wrong aided, where the "
    "software was wrong){time}, unaided and aided."
)
_UNCERTAINTY = (
    "Intervals are from a two-way bootstrap over readers and patients (Owen 2007); "
    "differences are also tested for readers and cases in general (Obuchowski and Rockette 1995, "
    "degrees of freedom by Hillis 2007)."
)


def study_facts(
    design: StudyDesign,
    exported: ExportDocument,
    answered: Sequence[StudyRead],
    statistics: Sequence[Statistic],
    reference: str,
) -> dict[str, str]:
    """Return sentences by the question that they answer; empty ones where the study does not know.

    Parameters
    ----------
    design : StudyDesign
    exported : ExportDocument
    answered : sequence of StudyRead
    statistics : sequence of Statistic
    reference : str
        What a right read is, in words; empty where arms are not compared.
    """
    aided = any(one.arm is Arm.AIDED for one in design.rounds)
    always = {
        "slides": _slides(design),
        "readers": _readers(design),
        "arms": _arms(design),
        "wash_out": _wash_out(design),
        "questions": _questions(design),
        "cutoffs": f"Cut-offs were {_listed([f'{cutoff:g}' for cutoff in design.cutoffs])}, fixed before the "
        "first read.",
        "blinding": _BLINDING.format(until=", the latter until the aided read" if aided else ""),
        "blinded_names": "File names were replaced by random names, others for each reader and sitting.",
        "inadequate": _inadequate(answered),
        "missing": _MISSING,
        "protocol": _PROTOCOL.format(digest=exported.design[:16]),
        "flow": f"{exported.reads} of {exported.planned} planned reads were made.",
        "variability": "Agreement between readers and over rounds is in the agreement report.",
        "tool": f"Reads were made in the browser and analysed with cxpath {__version__}.",
    }
    if not aided:
        return always
    timed = any(one.key.startswith("seconds") for one in statistics)
    return always | {
        "display": "The software's score was shown next to the slide in aided rounds only.",
        "output": f"A {design.score} of the slide, or that it is not evaluable.",
        "reference": f"A read is right where it is on the same side of the cut-off as {reference}."
        if reference
        else "",
        "statistics": _STATISTICS.format(time=", and the time of each read" if timed else ""),
        "uncertainty": _UNCERTAINTY,
        "anchoring": _anchoring(statistics),
    }


def study_methods(facts: Mapping[str, str]) -> list[str]:
    """Return paragraphs that a methods section may quote."""
    groups = (
        ("readers", "slides", "arms", "wash_out", "blinding"),
        ("questions", "cutoffs", "inadequate", "protocol"),
        ("reference", "statistics", "uncertainty", "missing", "flow", "tool"),
    )
    return [" ".join(facts[name] for name in names if facts.get(name)) for names in groups]


def _slides(design: StudyDesign) -> str:
    studied = sum(not slide.practice for slide in design.slides)
    practice = len(design.slides) - studied
    before = f", after {counted(practice, 'slide')} for practice" if practice else ""
    return f"{counted(studied, 'slide')} were studied{before}."


def _readers(design: StudyDesign) -> str:
    number = len(design.readers)
    shared = f"each slide was read by {design.readers_per_slide} of them, anchor slides by all"
    how = shared if design.readers_per_slide else "each read every slide"
    return f"{counted(number, 'reader')} took part; {how}."


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _arms(design: StudyDesign) -> str:
    arms = [one.arm.value for one in design.rounds]
    if len(arms) == 1:
        return f"Slides were read once, {arms[0]}."
    crossed = any(reader.sequence for reader in design.readers)
    order = "; the order of rounds differed between readers." if crossed else "."
    return f"Slides were read in {counted(len(arms), 'round')}: {_listed(arms)}{order}"


def _wash_out(design: StudyDesign) -> str:
    later = [one.start for one in design.rounds[1:]]
    said = []
    if Start.WASH_OUT in later:
        said.append(f"Between rounds lay at least {design.wash_out_days:g} days for each reader.")
    if Start.SAME_SITTING in later:
        said.append("Aided reads followed right after the unaided read of the same slide.")
    return " ".join(said)


def _questions(design: StudyDesign) -> str:
    asked = design.questions
    words = [f"the {design.score}"]
    words = ["whether the slide can be scored", *words] if asked.adequacy else words
    words += ["the side of each cut-off"] if asked.sides else []
    words += ["confidence from 1 to 5"] if asked.confidence else []
    return f"Every read had to state {_listed(words)}; time was measured while the page was in front."


def _inadequate(answered: Sequence[StudyRead]) -> str:
    number = sum(not one.read.answer.adequate for one in answered)
    reads = "1 read was" if number == 1 else f"{number} reads were"
    return f"{reads} not evaluable in the reader's judgement and have no score."


def _anchoring(statistics: Sequence[Statistic]) -> str:
    return " ".join(
        f"At {one.context['cutoff']}, {one.method} that were right unaided while the software was wrong "
        f"changed to wrong: {_figure(one)}."
        for one in statistics
        if one.key == "anchored" and "reader" not in one.context and np.isfinite(one.value)
    )


def _figure(one: Statistic) -> str:
    edges = f" ({one.intervals[0].low:.3f} to {one.intervals[0].high:.3f})" if one.intervals else ""
    return f"{one.value:.3f}{edges}"


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
    try:
        build_study_page(out, document, agreement=(out / AGREEMENT_FOLDER / "report.html").is_file())
    except BaseException:  # a signal or a full disk: without its page it is no report yet
        with suppress(OSError):
            (out / DOCUMENT).unlink()
        raise
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
            f"{counted(readers, 'reader')}: intervals for readers in general are wide and uncertain; "
            f"aim for {_FEWEST_READERS} or more."
        )
    if cases < _FEWEST_CASES:
        found.append(f"{counted(cases, 'case')}: aim for {_FEWEST_CASES} or more.")
    if compared.reference == OTHERS:
        found.append(
            "No reference scores are stated: the median of the other readers' unaided reads counts as right. "
            "Aided readers may agree with it only because all follow the same software; it is not the truth."
        )
    same = [one for one in design.rounds if one.start is Start.SAME_SITTING and one.arm is Arm.AIDED]
    if same:
        found.append(
            "Aided reads followed in the same sitting: their time comes on top of the unaided "
            "read's, so no saved time is computed."
        )
    return found
