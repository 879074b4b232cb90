from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cxpath.agreement.aided import (
    OTHERS,
    AidedReads,
    aided_reads,
    aided_statistics,
    arms_tests,
    by_reader,
    draw_both_ways,
    leave_one_out,
    pairwise_agreement,
    ratio,
)
from cxpath.agreement.base import AgreementSettings, Statistic
from cxpath.agreement.reads import read_matrix
from cxpath.data.reads import Read, exactly
from cxpath.errors import StudyError

SETTINGS = AgreementSettings(cutoffs=(1.0,), replicates=400)
Floats = NDArray[np.float64]


def study(
    unaided: list[list[float]], aided: list[list[float]], software: list[float], truth: list[float]
) -> AidedReads:
    """Return a study of cases by readers."""
    cases, readers = np.shape(unaided)
    return AidedReads(
        readers=tuple(f"r{place}" for place in range(readers)),
        units=tuple((f"c{place}", "") for place in range(cases)),
        cluster=np.arange(cases),
        unaided=np.array(unaided, float),
        aided=np.array(aided, float),
        software=np.array(software, float),
        truth=np.tile(np.array(truth, float)[:, None], readers),
        reference="the panel",
    )


SMALL = study(
    unaided=[[2, 2], [2, 0], [0, 0], [0, 2], [2, 2]],
    aided=[[0, 2], [2, 2], [0, 0], [0, 0], [2, 2]],
    software=[0, 2, 0, 0, 2],
    truth=[2, 2, 0, 0, 2],
)
"""Software is wrong on the first case alone; r0 follows it there. r1 is wrong twice, and is mended twice."""


def found(reads: AidedReads, key: str) -> Statistic:
    """Return one figure of a study."""
    return next(one for one in aided_statistics(reads, SETTINGS) if one.key == key)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("right_unaided", 8 / 10),
        ("right_aided", 9 / 10),
        ("right_gain", 1 / 10),
        ("side_changed", 3 / 10),
        ("side_raised", 1 / 10),
        ("side_lowered", 2 / 10),
        ("anchored", 1 / 2),
        ("anchored_of_all", 1 / 10),
        ("corrected", 1.0),
        ("readers_unaided", 3 / 5),
        ("readers_aided", 4 / 5),
        ("readers_gain", 1 / 5),
    ],
)
def test_counts_by_hand(key: str, value: float) -> None:
    assert found(SMALL, key).value == pytest.approx(value)


def test_anchoring_says_what_it_is_of() -> None:
    assert found(SMALL, "anchored").method == "1 of 2 pairs of reads"


def test_anchoring_is_not_defined_where_the_software_is_always_right() -> None:
    right = replace(SMALL, software=SMALL.truth[:, 0])
    one = found(right, "anchored")
    assert np.isnan(one.value)
    assert not one.intervals
    assert "no such read" in one.note


def test_a_case_without_software_is_not_counted_for_anchoring() -> None:
    unknown = replace(SMALL, software=np.array([np.nan, 2, 0, 0, 2]))
    assert found(unknown, "anchored").method == "0 of 0 pairs of reads"


def test_time_is_compared_read_by_read() -> None:
    before = np.full((5, 2), 60.0)
    after = np.full((5, 2), 45.0)
    after[0, 0] = np.nan
    timed = replace(SMALL, seconds={"unaided": before, "aided": after})
    assert found(timed, "seconds_saved").value == pytest.approx(15)
    assert found(timed, "time_ratio").value == pytest.approx(0.75)
    assert found(timed, "seconds_unaided").method == "9 pairs of reads"


def test_without_times_there_are_no_figures_of_time() -> None:
    assert not [one for one in aided_statistics(SMALL, SETTINGS) if one.key.startswith("seconds")]


def test_the_right_score_of_a_reader_never_rests_on_that_reader() -> None:
    unaided = np.array([[0.0, 5.0, 5.0], [9.0, 1.0, 3.0]])
    assert leave_one_out(unaided) == pytest.approx(np.array([[5, 2.5, 2.5], [2, 6, 5]]))


def test_one_reader_has_no_others() -> None:
    assert np.isnan(leave_one_out(np.array([[1.0], [2.0]]))).all()


