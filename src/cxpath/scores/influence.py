"""The fields without which the CPS would change most: leave one field out. Places, no pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxpath.scores.fields import FieldLattice

FIELDS = 12


@dataclass(frozen=True)
class InfluentialField:
    """A field and by how much it moves the CPS; places are its top left corner, level-0.

    `influence` is the uncapped CPS less the one without the field: positive where the field raises it, None
    where nothing but the field holds tumour.
    """

    left_px: float
    top_px: float
    left_um: float
    top_um: float
    side_um: float
    influence: float | None
    tumour_cells: int
    positive_cells: int
    local_cps: float | None


def rank_fields(lattice: FieldLattice) -> NDArray[np.int64]:
    """Return the fields' rows by falling influence; where nothing moves the score, those with most tumour."""
    influence = np.nan_to_num(lattice.influence(), nan=np.inf)
    return np.lexsort((-lattice.counts.tumour, -np.abs(influence)))


def influential_fields(
    lattice: FieldLattice, mpp: float, fields: int = FIELDS
) -> tuple[InfluentialField, ...]:
    """Return the most influential fields, first the one that moves the score most.

    Parameters
    ----------
    lattice : FieldLattice
    mpp : float
        Micrometres per level-0 pixel.
    fields : int
        At most so many.
    """
    influence, local = lattice.influence(), lattice.counts.cps()
    return tuple(
        InfluentialField(
            left_px=float(lattice.left_px[row]),
            top_px=float(lattice.top_px[row]),
            left_um=float(lattice.left_px[row] * mpp),
            top_um=float(lattice.top_px[row] * mpp),
            side_um=float(lattice.side_px * mpp),
            influence=_known(influence[row]),
            tumour_cells=int(lattice.counts.tumour[row]),
            positive_cells=int(lattice.counts.positive[row]),
            local_cps=_known(local[row]),
        )
        for row in rank_fields(lattice)[:fields]
    )


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
