"""The page of a reader study: what stands in its tables, its figures and its checklist."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from cxpath.agreement import AgreementSettings
from cxpath.documents import ArmEntry, ArmsTestEntry, StatisticEntry, StudyReportDocument
from cxpath.report.agreement_page import Table, minus
from cxpath.report.study_page import build_study_page, checklist, study_tables


def statistic(key: str, estimate: float | None = 0.9, **stated: Any) -> StatisticEntry:
    facts: dict[str, Any] = {
        "label": key.replace("_", " "), "interval": (0.8, 0.95), "interval_method": "bootstrap", "n": 20,
        "other_intervals": (), "readers": 3, "p_value": None, "method": "18 of 20", "source": "", "note": "",
    }  # fmt: skip
    return StatisticEntry(key=key, estimate=estimate, **(facts | stated))


def arms_test(**stated: Any) -> ArmsTestEntry:
    facts: dict[str, Any] = {
        "figure": "share right", "cutoff": "≥ 1", "cases": 40, "left_out": 0, "why": "", "difference": -0.02,
        "standard_error": 0.01, "interval": (-0.04, 0.001), "f": 4.456, "degrees": 15.26, "p_value": 0.0517,
        "arms": tuple(
            ArmEntry(arm=arm, mean=mean, standard_error=0.03, degrees=None, interval=(0.8, 0.9))
            for arm, mean in (("unaided", 0.87), ("aided", 0.85))
        ),
    }  # fmt: skip
    return ArmsTestEntry(**(facts | stated))


def study(*statistics: StatisticEntry, **stated: Any) -> StudyReportDocument:
    facts: dict[str, Any] = {
        "study": "ring", "design": "0" * 64, "score": "CPS", "readers": ("R1", "R2"), "cases": 20,
        "patients": 20, "rounds": ("unaided", "aided"), "reads": 80, "planned": 80, "not_evaluable": 0,
        "reference": "consensus", "settings": AgreementSettings(), "tests": (), "checklist": checklist({}),
        "methods": (), "warnings": (), "cxpath": "1",
    }  # fmt: skip
    return StudyReportDocument(statistics=statistics, **(facts | stated))


def table(document: StudyReportDocument, key: str) -> Table:
    (found,) = [one for one in study_tables(document) if one.key == key]
    return found


def test_a_study_without_reads_has_its_checklist_and_no_other_table() -> None:
    assert [one.key for one in study_tables(study())] == ["checklist"]


def test_both_arms_stand_beside_each_other_with_their_difference() -> None:
    document = study(
        statistic("right_unaided", 0.8, cutoff="≥ 1", interval=(0.7, 0.9)),
        statistic("right_aided", 0.9, cutoff="≥ 1", interval=None),
        statistic("right_gain", 0.1, cutoff="≥ 1", interval=(-0.05, 0.2)),
    )
    assert table(document, "arms").rows == (
        (
            "≥ 1",
            "On the right side of the cut-off",
            "0.800 (0.700 to 0.900)",
            "0.900",
            "0.100 (−0.050 to 0.200)",
        ),
    )


def test_a_share_that_was_not_measured_at_a_cutoff_has_no_row_there() -> None:
    """One reader alone has nobody to agree with: no row of agreement between readers."""
    document = study(
        statistic("right_unaided", cutoff="≥ 1"),
        statistic("readers_unaided", cutoff="≥ 10"),
        statistic("readers_aided", None, cutoff="≥ 10", interval=None),
    )
    rows = table(document, "arms").rows
    assert [row[:2] for row in rows] == [
        ("≥ 1", "On the right side of the cut-off"),
        ("≥ 10", "Readers with each other (pairwise)"),
    ]
    assert rows[0][3:] == ("", "")
    assert rows[1][3:] == ("not defined", "")


def test_what_one_reader_did_is_not_taken_for_what_all_did() -> None:
    whole = statistic("right_unaided", 0.8, cutoff="≥ 1", interval=None)
    own = statistic("right_unaided", 0.1, cutoff="≥ 1", reader="R1")
    assert table(study(own, whole), "arms").rows[0][2] == "0.800"
    assert [one.key for one in study_tables(study(own))] == ["readers", "checklist"]


def test_seconds_are_printed_with_one_decimal_and_shares_with_three() -> None:
    document = study(
        statistic("seconds_unaided", 61.26, interval=(55.04, 70.0), method="18 reads"),
        statistic("time_ratio", 0.5, interval=(0.4, None), method="18 reads"),
        statistic("side_changed", 0.25, cutoff="≥ 1"),
    )
    time = table(document, "time")
    assert time.columns == ("Figure", "Estimate", "Interval", "Of")
    assert time.rows == (
        ("seconds unaided", "61.3", "55.0 to 70.0", "18 reads"),
        ("time ratio", "0.500", "", "18 reads"),
    )
    changes = table(document, "changes")
    assert changes.columns[0] == "Cut-off"
    assert changes.rows == (("≥ 1", "side changed", "0.250", "0.800 to 0.950", "18 of 20"),)


def test_no_times_make_no_table_of_times() -> None:
    keys = [one.key for one in study_tables(study(statistic("side_changed", cutoff="≥ 1")))]
    assert keys == ["arms", "changes", "checklist"]


def test_a_test_of_both_arms_is_printed_as_papers_do() -> None:
    document = study(tests=(arms_test(), arms_test(degrees=None, p_value=1e-9, left_out=3)))
    first, second = table(document, "mrmc").rows
    assert first == (
        "≥ 1",
        "share right",
        "0.870",
        "0.850",
        "−0.020 (−0.040 to 0.001)",
        "F(1, 15.3) = 4.46",
        "0.052",
        "40 cases",
    )
    assert second[5:] == ("F(1, ∞) = 4.46", "< 0.001", "40 cases, 3 left out")


def test_a_test_that_was_impossible_says_why_in_a_row_as_wide_as_the_others() -> None:
    found = table(study(tests=(arms_test(difference=None, why="readers never differ"), arms_test())), "mrmc")
    assert found.rows[0] == ("≥ 1", "share right", "", "", "", "", "", "no test: readers never differ")
    assert {len(row) for row in found.rows} == {len(found.columns)}


def test_each_reader_has_one_row_with_times_last_and_gaps_where_nothing_was_measured() -> None:
    document = study(
        statistic("right_unaided", 0.7, cutoff="≥ 1"),
        statistic("right_unaided", 0.8, cutoff="≥ 1", reader="R2"),
        statistic("right_aided", 0.9, cutoff="≥ 1", reader="R2"),
        statistic("right_unaided", None, cutoff="≥ 1", reader="R1"),
        statistic("seconds_aided", 30.0, reader="R1"),
    )
    readers = table(document, "readers")
    assert readers.columns == ("Reader", "Unaided, ≥ 1", "Aided, ≥ 1", "Changed, ≥ 1", "Seconds aided")
    assert readers.rows == (("R2", "0.800", "0.900", "", ""), ("R1", "not defined", "", "", "30.0"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-0.010", "−0.010"),
        ("-0.000", "0.000"),
        ("-0.000 to -0.001", "0.000 to −0.001"),
        ("-0", "0"),
        ("-0.0004", "−0.0004"),
        ("-10.00", "−10.00"),
        ("0.100 (-0.050 to 0.200)", "0.100 (−0.050 to 0.200)"),
    ],
)
def test_a_number_below_0_has_a_minus_sign_and_one_that_rounds_to_0_has_none(text: str, shown: str) -> None:
    assert minus(text) == shown


def test_the_checklist_is_filled_with_all_facts_of_an_item_and_leaves_the_rest_to_the_authors() -> None:
    filled = {
        (one.guideline, one.item): one.filled
        for one in checklist({"arms": "Unaided first.", "display": "Beside the slide.", "flow": ""})
    }
    assert filled["CONSORT-AI", "5 (vi)"] == "Unaided first. Beside the slide."
    assert filled["CONSORT-AI", "4b"] == "Beside the slide."
    assert filled["STARD 2015 / STARD-AI", "19"] == ""
    assert sum(bool(text) for text in filled.values()) == 2


def test_no_item_of_a_guideline_is_asked_twice() -> None:
    items = [(one.guideline, one.item) for one in checklist({})]
    assert len(items) == len(set(items)) > 30


def test_the_page_its_tables_and_its_figures_are_written(tmp_path: Path) -> None:
    document = study(
        statistic("right_unaided", 0.8, cutoff="≥ 1"),
        statistic("right_gain", 0.1, cutoff="≥ 1"),
        statistic("right_gain", 0.2, cutoff="≥ 1", reader="R<1>"),
        statistic("right_gain", None, cutoff="≥ 10", interval=None, reader="R2"),
        statistic("seconds_aided", 30.0, reader="R2"),
        warnings=("Few cases.",),
        tests=(arms_test(),),
        checklist=checklist({"flow": "80 of 80 reads."}),
    )
    page = build_study_page(tmp_path, document, agreement=True).read_text(encoding="utf-8")
    assert "R&lt;1&gt;" in page
    assert "R<1>" not in page
    assert page.count("data:image/svg+xml;base64,") == 2
    assert "Few cases." in page
    assert "agreement/report.html" in page
    with (tmp_path / "tables" / "mrmc.csv").open(encoding="utf-8", newline="") as file:
        header, row = csv.reader(file)
    assert dict(zip(header, row, strict=True))["p"] == "0.052"
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == [
        "gain.pdf",
        "gain.svg",
        "time.pdf",
        "time.svg",
    ]


def test_a_study_without_gains_or_times_has_no_figure(tmp_path: Path) -> None:
    nothing = (
        statistic("right_gain", None, cutoff="≥ 1", interval=None),
        statistic("right_unaided", cutoff="≥ 1", reader="R1"),
    )
    for document in (study(*nothing, tests=(arms_test(),)), study()):
        page = build_study_page(tmp_path, document, agreement=False).read_text(encoding="utf-8")
        assert "data:image/svg+xml" not in page
        assert "agreement/report.html" not in page
        assert ("Unaided and aided reading" in page) == bool(document.tests)
    assert list((tmp_path / "figures").iterdir()) == []
