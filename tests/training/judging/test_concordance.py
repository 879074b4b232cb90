from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxpath.agreement.concordance import lins_concordance
from cxpath.training.judging.concordance import (
    falsely_reaching,
    right_side,
    score_concordance,
)


def test_lins_coefficient_by_hand() -> None:
    """Means 2.5 and 3.25, variances 1.25 and 2.1875, covariance 1.625: 3.25 / (3.4375 + 0.5625)."""
    truth, found = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 4.0, 5.0])
    assert lins_concordance(truth, found) == pytest.approx(3.25 / 4.0)


def test_a_shift_lowers_concordance_where_correlation_sees_nothing() -> None:
    truth = np.arange(10.0)
    assert lins_concordance(truth, truth) == pytest.approx(1.0)
    assert lins_concordance(truth, -truth + 9) == pytest.approx(-1.0)
    # Variance 8.25 each, shift 3: 16.5 / (16.5 + 9).
    assert lins_concordance(truth, truth + 3) == pytest.approx(16.5 / 25.5)


def test_scores_are_compared_on_a_logarithmic_scale() -> None:
    truth, called = np.array([0.0, 9.0, 99.0]), np.array([9.0, 99.0, 999.0])
    # log10(CPS + 1) is 0, 1, 2 against 1, 2, 3: variance 2/3 each, shift 1.
    assert score_concordance(truth, called) == pytest.approx((4 / 3) / (4 / 3 + 1))


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=2, max_size=20))
def test_concordance_is_symmetric_and_bounded(pairs: list[tuple[float, float]]) -> None:
    truth, found = np.array(pairs).T
    value = lins_concordance(truth, found)
    if np.isfinite(value):
        assert -1 - 1e-9 <= value <= 1 + 1e-9
        assert value == pytest.approx(lins_concordance(found, truth), nan_ok=True)


def test_one_slide_or_equal_slides_have_no_concordance() -> None:
    assert np.isnan(lins_concordance(np.array([1.0]), np.array([2.0])))
    assert np.isnan(lins_concordance(np.ones(3), np.ones(3)))


def test_sides_of_a_cutoff() -> None:
    truth, called = np.array([0.2, 0.99, 1.0, 5.0]), np.array([0.0, 1.0, 1.0, 0.5])
    assert right_side(truth, called, 1.0) == 0.5
    assert np.isnan(right_side(np.empty(0), np.empty(0), 1.0))


def test_slides_that_reach_a_cutoff_falsely() -> None:
    truth, called = np.array([0.0, 0.3, 0.49, 0.5, 3.0]), np.array([0.0, 1.0, 0.9, 9.0, 9.0])
    assert falsely_reaching(truth, called, below=0.5, cutoff=1.0) == pytest.approx(1 / 3)
    assert np.isnan(falsely_reaching(np.array([2.0]), np.array([2.0]), below=0.5, cutoff=1.0))
