"""What on synthetic tissue is not a cell: clutter within it, and artefacts laid over a painted field."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.synth.cells import Points, sprinkled
from cxpath.synth.layout import STEP_UM, Ground, Layout
from cxpath.synth.noise import FloatImage, points_in_map, smooth_field
from cxpath.synth.recipe import Artefacts, FieldRecipe

# Clutter: small things that are not cells, such as granules, pigment, carbon, vacuoles and red cells.


class Thing(IntEnum):
    """What a piece of clutter is."""

    GRANULE = 0
    PIGMENT = 1
    CARBON = 2
    VACUOLE = 3
    TAN_BODY = 4
    RED_CELL = 5
    FRAGMENT = 6


@dataclass(frozen=True, eq=False)
class Clutter:
    """One entry a thing; positions and sizes in µm, amounts in optical density."""

    thing: NDArray[np.uint8]
    x_um: NDArray[np.float64]
    y_um: NDArray[np.float64]
    radius_um: NDArray[np.float32]
    aspect: NDArray[np.float32]
    angle: NDArray[np.float32]
    amount_od: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.thing)


_SIZES: dict[Thing, tuple[float, float]] = {
    Thing.GRANULE: (0.35, 1.1),
    Thing.PIGMENT: (0.6, 1.9),
    Thing.CARBON: (0.4, 1.3),
    Thing.VACUOLE: (1.5, 7.0),
    Thing.TAN_BODY: (4.0, 9.0),
    Thing.RED_CELL: (2.6, 3.5),
    Thing.FRAGMENT: (3.0, 8.0),
}
_AMOUNTS: dict[Thing, tuple[float, float]] = {
    Thing.GRANULE: (0.12, 0.9),
    Thing.PIGMENT: (0.2, 0.9),
    Thing.CARBON: (0.4, 1.4),
    Thing.VACUOLE: (0.7, 1.0),
    Thing.TAN_BODY: (0.03, 0.16),
    Thing.RED_CELL: (0.04, 0.22),
    Thing.FRAGMENT: (0.08, 0.5),
}
_CLUSTER: dict[Thing, tuple[float, float]] = {
    Thing.GRANULE: (3.0, 6.0),
    Thing.PIGMENT: (10.0, 5.0),
    Thing.CARBON: (14.0, 6.0),
    Thing.RED_CELL: (4.0, 8.0),
}
"""Mean number in a cluster, and its spread in µm."""


def scatter_clutter(rng: np.random.Generator, layout: Layout, recipe: FieldRecipe) -> Clutter:
    """Strew clutter over the tissue as the recipe's hard negatives say."""
    hard_negatives = recipe.hard_negatives
    densities = {
        Thing.GRANULE: hard_negatives.granules_mm2,
        Thing.PIGMENT: hard_negatives.pigment_mm2,
        Thing.CARBON: hard_negatives.anthracosis_mm2,
        Thing.VACUOLE: hard_negatives.vacuoles_mm2,
        Thing.TAN_BODY: hard_negatives.tan_ghosts_mm2,
        Thing.RED_CELL: hard_negatives.red_cells_mm2,
        Thing.FRAGMENT: hard_negatives.membrane_fragments_mm2,
    }
    parts = [
        _things(rng, thing, _places(rng, thing, density, layout)) for thing, density in densities.items()
    ]
    parts.append(_things(rng, Thing.RED_CELL, _blood_in_vessels(rng, layout)))
    return Clutter(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _places(rng: np.random.Generator, thing: Thing, per_mm2: float, layout: Layout) -> Points:
    clustered, spread_um = _CLUSTER.get(thing, (1.0, 0.0))
    seeds = sprinkled(rng, layout.width_um, layout.height_um, per_mm2 / clustered)
    points = np.repeat(seeds, rng.poisson(clustered, len(seeds)) if clustered > 1 else 1, axis=0)
    points = points + rng.normal(0, 1, points.shape) * spread_um
    ground = points_in_map(layout.ground, points[:, 0], points[:, 1], STEP_UM)
    inside = (points[:, 0] > 0) & (points[:, 0] < layout.width_um)
    inside &= (points[:, 1] > 0) & (points[:, 1] < layout.height_um) & (ground != Ground.GLASS)
    if thing in (Thing.PIGMENT, Thing.CARBON, Thing.RED_CELL, Thing.TAN_BODY):
        inside &= ground != Ground.NEST
    return points[inside]


def _blood_in_vessels(rng: np.random.Generator, layout: Layout) -> Points:
    filled = [vessel for vessel in layout.vessels if not vessel.gland and rng.random() < 0.5]
    clouds = [
        np.array([[vessel.x_um, vessel.y_um]])
        + rng.normal(0, vessel.radius_um * 0.5, (rng.poisson(vessel.radius_um**2 / 25), 2))
        for vessel in filled
    ]
    points = np.concatenate(clouds) if clouds else np.zeros((0, 2))
    ground = points_in_map(layout.ground, points[:, 0], points[:, 1], STEP_UM)
    inside: Points = points[ground == Ground.VESSEL]
    return inside


def _things(rng: np.random.Generator, thing: Thing, points: Points) -> tuple[NDArray[np.generic], ...]:
    n = len(points)
    low, high = _SIZES[thing]
    radius = np.exp(rng.uniform(np.log(low), np.log(high), n))
    least, most = _AMOUNTS[thing]
    level = np.exp(rng.uniform(np.log(least), np.log(most))) if thing is Thing.RED_CELL else 1.0
    amount = (
        np.exp(rng.uniform(np.log(least), np.log(most), n))
        if level == 1.0
        else level * rng.uniform(0.8, 1.2, n)
    )
    return (
        np.full(n, thing, np.uint8),
        points[:, 0],
        points[:, 1],
        radius.astype(np.float32),
        rng.uniform(1.0, 1.7, n).astype(np.float32),
        rng.uniform(0, np.pi, n).astype(np.float32),
        amount.astype(np.float32),
    )


# Artefacts of cutting, mounting and scanning, laid over a painted field; says which pixels they spoil.


PENS: tuple[tuple[float, float, float], ...] = (
    (0.9, 0.5, 0.1),
    (0.1, 0.7, 0.6),
    (0.8, 0.3, 0.7),
    (0.8, 0.8, 0.8),
)
"""Optical-density colours of blue, red, green and black ink."""


def lay_artefacts(
    rng: np.random.Generator, od: FloatImage, artefacts: Artefacts, mpp: float
) -> tuple[FloatImage, NDArray[np.bool_]]:
    """Return the optical density with artefacts, and the pixels in which cells cannot be evaluated."""
    spoiled = np.zeros(od.shape[:2], bool)
    if artefacts.fold:
        od, spoiled = _fold(rng, od, spoiled, mpp)
    if artefacts.crush:
        od, spoiled = _crush(rng, od, spoiled, mpp)
    if artefacts.bubble:
        od, spoiled = _bubble(rng, od, spoiled, mpp)
    if artefacts.pen:
        od, spoiled = _pen(rng, od, spoiled, mpp)
    if artefacts.defocus_um > 0:
        od, spoiled = _defocus(rng, od, spoiled, artefacts.defocus_um / mpp, mpp)
    return od, spoiled


def _strip(rng: np.random.Generator, shape: tuple[int, int], mpp: float, width_um: float) -> FloatImage:
    """Distance in µm to the edge of a wavy strip across the field, positive inside."""
    angle, wave = rng.uniform(0, np.pi), smooth_field(rng, shape, mpp, 120.0)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    centre = np.array(shape) * rng.uniform(0.2, 0.8, 2)
    across = (x - centre[1]) * np.cos(angle) + (y - centre[0]) * np.sin(angle)
    strip: FloatImage = (width_um / 2 - np.abs(across * mpp + 8 * wave)).astype(np.float32)
    return strip


def _fold(
    rng: np.random.Generator, od: FloatImage, spoiled: NDArray[np.bool_], mpp: float
) -> tuple[FloatImage, NDArray[np.bool_]]:
    strip = _strip(rng, od.shape[:2], mpp, rng.uniform(10, 35))
    share = np.clip(strip / 3 + 0.5, 0, 1)[..., None]
    other = np.roll(od[:, ::-1], int(rng.integers(od.shape[0])), axis=0)
    folded = od + share * (0.7 * other + 0.25 * cv2.GaussianBlur(od, (0, 0), 3 / mpp))
    return folded.astype(np.float32), spoiled | (strip > -2)


def _crush(
    rng: np.random.Generator, od: FloatImage, spoiled: NDArray[np.bool_], mpp: float
) -> tuple[FloatImage, NDArray[np.bool_]]:
    """Smear nuclei along one direction."""
    strip = _strip(rng, od.shape[:2], mpp, rng.uniform(40, 110))
    length = max(3, int(rng.uniform(10, 24) / mpp)) | 1
    line = np.zeros((length, length), np.float32)
    line[length // 2] = 1.0
    turn = cv2.getRotationMatrix2D((length // 2, length // 2), float(rng.uniform(0, 180)), 1.0)
    turned = np.asarray(cv2.warpAffine(line, turn, (length, length)), np.float32)
    smeared = cv2.filter2D(od, -1, turned / turned.sum()) * np.float32(1.5)
    share = np.clip(strip / 12 + 0.5, 0, 1)[..., None]
    return (od * (1 - share) + smeared * share).astype(np.float32), spoiled | (strip > -4)


def _bubble(
    rng: np.random.Generator, od: FloatImage, spoiled: NDArray[np.bool_], mpp: float
) -> tuple[FloatImage, NDArray[np.bool_]]:
    height, width = od.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    away = np.hypot(x - rng.uniform(0, width), y - rng.uniform(0, height)) * mpp
    edge = rng.uniform(30, 110) - away
    blurred = cv2.GaussianBlur(od, (0, 0), 2.0 / mpp) * np.float32(0.75)
    share = np.clip(edge / 3 + 0.5, 0, 1)[..., None]
    rim = 0.7 * np.exp(-((edge / 3.5) ** 2))[..., None]
    result = od * (1 - share) + blurred * share + rim * np.array([0.9, 1.0, 1.0], np.float32)
    return result.astype(np.float32), spoiled | (edge > -7)


def _pen(
    rng: np.random.Generator, od: FloatImage, spoiled: NDArray[np.bool_], mpp: float
) -> tuple[FloatImage, NDArray[np.bool_]]:
    strip = _strip(rng, od.shape[:2], mpp, rng.uniform(50, 200))
    uneven = 1 + 0.2 * smooth_field(rng, od.shape[:2], mpp, 30.0)
    ink = (np.clip(strip / 10 + 0.5, 0, 1) * uneven * rng.uniform(0.4, 1.5))[..., None]
    colour = np.array(PENS[rng.integers(len(PENS))], np.float32)
    return (
        cv2.GaussianBlur(od, (0, 0), 1.0 / mpp) * 0.3 * (ink > 0.02)
        + od * (1 - 0.3 * (ink > 0.02))
        + ink * colour
    ).astype(np.float32), spoiled | (strip > -5)


def _defocus(
    rng: np.random.Generator, od: FloatImage, spoiled: NDArray[np.bool_], sigma_px: float, mpp: float
) -> tuple[FloatImage, NDArray[np.bool_]]:
    where = smooth_field(rng, od.shape[:2], mpp, 150.0) + rng.uniform(-0.5, 1.2)
    share = np.clip(where * 3 + 0.5, 0, 1)[..., None]
    blurred = cv2.GaussianBlur(od, (0, 0), sigma_px)
    return (od * (1 - share) + blurred * share).astype(np.float32), spoiled | (where > 0)
