"""How wrong the outputs are: where cells lie, what they are, whether they are stained, in what tissue."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from cxpath.data import FINE_CLASSES, STAIN_CLASSES
from cxpath.network import NetworkOutput
from cxpath.synth import SyntheticCells
from cxpath.training.settings import LossSettings
from cxpath.training.targets import MEMBERS, UNLABELLED, UNLABELLED_REGION, Targets, fine_labels


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
