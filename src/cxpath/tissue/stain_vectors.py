"""The slide's own haematoxylin and DAB directions, so that amounts mean the same on every slide."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cxpath.tissue.stain_hue import stain_hue
from cxpath.tissue.white_point import WhitePoint
from cxpath.values.stains import DEFAULT_DAB, DEFAULT_HEMATOXYLIN, Direction, StainBasis, unit

FEWEST_PIXELS = 500
BLUE = -0.08
BROWN = 0.15
PUREST_SHARE = 0.25
DARKEST_OD_SUM = 3.5
"""Darker pixels have lost their hue: a sensor near black."""


def estimate_stains(density: NDArray[np.float32], white_point: WhitePoint) -> StainBasis:
    """Estimate both directions from visible tissue pixels.

    Of the plainly blue (brown) pixels the purest quarter by hue gives haematoxylin (DAB): mixtures lie
    between the two (the idea of Macenko et al. 2009, with the hue's sign known in advance). A stain of
    which too little is there keeps its default direction.

    Parameters
    ----------
    density : float32 array, (N, 3)
        Optical densities of visible tissue pixels.
    white_point : tuple of float
    """
    usable = density[density.sum(axis=1) < DARKEST_OD_SUM]
    if len(usable) == 0:
        return StainBasis(white_point=white_point)
    brownness = stain_hue(usable).brownness
    return StainBasis(
        white_point=white_point,
        hematoxylin=_purest(usable, -brownness, -BLUE, DEFAULT_HEMATOXYLIN),
        dab=_purest(usable, brownness, BROWN, DEFAULT_DAB),
    )


def _purest(
    density: NDArray[np.float32], purity: NDArray[np.float32], least: float, default: Direction
) -> Direction:
    candidates = density[purity > least]
    if len(candidates) < FEWEST_PIXELS:
        return default
    own = purity[purity > least]
    purest = candidates[own >= np.quantile(own, 1.0 - PUREST_SHARE)]
    directions = purest / np.linalg.norm(purest, axis=1, keepdims=True)
    red, green, blue = unit(tuple(np.median(directions, axis=0)))
    return float(red), float(green), float(blue)
