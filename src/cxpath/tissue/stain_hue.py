"""Where a colour stands between haematoxylin, DAB and what is neither.

Two numbers describe an optical density whatever its amount. `brownness` is the share of blue less the
share of red: about -0.25 for haematoxylin, +0.3 for DAB. `offplane` is how far the direction leaves the
plane of the two stains, negative towards eosin (-0.7).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxpath.values.stains import DEFAULT_DAB, DEFAULT_HEMATOXYLIN, unit


@dataclass(frozen=True, eq=False)
class StainHue:
    """Arrays of length N."""

    brownness: NDArray[np.float32]
    offplane: NDArray[np.float32]


def stain_hue(density: NDArray[np.float32]) -> StainHue:
    """Describe colours by brownness and distance from the haematoxylin-DAB plane.

    Parameters
    ----------
    density : float32 array, (N, 3)
        Optical densities, none of them all zero.
    """
    normal = np.cross(unit(DEFAULT_HEMATOXYLIN), unit(DEFAULT_DAB))
    normal = (normal / np.linalg.norm(normal)).astype(np.float32)
    total = density.sum(axis=1)
    return StainHue(
        brownness=(density[:, 2] - density[:, 0]) / total,
        offplane=(density @ normal) / np.linalg.norm(density, axis=1),
    )