def simulated(seed: int, readers: int = 5, cases: int = 40, gain: float = 0.5) -> AidedReads:
    """Return a study in which the software is right more often than the readers."""
    rng = np.random.default_rng(seed)
    truth = np.exp(rng.normal(0.5, 1.3, cases))
    software = truth * np.exp(rng.normal(0, 0.3, cases))
    unaided = truth[:, None] * np.exp(rng.normal(0, 0.6, (cases, readers)))
    aided = unaided ** (1 - gain) * software[:, None] ** gain
    reads = study(unaided.tolist(), aided.tolist(), software.tolist(), truth.tolist())
    return replace(reads, reference="the panel")


def test_intervals_contain_their_estimates() -> None:
    for one in aided_statistics(simulated(1), SETTINGS):
        for interval in one.intervals:
            assert interval.low - 1e-9 <= one.value <= interval.high + 1e-9
            assert "two-way" in interval.method


def test_drawing_readers_as_well_widens_an_interval() -> None:
    reads = simulated(2)
    draws = draw_both_ways(reads.cluster, 5, SETTINGS)
    hits = (reads.unaided >= 1) == (reads.truth >= 1)
    statistic = ratio(hits.astype(float), np.ones(hits.shape))
    both = statistic(draws.cases.weights, draws.readers)
    cases_alone = statistic(draws.cases.weights, np.ones_like(draws.readers))
    assert both.std() > cases_alone.std()


def test_the_same_reader_drawn_twice_is_no_pair() -> None:
    sides = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0]])
    statistic = pairwise_agreement(sides)
    only_two = statistic(np.ones((1, 2)), np.array([[2.0, 1.0, 0.0]]))
    assert only_two == pytest.approx([0.5])
    alone = statistic(np.ones((1, 2)), np.array([[3.0, 0.0, 0.0]]))
    assert np.isnan(alone).all()


def test_each_reader_has_figures_of_their_own() -> None:
    own = {
        one.context["reader"]: one.value for one in by_reader(SMALL, SETTINGS) if one.key == "side_changed"
    }
    assert own == {"r0": pytest.approx(0.2), "r1": pytest.approx(0.4)}


def test_intervals_of_one_reader_are_over_patients() -> None:
    intervals = [i.method for one in by_reader(simulated(3), SETTINGS) for i in one.intervals]
    assert intervals
    assert all("patients" in method and "two-way" not in method for method in intervals)


def test_figures_of_merit_are_tested_for_readers_and_cases() -> None:
    tests = {one.figure: one for one in arms_tests(simulated(4), SETTINGS)}
    assert set(tests) == {
        "share of reads on the right side",
        "sensitivity",
        "specificity",
        "area under the ROC curve",
    }
    share = tests["share of reads on the right side"]
    assert share.test is not None
    assert share.test.difference == pytest.approx(
        next(one.value for one in aided_statistics(simulated(4), SETTINGS) if one.key == "right_gain")
    )


def test_without_a_common_truth_only_the_share_is_tested() -> None:
    reads = replace(simulated(5), reference=OTHERS)
    assert [one.figure for one in arms_tests(reads, SETTINGS)] == ["share of reads on the right side"]


def test_incomplete_cases_are_left_out_of_a_test_and_counted() -> None:
    reads = simulated(6)
    reads.unaided[:3, 1] = np.nan
    share = arms_tests(reads, SETTINGS)[0]
    assert (share.cases, share.left_out) == (37, 3)


def test_too_few_patients_are_said() -> None:
    few = arms_tests(simulated(7, cases=4), SETTINGS)[0]
    assert few.test is None
    assert "5 patients" in few.why


def rows(arm_round: int, scores: dict[str, list[float]]) -> list[Read]:
    """Return reads of cases by readers in one round."""
    return [
        Read(case=f"c{case}", reader=reader, value=exactly(value), round=arm_round)
        for reader, values in scores.items()
        for case, value in enumerate(values)
    ]


def test_arms_are_joined_by_reader_whatever_their_order() -> None:
    reads = [*rows(1, {"a": [1, 2], "b": [3, 4]}), *rows(2, {"b": [7, 8], "a": [5, 6], "c": [9, 9]})]
    joined = aided_reads(read_matrix(reads, 1), read_matrix(reads, 2), np.array([1.0, 1.0]))
    assert joined.readers == ("a", "b")
    assert joined.aided == pytest.approx(np.array([[5, 7], [6, 8]]))
    assert joined.reference == OTHERS


def test_arms_without_a_common_reader_are_refused() -> None:
    reads = [*rows(1, {"a": [1, 2]}), *rows(2, {"b": [1, 2]})]
    with pytest.raises(StudyError, match="both arms"):
        aided_reads(read_matrix(reads, 1), read_matrix(reads, 2), np.zeros(2))
