"""Peaks of the centre map, found on the device: where the network sees a cell.

A plateau gives one peak, the first in reading order, so that equal inputs give equal cells.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor
from torch.nn import functional

from cxpath.network.architecture import OUTPUT_STRIDE_PX


class GridPeaks(NamedTuple):
    """Peaks of a batch; K peaks in reading order, tile by tile.

    Attributes
    ----------
    tile, row, column : Tensor of int64, (K,)
        Which output cell of which tile.
    score : Tensor of float32, (K,)
        Centre probability.
    """

    tile: Tensor
    row: Tensor
    column: Tensor
    score: Tensor


def find_peaks(centre_logit: Tensor, threshold: float, radius: int) -> GridPeaks:
    """Find local maxima.

    Parameters
    ----------
    centre_logit : Tensor, (B, 1, h, w)
    threshold : float
        Least probability of a peak.
    radius : int
        A peak is the largest within a window of 2 radius + 1 output cells.
    """
    logit = centre_logit[:, 0].float()
    # Logits are compared, not probabilities: those of two sure neighbours round to the same number.
    highest = functional.max_pool2d(logit, 2 * radius + 1, stride=1, padding=radius)
    candidate = logit == highest
    tile, row, column = candidate.nonzero(as_tuple=True)
    score = torch.sigmoid(logit[tile, row, column])
    peak = (score >= threshold) & _first_of_plateau(candidate, tile, row, column, radius)
    return GridPeaks(tile[peak], row[peak], column[peak], score[peak])


def peak_positions(peaks: GridPeaks, offset: Tensor) -> Tensor:
    """Return x, y of each peak in tile pixels (pixel centres at .5), (K, 2).

    Parameters
    ----------
    offset : Tensor, (B, 2, h, w)
        Held to one cell and a half: further out another cell would have peaked.
    """
    shift = offset.float()[peaks.tile, :, peaks.row, peaks.column].clamp(-1.5, 1.5)
    middle = torch.stack((peaks.column, peaks.row), dim=1) + 0.5
    return (middle + shift) * OUTPUT_STRIDE_PX


def not_doubled(
    positions_px: NDArray[np.float64], score: NDArray[np.float32], min_distance_px: float
) -> NDArray[np.bool_]:
    """Say which peaks of one tile have no stronger peak nearer than `min_distance_px`.

    A peak falls even if the stronger one falls to a third: so the answer depends on near neighbours
    alone and is the same in every tile that sees them.
    """
    keep = np.ones(len(score), dtype=bool)
    if len(score) < 2:
        return keep
    pairs = cKDTree(positions_px).query_pairs(min_distance_px, output_type="ndarray")
    first, second = pairs[:, 0], pairs[:, 1]
    keep[np.where(score[first] >= score[second], second, first)] = False
    return keep


def _first_of_plateau(candidate: Tensor, tile: Tensor, row: Tensor, column: Tensor, radius: int) -> Tensor:
    """Say which candidates come first, in reading order, among those within their window, which are equal.

    Looks beside the few candidates, not everywhere.
    """
    framed = functional.pad(candidate, (radius, radius, radius, 0))
    first = torch.ones_like(tile, dtype=torch.bool)
    for down in range(radius + 1):
        for right in range(2 * radius + 1 if down < radius else radius):
            first &= ~framed[tile, row + down, column + right]
    return first
