from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from cxpath.agreement.cells import match_points

FEW = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=5, unique=True)


def best_by_trying(
    truth: NDArray[np.float64], found: NDArray[np.float64], radius: float
) -> tuple[int, float]:
    """Number of pairs and summed distance of the best assignment, by trying all."""
    few, many = (truth, found) if len(truth) <= len(found) else (found, truth)
    best = (0, 0.0)
    for order in itertools.permutations(range(len(many)), len(few)):
        apart = np.hypot(*(few - many[list(order)]).T) if len(few) else np.zeros(0)
        near = apart[apart <= radius]
        best = min(best, (-len(near), float(near.sum())))
    return -best[0], best[1]


@given(FEW, FEW)
def test_no_other_assignment_is_better(truth: list[tuple[int, int]], found: list[tuple[int, int]]) -> None:
    a, b = (np.array(points, dtype=np.float64).reshape(-1, 2) for points in (truth, found))
    pairs = match_points(a, b, 4.0)
    apart = np.hypot(*(a[pairs[:, 0]] - b[pairs[:, 1]]).T)
    assert (apart <= 4.0).all()
    assert len(set(pairs[:, 0])) == len(set(pairs[:, 1])) == len(pairs)
    number, distance = best_by_trying(a, b, 4.0)
    assert len(pairs) == number
    assert apart.sum() == pytest.approx(distance)


def test_greed_would_lose_a_pair() -> None:
    truth = np.array([[0.0, 0.0], [4.0, 0.0]])
    found = np.array([[3.0, 0.0], [8.0, 0.0]])
    assert match_points(truth, found, 5.0).tolist() == [[0, 0], [1, 1]]


def test_thousands_of_points_are_matched_in_no_time() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 4000, (20_000, 2))
    order = rng.permutation(len(truth))
    pairs = match_points(truth, truth[order] + rng.normal(0, 0.01, truth.shape), 5.0)
    assert len(pairs) == len(truth)
    assert (order[pairs[:, 1]] == pairs[:, 0]).mean() > 0.999


def test_nothing_matches_nothing() -> None:
    assert match_points(np.zeros((0, 2)), np.ones((3, 2)), 5.0).shape == (0, 2)
    assert match_points(np.ones((3, 2)), np.zeros((0, 2)), 5.0).shape == (0, 2)
    assert match_points(np.zeros((1, 2)), np.full((1, 2), 9.0), 5.0).shape == (0, 2)
