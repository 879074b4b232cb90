"""FieldStrata: the tiles of a slide sorted by how brown they look from afar, so that few need be read.

The overview sorts tiles by their DAB: the brownest spots in a stratum of their own, since a rare cluster of
positive cells is what a random sample would miss; the others in thirds. How well brown foretells positive
cells matters for the width of the interval, not for its truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from cxpath.data.slide_info import TileFrame, optical_density
from cxpath.pipeline.tiles import TilePlan
from cxpath.tissue.tissue import Tissue

RARE_SHARE = 0.08
"""Share of the tiles that go into the stratum of the brownest spots."""

SPOT_QUANTILE = 0.98
"""A tile's brownest spot is this quantile of the DAB over its tissue."""

THIRDS = 3


@dataclass(frozen=True, eq=False)
class FieldStrata:
    """Tiles with tissue and their strata.

    Parameters
    ----------
    tile : int array, (F,)
        Numbers of the plan's tiles that contain tissue to score.
    stratum : int array, (F,)
        0 for the palest third, 1, 2, and the last for the brownest spots.
    """

    tile: NDArray[np.int64]
    stratum: NDArray[np.int64]

    @property
    def rare(self) -> int:
        """The stratum of the brownest spots."""
        return int(self.stratum.max())


def lay_strata(plan: TilePlan, tissue: Tissue) -> FieldStrata:
    """Sort the tiles of a plan that contain tissue; there must be one."""
    frames = [tile.frame for tile in plan.with_tissue]
    dab = _dab_od(tissue)
    boxes = [_box(tissue, frame) for frame in frames]
    amount, spot = np.array([_amount_and_spot(dab[box], tissue.scored[box]) for box in boxes]).T
    rare = np.argsort(-spot, kind="stable")[: max(1, round(RARE_SHARE * len(frames)))]
    others = np.setdiff1d(np.argsort(amount, kind="stable"), rare, assume_unique=True)
    others = others[np.argsort(amount[others], kind="stable")]
    stratum = np.full(len(frames), THIRDS, dtype=np.int64)
    for number, third in enumerate(np.array_split(others, THIRDS)):
        stratum[third] = number
    _, stratum = np.unique(stratum, return_inverse=True)
    return FieldStrata(np.array([frame.index for frame in frames]), stratum.astype(np.int64))


def _box(tissue: Tissue, frame: TileFrame) -> tuple[slice, slice]:
    """Return the rows and columns of the overview that a tile's core touches."""
    to_overview = tissue.slide_mpp / tissue.overview_mpp
    starts = frame.core_y_px * to_overview, frame.core_x_px * to_overview
    side = frame.core_side_px * to_overview
    rows, columns = (slice(max(0, floor(start)), max(0, ceil(start + side))) for start in starts)
    return rows, columns


def _dab_od(tissue: Tissue) -> NDArray[np.float32]:
    density = optical_density(tissue.overview, tissue.stains.white_point)
    dab = density @ tissue.stains.unmixing()[:, 1].astype(np.float32)
    return np.asarray(np.maximum(dab, 0.0), dtype=np.float32)


def _amount_and_spot(dab: NDArray[np.float32], scored: NDArray[np.bool_]) -> tuple[float, float]:
    own = dab[scored]
    return (float(own.mean()), float(np.quantile(own, SPOT_QUANTILE))) if own.size else (0.0, 0.0)
