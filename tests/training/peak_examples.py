"""Observations made by hand: peaks whose logits say what we want them to say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cxpath.data.cells import FINE_CLASSES, CellPeaks, Kind
from cxpath.metrics.cells import Observation
from tests.training.blob_fields import cells_at


def peaks_at(
    x_px: NDArray[np.float64],
    y_px: NDArray[np.float64],
    kind: NDArray[np.uint8],
    stain_logit: NDArray[np.float64],
    score: NDArray[np.float64],
) -> CellPeaks:
    """Peaks that are sure of their kind (tumour, lymphocyte, fibroblast)."""
    number = len(x_px)
    fine = np.array([0, FINE_CLASSES.index("lymphocyte"), FINE_CLASSES.index("fibroblast")])[kind]
    class_logits = np.zeros((number, 10), np.float32)
    class_logits[np.arange(number), fine] = 6.0
    return CellPeaks(
        x_px=x_px,
        y_px=y_px,
        score=score.astype(np.float32),
        class_logits=class_logits,
        stain_logits=np.repeat(stain_logit[:, None], 2, axis=1).astype(np.float32),
        region=np.zeros(number, np.uint8),
        radii_um=np.arange(11, dtype=np.float32),
        hematoxylin_od=np.zeros((number, 11, 16), np.float32),
        dab_od=np.zeros((number, 11, 16), np.float32),
    )


def observed(
    rng: np.random.Generator, number: int, prevalence: float, *, gap: float = 3.0, slope: float = 1.0
) -> Observation:
    """One field in which every cell is found.

    The stain logit is normal around ± gap / 2 with variance gap, so that the logit plus the prior's is
    exactly calibrated; `slope` then spoils it.
    """
    x_px, y_px = rng.uniform(0, 400, (2, number))
    kind = rng.integers(0, 2, number).astype(np.uint8)
    positive = rng.random(number) < prevalence
    logit = np.where(positive, gap / 2, -gap / 2) + np.sqrt(gap) * rng.standard_normal(number)
    return Observation(
        peaks=peaks_at(x_px, y_px, kind, slope * logit, np.full(number, 0.9)),
        truth=cells_at(x_px, y_px, kind, positive),
        scored_peaks=np.ones(number, bool),
        scored_truth=np.ones(number, bool),
        pairs=np.column_stack([np.arange(number), np.arange(number)]),
    )


TUMOUR, IMMUNE, OTHER = (np.uint8(kind) for kind in Kind)
