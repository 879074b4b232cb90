from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from cxpath.agreement.base import Draws
from cxpath.agreement.continuous import Form, f_interval, icc
from cxpath.documents.agreement import StatisticEntry
from tests.agreement.published import SHROUT_FLEISS, table

# Shrout & Fleiss 1979, table 4; intervals as the R package psych prints them for the same table.
SHROUT = {
    Form.ONE_WAY: (0.17, (-0.13, 0.72)),
    Form.AGREEMENT: (0.29, (0.02, 0.76)),
    Form.CONSISTENCY: (0.71, (0.34, 0.95)),
    Form.ONE_WAY_MEAN: (0.44, (-0.88, 0.91)),
    Form.AGREEMENT_MEAN: (0.62, (0.07, 0.93)),
    Form.CONSISTENCY_MEAN: (0.91, (0.68, 0.99)),
}
ROW = ("ICC1", "ICC2", "ICC3", "ICC1k", "ICC2k", "ICC3k")
TABLES = arrays(np.float64, (8, 3), elements=st.integers(0, 100).map(float))


@pytest.mark.parametrize("form", Form)
def test_shrout_and_fleiss(form: Form) -> None:
    found = icc(SHROUT_FLEISS, form)
    value, edges = SHROUT[form]
    assert found.value == pytest.approx(value, abs=0.005)
    interval = found.intervals[0]
    assert (interval.low, interval.high) == pytest.approx(edges, abs=0.0075)


@pytest.mark.parametrize("ring", [1, 2])
@pytest.mark.parametrize("form", Form)
def test_the_ring_studies_of_31_readers(stats_dir: Path, ring: int, form: Form) -> None:
    """Wang et al. 2021, npj Breast Cancer: to one in the last printed digit."""
    folder = stats_dir / "pdl1_sp142_31readers"
    with (folder / f"ring{ring}_expected_icc.csv").open(encoding="utf-8") as file:
        published = {row["Type"]: row for row in csv.DictReader(file)}[ROW[list(Form).index(form)]]
    scores = table(folder / f"ring{ring}_continue.csv", first_column=1)
    found = icc(scores, form)
    assert found.value == pytest.approx(float(published["ICC"]), abs=1e-4)
    edges = [float(edge) for edge in published["CI95%"].strip("[]").split()]
    interval = found.intervals[0]
    assert (interval.low, interval.high) == pytest.approx(edges, abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(TABLES, st.permutations(range(3)), st.permutations(range(8)))
def test_the_order_of_readers_and_cases_changes_nothing(
    scores: np.ndarray, readers: list[int], cases: list[int]
) -> None:
    for form in Form:
        expected = icc(scores, form).value
        assert icc(scores[cases][:, readers], form).value == pytest.approx(expected, nan_ok=True, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(TABLES, st.integers(1, 50))
def test_a_reader_who_adds_a_constant_moves_agreement_but_not_consistency(
    scores: np.ndarray, constant: int
) -> None:
    case_means = scores.mean(axis=1)
    if np.ptp(case_means) < 1e-9:
        return
    same = np.repeat(scores[:, :1], 3, axis=1)
    if np.ptp(same) == 0:
        return
    shifted = same + np.array([0.0, 0.0, constant])
    assert icc(shifted, Form.CONSISTENCY).value == pytest.approx(1)
    assert icc(shifted, Form.AGREEMENT).value < 1
    biased = scores + np.array([0.0, 0.0, constant])
    before, after = (icc(one, Form.CONSISTENCY).value for one in (scores, biased))
    assert after == pytest.approx(before, abs=1e-9, nan_ok=True)


def test_identical_readers_give_one_and_no_interval_of_no_width(few_draws: Callable[[int], Draws]) -> None:
    scores = np.repeat(np.arange(6.0)[:, None], 3, axis=1)
    for form in Form:
        found = icc(scores, form, few_draws(6))
        assert found.value == 1
        assert found.intervals == ()
        assert "nothing disagrees" in found.note


def test_constant_scores_have_no_icc_and_say_why() -> None:
    found = icc(np.ones((5, 3)), Form.AGREEMENT)
    assert np.isnan(found.value)
    assert found.intervals == ()
    assert "nothing varies" in found.note
    assert StatisticEntry.of_statistic(found).estimate is None


def test_cases_with_a_gap_are_left_out_and_counted() -> None:
    gap = np.vstack([SHROUT_FLEISS, [1, np.nan, 3, 4]])
    found = icc(gap, Form.AGREEMENT)
    assert (found.n, found.value) == (6, icc(SHROUT_FLEISS, Form.AGREEMENT).value)
    assert "1 cases without all reads" in found.note


def test_the_f_interval_narrows_with_the_level() -> None:
    wide, narrow = (f_interval(SHROUT_FLEISS, Form.AGREEMENT, level) for level in (0.95, 0.8))
    assert wide.low < narrow.low < narrow.high < wide.high
