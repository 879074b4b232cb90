"""The ground plan of a piece of tissue in micrometres: nest, stroma, necrosis, benign tissue, glass.

Knows no cells and no pixels. The world's origin is its top left corner.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.data import TissueRegion
from cxpath.synth.noise import FloatImage, smooth_field
from cxpath.synth.recipe import TissueMix

STEP_UM = 2.0


class Ground(IntEnum):
    """What the tissue is at one spot."""

    GLASS = 0
    STROMA = 1
    NEST = 2
    NECROSIS = 3
    BENIGN = 4
    LUMEN = 5
    KERATIN = 6
    VESSEL = 7


REGION_OF_GROUND = np.array(
    [
        TissueRegion.UNKNOWN,
        TissueRegion.STROMA,
        TissueRegion.NEST,
        TissueRegion.NECROSIS,
        TissueRegion.BENIGN,
        TissueRegion.NEST,
        TissueRegion.NEST,
        TissueRegion.STROMA,
    ],
    dtype=np.uint8,
)
"""The region a pathologist would name, by `Ground`."""


@dataclass(frozen=True, eq=False)
class Vessel:
    """A round structure of stroma: a vessel, or a benign gland when `gland`; lengths in µm."""

    x_um: float
    y_um: float
    radius_um: float
    aspect: float
    angle: float
    gland: bool


@dataclass(frozen=True, eq=False)
class Layout:
    """Maps with one value per `STEP_UM`; all of one shape.

    Parameters
    ----------
    ground : uint8 array
        `Ground`.
    nest_depth_um : float32 array
        Distance to the border of tumour nests, positive inside.
    tissue_depth_um : float32 array
        Distance to the tissue's edge, positive inside.
    benign_depth_um : float32 array
        Depth inside benign epithelium.
    aggregate : bool array
        Dense lymphocyte aggregates.
    fibre_um : float32 array
        Coordinate across the fibres of stroma: its contour lines are the fibres.
    vessels : tuple of Vessel
    """

    ground: NDArray[np.uint8]
    nest_depth_um: FloatImage
    tissue_depth_um: FloatImage
    benign_depth_um: FloatImage
    aggregate: NDArray[np.bool_]
    fibre_um: FloatImage
    fibre_angle: FloatImage
    vessels: tuple[Vessel, ...]

    @property
    def width_um(self) -> float:
        """Width of the world."""
        return float(self.ground.shape[1] * STEP_UM)

    @property
    def height_um(self) -> float:
        """Height of the world."""
        return float(self.ground.shape[0] * STEP_UM)

    def area_mm2(self, *grounds: Ground) -> float:
        """Return the area of some grounds."""
        return float(np.isin(self.ground, grounds).sum()) * STEP_UM**2 * 1e-6


def lay_out(
    rng: np.random.Generator, width_um: float, height_um: float, mix: TissueMix, *, islands: bool = False
) -> Layout:
    """Draw a ground plan; `islands` surrounds the tissue by glass on all sides, as on a slide."""
    shape = (int(np.ceil(height_um / STEP_UM)), int(np.ceil(width_um / STEP_UM)))
    tissue = _tissue(rng, shape, mix, islands=islands)
    benign = _benign(rng, shape, mix) & tissue
    nest = _nests(rng, shape, mix, tissue & ~benign) & tissue & ~benign
    nest_depth = _signed_distance_um(nest)
    ground = np.full(shape, Ground.GLASS, np.uint8)
    ground[tissue] = Ground.STROMA
    ground[benign] = Ground.BENIGN
    ground[nest] = Ground.NEST
    _fill_nests(rng, ground, nest_depth, mix)
    vessels = _vessels(rng, ground, nest_depth, mix)
    aggregate = _share_of(rng, shape, 110.0, mix.aggregate_share, ground == Ground.STROMA)
    fibre, angle = _fibres(rng, shape, nest_depth)
    return Layout(
        ground,
        nest_depth,
        _signed_distance_um(tissue),
        _signed_distance_um(benign),
        aggregate & (ground == Ground.STROMA),
        fibre,
        angle,
        vessels,
    )


def _tissue(
    rng: np.random.Generator, shape: tuple[int, int], mix: TissueMix, *, islands: bool
) -> NDArray[np.bool_]:
    if mix.glass_share <= 0:
        return np.ones(shape, bool)
    outline = smooth_field(rng, shape, STEP_UM, mix.glass_scale_um)
    if islands:
        y = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
        x = np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :]
        outline -= np.float32(1.5) * (x * x + y * y)
        outline -= np.float32(8.0) * np.maximum(np.abs(x), np.abs(y)) ** 10
    outline += np.float32(0.03) * smooth_field(rng, shape, STEP_UM, 25.0)
    inside: NDArray[np.bool_] = outline > np.quantile(outline[::4, ::4], mix.glass_share)
    return inside


def _benign(rng: np.random.Generator, shape: tuple[int, int], mix: TissueMix) -> NDArray[np.bool_]:
    """Draw strips, as surface epithelium runs."""
    if mix.benign_share <= 0:
        return np.zeros(shape, bool)
    strip = np.abs(smooth_field(rng, shape, STEP_UM, 500.0) + 0.12 * smooth_field(rng, shape, STEP_UM, 60.0))
    inside: NDArray[np.bool_] = strip < np.quantile(strip[::2, ::2], mix.benign_share)
    return inside


def _nests(
    rng: np.random.Generator, shape: tuple[int, int], mix: TissueMix, room: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    if mix.nest_share >= 0.995:
        return np.ones(shape, bool)
    if mix.nest_share <= 0 or not room.any():
        return np.zeros(shape, bool)
    blobs = smooth_field(rng, shape, STEP_UM, mix.nest_scale_um)
    blobs += 0.35 * smooth_field(rng, shape, STEP_UM, mix.nest_scale_um * 0.3)
    blobs += 0.06 * smooth_field(rng, shape, STEP_UM, 14.0)
    inside: NDArray[np.bool_] = blobs > np.quantile(blobs[room], 1 - mix.nest_share)
    small = cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_OPEN, np.ones((7, 7), np.uint8))
    return small.astype(bool)


def _fill_nests(
    rng: np.random.Generator, ground: NDArray[np.uint8], depth: FloatImage, mix: TissueMix
) -> None:
    for name, share, scale, least_um in (
        (Ground.NECROSIS, mix.necrosis_share, 130.0, 35.0),
        (Ground.KERATIN, mix.keratin_share, 60.0, 25.0),
        (Ground.LUMEN, mix.lumen_share, 45.0, 14.0),
    ):
        inner = (ground == Ground.NEST) & (depth > least_um)
        if share > 0 and inner.any():
            ground[_share_of(rng, ground.shape, scale, share, inner) & inner] = name


def _share_of(
    rng: np.random.Generator, shape: tuple[int, ...], scale_um: float, share: float, room: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    if share <= 0 or not room.any():
        return np.zeros(shape, bool)
    field = smooth_field(rng, (shape[0], shape[1]), STEP_UM, scale_um)
    chosen: NDArray[np.bool_] = field > np.quantile(field[room], 1 - share)
    return chosen


def _vessels(
    rng: np.random.Generator, ground: NDArray[np.uint8], nest_depth: FloatImage, mix: TissueMix
) -> tuple[Vessel, ...]:
    area = float((ground == Ground.STROMA).sum()) * STEP_UM**2 * 1e-6
    found = []
    for gland, density in ((True, mix.glands_mm2), (False, mix.vessels_mm2)):
        for _ in range(rng.poisson(density * area)):
            vessel = _vessel(rng, ground, nest_depth, gland=gland)
            if vessel is not None:
                found.append(vessel)
    return tuple(found)


def _vessel(
    rng: np.random.Generator, ground: NDArray[np.uint8], nest_depth: FloatImage, *, gland: bool
) -> Vessel | None:
    radius = float(rng.uniform(22, 55)) if gland else float(np.exp(rng.uniform(np.log(4.5), np.log(26))))
    aspect = float(rng.uniform(1.0, 2.2))
    row, column = int(rng.integers(ground.shape[0])), int(rng.integers(ground.shape[1]))
    if nest_depth[row, column] > -(radius + 6):
        return None
    reach = int((radius * aspect + 14) / STEP_UM) + 1
    rows = slice(max(0, row - reach), row + reach + 1)
    columns = slice(max(0, column - reach), column + reach + 1)
    window = ground[rows, columns]
    if (window != Ground.STROMA).any():
        return None
    vessel = Vessel(
        (column + 0.5) * STEP_UM, (row + 0.5) * STEP_UM, radius, aspect, float(rng.uniform(0, np.pi)), gland
    )
    y, x = np.mgrid[rows, columns][:, : window.shape[0], : window.shape[1]].astype(np.float64)
    distance = ellipse_radius((x + 0.5) * STEP_UM, (y + 0.5) * STEP_UM, vessel)
    if gland:
        window[distance < radius + 7] = Ground.BENIGN
    window[distance < (radius - 8 if gland else radius)] = Ground.LUMEN if gland else Ground.VESSEL
    return vessel


def ellipse_radius(
    x_um: NDArray[np.float64], y_um: NDArray[np.float64], vessel: Vessel
) -> NDArray[np.float64]:
    """Return the distance to the vessel's centre in units in which its wall lies at `radius_um`."""
    cosine, sine = np.cos(vessel.angle), np.sin(vessel.angle)
    along = (x_um - vessel.x_um) * cosine + (y_um - vessel.y_um) * sine
    across = -(x_um - vessel.x_um) * sine + (y_um - vessel.y_um) * cosine
    radius: NDArray[np.float64] = np.hypot(along / vessel.aspect, across)
    return radius


