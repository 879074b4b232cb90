"""CellPeaks: what the network saw in one tile, before anybody calls it a cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxpath.values.cell_table import Subkind, TissueRegion

FINE_CLASSES: tuple[str, ...] = ("tumour", *(subkind.name.lower() for subkind in Subkind if subkind))
"""Order of the network's kind logits: tumour first, then every Subkind but UNKNOWN (ten in all)."""

REGION_CLASSES: tuple[str, ...] = tuple(region.name.lower() for region in TissueRegion)
"""Order of the network's region logits, as TissueRegion; `unknown` is glass or unusable."""

STAIN_CLASSES: tuple[str, ...] = ("membrane", "any")
"""Order of the stain logits: convincing linear membrane; membrane and/or cytoplasm."""


@dataclass(frozen=True, eq=False)
class CellPeaks:
    """Peaks of the centre map of one tile; N peaks, R radii, A angles.

    Parameters
    ----------
    x_px, y_px : float64 array, (N,)
        Centre in *tile* pixels at the network's µm/px, origin at the tile's top left (halo included),
        pixel centres at .5.
    score : float32 array, (N,)
        Centre probability, 0-1.
    kind_logits : float32 array, (N, 10)
        In the order of `FINE_CLASSES`.
    stain_logits : float32 array, (N, 2)
        In the order of `STAIN_CLASSES`.
    region : uint8 array, (N,)
        Winning `TissueRegion` at the centre.
    radii_um : float32 array, (R,)
        Radii of the optical-density samples.
    hematoxylin_od, dab_od : float32 array, (N, R, A)
        Stain amounts sampled on rings around the centre.
    """

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    score: NDArray[np.float32]
    kind_logits: NDArray[np.float32]
    stain_logits: NDArray[np.float32]
    region: NDArray[np.uint8]
    radii_um: NDArray[np.float32]
    hematoxylin_od: NDArray[np.float32]
    dab_od: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.x_px)
