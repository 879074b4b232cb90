"""The first page for the board in values: what is met, what is open, what is missing, each caution once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from cxpath.patient.criteria import CautionState, Verdict
from cxpath.patient.profile import Pdl1Score
from cxpath.report.board_summary import (
    DENSE_LINES,
    BoardSummary,
    CautionLine,
    Option,
    board_summary,
    counts_of,
    printed_score,
)
from tests.patient import patients as of
from tests.patient.patients import PDL1, Fields, changed, reviewed

ALL = [
    of.FIRST_LINE,
    of.LATER_LINE,
    of.LAST_RESORT,
    of.HER2,
    of.TMB,
    of.MSI,
    of.NTRK,
    of.LOCALLY_ADVANCED,
    {},
]


def summary(fields: Fields) -> BoardSummary:
    review = reviewed(fields)
    return board_summary(
        review, {one.criterion.id: f"approval of {one.criterion.id}" for one in review.results}
    )


@pytest.mark.parametrize("fields", ALL)
def test_every_criterion_is_counted_once(fields: Fields) -> None:
    results = reviewed(fields).results
    assert sum(counts_of(results).values()) == len(results)
    assert counts_of(results)["met"] == len(summary(fields).met)


@pytest.mark.parametrize("fields", ALL)
def test_an_open_criterion_is_an_option_or_waits_for_a_test_never_both(fields: Fields) -> None:
    able = [one for one in reviewed(fields).results if one.criterion.approval.can_be_met]
    indeterminate = [one for one in able if one.verdict is Verdict.INDETERMINATE]
    found = summary(fields)
    waiting = {regimen for test in found.untested for regimen in test.regimens}
    assert len(found.open) + len([one for one in indeterminate if one.criterion.regimen in waiting]) >= len(
        indeterminate
    )
    assert all(option.settle for option in found.open), "an open option says what would settle it"
    assert not any(option.settle for option in found.met)


def test_an_untested_marker_is_named_once_with_all_that_depends_on_it() -> None:
    tests = Counter(one.test for one in summary(of.LATER_LINE).untested)
    assert tests
    assert set(tests.values()) == {1}
    tested = summary(of.MSI)
    assert "MSI-H or mismatch repair deficient" not in {one.test for one in tested.untested}


def test_an_option_says_where_it_is_approved_and_by_what() -> None:
    for option in summary(of.FIRST_LINE).met:
        assert option.place in {"US", "EU", "JP", "CN"}
        assert option.approval.startswith("approval of ")


def test_a_caution_is_raised_once_however_many_options_share_it() -> None:
    fields = changed(of.LATER_LINE, "comorbidities.ocular_surface_disease", value=True)
    cautions = summary(fields).cautions
    assert len({one.fact for one in cautions}) == len(cautions)
    (eye,) = [one for one in cautions if "ocular" in one.fact.lower()]
    assert (eye.found, len({flag for flag, _ in eye.flags})) == ("yes", len(eye.flags))


def test_what_nobody_asked_about_is_listed_as_unknown() -> None:
    found = summary(of.LATER_LINE)
    raised = {one.fact for one in found.cautions}
    assert found.unknown_cautions
    assert len(set(found.unknown_cautions)) == len(found.unknown_cautions)
    assert not raised & set(found.unknown_cautions)
    assert CautionState.UNKNOWN in {
        flag.state for one in reviewed(of.LATER_LINE).results for flag in one.cautions
    }


def test_smaller_print_is_taken_once_there_are_more_lines_than_a_page_holds() -> None:
    empty = replace(summary({}), met=(), open=(), untested=(), cautions=())
    option, flag = Option("a", "US", "b"), CautionLine("fact", "yes", (("flag", "drug"),))
    assert not replace(empty, met=(option,) * DENSE_LINES).is_dense
    assert replace(empty, met=(option,) * DENSE_LINES, cautions=(flag,)).is_dense
    assert replace(empty, open=(option,) * (DENSE_LINES // 2 + 1)).is_dense, "an open option takes two lines"


# The score.


def score(**changes: Any) -> Pdl1Score:
    return Pdl1Score.model_validate(PDL1 | changes)


@pytest.mark.parametrize(
    ("changes", "printed"),
    [
        ({"value": 4.25, "origin": "reader"}, "4.25"),
        ({"value": 0.4, "origin": "cxpath"}, "<1"),
        ({"value": "<1"}, "<1"),
        ({"value": None}, "unknown"),
    ],
)
def test_a_score_is_printed_as_its_reader_stated_it(changes: dict[str, Any], printed: str) -> None:
    assert printed_score(score(**changes)) == printed


def line(**changes: Any) -> Any:
    (found,) = summary(of.FIRST_LINE | {"pdl1": [PDL1 | changes]}).scores
    return found


def test_a_line_says_who_read_and_who_confirmed() -> None:
    assert line().who == "22C3; read by eye; confirmed by Dr A, 2026-11-20"
    assert line().is_confirmed
    nobody = line(confirmed_by=None, confirmed_on=None, origin="cxpath", assay=None)
    assert nobody.who == (
        "assay not stated; image score by cxpath; not confirmed by a person: decides nothing"
    )
    assert not nobody.is_confirmed


def test_an_interval_is_the_stated_one_or_that_of_counting_alone() -> None:
    assert line(interval=(10.0, 30.0)).interval == "95 % interval 10 to 30"
    assert line(viable_tumour_cells=100).interval.startswith("counting alone, at 100 tumour cells: ")
    assert line().interval.startswith("counting alone, at an assumed 1000 tumour cells: ")
    assert line(value=None).interval == ""


def test_a_slide_that_is_not_evaluable_shows_no_number() -> None:
    found = line(not_evaluable_because=("no tissue",))
    assert (found.value, found.interval) == ("not evaluable", "")
