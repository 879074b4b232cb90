import numpy as np
import pytest

from cxpath.scores.classification_interval import classification_interval
from cxpath.scores.poisson_interval import poisson_interval, probability_at_least


@pytest.mark.parametrize(
    ("positive", "tumour", "low", "high"),
    [(1, 100, 0.03, 5.6), (10, 1_000, 0.48, 1.84), (200, 20_000, 0.87, 1.15)],
)
def test_the_clinical_briefs_exact_poisson_intervals_of_cps_1(
    positive: int, tumour: int, low: float, high: float
) -> None:
    found = poisson_interval(positive, tumour, 0.95, 100.0)
    assert found == pytest.approx((low, high), abs=0.03 if tumour == 100 else 0.006)


def test_no_positive_cell_still_has_an_upper_limit() -> None:
    low, high = poisson_interval(0, 1_000, 0.95, 100.0)
    assert low == 0.0
    assert high == pytest.approx(100 * 3.6889 / 1_000, rel=1e-4)  # Garwood: 3.689 for a count of 0


def test_the_poisson_interval_covers() -> None:
    rng, rate, tumour = np.random.default_rng(7), 12.0, 1_000
    draws = rng.poisson(rate, 4_000)
    limits = [poisson_interval(int(count), tumour, 0.95, 100.0) for count in draws]
    covered = np.mean([low <= 100 * rate / tumour <= high for low, high in limits])
    assert 0.945 <= covered <= 0.985


def test_probability_of_a_cut_off_rises_with_the_count() -> None:
    probabilities = [probability_at_least(1.0, count, 1_000) for count in (0, 5, 10, 20, 40)]
    assert probabilities == sorted(probabilities)
    assert probabilities[0] < 0.001
    assert 0.4 < probabilities[2] < 0.7
    assert probabilities[-1] > 0.999


def test_certain_cells_leave_no_doubt_about_the_slide() -> None:
    certain = np.array([1.0] * 10 + [0.0] * 90, dtype=np.float32)
    assert classification_interval(10.0, certain, 100, 0.95, 100.0) == (10.0, 10.0)


def test_the_slide_interval_is_that_of_a_sum_of_coins() -> None:
    coins = np.full(100, 0.5, dtype=np.float32)
    low, high = classification_interval(50.0, coins, 100, 0.95, 100.0)
    assert (low, high) == pytest.approx((50 - 1.96 * 5, 50 + 1.96 * 5), abs=0.01)
