"""What the network should have said: from a field's true cells to maps on the output grid."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from cxpath.network.architecture import OUTPUT_STRIDE_PX
from cxpath.training.fine_labels import UNLABELLED, fine_labels
from cxpath.training.settings import LossSettings
from cxpath.training.synthetic.drawn_field import REGION_STRIDE_PX, DrawnCells, DrawnField
from cxpath.values.cell_table import Kind

_COARSE = REGION_STRIDE_PX // OUTPUT_STRIDE_PX


@dataclass(frozen=True, eq=False)
class Targets:
    """Targets of one field (h, w) or, with a leading B, of a batch.

    Parameters
    ----------
    centre : float32, (h, w)
        1 in the cell that holds a centre, falling off around it.
    judged : bool, (h, w)
        False where the drawing says that nothing is to be learned about cells.
    offset : float32, (2, h, w)
        x, y of the nearest centre from the middle of the output cell, in output cells.
    fine : int64, (h, w)
        Fine class of the nearest centre; `UNLABELLED` away from centres.
    stain : float32, (2, h, w)
        Membrane and any staining of the nearest centre, 0 or 1.
    stain_weight : float32, (2, h, w)
        0 away from centres; else how much the label matters.
    region : int64, (h, w)
    """

    centre: Tensor
    judged: Tensor
    offset: Tensor
    fine: Tensor
    stain: Tensor
    stain_weight: Tensor
    region: Tensor

    def to(self, device: torch.device) -> Targets:
        """Return the targets on a device."""
        return Targets(*(getattr(self, item.name).to(device, non_blocking=True) for item in fields(self)))


def field_targets(field: DrawnField, settings: LossSettings) -> Targets:
    """Return the targets of one field."""
    height, width = (side // OUTPUT_STRIDE_PX for side in field.rgb.shape[:2])
    judged = ~_finer(field.ignore)
    region = _finer(field.region)
    cells = field.cells
    middle = _cell_middles_px(height, width)
    distance_px, nearest = _nearest(cells, middle)
    shape = (height, width)
    labelled = ((distance_px <= settings.label_radius_px).reshape(shape)) & judged
    centre = np.exp(-0.5 * (distance_px / settings.centre_sigma_px) ** 2).reshape(shape)
    row = np.minimum(cells.y_px // OUTPUT_STRIDE_PX, height - 1).astype(int)
    column = np.minimum(cells.x_px // OUTPUT_STRIDE_PX, width - 1).astype(int)
    centre[row, column] = 1.0
    if len(cells) == 0:
        return _as_tensors(
            np.zeros(shape), judged, np.zeros((2, *shape)), np.full(shape, UNLABELLED), np.zeros((2, *shape)),
            np.zeros((2, *shape)), region,
        )  # fmt: skip
    place = np.column_stack([cells.x_px, cells.y_px])[nearest]
    offset = ((place - middle) / OUTPUT_STRIDE_PX).T.reshape(2, *shape)
    fine = np.where(labelled, fine_labels(cells.kind, cells.subkind)[nearest].reshape(shape), UNLABELLED)
    stain = np.stack([cells.membrane, cells.any_stain])[:, nearest].reshape(2, *shape)
    weight = _stain_weights(cells, settings)[:, nearest].reshape(2, *shape) * labelled
    return _as_tensors(centre, judged, offset, fine, stain, weight, region)


def batch_targets(crops: list[DrawnField], settings: LossSettings) -> Targets:
    """Return the targets of a batch, stacked."""
    each = [field_targets(crop, settings) for crop in crops]
    return Targets(*(torch.stack([getattr(one, item.name) for one in each]) for item in fields(Targets)))


def _stain_weights(cells: DrawnCells, settings: LossSettings) -> NDArray[np.float64]:
    """Weights of the membrane and any labels of each cell, (2, N)."""
    tumour = cells.kind == Kind.TUMOUR
    weight = np.where(np.stack([tumour, ~tumour]), 1.0, settings.other_rule_weight)
    counted = cells.kind != Kind.OTHER
    share = cells.positive[counted].mean() if counted.any() else 0.0
    return weight * (settings.low_prevalence_weight if share < settings.low_prevalence else 1.0)


def _cell_middles_px(height: int, width: int) -> NDArray[np.float64]:
    row, column = np.mgrid[:height, :width]
    return (np.column_stack([column.ravel(), row.ravel()]) + 0.5) * OUTPUT_STRIDE_PX


def _nearest(cells: DrawnCells, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    if len(cells) == 0:
        return np.full(len(points), np.inf), np.zeros(len(points), dtype=np.int64)
    distance, index = cKDTree(np.column_stack([cells.x_px, cells.y_px])).query(points)
    return np.asarray(distance), np.asarray(index)


def _finer(coarse: NDArray[Any]) -> NDArray[Any]:
    return coarse.repeat(_COARSE, axis=0).repeat(_COARSE, axis=1)


def _as_tensors(*maps: NDArray[Any]) -> Targets:
    kinds = (np.float32, np.bool_, np.float32, np.int64, np.float32, np.float32, np.int64)
    return Targets(*(torch.from_numpy(m.astype(kind)) for m, kind in zip(maps, kinds, strict=True)))
