from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cxpath.agreement.aided import OTHERS
from cxpath.agreement.mrmc import Components, ReaderStudyPlan
from cxpath.app.study import StudyFolder
from cxpath.app.study_init import pilot_components, plan_readers, stated_components
from cxpath.app.study_report import ReportRequest, report_study
from cxpath.documents.study import (
    StudyReportDocument,
)
from cxpath.errors import ConfigurationError, OutputError
from cxpath.review.study_design import Assignment
from tests.app.studies import begun, read_by_all
from tests.review.study_designs import AIDED, SAME_SITTING, UNAIDED, answer, design

CASES = 12
FEW = ReportRequest(replicates=100)
TRUTH = [0.4 if case % 2 else 4.0 for case in range(CASES)]
SOFTWARE = [4.0 if case == 1 else value for case, value in enumerate(TRUTH)]
"""Wrong on the second case alone."""


def slides(*, reference: bool = True) -> list[dict[str, Any]]:
    """Return slides whose reference and software scores lie on known sides of 1."""
    rows = [
        {"id": f"s{case}", "file": "x.svs", "software": SOFTWARE[case], "patient": f"p{case}"}
        for case in range(CASES)
    ]
    return [row | {"reference": TRUTH[case]} for case, row in enumerate(rows)] if reference else rows


def answers(reader: str, read: Assignment) -> Mapping[str, Any]:
    """Answer rightly, but for r1: wrong on the third case unaided, and led astray on the second."""
    case = int(read.slide[1:])
    score = TRUTH[case]
    if reader == "r1" and read.arm == "unaided" and case == 2:
        score = 0.4
    if reader == "r1" and read.arm == "aided" and case == 1:
        score = 4.0
    return answer(score, sides={"1": score >= 1})


def seconds(reader: str, read: Assignment) -> float:
    """Return a minute unaided, and three quarters of it aided."""
    return 60.0 if read.arm == "unaided" else 45.0


