from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cxpath.synth.cells import (
    FAR_UM,
    CellPlan,
    cell_borders,
    extent_um,
    inner_distance,
    new_cells,
    nucleus_distance,
    packed,
    sprinkled,
    without_overlap,
)
from cxpath.synth.world import World

AXIS = ((np.arange(80) + 0.5) * 0.25 - 10).astype(np.float32)
X, Y = (plane[None] for plane in np.meshgrid(AXIS, AXIS))


def _square(weights: tuple[float, ...] = (6, 6, 6, 6)) -> CellPlan:
    return new_cells([0.0, 10, 0, 10], [0.0, 0, 10, 10.5], reach_um=9.0, weight_um=weights)


def test_equal_neighbours_share_the_border_halfway() -> None:
    borders = cell_borders(_square())
    assert borders.distance_um[0, 0] == pytest.approx(5.0, abs=1e-4)
    assert borders.normal_x[0, :2].max() == pytest.approx(1.0)
    assert (borders.distance_um[:, -1] == FAR_UM).all()


def test_the_larger_cell_claims_more_room() -> None:
    borders = cell_borders(_square((12, 6, 6, 6)))
    assert borders.distance_um[0, 0] == pytest.approx(10 * 12.1 / 18.2, abs=1e-3)


def test_three_cells_have_no_borders() -> None:
    borders = cell_borders(_square()[:3])
    assert (borders.distance_um == FAR_UM).all()


def _inside(cells: CellPlan, row: int) -> NDArray[np.float32]:
    rows = np.array([row])
    return np.asarray(inner_distance(X, Y, cells[rows], cell_borders(cells), rows)[0])


def test_the_outline_ends_at_the_border_and_at_its_reach() -> None:
    inside = _inside(_square(), 0)
    middle = inside[40]
    assert middle[40] > 3
    assert AXIS[middle > 0].max() == pytest.approx(5.0, abs=0.5)
    assert AXIS[middle > 0].min() == pytest.approx(-9.0, abs=0.3)


def test_neighbours_do_not_overlap() -> None:
    cells = _square()
    borders = cell_borders(cells)
    insides = [
        inner_distance(X - np.float32(cells["x_um"][row]), Y - np.float32(cells["y_um"][row]),
                       cells[[row]], borders, np.array([row]))[0] > 0.05
        for row in range(4)
    ]  # fmt: skip
    assert np.sum(insides, axis=0).max() == 1


@pytest.mark.parametrize(("aspect", "radius"), [(1.0, 4.0), (2.0, 3.0), (3.5, 3.0)])
def test_a_nucleus_has_the_area_of_its_mean_radius(aspect: float, radius: float) -> None:
    cell = new_cells([0.0], [0.0], nucleus_um=radius, nucleus_aspect=aspect, nucleus_angle=0.7)
    edge, _ = nucleus_distance(X, Y, cell)
    assert (edge > 0).sum() * 0.25**2 == pytest.approx(np.pi * radius**2, rel=0.04)


def test_an_eccentric_nucleus_lies_at_its_offset() -> None:
    cell = new_cells([0.0], [0.0], nucleus_um=2.0, offset_x_um=3.0, offset_y_um=-2.0)
    edge = nucleus_distance(X, Y, cell)[0][0]
    row, column = np.unravel_index(edge.argmax(), edge.shape)
    assert AXIS[column] == pytest.approx(3.0, abs=0.2)
    assert AXIS[row] == pytest.approx(-2.0, abs=0.2)


def test_lobes_leave_the_middle_pinched() -> None:
    round_cell, lobed = (new_cells([0.0], [0.0], nucleus_um=3.5, lobes=lobes) for lobes in (0, 3))
    whole, parts = (nucleus_distance(X, Y, cell)[0] for cell in (round_cell, lobed))
    assert parts.max() < 0.7 * whole.max()
    assert 0.4 < (parts > 0).sum() / (whole > 0).sum() < 1.1


def test_all_colour_stays_within_the_extent(rich_world: World) -> None:
    cells = rich_world.cells
    assert (extent_um(cells) >= cells["nucleus_um"]).all()
    assert (extent_um(cells) <= 20.0).all()


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
