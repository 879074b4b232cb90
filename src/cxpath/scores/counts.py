"""Which cells count, the counts, and CPS and TPS made of them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal, localcontext

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from cxpath.data import CellTable, Kind, Reason, ReasonCode, Subkind, TissueRegion

# What each cell counts as once its place is known: nothing in necrosis or benign epithelium ever counts.


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


# The slide-wide lattice of squares that fields, tumour area and association are made of.


def lattice_columns(width_px: int, side_px: float) -> int:
    """Return the squares in a row of the lattice over a slide of this width."""
    return int(np.ceil(width_px / side_px)) + 1


def places_on_lattice(cells: CellTable, side_px: float) -> tuple[NDArray[np.int64], int]:
    """Return each cell's square, counted row by row from the slide's top left, and the squares in a row."""
    columns = lattice_columns(cells.facts.width_px, side_px)
    across = np.clip((cells.x_px / side_px).astype(np.int64), 0, columns - 1)
    down = np.maximum((cells.y_px / side_px).astype(np.int64), 0)
    return down * columns + across, columns


# How a score is printed: floored, so that the printed number never crosses a cut-off.

_DIGITS_OF_ANY_NUMBER = 330


def printed_form(score: float) -> str:
    """Return the score as a reader sees it.

    0 is "0", anything above it and below 1 is "<1", below 10 one decimal is kept, from 10 on none; always
    floored: 0.96 is "<1", 9.96 is "9.9". No official rounding rule is known (clinical brief 1.2), and
    every cut-off in use is a multiple of the printed step.
    """
    exact = Decimal(repr(float(score)))
    if exact <= 0:
        return "0"
    if exact < 1:
        return "<1"
    return _floored(exact, "0.1" if exact < 10 else "1")


def printed_end(bound: float) -> str:
    """Return one end of an interval with the digits that it deserves, on a score's own grid.

    Floored as a score is, so that an end stands on the same side of every cut-off as its exact value; below 1
    one decimal is kept, and what would be "0.0" is "<0.1".
    """
    exact = Decimal(repr(float(bound)))
    if 0 < exact < Decimal("0.1"):
        return "<0.1"
    if 0 < exact < 1:
        return _floored(exact, "0.1")
    return printed_form(bound)


def printed_interval(low: float, high: float) -> str:
    """Return an interval as every page and terminal prints it: "0.1 to 22"."""
    return f"{printed_end(low)} to {printed_end(high)}"


def two_decimals(score: float) -> str:
    """Return the score with two decimals, floored likewise: 0.996 is "0.99", not "1.00"."""
    return _floored(Decimal(repr(float(score))), "0.01")


def _floored(exact: Decimal, step: str) -> str:
    """Return a finite number floored to whole steps, however large it is."""
    with localcontext(prec=_DIGITS_OF_ANY_NUMBER):
        return str(exact.quantize(Decimal(step), rounding=ROUND_FLOOR))


# Which immune cells belong to the tumour: those in its nests and the stroma next to them.


def distance_to_tumour_um(
    cells: CellTable, candidates: NDArray[np.bool_], at_least_um: float, at_most_um: float
) -> NDArray[np.float64]:
    """Return how far candidates lie from the nearest viable tumour cell.

    Parameters
    ----------
    cells : CellTable
    candidates : bool array, (N,)
        Cells to ask about.
    at_least_um : float
        Distances of this and below need not be distinguished.
    at_most_um : float
        No need to look farther.

    Returns
    -------
    float64 array, (N,)
        Micrometres between centres, 0 for what is sure to be `at_least_um` or less; infinity beyond
        `at_most_um` and for cells that were not asked about.
    """
    distance_um = np.full(len(cells), np.inf)
    tumour = countable_kind(cells) == Kind.TUMOUR
    if not tumour.any() or not candidates.any():
        return distance_um
    sharing = candidates & _shares_square(cells, tumour, at_least_um)
    distance_um[sharing] = 0.0
    asked = candidates & ~sharing
    if asked.any():
        within_reach = tumour & _around(cells, asked, at_most_um)
        tree = cKDTree(np.column_stack([cells.x_px[within_reach], cells.y_px[within_reach]]))
        points = np.column_stack([cells.x_px[asked], cells.y_px[asked]])
        reach_px = at_most_um / cells.facts.mpp
        distances, _ = tree.query(points, k=1, distance_upper_bound=reach_px * (1 + 1e-9))
        distance_um[asked] = distances * cells.facts.mpp
    return distance_um


def _shares_square(cells: CellTable, tumour: NDArray[np.bool_], within_um: float) -> NDArray[np.bool_]:
    """Say which cells lie in a square with tumour that is too small to contain two cells farther apart."""
    place, _ = places_on_lattice(cells, within_um / np.sqrt(2.0) / cells.facts.mpp)
    with_tumour = np.zeros(int(place.max()) + 1, dtype=bool)
    with_tumour[place[tumour]] = True
    return np.asarray(with_tumour[place])


def _around(cells: CellTable, asked: NDArray[np.bool_], reach_um: float) -> NDArray[np.bool_]:
    """Say which cells lie in or next to a square, as wide as the reach, that contains an asked cell."""
    place, columns = places_on_lattice(cells, reach_um / cells.facts.mpp)
    grid = np.zeros((int(place.max()) // columns + 1, columns), dtype=bool)
    grid.ravel()[place[asked]] = True
    near = ndimage.binary_dilation(grid, structure=np.ones((3, 3), dtype=bool))
    return np.asarray(near.ravel()[place])


def near_tumour(cells: CellTable, candidates: NDArray[np.bool_], distance_um: float) -> NDArray[np.bool_]:
    """Say which candidates lie within `distance_um` of a viable tumour cell.

    The rule says "tumour nests and adjacent stroma in the same field as at about 20x" (clinical brief
    1.1); a distance is the same for every cell, wherever a field's border would have fallen. No source
    fixes the number.

    Parameters
    ----------
    cells : CellTable
    candidates : bool array, (N,)
        Cells to ask about; the others come back False.
    distance_um : float

    Returns
    -------
    bool array, (N,)
    """
    return np.isfinite(distance_to_tumour_um(cells, candidates, distance_um, distance_um))


# CellCounts: the numbers that every cell score is made of.


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
    lymphocyte, macrophage : int or None
        The two parts of `immune_positive`; None where one of those cells is of neither kind, as in cells
        from elsewhere.
    """

    tumour_positive: int
    tumour_negative: int
    immune_positive: int
    immune_negative: int
    immune_positive_not_associated: int
    other: int
    lymphocyte: int | None = None
    macrophage: int | None = None

    @property
    def tumour(self) -> int:
        """All viable tumour cells: the denominator."""
        return self.tumour_positive + self.tumour_negative

    @property
    def positive(self) -> int:
        """Tumour and immune cells that count: the numerator of the CPS."""
        return self.tumour_positive + self.immune_positive

    @property
    def immune_share(self) -> float | None:
        """Share of immune cells in the numerator, 0 to 1; None where no cell is positive."""
        return self.immune_positive / self.positive if self.positive else None


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


