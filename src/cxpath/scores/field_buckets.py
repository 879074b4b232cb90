"""Fields sorted into buckets of local CPS, and from each a few drawn at random, for a reader to look at.

The twelve most influential fields show what decides; these show what the rest is like. Nothing is averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxpath.scores.fields import FieldLattice

_BOUNDS = (
    ("no positive cell", 0.0, np.nextafter(0.0, 1.0)),
    ("above 0, below 1", np.nextafter(0.0, 1.0), 1.0),
    ("1 to below 10", 1.0, 10.0),
    ("10 or more", 10.0, np.inf),
)
"""Name of each bucket, and the local CPS from which and below which a field belongs to it."""

SEED = 20_261_123


@dataclass(frozen=True)
class FieldBucket:
    """Fields of one class of local CPS.

    Parameters
    ----------
    name : str
        Such as "1 to below 10".
    fields : int
        How many fields with viable tumour cells it holds.
    share_of_tumour_cells : float
        Their share of the slide's viable tumour cells, 0 to 1.
    share_of_positive_cells : float or None
        Their share of the positive cells; None where the slide has none.
    """

    name: str
    fields: int
    share_of_tumour_cells: float
    share_of_positive_cells: float | None


def sort_fields(lattice: FieldLattice) -> tuple[FieldBucket, ...]:
    """Return all buckets, lowest first; positive cells of fields without tumour belong to the highest.

    Parameters
    ----------
    lattice : FieldLattice
        With at least one viable tumour cell.
    """
    tumour, positive = lattice.counts.tumour, lattice.counts.positive
    whole, stained = int(tumour.sum()), int(positive.sum())
    stray = (tumour == 0) & (positive > 0)
    found = []
    for name, low, high in _BOUNDS:
        own = _between(lattice, low, high)
        counted = own | stray if high == np.inf else own
        share = float(positive[counted].sum() / stained) if stained else None
        found.append(FieldBucket(name, int(own.sum()), float(tumour[own].sum() / whole), share))
    return tuple(found)


def draw_fields(lattice: FieldLattice, each: int, besides: Sequence[int]) -> tuple[tuple[str, int], ...]:
    """Draw fields of every bucket, each in proportion to its tumour cells; seeded.

    Parameters
    ----------
    lattice : FieldLattice
    each : int
        At most so many of a bucket.
    besides : sequence of int
        Rows that are shown already.

    Returns
    -------
    tuple of (str, int)
        Name of the bucket and row of the field; the highest bucket first.
    """
    rng = np.random.default_rng(SEED)
    shown = np.zeros(len(lattice.left_px), dtype=bool)
    shown[list(besides)] = True
    drawn: list[tuple[str, int]] = []
    for name, low, high in reversed(_BOUNDS):
        rows = np.flatnonzero(_between(lattice, low, high) & ~shown)
        weights = lattice.counts.tumour[rows].astype(np.float64)
        if rows.size and each:
            number = min(each, rows.size)
            picked = rng.choice(rows, number, replace=False, p=weights / weights.sum())
            drawn += [(name, int(row)) for row in picked]
    return tuple(drawn)


def _between(lattice: FieldLattice, low: float, high: float) -> NDArray[np.bool_]:
    """Say which fields with tumour have a local CPS from `low` to below `high`."""
    local = np.where(lattice.counts.tumour > 0, lattice.counts.cps(), -1.0)
    return np.asarray((local >= low) & (local < high))
