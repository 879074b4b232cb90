"""What reads say of a cut-off: yes, no, or nothing that is certain."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from cxpath.agreement import readers
from cxpath.agreement.base import Draws
from cxpath.agreement.readers import (
    PairwiseMeasure,
    all_pairs,
    mean_over_pairs,
    mean_pairwise,
    pairwise_measure,
)
from cxpath.agreement.reads import ReadMatrix, read_matrix
from cxpath.data.reads import Read
from cxpath.io.reads import read_value


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
