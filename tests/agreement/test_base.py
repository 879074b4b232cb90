from __future__ import annotations

import numpy as np
import pytest

from cxpath.agreement.base import bootstrap_interval, draw_cases, expanded_tail, interval_of


def test_patients_are_drawn_whole() -> None:
    draws = draw_cases(np.array([0, 0, 1, 2, 2, 2]), 500, 0.95, 3)
    assert draws.patients == 3
    np.testing.assert_array_equal(draws.weights[:, 0], draws.weights[:, 1])
    np.testing.assert_array_equal(draws.weights[:, 3], draws.weights[:, 5])
    assert np.all(draws.weights[:, [0, 2, 3]].sum(axis=1) == 3)


def test_the_same_seed_draws_the_same() -> None:
    one, other = (draw_cases(np.arange(20), 50, 0.95, 7).weights for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_the_tail_is_below_the_nominal_one_and_reaches_it() -> None:
    assert expanded_tail(10, 0.95) < expanded_tail(100, 0.95) < 0.025
    assert expanded_tail(100_000, 0.95) == pytest.approx(0.025, abs=1e-5)


def test_clustered_cases_widen_the_interval() -> None:
    rng = np.random.default_rng(1)
    values = np.repeat(rng.normal(size=20), 5)

    def mean(weights: np.ndarray) -> np.ndarray:
        return np.asarray(weights @ values / weights.sum(axis=1))

    alone, together = (
        bootstrap_interval(mean, draw_cases(cluster, 500, 0.95, 1))
        for cluster in (np.arange(100), np.repeat(np.arange(20), 5))
    )
    assert alone
    assert together
    assert "20 patients" in together.method
    assert together.high - together.low > 1.5 * (alone.high - alone.low)


def test_no_interval_without_enough_patients_or_values() -> None:
    draws = draw_cases(np.zeros(5, dtype=np.int64), 100, 0.95, 1)
    assert interval_of(np.ones(100), draws) is None
    many = draw_cases(np.arange(5), 100, 0.95, 1)
    assert interval_of(np.full(100, np.nan), many) is None
