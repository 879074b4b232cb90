"""Where cells can sit: packed lattices, loose sprinkling, and thinning out what would overlap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Points = NDArray[np.float64]
"""One row a point: x, y in µm."""


def packed(
    rng: np.random.Generator, width_um: float, height_um: float, spacing_um: float, jitter: float
) -> Points:
    """Return a jittered hexagonal lattice over the world; `jitter` in units of the spacing."""
    row_step = spacing_um * np.sqrt(3) / 2
    columns = int(width_um / spacing_um) + 2
    rows = int(height_um / row_step) + 2
    x = (np.arange(columns)[None, :] + 0.5 * (np.arange(rows)[:, None] % 2)) * spacing_um
    y = np.broadcast_to(np.arange(rows)[:, None] * row_step, x.shape)
    points = np.stack((x.ravel(), y.ravel()), axis=1) + rng.uniform(-spacing_um, 0, 2)
    points += rng.normal(0, jitter * spacing_um, points.shape)
    inside = (points >= 0).all(axis=1) & (points[:, 0] < width_um) & (points[:, 1] < height_um)
    return points[inside]


def sprinkled(rng: np.random.Generator, width_um: float, height_um: float, per_mm2: float) -> Points:
    """Return points scattered independently."""
    number = rng.poisson(per_mm2 * width_um * height_um * 1e-6)
    points: Points = rng.uniform(0, 1, (number, 2)) * np.array([width_um, height_um])
    return points


def without_overlap(points: Points, radius_um: NDArray[np.floating], share: float) -> NDArray[np.bool_]:
    """Say which points to keep so that no two lie nearer than `share` of their radii's sum.

    Earlier points win, so callers put first what must stay.
    """
    keep = np.ones(len(points), bool)
    if len(points) < 2:
        return keep
    pairs = cKDTree(points).query_pairs(2 * share * float(radius_um.max()), output_type="ndarray")
    distance = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
    close = pairs[distance < share * (radius_um[pairs[:, 0]] + radius_um[pairs[:, 1]])]
    close = np.sort(close, axis=1)
    for first, second in close[np.lexsort((close[:, 1], close[:, 0]))]:
        if keep[first] and keep[second]:
            keep[second] = False
    return keep