def studied(folder: Path, **changed: Any) -> StudyFolder:
    """Return a study that three readers have finished."""
    stated: dict[str, Any] = {"slides": slides(), "readers": 3, "cutoffs": [1.0]}
    study = begun(folder, design(**(stated | changed)))
    read_by_all(study, answers, seconds=seconds)
    return study


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a crossed study."""
    folder = tmp_path_factory.mktemp("report")
    report_study(studied(folder / "study"), folder / "out", FEW)
    return folder / "out"


@pytest.fixture(scope="module")
def document(out: Path) -> StudyReportDocument:
    """Its document."""
    return StudyReportDocument.read(out / "study.json")


def value(document: StudyReportDocument, key: str, reader: str | None = None) -> float | None:
    """Return an estimate."""
    return next(one.estimate for one in document.statistics if (one.key, one.reader) == (key, reader))


def test_figures_are_those_of_the_answers(document: StudyReportDocument) -> None:
    reads = 3 * CASES
    assert value(document, "right_unaided") == pytest.approx((reads - 1) / reads)
    assert value(document, "right_aided") == pytest.approx((reads - 1) / reads)
    assert value(document, "side_changed") == pytest.approx(2 / reads)
    assert value(document, "anchored") == pytest.approx(1 / 3)
    assert value(document, "corrected") == pytest.approx(1.0)
    assert value(document, "seconds_saved") == pytest.approx(15.0)
    assert value(document, "side_changed", "r1") == pytest.approx(2 / CASES)
    assert value(document, "side_changed", "r2") == 0


def test_everything_is_in_the_folder(out: Path) -> None:
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert {
        "study.json",
        "report.html",
        "agreement/agreement.json",
        "agreement/report.html",
        "export/reads.csv",
        "export/audit/r1.ndjson",
        "tables/arms.csv",
        "tables/changes.tex",
        "tables/mrmc.csv",
        "tables/checklist.csv",
        "figures/gain.svg",
        "figures/time.pdf",
    } <= names


def test_the_page_says_what_the_document_says(out: Path, document: StudyReportDocument) -> None:
    page = (out / "report.html").read_text(encoding="utf-8")
    for paragraph in document.methods:
        assert paragraph.split(". ")[0] in page.replace("&#39;", "'")
    assert "0.972" in page  # 35 of 36 reads on the right side
    assert "1 of 3 pairs of reads" in page
    assert "For Research Use Only" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_the_methods_paragraph_states_the_design(document: StudyReportDocument) -> None:
    text = " ".join(document.methods)
    for words in (
        "3 readers took part; each read every slide.",
        "12 slides were studied.",
        "Slides were read in 2 rounds: unaided and aided.",
        "at least 14 days",
        "72 of 72 planned reads were made.",
        "the reference of the study",
        "the time of each read",
    ):
        assert words in text


def test_the_checklist_is_filled_where_the_study_knows(document: StudyReportDocument) -> None:
    by_item = {(one.guideline, one.item): one.filled for one in document.checklist}
    assert {guideline for guideline, _ in by_item} == {"CONSORT-AI", "STARD 2015 / STARD-AI", "CLAIM"}
    assert sum(guideline == "CONSORT-AI" for guideline, _ in by_item) == 14
    assert "1 of 3 pairs of reads" in by_item["CONSORT-AI", "19"]
    assert by_item["CONSORT-AI", "2a (i)"] == ""
    assert "72 of 72" in by_item["CLAIM", "33"]


def test_tests_for_readers_and_cases_say_when_there_is_none(document: StudyReportDocument) -> None:
    by_figure = {one.figure: one for one in document.tests}
    assert set(by_figure) == {
        "share of reads on the right side",
        "sensitivity",
        "specificity",
        "area under the ROC curve",
    }
    for one in by_figure.values():
        assert (one.difference is None) == bool(one.why)
        assert one.cases == CASES


def test_without_a_reference_the_report_warns(tmp_path: Path) -> None:
    study = studied(tmp_path / "study", slides=slides(reference=False))
    document = report_study(study, tmp_path / "out", FEW)
    assert document.reference == OTHERS
    assert any("it is not the truth" in warning for warning in document.warnings)
    assert [one.figure for one in document.tests] == ["share of reads on the right side"]


def test_a_sequential_study_computes_no_time_saved(tmp_path: Path) -> None:
    study = studied(tmp_path / "study", rounds=[UNAIDED, SAME_SITTING])
    document = report_study(study, tmp_path / "out", FEW)
    assert not [one for one in document.statistics if one.key.startswith("seconds")]
    assert any("no saved time" in warning for warning in document.warnings)
    assert "the time of each read" not in " ".join(document.methods)


def test_an_unaided_study_has_a_report_as_well(tmp_path: Path) -> None:
    study = studied(tmp_path / "study", rounds=[UNAIDED])
    document = report_study(study, tmp_path / "out", FEW)
    assert (document.statistics, document.tests) == ((), ())
    assert (tmp_path / "out" / "agreement" / "report.html").is_file()


def test_an_unfinished_study_says_so(tmp_path: Path) -> None:
    study = begun(tmp_path / "study", design(slides=slides(), readers=3, cutoffs=[1.0]))
    read_by_all(study, answers, until=3)
    document = report_study(study, tmp_path / "out", FEW)
    assert document.warnings[0] == "The study is not finished: 9 of 72 planned reads."
    assert not document.statistics


def test_a_report_is_not_replaced_unasked(out: Path) -> None:
    study = begun(out.parent / "another", design(rounds=[AIDED]))
    with pytest.raises(OutputError, match="contains a report already"):
        report_study(study, out, FEW)


def test_the_table_of_arms_can_be_read_back(out: Path) -> None:
    with (out / "tables" / "arms.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["Cut-off"] == "≥ 1"
    assert rows[0]["Unaided"].startswith("0.972 (")


# Planning from a pilot, and from stated components.


STATED = "error=0.00080229,cov1=0.00034661,cov2=0.00034407,cov3=0.00023903,arm_reader=0.0002004,cases=114"


def test_stated_components_plan_as_published() -> None:
    plan = ReaderStudyPlan(0.043800322, stated_components(STATED))
    cases = {one.readers: one.cases for one in plan_readers(plan, 6, 0.8)}
    assert cases[6] == pytest.approx(251, abs=1)
    assert list(cases) == [4, 5, 6, 8, 11]
    numbers = [number or math.inf for number in cases.values()]
    assert numbers == sorted(numbers, reverse=True)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("error=1", "missing"),
        ("error=a", "no number"),
        ("error=1,error=2", "twice"),
        ("colour=1", "not a component"),
        (STATED.replace("cases=114", "cases=1.5"), "whole number"),
        (STATED.replace("error=0.00080229", "error=0"), "above 0"),
    ],
)
def test_components_that_are_none_are_refused(text: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        stated_components(text)


def test_a_pilot_gives_its_components(out: Path, document: StudyReportDocument, tmp_path: Path) -> None:
    tested = Components(0.001, 0.0002, 0.002, 0.0005, 0.0006, 0.0004, CASES)
    entry = replace_tests(document, tested)
    entry.write(tmp_path / "study.json")
    assert pilot_components(tmp_path / "study.json", cutoff="≥ 1") == tested
    with pytest.raises(ConfigurationError, match="0 tests of 'sensitivity' at 10"):
        pilot_components(tmp_path / "study.json", "sensitivity", "10")


def replace_tests(document: StudyReportDocument, components: Components) -> StudyReportDocument:
    """Return the document with one test of known components."""
    stated = document.tests[0].model_dump() | {"components": vars(components), "why": ""}
    return document.model_validate(document.model_dump(by_alias=True) | {"tests": [stated]})
