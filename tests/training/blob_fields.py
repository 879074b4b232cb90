"""Fields of plain blobs for quick tests: easy to learn, exact truth, no drawing room needed.

Tumour cells are large pale discs, lymphocytes small dark ones; a brown ring or a brown disc is PD-L1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cxpath.data.cells import Kind, Subkind, TissueRegion
from cxpath.synth.field import REGION_STRIDE_PX, SyntheticCells, SyntheticField

GLASS, PALE_BLUE, DARK_BLUE, BROWN = (235, 232, 228), (150, 160, 205), (70, 75, 150), (150, 95, 45)
PITCH_PX = 24


def cells_at(
    x_px: NDArray[np.float64],
    y_px: NDArray[np.float64],
    kind: NDArray[np.uint8],
    positive: NDArray[np.bool_],
) -> SyntheticCells:
    """True cells; every immune cell a lymphocyte, every other one a fibroblast."""
    subkind = np.select(
        [kind == Kind.TUMOUR, kind == Kind.IMMUNE], [Subkind.UNKNOWN, Subkind.LYMPHOCYTE], Subkind.FIBROBLAST
    )
    return SyntheticCells(
        x_px=x_px,
        y_px=y_px,
        kind=kind.astype(np.uint8),
        subkind=subkind.astype(np.uint8),
        membrane=positive & (kind == Kind.TUMOUR),
        any_stain=positive,
        completeness=positive.astype(np.float32),
        radius_um=np.full(len(x_px), 3.0, dtype=np.float32),
    )


def blob_field(seed: int, index: int, side_px: int) -> SyntheticField:
    """Return field `index` of the sequence `seed`: left half nest, right half stroma."""
    rng = np.random.default_rng([seed, index])
    grid = np.arange(PITCH_PX / 2, side_px, PITCH_PX)
    x_px, y_px = (axis.ravel() + rng.uniform(-4, 4, axis.size) for axis in np.meshgrid(grid, grid))
    kind = np.where(rng.random(x_px.size) < 0.5, Kind.TUMOUR, Kind.IMMUNE).astype(np.uint8)
    cells = cells_at(x_px, y_px, kind, rng.random(x_px.size) < 0.4)
    region = np.full((side_px // REGION_STRIDE_PX,) * 2, TissueRegion.STROMA, dtype=np.uint8)
    region[:, : region.shape[1] // 2] = TissueRegion.NEST
    return SyntheticField(
        _painted(cells, side_px, rng), 0.5, cells, region, np.zeros(region.shape, dtype=bool)
    )


def _painted(cells: SyntheticCells, side_px: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    light = np.empty((side_px, side_px, 3))
    light[:] = GLASS
    row, column = np.mgrid[:side_px, :side_px] + 0.5
    for x, y, kind, positive in zip(cells.x_px, cells.y_px, cells.kind, cells.positive, strict=True):
        distance = np.hypot(column - x, row - y)
        radius = 8.0 if kind == Kind.TUMOUR else 4.5
        light[distance < radius] = PALE_BLUE if kind == Kind.TUMOUR else DARK_BLUE
        if positive:
            light[(distance >= radius) & (distance < radius + 2.5)] = BROWN
    return np.clip(light + rng.normal(0, 4, light.shape), 0, 255).astype(np.uint8)
