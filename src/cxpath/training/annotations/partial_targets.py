"""What the network should have said where a lab marked something, and nothing about all other places."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from cxpath.network.architecture import OUTPUT_STRIDE_PX
from cxpath.training.annotations.annotated_field import (
    REGION_UNLABELLED,
    STAIN_UNKNOWN,
    AnnotatedCells,
    AnnotatedField,
)
from cxpath.training.fine_labels import TUMOUR, UNLABELLED
from cxpath.training.settings import LossSettings
from cxpath.training.synthetic.drawn_field import REGION_STRIDE_PX
from cxpath.training.targets import UNLABELLED_REGION, CellLabels, Targets, label_maps, output_cells, stacked

_COARSE = REGION_STRIDE_PX // OUTPUT_STRIDE_PX


def partial_targets(field: AnnotatedField, settings: LossSettings) -> Targets:
    """Return the targets of an annotated field.

    Centres are judged where they are marked, and everywhere in complete areas; kind and stain are taught
    as far as they are known.
    """
    cells = field.cells
    judged = field.complete.copy()
    judged[output_cells(cells.x_px, cells.y_px, judged.shape)] = True
    region = field.region.repeat(_COARSE, axis=0).repeat(_COARSE, axis=1).astype(np.int64)
    region[region == REGION_UNLABELLED] = UNLABELLED_REGION
    labels = CellLabels(
        x_px=cells.x_px,
        y_px=cells.y_px,
        fine=cells.fine,
        stain=np.stack([cells.stained == 1] * 2),
        stain_weight=stain_weights(cells, settings),
    )
    return label_maps(labels, judged, np.ones_like(judged), region, settings)


def partial_batch(fields: list[AnnotatedField], settings: LossSettings) -> Targets:
    """Return the targets of a batch, stacked."""
    return stacked([partial_targets(field, settings) for field in fields])


def stain_weights(cells: AnnotatedCells, settings: LossSettings) -> NDArray[np.float64]:
    """Return how much each cell's label says about membrane and about any staining, (2, N).

    By the rules of the kinds (tumour: membrane; others: any) and since membrane staining is staining:
    a positive cell has some staining, a negative one no membrane staining, whatever its kind. The head that
    does not decide a cell of known kind weighs less, as in drawn tissue.
    """
    known = cells.stained != STAIN_UNKNOWN
    positive = cells.stained == 1
    kind_known, tumour = cells.fine != UNLABELLED, cells.fine == TUMOUR
    decided = np.stack([tumour, kind_known & ~tumour])
    implied = np.stack([~positive, positive])
    aside = np.where(kind_known, settings.other_rule_weight, 1.0)
    weight = np.where(decided, 1.0, np.where(implied, aside, 0.0)) * known
    few = known.any() and positive[known].mean() < settings.low_prevalence
    return np.asarray(weight * (settings.low_prevalence_weight if few else 1.0))


def joined(first: Targets, second: Targets) -> Targets:
    """Return two batches as one."""
    return Targets(
        *(torch.cat(pair) for pair in zip(vars(first).values(), vars(second).values(), strict=True))
    )
