"""The lesson of a fine-tuning: annotated crops, and some drawn tissue so that nothing is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from cxpath.network.architecture import NetworkOutput
from cxpath.training.annotations.annotated_crops import draw_annotated_crops
from cxpath.training.annotations.partial_targets import joined, partial_batch
from cxpath.training.annotations.settings import FineTuneSettings
from cxpath.training.annotations.window_cache import WindowCache
from cxpath.training.crops import draw_crops
from cxpath.training.field_cache import FieldCache
from cxpath.training.loop import Batch, Lesson, light_of
from cxpath.training.losses import Losses, all_losses, balanced_weights
from cxpath.training.targets import Targets, batch_targets
from cxpath.values.cell_peaks import FINE_CLASSES


def mixed_lesson(
    drawn: FieldCache | None, annotated: WindowCache, settings: FineTuneSettings, digest: str
) -> Lesson:
    """Return the lesson; without drawn tissue every crop is annotated.

    Parameters
    ----------
    drawn : FieldCache, optional
    annotated : WindowCache
    settings : FineTuneSettings
    digest : str
        See `Lesson`.
    """
    judged = partial(all_losses, stained_kind_weight=settings.loss.stained_kind_weight)
    if drawn is None:
        even = np.ones(len(FINE_CLASSES), dtype=np.float32)
        batch = partial(_annotated_batch, annotated, settings, settings.crops.batch)
        return Lesson(batch, even, digest, judged)
    return Lesson(
        batch=partial(_mixed_batch, drawn, annotated, settings),
        class_weights=balanced_weights(drawn.cells, settings.loss.class_balance),
        digest=digest,
        losses=partial(mixed_losses, judged=judged, drawn=settings.drawn_crops, share=settings.drawn_share),
    )


def mixed_losses(
    output: NetworkOutput,
    targets: Targets,
    class_weights: Tensor,
    *,
    drawn: int,
    share: float,
    judged: Callable[[NetworkOutput, Targets, Tensor], Losses] = all_losses,
) -> Losses:
    """Judge the first `drawn` crops and the others apart, and weigh them by `share` and the rest.

    Each part of the loss is a mean over its labels; taken together, fifteen marked cells would drown in
    the hundreds of a drawn crop.
    """
    parts = [
        judged(NetworkOutput(*(part[rows] for part in output)), _rows(targets, rows), class_weights)
        for rows in (slice(0, drawn), slice(drawn, None))
    ]
    return Losses(*(share * first + (1 - share) * second for first, second in zip(*parts, strict=True)))


def _mixed_batch(drawn: FieldCache, annotated: WindowCache, settings: FineTuneSettings, step: int) -> Batch:
    number = settings.drawn_crops
    crops = settings.crops.model_copy(update={"batch": number})
    fields = draw_crops(drawn, crops, settings.schedule.seed, step)
    light, targets = _annotated_batch(annotated, settings, settings.crops.batch - number, step)
    together = torch.cat([light_of([field.rgb for field in fields]), light])
    return together, joined(batch_targets(fields, settings.loss), targets)


def _annotated_batch(annotated: WindowCache, settings: FineTuneSettings, number: int, step: int) -> Batch:
    fields = draw_annotated_crops(annotated, settings.crops, number, settings.schedule.seed, step)
    return light_of([field.rgb for field in fields]), partial_batch(fields, settings.loss)


def _rows(targets: Targets, rows: slice) -> Targets:
    return Targets(*(part[rows] for part in vars(targets).values()))
