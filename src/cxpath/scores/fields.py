"""Fields of a slide: local scores, their spread, their influence and a stratified choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxpath.scores.counts import (
    CalledCells,
    GroupedCounts,
    grouped_counts,
    lattice_columns,
    places_on_lattice,
)

# Fields: squares of a slide-wide lattice, and how much each of them moves the score.


@dataclass(frozen=True, eq=False)
class FieldLattice:
    """The fields that contain cells; arrays of length F.

    Parameters
    ----------
    numbers : int64 array
        Place of each field on the lattice, counted row by row from the slide's top left: the number by which
        report, review and tables call it.
    left_px, top_px : float64 array
        Top left corners in level-0 pixels.
    side_px : float
        Side of a field in level-0 pixels.
    counts : GroupedCounts
    field_of_cell : int64 array, (N,)
        Field of each cell of the table it was made from.
    """

    numbers: NDArray[np.int64]
    left_px: NDArray[np.float64]
    top_px: NDArray[np.float64]
    side_px: float
    counts: GroupedCounts
    field_of_cell: NDArray[np.int64]

    def influence(self) -> NDArray[np.float64]:
        """Return by how much the slide's CPS (uncapped) would change without each field.

        Positive where the field raises the score; NaN where nothing but the field contains tumour.
        """
        positive, tumour = self.counts.positive, self.counts.tumour
        rest = (tumour.sum() - tumour).astype(np.float64)
        rest[rest == 0] = np.nan
        whole = 100.0 * positive.sum() / max(int(tumour.sum()), 1)
        return np.asarray(whole - 100.0 * (positive.sum() - positive) / rest)


def lay_fields(called: CalledCells, field_um: float) -> FieldLattice:
    """Sort cells into fields of a lattice that starts at the slide's top left corner.

    Parameters
    ----------
    called : CalledCells
    field_um : float
        Side of a field.
    """
    cells = called.cells
    side_px = field_um / cells.facts.mpp
    place, columns = places_on_lattice(cells, side_px)
    held = np.bincount(place) > 0
    occupied, row_of_place = np.flatnonzero(held), np.cumsum(held) - 1
    field_of_cell = row_of_place[place]
    return FieldLattice(
        numbers=occupied,
        left_px=np.asarray((occupied % columns) * side_px, dtype=np.float64),
        top_px=np.asarray((occupied // columns) * side_px, dtype=np.float64),
        side_px=side_px,
        counts=grouped_counts(called, field_of_cell, len(occupied)),
        field_of_cell=field_of_cell,
    )


def field_number(left_um: float, top_um: float, field_um: float, width_px: int, mpp: float) -> int:
    """Return the number of the field at a place, given by its top left corner, on a slide of this width.

    The same as in `FieldLattice.numbers`, for results that state only the place.
    """
    columns = lattice_columns(width_px, field_um / mpp)
    return round(top_um / field_um) * columns + round(left_um / field_um)


# Fields sorted into buckets of local CPS, and from each a few drawn at random, for a reader to look at.
#
# The twelve most influential fields show what decides; these show what the rest is like. Nothing is
# averaged.


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
        How many fields with viable tumour cells it contains.
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


def sample_fields(lattice: FieldLattice, each: int, besides: Sequence[int]) -> tuple[tuple[str, int], ...]:
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


# How unevenly positive cells lie over the fields of a slide. For looking at: it decides nothing.


CURVE_STEPS = 20
"""Points of `positive_share_of_hottest`: a twentieth of the tumour cells each."""

FEWEST_TUMOUR_CELLS = 50
"""A field with fewer is not named the hottest: its local CPS is chance."""


@dataclass(frozen=True)
class HottestField:
    """The field of the highest local CPS; places are its top left corner."""

    left_um: float
    top_um: float
    tumour_cells: int
    local_cps: float


@dataclass(frozen=True)
class Heterogeneity:
    """Spread of the CPS over fields.

    Parameters
    ----------
    fields : int
        Fields that contain viable tumour cells.
    gini : float or None
        0 when every field contains positive cells in proportion to its tumour cells, near 1 when one small
        field contains them all; chance alone gives more than 0 where cells are few. None without positives.
    coefficient_of_variation : float or None
        Of the local ratio over fields, weighted by tumour cells.
    share_of_hottest_tenth : float or None
        Share of the positive cells in the hottest fields that together contain a tenth of the tumour cells.
    positive_share_of_hottest : tuple of float
        The same for the hottest twentieth, two twentieths and so on up to all tumour cells; empty without
        positive cells.
    buckets : tuple of FieldBucket
        Fields by local CPS.
    fewest_tumour_cells : int
        Below it a field is not named the hottest.
    hottest : HottestField or None
    """

    fields: int
    gini: float | None
    coefficient_of_variation: float | None
    share_of_hottest_tenth: float | None
    positive_share_of_hottest: tuple[float, ...]
    buckets: tuple[FieldBucket, ...]
    fewest_tumour_cells: int
    hottest: HottestField | None


def heterogeneity(lattice: FieldLattice, mpp: float) -> Heterogeneity:
    """Measure how unevenly positive cells lie over fields.

    Parameters
    ----------
    lattice : FieldLattice
    mpp : float
        Micrometres per level-0 pixel.
    """
    with_tumour = lattice.counts.tumour > 0
    tumour = lattice.counts.tumour[with_tumour].astype(np.float64)
    positive = lattice.counts.positive[with_tumour].astype(np.float64)
    fields, hottest, buckets = len(tumour), _hottest(lattice, mpp), sort_fields(lattice)
    if positive.sum() == 0:
        return Heterogeneity(fields, None, None, None, (), buckets, FEWEST_TUMOUR_CELLS, hottest)
    order = np.argsort(positive / tumour)
    x = np.concatenate([[0.0], np.cumsum(tumour[order]) / tumour.sum()])
    y = np.concatenate([[0.0], np.cumsum(positive[order]) / positive.sum()])
    gini = 1.0 - float(np.sum((y[1:] + y[:-1]) * np.diff(x)))
    mean = positive.sum() / tumour.sum()
    variance = float(np.sum(tumour * (positive / tumour - mean) ** 2) / tumour.sum())
    shares = np.arange(1, CURVE_STEPS + 1) / CURVE_STEPS
    hottest_hold = 1.0 - np.interp(1.0 - shares, x, y)
    return Heterogeneity(
        fields,
        max(0.0, gini),
        float(np.sqrt(variance) / mean),
        1.0 - float(np.interp(0.9, x, y)),
        tuple(float(share) for share in hottest_hold),
        buckets,
        FEWEST_TUMOUR_CELLS,
        hottest,
    )


def _hottest(lattice: FieldLattice, mpp: float) -> HottestField | None:
    local = np.where(lattice.counts.tumour >= FEWEST_TUMOUR_CELLS, lattice.counts.cps(), -1.0)
    if not len(local) or local.max() < 0:
        return None
    row = int(np.argmax(local))
    return HottestField(
        float(lattice.left_px[row] * mpp),
        float(lattice.top_px[row] * mpp),
        int(lattice.counts.tumour[row]),
        float(local[row]),
    )


# The fields without which the CPS would change most: leave one field out. Places, no pictures.


FIELDS = 12


@dataclass(frozen=True)
class InfluentialField:
    """A field and by how much it moves the CPS; places are its top left corner, level-0.

    `influence` is the uncapped CPS less the one without the field: positive where the field raises it, None
    where nothing but the field contains tumour.
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
