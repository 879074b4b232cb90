"""A training field as a slide reader delivers it: drawn at a scanner's µm/px, brought to the network's.

Fine scans grow sharp and quiet when they shrink, coarse ones soft when they grow, and their compression
shows at another scale; a network that only saw pictures drawn at its own µm/px meets neither.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cxpath.training.synthetic.drawn_field import REGION_STRIDE_PX, DrawnField
from cxpath.training.synthetic.field import draw_field
from cxpath.training.synthetic.recipe import random_recipe
from cxpath.training.synthetic.scarce_looks import with_scarce_looks

NETWORK_MPP = (0.45, 0.55)
"""Range of what fields are brought to: 0.5 with some jitter, as nuclei differ in size between tumours."""

_SHARES = {"own": 0.45, "coarse": 0.2, "fine": 0.35}
_FINE_MPP, _COARSE_MPP = (0.22, 0.45), (0.55, 0.66)


def draw_scanned_field(rng: np.random.Generator, side_px: int) -> DrawnField:
    """Draw a random field of `side_px` (a multiple of 8) as it looks at about the network's µm/px."""
    mpp = float(rng.uniform(*NETWORK_MPP))
    scanned_mpp = _scanned_mpp(rng, mpp)
    scanned_px = int(np.ceil(side_px * mpp / scanned_mpp / REGION_STRIDE_PX)) * REGION_STRIDE_PX
    recipe = random_recipe(rng, size_px=(scanned_px, scanned_px), mpp=scanned_mpp)
    return brought_to(draw_field(with_scarce_looks(recipe, rng), rng), side_px)


def brought_to(field: DrawnField, side_px: int) -> DrawnField:
    """Return a square field at another size in pixels, a multiple of 8; its µm/px changes with it."""
    side_before = field.rgb.shape[0]
    if side_before == side_px:
        return field
    scale = side_px / side_before
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    rgb = cv2.resize(field.rgb, (side_px, side_px), interpolation=method)
    cells = replace(field.cells, x_px=field.cells.x_px * scale, y_px=field.cells.y_px * scale)
    coarse = side_px // REGION_STRIDE_PX
    return DrawnField(
        rgb=np.asarray(rgb, dtype=np.uint8),
        mpp=field.mpp / scale,
        cells=cells,
        region=_nearest(field.region, coarse),
        ignore=_nearest(field.ignore.astype(np.uint8), coarse).astype(bool),
    )


def _scanned_mpp(rng: np.random.Generator, own_mpp: float) -> float:
    kind = rng.choice(list(_SHARES), p=list(_SHARES.values()))
    if kind == "own":
        return own_mpp
    return float(rng.uniform(*(_FINE_MPP if kind == "fine" else _COARSE_MPP)))


def _nearest(coarse: NDArray[Any], side: int) -> NDArray[Any]:
    """Read a square map at another number of squares, each at its middle."""
    place = ((np.arange(side) + 0.5) * coarse.shape[0] / side).astype(np.intp)
    return coarse[np.ix_(place, place)]
