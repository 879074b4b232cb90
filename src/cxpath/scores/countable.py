"""What each cell counts as once its place is known: nothing in necrosis or benign epithelium ever counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cxpath.values.cell_table import CellTable, Kind, TissueRegion

NEVER_COUNTED = (TissueRegion.NECROSIS, TissueRegion.BENIGN)
"""Clinical brief 1.1: necrotic cells, benign epithelium and CIN enter neither numerator nor denominator."""

_EXCLUDED = np.isin(np.arange(256), NEVER_COUNTED)


def countable_kind(cells: CellTable) -> NDArray[np.uint8]:
    """Return each cell's kind, `OTHER` for those that lie in necrosis or in benign epithelium.

    Regions are the network's coarse ones or a pathologist's; what he excludes is no longer in the table.

    Parameters
    ----------
    cells : CellTable

    Returns
    -------
    uint8 array, (N,)
        As `Kind`.
    """
    return np.where(in_uncounted_region(cells), np.uint8(Kind.OTHER), cells.kind).astype(np.uint8)


def in_uncounted_region(cells: CellTable) -> NDArray[np.bool_]:
    """Say for each cell whether it lies in necrosis or in benign epithelium."""
    return np.asarray(_EXCLUDED[cells.region])
