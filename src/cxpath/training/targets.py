"""What the network should say of a crop, and how wrong what it says is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor
from torch.nn import functional

from cxpath.data import FINE_CLASSES, IMMUNE_SUBKINDS, STAIN_CLASSES, Kind, Subkind
from cxpath.network import OUTPUT_STRIDE_PX, NetworkOutput
from cxpath.synth import LABELS, REGION_STRIDE_PX, SyntheticCells, SyntheticField
from cxpath.training.settings import LossSettings

# Targets of the network: centres, classes, staining, regions.


# From a true cell's kind and subkind to the index of the network's fine class, or of a set of classes.


UNLABELLED = -1
"""Fine label of a cell whose class is not known: it trains where cells are, and nothing else."""

TUMOUR = FINE_CLASSES.index("tumour")

ANY_IMMUNE, ANY_OTHER = len(FINE_CLASSES), len(FINE_CLASSES) + 1
"""Fine labels of a cell known to be immune, or other, but not more: the *sum* of the classes is trained."""

_IMMUNE_NAMES = {subkind.name.lower() for subkind in IMMUNE_SUBKINDS}
_IMMUNE = np.array([name in _IMMUNE_NAMES for name in FINE_CLASSES])
_OTHER = ~_IMMUNE & (np.arange(len(FINE_CLASSES)) != TUMOUR)

_OF_TISSUE = np.array([[name in label.classes for name in FINE_CLASSES] for label in LABELS])

MEMBERS: NDArray[np.bool_] = np.vstack([np.eye(len(FINE_CLASSES), dtype=bool), _IMMUNE, _OTHER, _OF_TISSUE])
"""Row: a fine label; column: whether that fine class belongs to it."""

FIRST_OF_TISSUE = ANY_OTHER + 1
"""Fine label of the first of `LABELS`, the sets of classes that labelled real tissue distinguishes."""

_BY_SUBKIND = np.array(
    [UNLABELLED, *(FINE_CLASSES.index(subkind.name.lower()) for subkind in Subkind if subkind)]
)


def fine_labels(kind: NDArray[np.uint8], subkind: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return each cell's index into `FINE_CLASSES`, or `UNLABELLED` for a non-tumour of unknown subkind."""
    return np.where(kind == Kind.TUMOUR, TUMOUR, _BY_SUBKIND[subkind]).astype(np.int64)


# What the network should have said: from a field's true cells to maps on the output grid.


UNLABELLED_REGION = -100
"""Region of a place whose tissue nobody named; torch's own number for "learn nothing here"."""

_COARSE = REGION_STRIDE_PX // OUTPUT_STRIDE_PX


@dataclass(frozen=True, eq=False)
class Targets:
    """Targets of one field (h, w) or, with a leading B, of a batch.

    Parameters
    ----------
    centre : float32, (h, w)
        1 in the cell that contains a centre, falling off around it.
    scored : bool, (h, w)
        False where nothing is to be learned about centres or their absence.
    offset : float32, (2, h, w)
        x, y of the nearest centre from the middle of the output cell, in output cells.
    fine : int64, (h, w)
        Fine class of the nearest centre, or the number of a set of classes (see `fine_labels`);
        `UNLABELLED` away from centres.
    stain : float32, (2, h, w)
        Membrane and any staining of the nearest centre, 0 or 1.
    stain_weight : float32, (2, h, w)
        0 away from centres; else how much the label matters.
    region : int64, (h, w)
        `TissueRegion`, or `UNLABELLED_REGION`.
    placed : bool, (h, w)
        Near a centre: where the offset is learned.
    """

    centre: Tensor
    scored: Tensor
    offset: Tensor
    fine: Tensor
    stain: Tensor
    stain_weight: Tensor
    region: Tensor
    placed: Tensor

    def to(self, device: torch.device) -> Targets:
        """Return the targets on a device."""
        return Targets(*(getattr(self, item.name).to(device, non_blocking=True) for item in fields(self)))

    def rows(self, rows: slice) -> Targets:
        """Return the targets of some fields of a batch."""
        return Targets(*(part[rows] for part in vars(self).values()))


@dataclass(frozen=True, eq=False)
class CellLabels:
    """The labels of N cells.

    Parameters
    ----------
    x_px, y_px : float64 array, (N,)
    fine : int64 array, (N,)
        See `Targets.fine`; `UNLABELLED` when the kind is not known.
    stain : array, (2, N)
        Membrane and any staining, 0 or 1.
    stain_weight : float64 array, (2, N)
        0 where that staining is not known.
    """

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    fine: NDArray[np.int64]
    stain: NDArray[Any]
    stain_weight: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.x_px)


