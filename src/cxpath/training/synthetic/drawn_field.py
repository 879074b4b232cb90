"""DrawnField: one drawn picture of tissue and the exact truth about it."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from cxpath.values.cell_table import Kind

REGION_STRIDE_PX = 8


@dataclass(frozen=True, eq=False)
class DrawnCells:
    """True cells of a drawing; every array has one entry per cell.

    Parameters
    ----------
    x_px, y_px : float64 array
        Nuclear centre in pixels of the drawing, pixel centres at .5.
    kind, subkind : uint8 array
        `Kind` and `Subkind`.
    membrane : bool array
        Convincing partial or complete linear membrane staining: what makes a *tumour* cell positive.
    any_stain : bool array
        Membrane and/or cytoplasmic staining: what makes an *immune* cell positive.
    completeness : float32 array
        Share of the cell's outline that is stained, 0-1.
    radius_um : float32 array
        Mean radius of the nucleus.
    """

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    kind: NDArray[np.uint8]
    subkind: NDArray[np.uint8]
    membrane: NDArray[np.bool_]
    any_stain: NDArray[np.bool_]
    completeness: NDArray[np.float32]
    radius_um: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.x_px)

    @property
    def positive(self) -> NDArray[np.bool_]:
        """PD-L1 positive by the rule of the cell's kind (tumour: membrane; others: any)."""
        return np.where(self.kind == Kind.TUMOUR, self.membrane, self.any_stain)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> DrawnCells:
        """Return the cells at `rows` (a boolean mask or an index array)."""
        return DrawnCells(**{item.name: getattr(self, item.name)[rows] for item in fields(self)})

    def true_cps(self) -> float:
        """Return the drawing's CPS, capped at 100; NaN without a tumour cell."""
        tumour = self.kind == Kind.TUMOUR
        if not tumour.any():
            return float("nan")
        counted = self.positive & (self.kind != Kind.OTHER)
        return min(100.0, 100.0 * float(counted.sum()) / float(tumour.sum()))


@dataclass(frozen=True, eq=False)
class DrawnField:
    """A drawing and its truth.

    Parameters
    ----------
    rgb : uint8 array, (height, width, 3)
    mpp : float
        Micrometres per pixel of `rgb`.
    cells : DrawnCells
        Only cells whose centre lies inside the picture and that a reader could see.
    region : uint8 array, (height / 8, width / 8)
        `TissueRegion` of each 8 by 8 pixel square; `UNKNOWN` is glass or unreadable tissue.
    ignore : bool array, (height / 8, width / 8)
        Squares in which cells are drawn but not to be learned from or judged (blurred, under pen, crushed).
    """

    rgb: NDArray[np.uint8]
    mpp: float
    cells: DrawnCells
    region: NDArray[np.uint8]
    ignore: NDArray[np.bool_]
