"""Synthetic cells: plan, shapes and scatter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import Delaunay, cKDTree

# CellPlan: the list of all synthetic cells with everything their look depends on, in world micrometres.
#
# One structured array, one record a cell; cheap to select and to join. Knows no pixels.


CellPlan = NDArray[np.void]
"""Records of `CELL`."""

CELL = np.dtype(
    [
        ("x_um", "f8"),
        ("y_um", "f8"),
        ("kind", "u1"),
        ("subkind", "u1"),
        ("visible", "?"),  # a reader could see and count it
        ("membrane", "?"),
        ("any_stain", "?"),
        # outline
        ("reach_um", "f4"),  # radius the outline may not exceed
        ("weight_um", "f4"),  # how much room it claims against its neighbours
        ("aspect", "f4"),
        ("angle", "f4"),
        ("ragged", "f4"),  # how far the outline is frayed, 1 as usual
        ("body", "f4"),  # 0-1, how far it covers the ground beneath
        ("pale_border", "f4"),
        # nucleus
        ("nucleus_um", "f4"),  # mean radius, 0 for none
        ("nucleus_aspect", "f4"),
        ("nucleus_angle", "f4"),
        ("offset_x_um", "f4"),
        ("offset_y_um", "f4"),
        ("bend", "f4"),  # curvature of the nucleus's long axis (1/µm)
        ("lobes", "u1"),  # 0 for an ellipse
        ("wobble", "f4"),
        ("haematoxylin_od", "f4"),
        ("vesicular", "f4"),
        ("chromatin", "f4"),
        ("nucleolus", "f4"),  # extra amount at nucleoli, relative
        ("clock_face", "f4"),
        ("blur", "f4"),  # softness of the nuclear edge (µm)
        # cytoplasm
        ("cytoplasm_od", "f4"),
        ("tan_od", "f4"),
        ("foam", "f4"),
        # DAB
        ("membrane_od", "f4"),
        ("membrane_um", "f4"),
        ("completeness", "f4"),
        ("cytoplasm_dab_od", "f4"),
        ("nuclear_dab_od", "f4"),
        ("granularity", "f4"),  # of the membrane
        ("clumping", "f4"),  # of the cytoplasm
        ("phase", "f4"),
    ]
)


def new_cells(x_um: ArrayLike, y_um: ArrayLike, **columns: Any) -> CellPlan:
    """Make records at some places; columns not named are 0, but for shapes, which are round."""
    x = np.asarray(x_um, np.float64)
    cells = np.zeros(len(x), CELL)
    cells["x_um"], cells["y_um"] = x, y_um
    cells["visible"] = True
    cells["aspect"] = cells["nucleus_aspect"] = cells["ragged"] = 1.0
    cells["membrane_um"], cells["blur"] = 1.3, 0.8
    for name, values in columns.items():
        cells[name] = values
    return cells


def join(parts: list[CellPlan]) -> CellPlan:
    """Join plans in order."""
    return np.concatenate(parts) if parts else np.zeros(0, CELL)


# The outlines of cells: each ends halfway to its neighbours, so packed cells share straight borders.
#
# Geometry only, in micrometres; knows no stain.


NEIGHBOURS = 8
FAR_UM = 1e3


@dataclass(frozen=True, eq=False)
class Borders:
    """Half-planes that end each cell, nearest first.

    Parameters
    ----------
    normal_x, normal_y : float32 array, (cells, 8)
        Unit vectors towards the neighbours.
    distance_um : float32 array, (cells, 8)
        From the cell's centre to the border; `FAR_UM` where there is none.
    """

    normal_x: NDArray[np.float32]
    normal_y: NDArray[np.float32]
    distance_um: NDArray[np.float32]


def cell_borders(cells: CellPlan) -> Borders:
    """Find each cell's borders with its Delaunay neighbours, weighted by the room each claims."""
    n = len(cells)
    normal_x, normal_y = (np.zeros((n, NEIGHBOURS), np.float32) for _ in range(2))
    distance = np.full((n, NEIGHBOURS), FAR_UM, np.float32)
    if n >= 4:
        first, second = _neighbour_pairs(np.stack((cells["x_um"], cells["y_um"]), axis=1))
        dx = cells["x_um"][second] - cells["x_um"][first]
        dy = cells["y_um"][second] - cells["y_um"][first]
        apart = np.maximum(np.hypot(dx, dy), 1e-3)
        own, other = cells["weight_um"][first] + 0.1, cells["weight_um"][second] + 0.1
        border = apart * own / (own + other)
        order = np.lexsort((border, first))
        first = first[order]
        rank = np.arange(len(first)) - np.searchsorted(first, first)
        used = (rank < NEIGHBOURS) & (
            border[order] < 2 * cells["reach_um"][first] * np.sqrt(cells["aspect"][first]) + 4
        )
        place = (first[used], rank[used])
        normal_x[place] = (dx / apart)[order][used]
        normal_y[place] = (dy / apart)[order][used]
        distance[place] = border[order][used]
    return Borders(normal_x, normal_y, distance)


