"""How unevenly positive cells lie over the fields of a slide. For looking at: it decides nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cxpath.scores.field_buckets import FieldBucket, sort_fields
from cxpath.scores.fields import FieldLattice

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
        Fields that hold viable tumour cells.
    gini : float or None
        0 when every field holds positive cells in proportion to its tumour cells, near 1 when one small
        field holds them all; chance alone gives more than 0 where cells are few. None without positives.
    coefficient_of_variation : float or None
        Of the local ratio over fields, weighted by tumour cells.
    share_of_hottest_tenth : float or None
        Share of the positive cells in the hottest fields that together hold a tenth of the tumour cells.
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
    holds = lattice.counts.tumour > 0
    tumour = lattice.counts.tumour[holds].astype(np.float64)
    positive = lattice.counts.positive[holds].astype(np.float64)
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
