import numpy as np
import pytest

from cxpath.scores.true_positives import draw_found, draw_true
from tests.scores.tissues import SURE


def test_none_called_is_none_found() -> None:
    assert draw_found(0, 1_000, 1_000, 0.99, 0.5, np.random.default_rng(1), 50).tolist() == [0.0] * 50


def test_sure_calls_are_all_true() -> None:
    found = draw_found(37, 10_000, 10_000, SURE, 0.0, np.random.default_rng(1), 2_000)
    assert found.mean() == pytest.approx(37, abs=0.1)


@pytest.mark.parametrize(("called", "base"), [(120, 2_000), (7_000, 100_000)])
def test_false_positives_are_taken_off_as_rogan_and_gladen_did(called: int, base: int) -> None:
    """A recall of one and a known specificity leave called - odds x negatives, whatever the numbers' size."""
    found = draw_found(called, base, base, 0.99, 0.01, np.random.default_rng(1), 20_000)
    expected = called - (0.01 / 0.99) * (base - called)
    assert found.mean() == pytest.approx(expected, rel=0.03)
    assert found.std() == pytest.approx(np.sqrt(called - expected), rel=0.2)


def test_found_cells_are_never_more_than_called_ones_nor_fewer_than_none() -> None:
    found = draw_found(5, 100_000, 100_000, 0.9, 2.0, np.random.default_rng(1), 5_000)
    assert found.min() >= 0
    assert found.max() <= 5


def test_a_slide_cleaner_than_any_held_out_one_is_no_error() -> None:
    found = draw_found(1, 1_000_000, 1_000_000, 0.9, 0.1, np.random.default_rng(1), 500)
    assert np.isfinite(found).all()


def test_missed_cells_are_added_back() -> None:
    rng = np.random.default_rng(1)
    true = draw_true(np.full(20_000, 80.0), 0.8, 0.0, rng)
    assert true.mean() == pytest.approx(100.6, rel=0.02)  # (80 + 1/2) / 0.8
    spread = draw_true(np.full(20_000, 80.0), 0.8, 1.0, rng)
    assert spread.std() > 2 * true.std()
