"""Taking an H&E tile apart: how much haematoxylin and eosin each pixel contains.

Each tile has its own two stain directions (Macenko et al. 2009). Where they are degenerate (a tile of fat or
blood, one under ink), fixed directions take their place, and a tile whose labelled nuclei are then no bluer
than what lies around them is refused. Knows nothing of DAB.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.data import Direction
from cxpath.errors import TissueTileError
from cxpath.synth.labelled_tissue import LabelledTile

FloatImage = NDArray[np.float32]

USUAL_HAEMATOXYLIN: Direction = (0.65, 0.70, 0.29)
USUAL_EOSIN: Direction = (0.07, 0.99, 0.11)
"""Ruifrok & Johnston 2001."""

_LEAST_WHITE = 215.0
_ASSUMED_WHITE = 242.0
_TISSUE_OD = 0.15
_LEAST_TISSUE_SHARE = 0.05
_APART_DEGREES = (14.0, 60.0)
_HAEMATOXYLIN_DEGREES, _EOSIN_DEGREES = 20.0, 33.0
"""How far a tile's own directions may lie from the usual ones."""
_NUCLEUS_UM = 2.0
_LEAST_NUCLEAR_CONTRAST = 1.25
_FEWEST_NUCLEI = 5


@dataclass(frozen=True, eq=False)
class UnmixedTile:
    """Stain amounts of an H&E tile.

    Parameters
    ----------
    haematoxylin : float32 array, (height, width)
        1 in the typical darker labelled nucleus.
    eosin : float32 array, (height, width)
        1 where the tile's tissue contains most.
    own_directions : bool
        False where the tile's own stain directions were degenerate and fixed ones were used.
    """

    haematoxylin: FloatImage
    eosin: FloatImage
    own_directions: bool


def unmix(tile: LabelledTile) -> UnmixedTile:
    """Return the stain amounts of a tile.

    Raises
    ------
    TissueTileError
        When labelled nuclei cannot be distinguished from their surroundings by haematoxylin.
    """
    od = optical_density_of(tile.rgb)
    own = stain_directions(od)
    for directions in (own, (USUAL_HAEMATOXYLIN, USUAL_EOSIN)):
        if directions is None:
            continue
        haematoxylin, eosin = _amounts(od, *directions)
        at_nuclei = _at_nuclei(tile, haematoxylin)
        if _nuclei_stand_out(at_nuclei, haematoxylin):
            return UnmixedTile(
                haematoxylin / np.float32(np.quantile(at_nuclei, 0.75)),
                eosin / np.float32(max(float(np.quantile(eosin, 0.98)), _TISSUE_OD)),
                own_directions=directions is own,
            )
    raise TissueTileError(
        f"tile {tile.name}: its labelled nuclei are no bluer than what lies around them",
        "leave the tile out, or check that its labels belong to it",
    )


def optical_density_of(rgb: NDArray[np.uint8]) -> FloatImage:
    """Return optical density (height, width, 3) against the picture's own white.

    The brightest light is the white only where it can be glass: a tile without glass shows pale tissue there.
    """
    white = np.quantile(rgb.reshape(-1, 3), 0.995, axis=0)
    white = np.where(white >= _LEAST_WHITE, white, _ASSUMED_WHITE)
    light = np.clip(rgb.astype(np.float32), 1.0, None) / white.astype(np.float32)
    return np.asarray(-np.log10(np.minimum(light, 1.0)), np.float32)


def stain_directions(od: FloatImage) -> tuple[Direction, Direction] | None:
    """Return unit directions of haematoxylin and eosin, or None where the tile does not show both.

    The extreme angles (1 % and 99 %) of tissue's optical density in the plane of its two largest principal
    components.
    """
    tissue = od.reshape(-1, 3)[od.sum(axis=2).ravel() > 3 * _TISSUE_OD]
    if len(tissue) < _LEAST_TISSUE_SHARE * od.shape[0] * od.shape[1]:
        return None
    _, vectors = np.linalg.eigh(np.cov(tissue.T))
    plane = vectors[:, 1:] * np.sign(vectors[:, 1:].sum(axis=0))
    angle = np.arctan2(*(tissue @ plane).T[::-1])
    ends = [_unit(plane @ (np.cos(edge), np.sin(edge))) for edge in np.quantile(angle, (0.01, 0.99))]
    haematoxylin, eosin = sorted(ends, key=lambda direction: -direction[0])
    return (haematoxylin, eosin) if _plausible(haematoxylin, eosin) else None


def _plausible(haematoxylin: Direction, eosin: Direction) -> bool:
    apart = _degrees(haematoxylin, eosin)
    near = (
        _degrees(haematoxylin, USUAL_HAEMATOXYLIN) < _HAEMATOXYLIN_DEGREES
        and _degrees(eosin, USUAL_EOSIN) < _EOSIN_DEGREES
    )
    return near and _APART_DEGREES[0] < apart < _APART_DEGREES[1] and min(haematoxylin + eosin) > -0.05


def _amounts(od: FloatImage, haematoxylin: Direction, eosin: Direction) -> tuple[FloatImage, FloatImage]:
    basis = np.array([haematoxylin, eosin])
    amounts = od.reshape(-1, 3) @ np.linalg.pinv(basis).astype(np.float32)
    both = np.maximum(amounts, 0).reshape(*od.shape[:2], 2)
    return np.ascontiguousarray(both[..., 0]), np.ascontiguousarray(both[..., 1])


def _at_nuclei(tile: LabelledTile, haematoxylin: FloatImage) -> NDArray[np.float32]:
    side = max(1, round(2 * _NUCLEUS_UM / tile.source.mpp)) | 1
    mean = cv2.blur(haematoxylin, (side, side))
    row = np.clip(tile.y_px.astype(int), 0, mean.shape[0] - 1)
    column = np.clip(tile.x_px.astype(int), 0, mean.shape[1] - 1)
    return np.asarray(mean[row, column], np.float32)


def _nuclei_stand_out(at_nuclei: NDArray[np.float32], haematoxylin: FloatImage) -> bool:
    if len(at_nuclei) < _FEWEST_NUCLEI:
        return False
    inside, around = float(np.median(at_nuclei)), float(np.median(haematoxylin))
    return inside > 0.03 and inside > _LEAST_NUCLEAR_CONTRAST * around


def _degrees(first: Direction, second: Direction) -> float:
    return float(np.degrees(np.arccos(np.clip(np.dot(first, second), -1, 1))))


def _unit(vector: NDArray[np.float64]) -> Direction:
    unit = vector / np.linalg.norm(vector)
    unit = unit if unit.sum() > 0 else -unit
    return (float(unit[0]), float(unit[1]), float(unit[2]))