def _fibres(
    rng: np.random.Generator, shape: tuple[int, int], nest_depth: FloatImage
) -> tuple[FloatImage, FloatImage]:
    """Wavy parallel fibres that bend around nests."""
    direction = rng.uniform(0, np.pi)
    y = np.arange(shape[0], dtype=np.float32)[:, None] * np.float32(STEP_UM)
    x = np.arange(shape[1], dtype=np.float32)[None, :] * np.float32(STEP_UM)
    across = x * np.float32(np.sin(direction)) - y * np.float32(np.cos(direction))
    across = (
        across + 45 * smooth_field(rng, shape, STEP_UM, 220.0) + 6 * smooth_field(rng, shape, STEP_UM, 50.0)
    )
    near = cv2.GaussianBlur(np.clip(nest_depth, -60, 5), (0, 0), 6.0)
    across = (across - 0.9 * near).astype(np.float32)
    down, right = np.gradient(across)
    return across, np.arctan2(right, -down).astype(np.float32)


def _signed_distance_um(inside: NDArray[np.bool_]) -> FloatImage:
    if inside.all():
        return np.full(inside.shape, 1e4, np.float32)
    if not inside.any():
        return np.full(inside.shape, -1e4, np.float32)
    within = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 3)
    without = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 3)
    distance: FloatImage = ((within - without) * np.float32(STEP_UM)).astype(np.float32)
    return distance
