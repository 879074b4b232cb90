"""H-score of tumour cells: 1 x % weak + 2 x % moderate + 3 x % strong, 0-300 (clinical brief 3.3).

The cuts between 1+, 2+ and 3+ are a lab's own; without them there is no H-score.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from cxpath.scores.countable import countable_kind
from cxpath.values.cell_table import CellTable, Kind


class Compartment(StrEnum):
    """Where a marker is read."""

    MEMBRANE = "membrane"
    CYTOPLASM = "cytoplasm"


def h_score(
    cells: CellTable,
    intensity_cuts_od: tuple[float, float, float],
    compartment: Compartment = Compartment.MEMBRANE,
) -> float | None:
    """Return the H-score over all tumour cells, or None where none was measured.

    Parameters
    ----------
    cells : CellTable
    intensity_cuts_od : tuple of float
        Optical densities from which a cell is 1+, 2+ and 3+, rising.
    compartment : Compartment
    """
    is_membrane = compartment is Compartment.MEMBRANE
    density = cells.dab_membrane_od if is_membrane else cells.dab_cytoplasm_od
    own = density[countable_kind(cells) == Kind.TUMOUR]
    measured = own[np.isfinite(own)]
    if measured.size == 0:
        return None
    grades = np.searchsorted(np.asarray(intensity_cuts_od), measured, side="right")
    return float(100.0 * grades.mean())
