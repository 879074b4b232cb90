"""The colours of one slide: stain directions, counterstain strength, pigments; layers to light.

Directions and their spread are what real H-DAB slides show, not the textbook's (Ruifrok & Johnston 2001).
Knows nothing of cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxpath.values.stains import Direction

FloatImage = NDArray[np.float32]

PALE_VIOLET: Direction = (0.63, 0.72, 0.30)
TEAL: Direction = (0.80, 0.52, 0.30)
TAN: Direction = (0.30, 0.50, 0.81)
CARBON: Direction = (0.57, 0.58, 0.58)
HAEMOSIDERIN: Direction = (0.25, 0.50, 0.83)
BLOOD: Direction = (0.22, 0.55, 0.80)


@dataclass(frozen=True)
class StainLook:
    """Stain directions (unit optical-density vectors, red green blue) and strengths of one slide.

    Parameters
    ----------
    haematoxylin, dab, tan : Direction
        Directions; tan is unstained cytoplasm and fibre.
    haematoxylin_gain, dab_gain : float
        Under- or over-staining; 1 draws the recipe's optical densities.
    dab_browning : float
        How far dense DAB shifts towards neutral dark brown (0-1), as real deposits scatter light.
    section_thickness : float
        Relative to a usual 4 µm section; scales all stain.
    stroma_blue_od, stroma_tan_od : float
        Haze of stroma in haematoxylin and tan.
    fibril_od : float
        Thin strands in stroma, greyish blue.
    """

    haematoxylin: Direction = (0.70, 0.64, 0.31)
    dab: Direction = (0.33, 0.53, 0.78)
    tan: Direction = TAN
    haematoxylin_gain: float = 1.0
    dab_gain: float = 1.0
    dab_browning: float = 0.3
    section_thickness: float = 1.0
    stroma_blue_od: float = 0.05
    stroma_tan_od: float = 0.03
    fibril_od: float = 0.04


@dataclass(frozen=True)
class StainRange:
    """The directions a set of slides may show: arcs between two ends, with some scatter.

    Parameters
    ----------
    haematoxylin_ends, dab_ends : tuple of two Direction
    scatter : float
        Largest amount added to or taken from each component before normalising.
    """

    haematoxylin_ends: tuple[Direction, Direction] = (TEAL, PALE_VIOLET)
    dab_ends: tuple[Direction, Direction] = ((0.22, 0.46, 0.88), (0.43, 0.58, 0.70))
    scatter: float = 0.025


TRAINING_STAINS = StainRange()

HELD_OUT_STAINS = StainRange(
    haematoxylin_ends=((0.455, 0.825, 0.335), (0.43, 0.84, 0.33)),
    dab_ends=((0.06, 0.29, 0.955), (0.04, 0.27, 0.962)),
    scatter=0.008,
)
"""Colours at least 10° from any of training's: for test fields only."""


def random_stain_look(rng: np.random.Generator, stains: StainRange = TRAINING_STAINS) -> StainLook:
    """Draw one slide's colours."""
    return StainLook(
        haematoxylin=_between(rng, stains.haematoxylin_ends, stains.scatter),
        dab=_between(rng, stains.dab_ends, stains.scatter),
        tan=_between(rng, ((0.25, 0.45, 0.85), (0.42, 0.58, 0.70)), 0.02),
        haematoxylin_gain=float(rng.uniform(0.8, 1.2)),
        dab_gain=float(rng.uniform(0.85, 1.15)),
        dab_browning=float(rng.uniform(0.0, 0.6)),
        section_thickness=float(rng.uniform(0.8, 1.2)),
        stroma_blue_od=float(np.exp(rng.uniform(np.log(0.006), np.log(0.11)))),
        stroma_tan_od=float(rng.choice([0.003, 0.012, 0.045]) * rng.uniform(0.5, 1.5)),
        fibril_od=float(rng.uniform(0.0, 0.1)),
    )


@dataclass(frozen=True, eq=False)
class StainLayers:
    """Amounts of everything that colours a window, as optical density; float32 (height, width) each."""

    haematoxylin: FloatImage
    dab: FloatImage
    tan: FloatImage
    carbon: FloatImage
    pigment: FloatImage
    blood: FloatImage

    @classmethod
    def empty(cls, shape: tuple[int, int]) -> StainLayers:
        """Return layers of clear glass."""
        return cls(*(np.zeros(shape, np.float32) for _ in range(6)))

    def crop(self, rows: slice, columns: slice) -> StainLayers:
        """Return a window of the layers."""
        return StainLayers(
            *(
                layer[rows, columns]
                for layer in (self.haematoxylin, self.dab, self.tan, self.carbon, self.pigment, self.blood)
            )
        )


def optical_density(layers: StainLayers, look: StainLook) -> FloatImage:
    """Add up the light each layer takes: float32 (height, width, 3), red green blue (Beer-Lambert)."""
    haematoxylin = layers.haematoxylin * np.float32(look.haematoxylin_gain * look.section_thickness)
    dab = layers.dab * np.float32(look.dab_gain * look.section_thickness)
    dense = dab * dab / (dab + np.float32(1.2)) * np.float32(look.dab_browning)
    od = np.empty((*haematoxylin.shape, 3), np.float32)
    rare = [(layers.carbon, CARBON), (layers.pigment, HAEMOSIDERIN), (layers.blood, BLOOD)]
    present = [(layer, direction) for layer, direction in rare if layer.any()]
    for channel in range(3):
        plane = haematoxylin * np.float32(look.haematoxylin[channel])
        plane += dab * np.float32(look.dab[channel])
        plane += dense * np.float32(CARBON[channel] - 0.5 * look.dab[channel])
        plane += layers.tan * np.float32(look.tan[channel])
        for layer, direction in present:
            plane += layer * np.float32(direction[channel])
        od[..., channel] = plane
    return od


def _between(rng: np.random.Generator, ends: tuple[Direction, Direction], scatter: float) -> Direction:
    share = rng.random()
    mixed = np.array(ends[0]) * (1 - share) + np.array(ends[1]) * share + rng.uniform(-scatter, scatter, 3)
    unit = mixed / np.linalg.norm(mixed)
    return (float(unit[0]), float(unit[1]), float(unit[2]))
