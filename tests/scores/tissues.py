"""Tissues for tests of scores: mixed over many fields, and how a flawless reader's calls go wrong."""

from __future__ import annotations

import numpy as np

from cxpath.data.cells import CellTable
from cxpath.scores.counts import GroupedCounts
from cxpath.scores.settings import SlideErrorSettings
from scripts.studies.coverage import CAREFUL
from tests.synthetic_cells import synthetic_cells

SURE = 0.999999

FLAWLESS = SlideErrorSettings(
    tumour_recall=SURE, tumour_recall_spread=0.0, tumour_specificity=SURE, tumour_specificity_spread=0.0,
    immune_recall=SURE, immune_recall_spread=0.0, immune_specificity=SURE, immune_specificity_spread=0.0,
    tumour_found=1.0, tumour_found_spread=0.0,
)  # fmt: skip
"""Calls that are never wrong: what is left is the sampling of fields."""

GOOD = CAREFUL
"""About as good as a careful reader."""


def mixed(counts: dict[str, int], spacing_um: float = 60.0, seed: int = 3) -> CellTable:
    """Return so many cells of each two-letter word, shuffled, over several fields."""
    words = np.array([word for word, number in counts.items() for _ in range(number)])
    np.random.default_rng(seed).shuffle(words)
    side = int(np.ceil(np.sqrt(len(words))))
    rows = [" ".join(words[start : start + side]) for start in range(0, len(words), side)]
    return synthetic_cells("\n".join(rows), spacing_um)


def even_fields(
    fields: int,
    tumour_positive: int,
    tumour_negative: int,
    immune_positive: int = 0,
    immune_negative: int = 0,
) -> GroupedCounts:
    """Return fields that all hold the same."""

    def same(number: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.full(fields, number, dtype=np.int64)

    return GroupedCounts(
        same(tumour_positive), same(tumour_negative), same(immune_positive), same(immune_negative), same(0)
    )