def field_targets(field: SyntheticField, settings: LossSettings) -> Targets:
    """Return the targets of one field."""
    scored = ~_finer(field.ignore)
    region = _finer(field.region)
    cells = field.cells
    labels = CellLabels(
        x_px=cells.x_px,
        y_px=cells.y_px,
        fine=fine_labels(cells.kind, cells.subkind),
        stain=np.stack([cells.membrane, cells.any_stain]),
        stain_weight=_stain_weights(cells, settings),
    )
    return label_maps(labels, scored, scored, region, settings)


def label_maps(
    cells: CellLabels,
    scored: NDArray[np.bool_],
    trained: NDArray[np.bool_],
    region: NDArray[Any],
    settings: LossSettings,
) -> Targets:
    """Spread the labels of cells over the output grid.

    Parameters
    ----------
    cells : CellLabels
    scored : bool array, (h, w)
        Where centres and their absence are learned.
    trained : bool array, (h, w)
        Where a centre nearby trains its kind, stain and offset.
    region : int array, (h, w)
    settings : LossSettings
    """
    shape = scored.shape
    if len(cells) == 0:
        pair = np.zeros((2, *shape))
        none = np.zeros(shape)
        return _as_tensors(none, scored, pair, np.full(shape, UNLABELLED), pair, pair, region, none)
    middle = _cell_middles_px(*shape)
    distance_px, nearest = _nearest(cells, middle)
    labelled = ((distance_px <= settings.label_radius_px).reshape(shape)) & trained
    centre = np.exp(-0.5 * (distance_px / settings.centre_sigma_px) ** 2).reshape(shape)
    centre[output_cells(cells.x_px, cells.y_px, shape)] = 1.0
    place = np.column_stack([cells.x_px, cells.y_px])[nearest]
    offset = ((place - middle) / OUTPUT_STRIDE_PX).T.reshape(2, *shape)
    fine = np.where(labelled, cells.fine[nearest].reshape(shape), UNLABELLED)
    stain = cells.stain[:, nearest].reshape(2, *shape)
    weight = cells.stain_weight[:, nearest].reshape(2, *shape) * labelled
    return _as_tensors(centre, scored, offset, fine, stain, weight, region, labelled)