def _neighbour_pairs(points: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    starts, neighbours = Delaunay(points).vertex_neighbor_vertices
    first = np.repeat(np.arange(len(points)), np.diff(starts))
    return first, neighbours.astype(np.intp)


def extent_um(cells: CellPlan) -> NDArray[np.float64]:
    """Return how far from its centre each cell can leave colour."""
    body = (
        cells["reach_um"] * np.sqrt(cells["aspect"])
        + 1.2 * cells["membrane_um"]
        + 0.3
        + 0.7 * cells["ragged"]
    )
    nucleus = cells["nucleus_um"] * np.sqrt(cells["nucleus_aspect"]) * 1.15 + cells["blur"]
    nucleus = nucleus + np.hypot(cells["offset_x_um"], cells["offset_y_um"])
    extent: NDArray[np.float64] = np.maximum(body, nucleus).astype(np.float64) + 0.5
    return np.minimum(extent, MAX_EXTENT_UM)


MAX_EXTENT_UM = 20.0


def inner_distance(
    x: NDArray[np.float32], y: NDArray[np.float32], cells: CellPlan, borders: Borders, rows: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Distance to the outline, positive inside, of a stack of stamps (cells, height, width) in µm."""
    aspect = np.sqrt(column(cells, "aspect"))
    cosine, sine = np.cos(column(cells, "angle")), np.sin(column(cells, "angle"))
    along, across = (x * cosine + y * sine) / aspect, (y * cosine - x * sine) * aspect
    inside: NDArray[np.float32] = column(cells, "reach_um") - np.sqrt(along * along + across * across)
    distance = borders.distance_um[rows]
    for rank in range(NEIGHBOURS):
        if distance[:, rank].min() >= FAR_UM:
            break
        plane = distance[:, rank, None, None] - borders.normal_x[rows, rank, None, None] * x
        plane -= borders.normal_y[rows, rank, None, None] * y
        inside = _soft_minimum(inside, plane)
    return inside


def nucleus_distance(
    x: NDArray[np.float32], y: NDArray[np.float32], cells: CellPlan
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Distance to the nuclear edge (µm, positive inside), and the cosine of six times the angle."""
    aspect = np.sqrt(column(cells, "nucleus_aspect"))
    cosine, sine = np.cos(column(cells, "nucleus_angle")), np.sin(column(cells, "nucleus_angle"))
    x, y = x - column(cells, "offset_x_um"), y - column(cells, "offset_y_um")
    along, across = x * cosine + y * sine, y * cosine - x * sine
    across = across + column(cells, "bend") * (along * along - 0.3 * column(cells, "nucleus_um") ** 2)
    along, across = along / aspect, across * aspect
    radius = np.sqrt(along * along + across * across) + np.float32(1e-4)
    c, s = along / radius, across / radius
    c2, s2 = c * c - s * s, 2 * c * s
    c3, s3 = c * c2 - s * s2, s * c2 + c * s2
    phase = column(cells, "phase")
    wave = c2 * np.cos(phase) + s2 * np.sin(phase) + 0.8 * (c3 * np.cos(3 * phase) + s3 * np.sin(3 * phase))
    edge = column(cells, "nucleus_um") * (1 + column(cells, "wobble") * wave) - radius
    edge /= np.sqrt(aspect)
    lobed = np.flatnonzero(cells["lobes"] > 0)
    if len(lobed):
        edge[lobed] = _lobed(x[lobed], y[lobed], cells[lobed])
    return edge.astype(np.float32), (c3 * c3 - s3 * s3).astype(np.float32)


def _lobed(x: NDArray[np.float32], y: NDArray[np.float32], cells: CellPlan) -> NDArray[np.float32]:
    """Two to four lobes on an arc."""
    radius, number = column(cells, "nucleus_um"), column(cells, "lobes")
    lobe = radius * np.float32(0.95) / np.sqrt(number)
    best = np.full(x.shape, -9.0, np.float32)
    for index in range(4):
        turn = column(cells, "nucleus_angle") + index * np.float32(4.4) / number
        gone = np.where(index < number, 0.0, 50.0).astype(np.float32)
        away = np.hypot(x - 0.62 * radius * np.cos(turn), y - 0.62 * radius * np.sin(turn))
        best = np.maximum(best, lobe - away - gone)
    return best


def _soft_minimum(a: NDArray[np.float32], b: NDArray[np.float32], width: float = 0.9) -> NDArray[np.float32]:
    """Polynomial smooth minimum: rounds corners over `width` µm."""
    difference = a - b
    np.abs(difference, out=difference)
    overlap = np.maximum(np.float32(width) - difference, 0)
    overlap *= overlap
    overlap *= np.float32(0.25 / width)
    result: NDArray[np.float32] = np.minimum(a, b) - overlap
    return result


def column(cells: CellPlan, name: str) -> NDArray[np.float32]:
    """Return one column shaped to meet stamps: (cells, 1, 1)."""
    values: NDArray[np.float32] = cells[name].astype(np.float32)[:, None, None]
    return values


# Where cells can sit: packed lattices, loose sprinkling, and thinning out what would overlap.


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
