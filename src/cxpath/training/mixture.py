"""Synthetic and annotated crops in one batch, with partial targets."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cxpath.data import FINE_CLASSES
from cxpath.network import OUTPUT_STRIDE_PX, NetworkOutput
from cxpath.synth import REGION_STRIDE_PX
from cxpath.training.data import (
    REGION_UNLABELLED,
    STAIN_UNKNOWN,
    AnnotatedCells,
    AnnotatedField,
    FieldCache,
    sample_crops,
)
from cxpath.training.loop import Batch, Lesson
from cxpath.training.settings import FineTuneSettings, LossSettings
from cxpath.training.targets import (
    TUMOUR,
    UNLABELLED,
    UNLABELLED_REGION,
    CellLabels,
    Losses,
    Targets,
    all_losses,
    balanced_weights,
    batch_targets,
    joined,
    label_maps,
    light_of,
    output_cells,
    stacked,
)
from cxpath.training.windows import WindowCache, sample_annotated_crops

# What the network should have said where a lab marked something, and nothing about all other places.


_COARSE = REGION_STRIDE_PX // OUTPUT_STRIDE_PX


def partial_targets(field: AnnotatedField, settings: LossSettings) -> Targets:
    """Return the targets of an annotated field.

    Centres are evaluated where they are marked, and everywhere in complete areas; kind and stain are trained
    as far as they are known.
    """
    cells = field.cells
    scored = field.complete.copy()
    scored[output_cells(cells.x_px, cells.y_px, scored.shape)] = True
    region = field.region.repeat(_COARSE, axis=0).repeat(_COARSE, axis=1).astype(np.int64)
    region[region == REGION_UNLABELLED] = UNLABELLED_REGION
    labels = CellLabels(
        x_px=cells.x_px,
        y_px=cells.y_px,
        fine=cells.fine,
        stain=np.stack([cells.stained == 1] * 2),
        stain_weight=stain_weights(cells, settings),
    )
    return label_maps(labels, scored, np.ones_like(scored), region, settings)


def partial_batch(fields: list[AnnotatedField], settings: LossSettings) -> Targets:
    """Return the targets of a batch, stacked."""
    return stacked([partial_targets(field, settings) for field in fields])


def stain_weights(cells: AnnotatedCells, settings: LossSettings) -> NDArray[np.float64]:
    """Return how much each cell's label says about membrane and about any staining, (2, N).

    By the rules of the kinds (tumour: membrane; others: any) and since membrane staining is staining:
    a positive cell has some staining, a negative one no membrane staining, whatever its kind. The head that
    does not decide a cell of known kind weighs less, as in synthetic tissue.
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


# The lesson of a fine-tuning: annotated crops, and some synthetic tissue so that nothing is forgotten.


def mixed_lesson(
    synthetic: FieldCache | None, annotated: WindowCache, settings: FineTuneSettings, digest: str
) -> Lesson:
    """Return the lesson; without synthetic tissue every crop is annotated.

    Parameters
    ----------
    synthetic : FieldCache, optional
    annotated : WindowCache
    settings : FineTuneSettings
    digest : str
        See `Lesson`.
    """
    crop_losses = partial(all_losses, stained_class_weight=settings.loss.stained_class_weight)
    if synthetic is None:
        even = np.ones(len(FINE_CLASSES), dtype=np.float32)
        batch = partial(_annotated_batch, annotated, settings, settings.crops.batch)
        return Lesson(batch, even, digest, crop_losses)
    return Lesson(
        batch=partial(_mixed_batch, synthetic, annotated, settings),
        class_weights=balanced_weights(synthetic.cells, settings.loss.class_balance),
        digest=digest,
        losses=partial(
            mixed_losses,
            crop_losses=crop_losses,
            synthetic=settings.synthetic_crops,
            share=settings.synthetic_share,
        ),
    )


def mixed_losses(
    output: NetworkOutput,
    targets: Targets,
    class_weights: Tensor,
    *,
    synthetic: int,
    share: float,
    crop_losses: Callable[[NetworkOutput, Targets, Tensor], Losses] = all_losses,
) -> Losses:
    """Evaluate the first `synthetic` crops and the others apart, and weigh them by `share` and the rest.

    Each part of the loss is a mean over its labels; taken together, fifteen marked cells would drown in
    the hundreds of a synthetic crop.
    """
    parts = [
        crop_losses(NetworkOutput(*(part[rows] for part in output)), targets.rows(rows), class_weights)
        for rows in (slice(0, synthetic), slice(synthetic, None))
    ]
    return Losses(*(share * first + (1 - share) * second for first, second in zip(*parts, strict=True)))


def _mixed_batch(
    synthetic: FieldCache, annotated: WindowCache, settings: FineTuneSettings, step: int
) -> Batch:
    number = settings.synthetic_crops
    crops = settings.crops.model_copy(update={"batch": number})
    fields = sample_crops(synthetic, crops, settings.schedule.seed, step)
    light, targets = _annotated_batch(annotated, settings, settings.crops.batch - number, step)
    together = torch.cat([light_of([field.rgb for field in fields]), light])
    return together, joined(batch_targets(fields, settings.loss), targets)


def _annotated_batch(annotated: WindowCache, settings: FineTuneSettings, number: int, step: int) -> Batch:
    fields = sample_annotated_crops(annotated, settings.crops, number, settings.schedule.seed, step)
    return light_of([field.rgb for field in fields]), partial_batch(fields, settings.loss)
