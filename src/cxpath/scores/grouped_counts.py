"""Counts and CPS of parts of a slide: tiles, fields, squares of a heat map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxpath.scores.countable import countable_kind
from cxpath.scores.cps import MAXIMUM
from cxpath.values.cell_table import CellTable, Kind


@dataclass(frozen=True, eq=False)
class GroupedCounts:
    """Counts of G groups of cells, as in `CellCounts`; int64 arrays of length G.

    `immune_positive` holds the counted ones; stained immune cells far from tumour are in none of them.
    """

    tumour_positive: NDArray[np.int64]
    tumour_negative: NDArray[np.int64]
    immune_positive: NDArray[np.int64]
    immune_negative: NDArray[np.int64]
    other: NDArray[np.int64]

    @property
    def tumour(self) -> NDArray[np.int64]:
        """Viable tumour cells of each group."""
        return self.tumour_positive + self.tumour_negative

    @property
    def positive(self) -> NDArray[np.int64]:
        """Numerator of each group's CPS."""
        return self.tumour_positive + self.immune_positive

    def cps(self) -> NDArray[np.float64]:
        """Return each group's own CPS, capped; NaN without tumour cells.

        For looking at only: a slide's CPS is never an average of these.
        """
        tumour = self.tumour
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = 100.0 * self.positive / tumour
        return np.where(tumour > 0, np.minimum(ratio, MAXIMUM), np.nan)


def grouped_counts(
    cells: CellTable,
    stained_threshold: float,
    counted: NDArray[np.bool_],
    group: NDArray[np.int64],
    groups: int,
) -> GroupedCounts:
    """Count cells by group.

    Parameters
    ----------
    cells : CellTable
    stained_threshold : float
    counted : bool array, (N,)
        Which cells enter the numerator (see `counted_positive`).
    group : int array, (N,)
        Group of each cell, 0 to groups - 1.
    groups : int
    """
    kind = countable_kind(cells)
    tumour, immune = kind == Kind.TUMOUR, kind == Kind.IMMUNE
    positive = cells.stained >= stained_threshold

    def count(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(group[chosen], minlength=groups).astype(np.int64)

    return GroupedCounts(
        tumour_positive=count(tumour & counted),
        tumour_negative=count(tumour & ~counted),
        immune_positive=count(immune & counted),
        immune_negative=count(immune & ~positive),
        other=count(kind == Kind.OTHER),
    )
