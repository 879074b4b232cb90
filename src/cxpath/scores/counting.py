"""CellCounts: the numbers that every cell score is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxpath.scores.countable import countable_kind
from cxpath.scores.tumour_association import near_tumour
from cxpath.values.cell_table import CellTable, Kind


@dataclass(frozen=True)
class CellCounts:
    """Cells by what they count as.

    Parameters
    ----------
    tumour_positive, tumour_negative : int
        Viable tumour cells with and without PD-L1 membrane staining.
    immune_positive : int
        Stained lymphocytes and macrophages near tumour: those that count.
    immune_negative : int
        Unstained lymphocytes and macrophages; they enter no CPS.
    immune_positive_not_associated : int
        Stained ones too far from tumour: shown, not counted.
    other : int
        Plasma cells, neutrophils, eosinophils, stroma, and whatever lies in necrosis or benign epithelium:
        never counted.
    """

    tumour_positive: int
    tumour_negative: int
    immune_positive: int
    immune_negative: int
    immune_positive_not_associated: int
    other: int

    @property
    def tumour(self) -> int:
        """All viable tumour cells: the denominator."""
        return self.tumour_positive + self.tumour_negative

    @property
    def positive(self) -> int:
        """Tumour and immune cells that count: the numerator of the CPS."""
        return self.tumour_positive + self.immune_positive


def counted_positive(
    cells: CellTable, stained_threshold: float, association_distance_um: float
) -> NDArray[np.bool_]:
    """Say for each cell whether it enters the numerator of the CPS.

    Parameters
    ----------
    cells : CellTable
    stained_threshold : float
        A cell is positive from this probability on.
    association_distance_um : float
        Reach of the tumour-association rule.

    Returns
    -------
    bool array, (N,)
    """
    positive, kind = cells.stained >= stained_threshold, countable_kind(cells)
    associated = near_tumour(cells, positive & (kind == Kind.IMMUNE), association_distance_um)
    return np.asarray((positive & (kind == Kind.TUMOUR)) | associated)


def count_cells(cells: CellTable, stained_threshold: float, association_distance_um: float) -> CellCounts:
    """Count the cells of a slide by the rules of the clinical brief, 1.1.

    Parameters
    ----------
    cells : CellTable
    stained_threshold : float
        A cell is positive from this probability on; NaN is not positive.
    association_distance_um : float
        Reach of the tumour-association rule.
    """
    counted = counted_positive(cells, stained_threshold, association_distance_um)
    return tally_cells(cells, stained_threshold, counted)


def tally_cells(cells: CellTable, stained_threshold: float, counted: NDArray[np.bool_]) -> CellCounts:
    """Count the cells of a slide of which is known which ones enter the numerator.

    Parameters
    ----------
    cells : CellTable
    stained_threshold : float
    counted : bool array, (N,)
        As `counted_positive` returns it.
    """
    kind = countable_kind(cells)
    tumour, immune = kind == Kind.TUMOUR, kind == Kind.IMMUNE
    positive = cells.stained >= stained_threshold
    immune_positive = int(np.count_nonzero(counted & immune))
    return CellCounts(
        tumour_positive=int(np.count_nonzero(tumour & positive)),
        tumour_negative=int(np.count_nonzero(tumour & ~positive)),
        immune_positive=immune_positive,
        immune_negative=int(np.count_nonzero(immune & ~positive)),
        immune_positive_not_associated=int(np.count_nonzero(immune & positive)) - immune_positive,
        other=int(np.count_nonzero(kind == Kind.OTHER)),
    )
