"""AnnotatedField: one picture of real tissue and what a lab marked in it, which is never everything."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

STAIN_UNKNOWN = -1
REGION_UNLABELLED = -1


@dataclass(frozen=True, eq=False)
class AnnotatedCells:
    """Marked cells; every array has one entry per cell.

    Parameters
    ----------
    x_px, y_px : float64 array
        Nuclear centre; pixel centres at .5. Whose pixels, the holder says.
    fine : int64 array
        Fine label, of a class or of a set of classes, or `UNLABELLED`; see `fine_labels`.
    stained : int8 array
        1 PD-L1 positive by the rule of its kind, 0 negative, `STAIN_UNKNOWN`.
    """

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    fine: NDArray[np.int64]
    stained: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.x_px)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> AnnotatedCells:
        """Return the cells at `rows` (a boolean mask or an index array)."""
        return AnnotatedCells(**{item.name: getattr(self, item.name)[rows] for item in fields(self)})

    def in_frame(self, left_px: float, top_px: float, scale: float) -> AnnotatedCells:
        """Return the cells in a frame whose pixels are `scale` times as large, with its origin."""
        return replace(self, x_px=self.x_px / scale - left_px, y_px=self.y_px / scale - top_px)

    def inside(self, left_px: float, top_px: float, side_px: float) -> NDArray[np.bool_]:
        """Say which cells lie in a square."""
        within_x = (self.x_px >= left_px) & (self.x_px < left_px + side_px)
        return within_x & (self.y_px >= top_px) & (self.y_px < top_px + side_px)


@dataclass(frozen=True, eq=False)
class AnnotatedField:
    """A square picture at the network's µm/px with its labels.

    Parameters
    ----------
    rgb : uint8 array, (side, side, 3)
    cells : AnnotatedCells
        In pixels of the picture.
    complete : bool array, (side / 4, side / 4)
        Output cells in which every cell was marked, so that an unmarked one is known to be empty.
    region : int8 array, (side / 8, side / 8)
        `TissueRegion`, or `REGION_UNLABELLED`.
    """

    rgb: NDArray[np.uint8]
    cells: AnnotatedCells
    complete: NDArray[np.bool_]
    region: NDArray[np.int8]
