"""H-score of tumour cells: 1 x % weak + 2 x % moderate + 3 x % strong, 0-300 (clinical brief 3.3).

The cuts between 1+, 2+ and 3+ are a lab's own; without them there is no H-score.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from cxpath.scores.countable import countable_kind
from cxpath.values.cell_table import CellTable, Kind

GRADES = ("0", "1+", "2+", "3+")


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
    percent = grade_percentages(cells, intensity_cuts_od, compartment)
    return None if percent is None else sum(grade * share for grade, share in enumerate(percent.values()))


def grade_percentages(
    cells: CellTable,
    intensity_cuts_od: tuple[float, float, float],
    compartment: Compartment = Compartment.MEMBRANE,
) -> dict[str, float] | None:
    """Return the percentage of tumour cells in each grade, together 100; None where none was measured.

    Parameters
    ----------
    cells : CellTable
    intensity_cuts_od : tuple of float
        Optical densities from which a cell is 1+, 2+ and 3+, rising.
    compartment : Compartment

    Returns
    -------
    dict
        By "0", "1+", "2+" and "3+", in this order.
    """
    is_membrane = compartment is Compartment.MEMBRANE
    density = cells.dab_membrane_od if is_membrane else cells.dab_cytoplasm_od
    own = density[countable_kind(cells) == Kind.TUMOUR]
    measured = own[np.isfinite(own)]
    if measured.size == 0:
        return None
    grades = np.searchsorted(np.asarray(intensity_cuts_od), measured, side="right")
    shares = 100.0 * np.bincount(grades, minlength=len(GRADES)) / measured.size
    return dict(zip(GRADES, map(float, shares), strict=True))
