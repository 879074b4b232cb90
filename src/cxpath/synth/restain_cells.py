"""Where the cells of a real tile lie, grown from the centres of their nuclei: borders, sides, neighbours.

Cells are additively weighted Voronoi cells of the centres, their borders bent by smooth noise and cut at a
radius. Knows nothing of stains.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cxpath.synth.labelled_tissue import LABELS, Tissue
from cxpath.synth.noise import FloatImage, smooth_field

_REACH_UM = {Tissue.EPITHELIUM: (7.0, 11.0), Tissue.IMMUNE: (3.7, 5.0), Tissue.STROMA: (4.0, 6.5)}
"""How far a cell reaches from the centre of its nucleus where no neighbour stops it."""

_BEND_UM = (0.4, 1.6)
_BEND_SCALE_UM = 7.0
_CANDIDATES = 5


@dataclass(frozen=True, eq=False)
class CellMap:
    """Which cell each pixel belongs to, and how far it is from that cell's border.

    Parameters
    ----------
    own, next : int64 array, (height, width)
        The cell that contains the pixel, or would if it reached so far; the neighbour across the nearest
        border.
    border_um : float32 array, (height, width)
        Distance to the border with that neighbour; negative never.
    edge_um : float32 array, (height, width)
        Distance to where the own cell ends for want of reach; negative outside of it.
    next_edge_um : float32 array, (height, width)
        The same of the neighbour.
    angle, next_angle : float32 array, (height, width)
        Direction of the pixel from the centre of either cell, radians.
    distance_um : float32 array, (height, width)
        Distance from the own cell's centre.
    reach_um : float64 array, (N,)
        Radius of each cell without neighbours.
    mpp : float
    """

    own: NDArray[np.int64]
    next: NDArray[np.int64]
    border_um: FloatImage
    edge_um: FloatImage
    next_edge_um: FloatImage
    angle: FloatImage
    next_angle: FloatImage
    distance_um: FloatImage
    reach_um: NDArray[np.float64]
    mpp: float

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Pixels that belong to a cell."""
        return np.asarray(self.edge_um > 0)


def map_cells(
    rng: np.random.Generator,
    x_px: NDArray[np.float64],
    y_px: NDArray[np.float64],
    label: NDArray[np.int64],
    shape: tuple[int, int],
    mpp: float,
) -> CellMap:
    """Grow cells from their centres.

    Parameters
    ----------
    rng : Generator
    x_px, y_px : float64 array, (N,)
        At least two centres.
    label : int64 array, (N,)
        Rows of `LABELS`.
    shape : tuple of int
        Height and width of the tile.
    mpp : float
    """
    reach = _reach_um(rng, label)
    centres = np.column_stack([x_px, y_px]) * mpp
    points = _bent_grid(rng, shape, mpp)
    number = min(_CANDIDATES, len(centres))
    distance, index = cKDTree(centres).query(points, k=number, workers=1)
    weighted = distance - 0.5 * reach[index]
    order = np.argsort(weighted, axis=1)[:, :2]
    rows = np.arange(len(points))[:, None]
    index, distance, weighted = index[rows, order], distance[rows, order], weighted[rows, order]
    away = points[:, None, :] - centres[index]
    angle = np.arctan2(away[..., 1], away[..., 0])

    def plane(values: NDArray[np.float64]) -> FloatImage:
        return values.reshape(shape).astype(np.float32)

    return CellMap(
        own=index[:, 0].reshape(shape),
        next=index[:, 1].reshape(shape),
        border_um=plane((weighted[:, 1] - weighted[:, 0]) / 2),
        edge_um=plane(reach[index[:, 0]] - distance[:, 0]),
        next_edge_um=plane(reach[index[:, 1]] - distance[:, 1]),
        angle=plane(angle[:, 0]),
        next_angle=plane(angle[:, 1]),
        distance_um=plane(distance[:, 0]),
        reach_um=reach,
        mpp=mpp,
    )


def neighbours_of(x_px: NDArray[np.float64], y_px: NDArray[np.float64], number: int) -> NDArray[np.int64]:
    """Return each cell and its nearest others, (N, number + 1); fewer columns where there are fewer cells."""
    places = np.column_stack([x_px, y_px])
    _, nearest = cKDTree(places).query(places, k=min(number + 1, len(places)))
    return np.asarray(nearest).reshape(len(places), -1)


def _reach_um(rng: np.random.Generator, label: NDArray[np.int64]) -> NDArray[np.float64]:
    """Draw radii; cells of one tissue are alike in a tile."""
    reach = np.zeros(len(label))
    for tissue, span in _REACH_UM.items():
        rows = np.isin(label, [number for number, one in enumerate(LABELS) if one.tissue is tissue])
        reach[rows] = rng.uniform(*span) * rng.uniform(0.85, 1.15, rows.sum())
    return reach


def _bent_grid(rng: np.random.Generator, shape: tuple[int, int], mpp: float) -> NDArray[np.float64]:
    """Return the place of every pixel in µm, (height * width, 2), moved by smooth noise."""
    row, column = np.mgrid[: shape[0], : shape[1]]
    places = np.column_stack([column.ravel() + 0.5, row.ravel() + 0.5]) * mpp
    bend = rng.uniform(*_BEND_UM)
    for axis in range(2):
        places[:, axis] += bend * smooth_field(rng, shape, mpp, _BEND_SCALE_UM).ravel()
    return places
