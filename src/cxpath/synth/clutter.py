"""Clutter: small things that are no cells, such as granules, pigment, carbon, vacuoles and red cells."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from cxpath.synth.cells import Points, sprinkled
from cxpath.synth.layout import STEP_UM, Ground, Layout
from cxpath.synth.noise import points_in_map
from cxpath.synth.recipe import FieldRecipe


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
