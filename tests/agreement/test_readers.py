"""What reads say of a cut-off: yes, no, or nothing that is certain."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from cxpath.agreement import readers
from cxpath.agreement.base import AgreementSettings, Draws, Statistic, draw_cases
from cxpath.agreement.readers import (
    PairwiseMeasure,
    all_pairs,
    between_readers,
    carried_likeness,
    chance_slope,
    mean_over_pairs,
    mean_pairwise,
    mivque0,
    pairwise_matrix,
    pairwise_measure,
    remembered,
    variance_components,
)
from cxpath.agreement.reads import ReadMatrix, read_matrix
from cxpath.data.reads import NO_READ, Read, exactly
from cxpath.io.reads import read_value
from tests.agreement.published import crossed


def of_one(text: str) -> ReadMatrix:
    return read_matrix([Read(case="a", reader="Ann", value=read_value(text))], round_number=1)


@pytest.mark.parametrize(
    ("text", "cutoff", "reached"),
    [
        ("<1", 1, 0),
        (">50", 10, 1),
        ("1", 1, 1),
        ("0,96", 1, 0),
        (">10", 10, 1),
        ("≥10", 10, 1),
        ("<10", 10, 0),
    ],
)
def test_a_bound_settles_a_cutoff_that_it_does_not_straddle(text: str, cutoff: float, reached: float) -> None:
    reads = of_one(text)
    assert reads.reaches(cutoff).item() == reached
    assert not reads.indeterminate(cutoff).item()


@pytest.mark.parametrize(("text", "cutoff"), [("<=1", 1), ("<10", 1), (">1", 10), ("NE", 1)])
def test_a_bound_across_a_cutoff_and_a_slide_not_evaluable_leave_it_open(text: str, cutoff: float) -> None:
    reads = of_one(text)
    assert math.isnan(reads.reaches(cutoff).item())
    assert reads.indeterminate(cutoff).item()


def test_what_was_not_read_is_not_indeterminate() -> None:
    reads = of_one("NA")
    assert math.isnan(reads.reaches(1).item())
    assert not reads.indeterminate(1).item()


@given(seed=st.integers(0, 10_000), gaps=st.sampled_from([0.0, 0.2]), whole=st.booleans())
def test_pairs_are_weighed_exactly(seed: int, gaps: float, *, whole: bool) -> None:
    """Whole weights are summed in float32, others in float64: both as one would by hand."""
    rng = np.random.default_rng(seed)
    reads = np.where(rng.random((9, 4)) < gaps, np.nan, rng.integers(0, 2, (9, 4)).astype(float))
    weights = rng.integers(0, 4, (3, 9)).astype(float) + (0.0 if whole else 0.1)
    found = pairwise_measure(all_pairs(reads), PairwiseMeasure.OPA)(weights)
    first, second = np.triu_indices(4, k=1)
    for place, (a, b) in enumerate(zip(reads.T[first], reads.T[second], strict=True)):
        both = np.isfinite(a) & np.isfinite(b)
        with np.errstate(invalid="ignore"):
            expected = (weights * (both & (a == b))).sum(axis=1) / (weights * both).sum(axis=1)
        np.testing.assert_allclose(found[:, place], expected, rtol=1e-12)


@pytest.mark.parametrize("measure", PairwiseMeasure)
def test_blocks_of_draws_give_what_all_at_once_give(
    measure: PairwiseMeasure, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(3)
    reads = np.where(rng.random((12, 5)) < 0.1, np.nan, rng.integers(0, 2, (12, 5)).astype(float))
    draws = Draws(rng.multinomial(12, np.full(12, 1 / 12), 40).astype(float), np.arange(12), 0.95)
    at_once = mean_pairwise(reads, measure, draws)
    monkeypatch.setattr(readers, "_VALUES_AT_A_TIME", 30)
    monkeypatch.setattr(readers, "_DRAWS_AT_A_TIME", 7)
    in_blocks = mean_pairwise(reads, measure, draws)
    assert in_blocks.value == pytest.approx(at_once.value, rel=1e-12)
    for one, other in zip(at_once.intervals, in_blocks.intervals, strict=True):
        assert (one.low, one.high) == pytest.approx((other.low, other.high), rel=1e-9)


def test_pairs_that_always_agree_have_a_value_each() -> None:
    reads = np.ones((4, 3))
    values = pairwise_measure(all_pairs(reads), PairwiseMeasure.OPA)(np.ones((2, 4)))
    assert values.shape == (2, 3)
    assert mean_over_pairs(values).tolist() == [1.0, 1.0]


# Pairs by hand: 20 cases that both call yes, 5 only the first, 10 only the second, 15 neither.

FIRST, SECOND = crossed([[15, 10], [5, 20]])


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        (PairwiseMeasure.OPA, 35 / 50),
        (PairwiseMeasure.KAPPA, 0.4),
        (PairwiseMeasure.AC1, (0.7 - 2 * 0.55 * 0.45) / (1 - 2 * 0.55 * 0.45)),
    ],
)
def test_two_readers_of_a_cutoff_by_hand(measure: PairwiseMeasure, value: float) -> None:
    found = mean_pairwise(np.stack([FIRST, SECOND], axis=1), measure, None)
    assert found.value == pytest.approx(value)
    assert (found.n, found.readers) == (50, 2)
    slope = {PairwiseMeasure.OPA: 1.0, PairwiseMeasure.KAPPA: 2.0, PairwiseMeasure.AC1: 1.98}[measure]
    pairs = all_pairs(np.stack([FIRST, SECOND], axis=1))
    assert chance_slope(pairs, measure) == pytest.approx(slope, abs=0.01)


def test_concordance_of_two_readers_by_hand() -> None:
    """A reader who is always 1 higher: variances 1.25, 2 × 1.25 / (1.25 + 1.25 + 1)."""
    reads = np.array([[1.0, 2.0], [2.0, 3.0], [3.0, 4.0], [4.0, 5.0]])
    found = mean_pairwise(reads, PairwiseMeasure.CCC, None)
    assert found.value == pytest.approx(2.5 / 3.5)
    assert carried_likeness(all_pairs(reads), PairwiseMeasure.CCC, None) is None


def test_readers_without_a_case_in_common_have_no_value_and_do_not_spoil_the_mean() -> None:
    gap = np.nan
    reads = np.array([[1.0, 1.0, gap], [0.0, 1.0, gap], [gap, gap, 1.0]])
    matrix = pairwise_matrix(reads, PairwiseMeasure.OPA)
    np.testing.assert_array_equal(matrix, [[1, 0.5, gap], [0.5, 1, gap], [gap, gap, 1]])
    assert mean_pairwise(reads, PairwiseMeasure.OPA, None).value == 0.5
    alone = np.where(np.eye(3, dtype=bool), 1.0, gap)
    assert carried_likeness(all_pairs(alone), PairwiseMeasure.OPA, None) is None
    assert np.isnan(mean_pairwise(alone, PairwiseMeasure.OPA, None).value)


def test_many_weights_are_answered_once_and_other_weights_anew() -> None:
    asked: list[int] = []

    def of(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        asked.append(len(weights))
        return np.asarray(weights * 2)

    again = remembered(of)
    one, many, others = np.ones((1, 2)), np.ones((3, 2)), np.zeros((3, 2))
    for weights in (many, one, many, others, others):
        np.testing.assert_array_equal(again(weights), weights * 2)
    assert asked == [3, 1, 3]


def reads_of(rows: list[list[float]], **groups: list[str]) -> ReadMatrix:
    return read_matrix(
        [
            Read(
                case=f"c{case}",
                reader=f"R{reader}",
                value=exactly(score) if math.isfinite(score) else NO_READ,
                groups={name: levels[case] for name, levels in groups.items()},
            )
            for case, row in enumerate(rows)
            for reader, score in enumerate(row)
        ],
        1,
    )


SETTINGS = AgreementSettings(cutoffs=(1.0,), replicates=100, orders=20)


def one_of(statistics: list[Statistic], key: str) -> Statistic:
    (found,) = [one for one in statistics if one.key == key and one.context.get("cutoff") == "≥ 1"]
    return found


def test_average_agreement_of_three_readers_by_hand() -> None:
    """Yes of 3, 2 and 0 of three reads: (6 + 2 + 0) / (6 + 4 + 0); no: (0 + 0 + 6) / (0 + 2 + 6)."""
    matrix = reads_of([[5.0, 5.0, 5.0], [5.0, 5.0, 0.0], [0.0, 0.0, 0.0]])
    found = between_readers(matrix, draw_cases(matrix.cluster, 100, 0.95, 1), SETTINGS)
    assert one_of(found, "apa").value == pytest.approx(0.8)
    assert one_of(found, "ana").value == pytest.approx(0.75)
    assert one_of(found, "prevalence").value == pytest.approx(5 / 9)
    assert {one.context["analysis"] for one in found} == {"between readers"}
    assert not [one for one in found if one.context.get("cutoff") not in {None, "≥ 1"}], "one cut-off"


def test_prevalence_is_of_the_reads_that_there_are() -> None:
    matrix = reads_of([[5.0, math.nan, math.nan], [0.0, 0.0, 0.0], [5.0, 5.0, 0.0]])
    found = between_readers(matrix, draw_cases(matrix.cluster, 100, 0.95, 1), SETTINGS)
    prevalence = one_of(found, "prevalence")
    assert prevalence.value == pytest.approx(3 / 7)
    assert prevalence.method == "3 of 7 reads"
    keys = [one.key for one in found if one.key.startswith("onest")]
    assert keys == [
        "onest_ignored_all",
        "onest_ignored_enough",
        "onest_complete_all",
        "onest_complete_enough",
    ]


def test_nobody_says_no_so_that_agreement_on_no_is_not_defined() -> None:
    matrix = reads_of([[5.0, 5.0], [6.0, 7.0], [8.0, 2.0]])
    found = between_readers(matrix, draw_cases(matrix.cluster, 100, 0.95, 1), SETTINGS)
    assert one_of(found, "apa").value == 1.0
    assert np.isnan(one_of(found, "ana").value)
    assert "no such read" in one_of(found, "ana").note


# Where the spread of scores comes from.


def components(scores: NDArray[np.float64], **groups: list[str]) -> dict[str, Statistic]:
    found = variance_components(scores, np.arange(len(scores)), groups)
    return {one.key.removeprefix("variance_"): one for one in found}


def test_only_groups_that_can_be_told_apart_are_components() -> None:
    scores = np.random.default_rng(2).normal(size=(6, 3))
    found = components(
        scores,
        site=["north", "north", "south", "south", "south", "north"],
        scanner=["one"] * 6,
        block=list("abcdef"),
        stain=["old", "old", "new", "new", "", "new"],
    )
    assert list(found) == ["case", "reader", "site", "residual"]


@pytest.mark.parametrize(
    "scores",
    [
        np.array([[1.0, 2.0], [3.0, np.nan]]),
        np.array([[1.0, 2.0], [3.0, 5.0]]),
        np.array([[1.0], [2.0], [3.0], [4.0]]),
        np.full((5, 3), np.nan),
    ],
)
def test_too_few_reads_cases_or_readers_have_no_components(scores: NDArray[np.float64]) -> None:
    assert components(scores) == {}


def test_a_component_below_zero_is_given_as_nothing_and_says_so() -> None:
    """Readers who always disagree on a case and agree in the mean: cases differ less than by chance."""
    scores = np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    found = components(scores)
    assert found["case"].value == 0.0
    assert found["case"].note == "estimated below zero, given as 0"
    assert found["case"].method.startswith("variance 0; ")
    assert sum(one.value for one in found.values()) == pytest.approx(1.0)
    assert all(
        0 <= end <= 1 for one in found.values() for way in one.intervals for end in (way.low, way.high)
    )


def test_equal_scores_have_no_shares_of_any_spread() -> None:
    found = components(np.full((4, 3), 2.0))
    assert all(np.isnan(one.value) and not one.intervals for one in found.values())


def test_levels_without_a_read_change_nothing() -> None:
    """A patient who is left out leaves gaps in the numbers of the levels."""
    values = np.array([1.0, 2.0, 4.0, 7.0, 3.0, 9.0])
    case, reader = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 0, 1, 0, 1])
    gapless = mivque0(values, {"case": case, "reader": reader})
    assert mivque0(values, {"case": case * 3 + 4, "reader": reader * 5}) == pytest.approx(gapless)
