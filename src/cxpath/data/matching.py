"""Which detection is which true cell: the best one-to-one assignment within a radius.

As many pairs as possible, and of those ways the one with the least summed distance (Kuhn 1955),
solved in each cluster of neighbours on its own, which is exact and fast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree


def match_points(truth: NDArray[np.float64], found: NDArray[np.float64], radius: float) -> NDArray[np.int64]:
    """Pair points.

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