@dataclass(frozen=True, eq=False)
class CalledCells:
    """The cells of a slide, the threshold from which they are stained, and which of them count.

    Parameters
    ----------
    cells : CellTable
    stained_threshold : float
        A cell is positive from this probability on; NaN is not positive.
    counted : bool array, (N,)
        Which cells enter the numerator of the CPS.
    """

    cells: CellTable
    stained_threshold: float
    counted: NDArray[np.bool_]

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Which cells are stained, counted or not."""
        return np.asarray(self.cells.stained >= self.stained_threshold)

    def take(self, rows: NDArray[np.bool_]) -> CalledCells:
        """Return some of the cells; whether they count was decided with all of them in view."""
        return CalledCells(self.cells.take(rows), self.stained_threshold, self.counted[rows])


def call_cells(cells: CellTable, stained_threshold: float, association_distance_um: float) -> CalledCells:
    """Decide which cells count, as `counted_positive` does.

    Parameters
    ----------
    cells : CellTable
        All cells of a slide: whether an immune cell counts depends on the tumour cells around it.
    stained_threshold : float
        A cell is positive from this probability on; NaN is not positive.
    association_distance_um : float
        An immune cell counts within this distance of a viable tumour cell.

    Returns
    -------
    CalledCells
    """
    counted = counted_positive(cells, stained_threshold, association_distance_um)
    return CalledCells(cells, stained_threshold, counted)


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
    return tally_cells(call_cells(cells, stained_threshold, association_distance_um))


def tally_cells(called: CalledCells) -> CellCounts:
    """Count the cells of a slide."""
    cells, counted = called.cells, called.counted
    kind = countable_kind(cells)
    tumour, immune = kind == Kind.TUMOUR, kind == Kind.IMMUNE
    positive = called.positive
    immune_positive = int(np.count_nonzero(counted & immune))
    parts = parts_of_immune(cells, counted & immune)
    return CellCounts(
        tumour_positive=int(np.count_nonzero(tumour & positive)),
        tumour_negative=int(np.count_nonzero(tumour & ~positive)),
        immune_positive=immune_positive,
        immune_negative=int(np.count_nonzero(immune & ~positive)),
        immune_positive_not_associated=int(np.count_nonzero(immune & positive)) - immune_positive,
        other=int(np.count_nonzero(kind == Kind.OTHER)),
        lymphocyte=int(np.count_nonzero(parts[0])) if parts else None,
        macrophage=int(np.count_nonzero(parts[1])) if parts else None,
    )


def parts_of_immune(
    cells: CellTable, chosen: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
    """Say which of the chosen cells are lymphocytes and which macrophages; None where any is neither."""
    lymphocyte = chosen & (cells.subkind == Subkind.LYMPHOCYTE)
    macrophage = chosen & (cells.subkind == Subkind.MACROPHAGE)
    return (lymphocyte, macrophage) if (lymphocyte | macrophage).sum() == chosen.sum() else None


# Whether enough viable tumour cells were found to divide by (at least 100, clinical brief 1.1 [S5]).


def why_inadequate(counts: CellCounts, required: int) -> tuple[Reason, ...]:
    """Return why the cells do not suffice for a score, with what to do; empty when they do."""
    if counts.tumour == 0:
        text = "no viable tumour cell was found: check that the block contains tumour, and check your regions"
        return (Reason(ReasonCode.NO_TUMOUR, text),)
    if counts.tumour < required:
        found = f"only {counts.tumour} viable tumour cells were found, {required} are required"
        text = f"{found}: score another block or a deeper section"
        return (Reason(ReasonCode.TOO_FEW_TUMOUR_CELLS, text),)
    return ()


# CPS, the combined positive score: 100 x (T+ + I+) / (T+ + T-), at most 100.
#
# Clinical brief 1.1 [S1, S2, S3]: summed over the slide and divided once; immune cells never enter the
# denominator; the maximum reported is 100. A plain number, not a percentage.


MAXIMUM = 100.0


def combined_positive_score(counts: CellCounts) -> float | None:
    """Return the unrounded CPS, or None where there is no tumour cell to divide by."""
    if counts.tumour == 0:
        return None
    return min(MAXIMUM, 100.0 * counts.positive / counts.tumour)


# Counts and CPS of parts of a slide: tiles, fields, squares of a heat map.


@dataclass(frozen=True, eq=False)
class GroupedCounts:
    """Counts of G groups of cells, as in `CellCounts`; int64 arrays of length G.

    `immune_positive` contains the counted ones; stained immune cells far from tumour are in none of them.
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


def grouped_counts(called: CalledCells, group: NDArray[np.int64], groups: int) -> GroupedCounts:
    """Count cells by group.

    Parameters
    ----------
    called : CalledCells
    group : int array, (N,)
        Group of each cell, 0 to groups - 1.
    groups : int
    """
    kind, counted, positive = countable_kind(called.cells), called.counted, called.positive
    tumour, immune = kind == Kind.TUMOUR, kind == Kind.IMMUNE

    def count(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(group[chosen], minlength=groups).astype(np.int64)

    return GroupedCounts(
        tumour_positive=count(tumour & counted),
        tumour_negative=count(tumour & ~counted),
        immune_positive=count(immune & counted),
        immune_negative=count(immune & ~positive),
        other=count(kind == Kind.OTHER),
    )


# TPS, the tumour proportion score: 100 x T+ / (T+ + T-) (clinical brief 1.3 [S6]). No immune cell enters.


def tumour_proportion_score(counts: CellCounts) -> float | None:
    """Return the unrounded TPS in percent, or None where there is no tumour cell to divide by."""
    if counts.tumour == 0:
        return None
    return 100.0 * counts.tumour_positive / counts.tumour
