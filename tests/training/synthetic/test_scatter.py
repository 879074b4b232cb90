from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from cxpath.training.synthetic.scatter import packed, sprinkled, without_overlap


@given(st.integers(0, 1000), st.floats(6, 20))
@settings(max_examples=20, deadline=None)
def test_a_packed_lattice_fills_the_world_at_its_density(seed: int, spacing: float) -> None:
    points = packed(np.random.default_rng(seed), 400, 300, spacing, 0.1)
    expected = 400 * 300 / (spacing**2 * np.sqrt(3) / 2)
    assert len(points) == pytest.approx(expected, rel=0.1)
    assert points.min() >= 0
    assert (points[:, 0] < 400).all()
    assert (points[:, 1] < 300).all()


def test_little_jitter_keeps_neighbours_at_their_spacing() -> None:
    points = packed(np.random.default_rng(1), 300, 300, 12.0, 0.02)
    nearest = cKDTree(points).query(points, k=2)[0][:, 1]
    assert np.median(nearest) == pytest.approx(12.0, abs=0.8)


def test_sprinkling_meets_its_density() -> None:
    points = sprinkled(np.random.default_rng(2), 1000, 2000, 900)
    assert len(points) == pytest.approx(1800, rel=0.1)


def test_overlap_is_thinned_and_the_first_stays() -> None:
    points = np.array([[0.0, 0], [3, 0], [7, 0], [50, 0]])
    radius = np.array([3.0, 3, 3, 3])
    assert without_overlap(points, radius, 0.8).tolist() == [True, False, True, True]


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_nothing_kept_overlaps_and_all_dropped_did(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points, radius = rng.uniform(0, 60, (80, 2)), rng.uniform(1, 5, 80)
    keep = without_overlap(points, radius, 0.9)
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    touching = (apart < 0.9 * (radius[:, None] + radius[None])) & ~np.eye(80, dtype=bool)
    assert not touching[np.ix_(keep, keep)].any()
    assert touching[np.ix_(~keep, keep)].any(axis=1).all()
