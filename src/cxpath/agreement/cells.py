"""Cells of one observer against cells of another: found or not, called alike or not, counted alike or not.

Detection is evaluated by the best one-to-one assignment within a radius in micrometres, never by nearest
neighbours taken in turn, at several radii, since no radius is agreed upon. Intervals are over images; with
one image there are none.

References
----------
Kuhn 1955, Naval Research Logistics Quarterly 2:83 (assignment).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from cxpath.agreement.base import Draws, Floats, Statistic, Weighted, measured

RADII_UM = (3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0)
DEFAULT_RADIUS_UM = 6.0
SOURCE = "optimal one-to-one assignment (Kuhn 1955)"


@dataclass(frozen=True, eq=False)
class ObservedCells:
    """Cells that one observer marked on one image.

    Parameters
    ----------
    places_um : float64 array, (N, 2)
    classes : int64 array, (N,)
        Index into the names that both observers share; -1 where the class is not known.
    """

    places_um: Floats
    classes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.classes)


@dataclass(frozen=True, eq=False)
class ImagePair:
    """One image, seen by the reference and by the compared."""

    name: str
    reference: ObservedCells
    compared: ObservedCells


def detection(images: Sequence[ImagePair], draws: Draws, radius_um: float) -> list[Statistic]:
    """Return recall, precision and F1 at one radius."""
    pairs = np.array([_matched(image, radius_um) for image in images], dtype=np.float64)
    true = np.array([len(image.reference) for image in images], dtype=np.float64)
    found = np.array([len(image.compared) for image in images], dtype=np.float64)
    rows = (
        ("recall", "Recall", pairs, true),
        ("precision", "Precision", pairs, found),
        ("f1", "F1", 2 * pairs, true + found),
    )
    return [
        measured(
            f"cell_{key}",
            label,
            _ratio(above, below),
            len(images),
            draws,
            method=f"{above.sum():g} of {below.sum():g}; within {radius_um:g} µm",
            source=SOURCE,
            undefined="not defined: no cells",
        ).within(analysis="cells", radius=f"{radius_um:g} µm")
        for key, label, above, below in rows
    ]


def _matched(image: ImagePair, radius_um: float) -> int:
    return len(match_points(image.reference.places_um, image.compared.places_um, radius_um))


def _ratio(above: Floats, below: Floats) -> Weighted:
    return lambda weights: np.divide(weights @ above, weights @ below)


def confusion(images: Sequence[ImagePair], classes: int, radius_um: float) -> NDArray[np.int64]:
    """Return how often a matched cell of one class was called another, (classes, classes).

    Rows are the reference's classes. Pairs of which one class is not known are left out.
    """
    table = np.zeros((classes, classes), dtype=np.int64)
    for image in images:
        pairs = match_points(image.reference.places_um, image.compared.places_um, radius_um)
        true, found = image.reference.classes[pairs[:, 0]], image.compared.classes[pairs[:, 1]]
        known = (true >= 0) & (found >= 0)
        np.add.at(table, (true[known], found[known]), 1)
    return table


def same_class(images: Sequence[ImagePair], draws: Draws, radius_um: float) -> Statistic:
    """Return the share of matched cells that both call the same."""
    tables = [confusion([image], _classes(images), radius_um) for image in images]
    same = np.array([np.trace(table) for table in tables], dtype=np.float64)
    all_pairs = np.array([table.sum() for table in tables], dtype=np.float64)
    return measured(
        "cell_class",
        "Matched cells of the same class",
        _ratio(same, all_pairs),
        len(images),
        draws,
        method=f"{same.sum():g} of {all_pairs.sum():g} matched cells; within {radius_um:g} µm",
        source=SOURCE,
        undefined="not defined: no matched cells of known class",
    ).within(analysis="cells", radius=f"{radius_um:g} µm")


def _classes(images: Sequence[ImagePair]) -> int:
    seen = [cells.classes.max(initial=-1) for image in images for cells in (image.reference, image.compared)]
    return int(max(seen, default=-1)) + 1


def count_ratio_errors(
    images: Sequence[ImagePair], above: Sequence[int], below: Sequence[int], draws: Draws
) -> list[Statistic]:
    """Return how far the ratio of counts, such as the CPS, is off: mean and mean absolute error.

    Parameters
    ----------
    images : sequence of ImagePair
    above, below : sequence of int
        Classes that are counted above and below the line; the ratio is times 100, at most 100.
    draws : Draws
        Of images.
    """
    ratios = np.array(
        [[_count_ratio(cells, above, below) for cells in (one.reference, one.compared)] for one in images]
    ).reshape(-1, 2)
    known = np.asarray(np.isfinite(ratios).all(axis=1), dtype=bool)
    error = ratios[known, 1] - ratios[known, 0]
    own = draws.only(known)
    left_out = int(np.count_nonzero(~known))
    note = f"{left_out} images without a cell below the line" if left_out else ""
    return [
        measured(
            f"count_ratio_{key}",
            label,
            _ratio(values, np.ones(len(values))),
            int(known.sum()),
            own,
            method="100 × counted above the line / counted below it, at most 100, by image",
            source="mean difference",
            note=note,
        ).within(analysis="cells")
        for key, label, values in (
            ("bias", "Count ratio, mean error", error),
            ("absolute", "Count ratio, mean absolute error", np.abs(error)),
        )
    ]


def _count_ratio(cells: ObservedCells, above: Sequence[int], below: Sequence[int]) -> float:
    of_below = np.count_nonzero(np.isin(cells.classes, below))
    if not of_below:
        return float("nan")
    return min(100.0, 100.0 * np.count_nonzero(np.isin(cells.classes, above)) / of_below)


def match_points(truth: NDArray[np.float64], found: NDArray[np.float64], radius: float) -> NDArray[np.int64]:
    """Pair points one to one: as many pairs as possible, and of those ways the least summed distance.

    Each cluster of neighbours is solved on its own, which is exact and fast.

    Parameters
    ----------
    truth : float64 array, (T, 2)
    found : float64 array, (F, 2)
    radius : float
        Largest distance of a pair, in the unit of the points.

    Returns
    -------
    int64 array, (P, 2)
        Row of `truth` and row of `found` of each pair, by row of `truth`.
    """
    if len(truth) == 0 or len(found) == 0:
        return np.empty((0, 2), dtype=np.int64)
    near = cKDTree(truth).sparse_distance_matrix(cKDTree(found), radius, output_type="coo_matrix")
    rows, columns, distances = near.row, near.col + len(truth), near.data
    size = len(truth) + len(found)
    _, cluster = connected_components(
        coo_array((np.ones(len(rows)), (rows, columns)), shape=(size, size)), directed=False
    )
    order = np.argsort(cluster[rows], kind="stable")
    borders = np.flatnonzero(np.diff(cluster[rows][order])) + 1
    pairs = [
        _assign(rows[part], near.col[part], distances[part], radius)
        for part in np.split(order, borders)
        if len(part)
    ]
    together = np.concatenate([np.empty((0, 2), dtype=np.int64), *pairs])
    return together[np.argsort(together[:, 0])]


def _assign(
    truth: NDArray[np.int64], found: NDArray[np.int64], distances: NDArray[np.float64], radius: float
) -> NDArray[np.int64]:
    """Solve one cluster, given its edges."""
    truth_rows, edge_truth = np.unique(truth, return_inverse=True)
    found_rows, edge_found = np.unique(found, return_inverse=True)
    # An edge is worth more than all distances together, so that the number of pairs comes first.
    worth = radius * (min(len(truth_rows), len(found_rows)) + 1)
    cost = np.zeros((len(truth_rows), len(found_rows)))
    cost[edge_truth, edge_found] = distances - worth
    chosen = np.column_stack(linear_sum_assignment(cost))
    real = cost[chosen[:, 0], chosen[:, 1]] < 0
    return np.column_stack([truth_rows[chosen[real, 0]], found_rows[chosen[real, 1]]]).astype(np.int64)
