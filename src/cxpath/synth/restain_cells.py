"""The cells of a real tile: where they lie, and macrophages painted among them."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from cxpath.errors import MissingFileError, TissueTileError
from cxpath.synth.labelled_tissue import LABEL_NUMBER, LABELS, LabelledTile, Tissue
from cxpath.synth.noise import FloatImage, smooth_field

# Where the cells of a real tile lie, grown from the centres of their nuclei: borders, sides, neighbours.
#
# Cells are additively weighted Voronoi cells of the centres, their borders bent by smooth noise and cut at a
# radius. Knows nothing of stains.


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


# Macrophages painted into the stroma of a real tile: outlines of real nuclei, chromatin of the tile itself.
#
# Sets of labelled tissue name no macrophages. Their nuclei are drawn from outlines that pathologists' labels
# call histiocytes, filled with the tile's own pale chromatin. So that a painted nucleus is not the mark of a
# macrophage, as many lymphocytes and stromal cells are painted in the same way. Knows nothing of DAB.


OUTLINES = Path("real_tissue/puma_outlines/nuclei.json.gz")
_OUTLINES_MPP = 0.23
_LABEL_OF_OUTLINE = {
    "nuclei_histiocyte": "macrophage",
    "nuclei_lymphocyte": "lymphocyte",
    "nuclei_stroma": "stromal",
    "nuclei_endothelium": "stromal",
}
_SHARES = {"macrophage": 0.5, "lymphocyte": 0.25, "stromal": 0.25}
_FREE_UM = 7.0
_STROMA_UM = 45.0
_TRIES = 12


@dataclass(frozen=True, eq=False)
class Outline:
    """The outline of one nucleus, in µm from its middle, and its row of `LABELS`."""

    label: int
    points_um: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Guest:
    """Cells painted into a tile, and the tile's haematoxylin with them."""

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    label: NDArray[np.int64]
    haematoxylin: FloatImage


def read_outlines(data: Path, per_label: int = 2500) -> list[Outline]:
    """Read outlines of nuclei from the data folder, evenly over its fields.

    Raises
    ------
    MissingFileError
        When there are none.
    TissueTileError
        When the file cannot be read.
    """
    path = data / OUTLINES
    if not path.is_file():
        raise MissingFileError(f"{path}: no outlines of nuclei", "point CXPATH_DATA at the data")
    try:
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            fields = json.load(stream)
        named = [(name, points) for field in fields.values() for name, points in field]
    except (OSError, EOFError, zlib.error, ValueError, TypeError, AttributeError) as error:
        raise TissueTileError(f"{path}: not outlines of nuclei", "fetch the file again") from error
    outlines = []
    for label in _SHARES:
        of_label = [points for name, points in named if _LABEL_OF_OUTLINE.get(name) == label]
        chosen = of_label[:: max(1, len(of_label) // per_label)]
        outlines += [Outline(LABEL_NUMBER[label], _centred(points)) for points in chosen]
    return outlines


def invite_guests(
    rng: np.random.Generator,
    tile: LabelledTile,
    haematoxylin: FloatImage,
    outlines: Sequence[Outline],
    per_mm2: float,
) -> Guest:
    """Paint nuclei into free places of a tile's stroma; fewer than asked for where there is no room."""
    mpp = tile.source.mpp
    painted = haematoxylin.copy()
    texture = smooth_field(rng, haematoxylin.shape, mpp, 2.5)
    taken = [*zip((tile.x_px * mpp).tolist(), (tile.y_px * mpp).tolist(), strict=True)]
    tissue = np.array([one.tissue for one in LABELS])[tile.label]
    home = np.column_stack([tile.x_px, tile.y_px])[tissue != Tissue.EPITHELIUM] * mpp
    number = rng.poisson(per_mm2 * haematoxylin.size * mpp**2 / 1e6)
    rows = []
    for _ in range(number if len(home) else 0):
        place = _free_place(rng, home, np.array(taken), haematoxylin.shape, mpp)
        if place is None:
            continue
        outline = _draw_outline(rng, outlines)
        taken.append((float(place[0]), float(place[1])))
        _fill(rng, painted, texture, outline, place / mpp, mpp)
        rows.append((*(place / mpp), outline.label))
    columns = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    return Guest(columns[0], columns[1], columns[2].astype(np.int64), painted)


def _centred(points: list[list[float]]) -> NDArray[np.float64]:
    outline = np.array(points, dtype=np.float64) * _OUTLINES_MPP
    return np.asarray(outline - (outline.min(axis=0) + outline.max(axis=0)) / 2)


def _draw_outline(rng: np.random.Generator, outlines: Sequence[Outline]) -> Outline:
    wanted = LABEL_NUMBER[str(rng.choice(list(_SHARES), p=list(_SHARES.values())))]
    fitting = [outline for outline in outlines if outline.label == wanted]
    if not fitting:
        raise TissueTileError("the outlines of nuclei lack a class that is painted", "fetch the file again")
    return fitting[int(rng.integers(len(fitting)))]


def _free_place(
    rng: np.random.Generator,
    home: NDArray[np.float64],
    taken: NDArray[np.float64],
    shape: tuple[int, ...],
    mpp: float,
) -> NDArray[np.float64] | None:
    """Return x, y in µm, near a cell of stroma and away from every nucleus, or None."""
    tree = cKDTree(taken)
    for _ in range(_TRIES):
        place = home[int(rng.integers(len(home)))] + rng.normal(0, _STROMA_UM / 3, 2)
        inside = (place > 4.0).all() and place[0] < shape[1] * mpp - 4.0 and place[1] < shape[0] * mpp - 4.0
        if inside and tree.query(place)[0] > _FREE_UM:
            return np.asarray(place)
    return None


def _fill(
    rng: np.random.Generator,
    painted: FloatImage,
    texture: FloatImage,
    outline: Outline,
    centre_px: NDArray[np.float64],
    mpp: float,
) -> None:
    """Lay one nucleus over the haematoxylin: pale with a darker rim for macrophages, dark for lymphocytes."""
    macrophage = outline.label == LABEL_NUMBER["macrophage"]
    turn = rng.uniform(0, 2 * np.pi)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    points = outline.points_um @ rotation.T / mpp + centre_px
    mask = np.zeros(painted.shape, np.uint8)
    cv2.fillPoly(mask, [np.rint(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    inside = cv2.GaussianBlur(mask, (0, 0), 0.35 / mpp).astype(np.float32) / 255
    rim = np.clip(4 * inside * (1 - inside), 0, 1)
    level = rng.uniform(0.35, 0.7) if macrophage else rng.uniform(0.7, 1.2)
    rough = 0.15 if macrophage else 0.25
    nucleus = level * np.clip(1 + rough * texture, 0.3, 1.8) + rng.uniform(0, 0.4) * level * rim
    window = inside > 0.01
    painted[window] = (painted * (1 - inside) + nucleus * inside)[window]