def output_cells(
    x_px: NDArray[np.float64], y_px: NDArray[np.float64], shape: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return row and column of the output cell that contains each place; the far edge belongs to the last."""
    row = np.minimum(y_px // OUTPUT_STRIDE_PX, shape[0] - 1).astype(int)
    return row, np.minimum(x_px // OUTPUT_STRIDE_PX, shape[1] - 1).astype(int)


def batch_targets(crops: list[SyntheticField], settings: LossSettings) -> Targets:
    """Return the targets of a batch, stacked."""
    return stacked([field_targets(crop, settings) for crop in crops])


def stacked(each: list[Targets]) -> Targets:
    """Return the targets of several fields as those of a batch."""
    return Targets(*(torch.stack([getattr(one, item.name) for one in each]) for item in fields(Targets)))


def joined(first: Targets, second: Targets) -> Targets:
    """Return one batch made of two."""
    return Targets(*(torch.cat(p) for p in zip(vars(first).values(), vars(second).values(), strict=True)))


def light_of(pictures: Sequence[NDArray[np.uint8]]) -> Tensor:
    """Return pictures (H, W, 3) as a batch, uint8 (B, 3, H, W)."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)


def _stain_weights(cells: SyntheticCells, settings: LossSettings) -> NDArray[np.float64]:
    """Weights of the membrane and any labels of each cell, (2, N)."""
    tumour = cells.kind == Kind.TUMOUR
    weight = np.where(np.stack([tumour, ~tumour]), 1.0, settings.other_rule_weight)
    counted = cells.kind != Kind.OTHER
    share = cells.positive[counted].mean() if counted.any() else 0.0
    return weight * (settings.low_prevalence_weight if share < settings.low_prevalence else 1.0)


def _cell_middles_px(height: int, width: int) -> NDArray[np.float64]:
    row, column = np.mgrid[:height, :width]
    return (np.column_stack([column.ravel(), row.ravel()]) + 0.5) * OUTPUT_STRIDE_PX


def _nearest(cells: CellLabels, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    distance, index = cKDTree(np.column_stack([cells.x_px, cells.y_px])).query(points)
    return np.asarray(distance), np.asarray(index)


def _finer(coarse: NDArray[Any]) -> NDArray[Any]:
    return coarse.repeat(_COARSE, axis=0).repeat(_COARSE, axis=1)


def _as_tensors(*maps: NDArray[Any]) -> Targets:
    kinds = (np.float32, np.bool_, np.float32, np.int64, np.float32, np.float32, np.int64, np.bool_)
    return Targets(*(torch.from_numpy(m.astype(kind)) for m, kind in zip(maps, kinds, strict=True)))


# How wrong the outputs are: where cells lie, what they are, whether they are stained, in what tissue.


class Losses(NamedTuple):
    """The parts of the loss, unweighted, each a mean over what it concerns."""

    centre: Tensor
    offset: Tensor
    kind: Tensor
    stain: Tensor
    region: Tensor

    def total(self, settings: LossSettings) -> Tensor:
        """Return the weighted sum."""
        return (
            settings.centre_weight * self.centre
            + settings.offset_weight * self.offset
            + settings.class_weight * self.kind
            + settings.stain_weight * self.stain
            + settings.region_weight * self.region
        )


def all_losses(
    output: NetworkOutput, targets: Targets, class_weights: Tensor, *, stained_class_weight: float = 1.0
) -> Losses:
    """Compare a batch of outputs with its targets.

    Parameters
    ----------
    output : NetworkOutput
    targets : Targets
        Stacked, on the same device.
    class_weights : Tensor, (10,)
        See `balanced_weights`.
    stained_class_weight : float
        Weight of the kind of a cell with any staining; that of the others is 1.
    """
    placed = targets.placed[:, None].float()
    offset = functional.smooth_l1_loss(output.offset.float(), targets.offset, reduction="none")
    stained = targets.stain[:, STAIN_CLASSES.index("any")]
    stain = functional.binary_cross_entropy_with_logits(output.stain.float(), targets.stain, reduction="none")
    return Losses(
        centre=centre_loss(output.centre.float()[:, 0], targets.centre, targets.scored),
        offset=_mean(offset, placed.expand_as(offset)),
        kind=_kind_loss(
            output.kind.float(), targets.fine, class_weights, 1 + (stained_class_weight - 1) * stained
        ),
        stain=_mean(stain, targets.stain_weight),
        region=_region_loss(output.region.float(), targets.region),
    )


def centre_loss(logit: Tensor, centre: Tensor, scored: Tensor) -> Tensor:
    """Penalty-reduced focal loss of CenterNet (Zhou et al. 2019, formula 1; alpha 2, beta 4).

    Parameters
    ----------
    logit, centre : Tensor, (B, h, w)
    scored : bool Tensor, (B, h, w)
        Elsewhere nothing is learned.
    """
    probability = torch.sigmoid(logit)
    found = (1 - probability) ** 2 * functional.logsigmoid(logit)
    empty = (1 - centre) ** 4 * probability**2 * functional.logsigmoid(-logit)
    is_centre = (centre == 1) & scored
    total = torch.where(is_centre, found, torch.where(scored, empty, torch.zeros_like(empty)))
    return -total.sum() / is_centre.sum().clamp(min=1)


def balanced_weights(cells: SyntheticCells, class_balance: float) -> NDArray[np.float32]:
    """Return a weight per fine class: (its share) to the power -`class_balance`, mean 1 over the cells.

    A class that is not among the cells gets weight 1.
    """
    fine = fine_labels(cells.kind, cells.subkind)
    count = np.bincount(fine[fine != UNLABELLED], minlength=len(FINE_CLASSES))
    share = count / max(1, count.sum())
    weight = np.where(count > 0, np.maximum(share, 1e-4) ** -class_balance, 1.0)
    mean = float((weight * share).sum()) or 1.0
    return np.where(count > 0, weight / mean, 1.0).astype(np.float32)


def _kind_loss(logits: Tensor, fine: Tensor, class_weights: Tensor, cell_weights: Tensor) -> Tensor:
    """Weighted cross-entropy over the labelled places; weights (10,) by class, (B, h, w) by place."""
    known = fine != UNLABELLED
    if not bool(known.any()):
        return logits.sum() * 0.0
    if int(fine.max()) < len(FINE_CLASSES):
        each = functional.cross_entropy(logits, fine, ignore_index=UNLABELLED, reduction="none")[known]
        weights = class_weights[fine[known]]
    else:
        each, weights = _set_loss(logits, fine, known, class_weights)
    weights = weights * cell_weights[known]
    return (weights * each).sum() / weights.sum()


def _set_loss(logits: Tensor, fine: Tensor, known: Tensor, class_weights: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the summed probability of each label's classes, and the mean of their weights.

    For a label of one class this is the common cross-entropy.
    """
    members = torch.from_numpy(MEMBERS).to(logits.device)
    weights = (members * class_weights).sum(dim=1) / members.sum(dim=1)
    label = fine[known]
    log_share = functional.log_softmax(logits, dim=1).movedim(1, -1)[known]
    return -log_share.masked_fill(~members[label], -torch.inf).logsumexp(dim=1), weights[label]


def _region_loss(logits: Tensor, region: Tensor) -> Tensor:
    if not bool((region != UNLABELLED_REGION).any()):
        return logits.sum() * 0.0
    return functional.cross_entropy(logits, region, ignore_index=UNLABELLED_REGION)


def _mean(loss: Tensor, weight: Tensor) -> Tensor:
    return (loss * weight).sum() / weight.sum().clamp(min=1e-6)
