"""TPS, the tumour proportion score: 100 x T+ / (T+ + T-) (clinical brief 1.3 [S6]). No immune cell enters."""

from __future__ import annotations

from cxpath.scores.counting import CellCounts

MAXIMUM = 100.0


def tumour_proportion_score(counts: CellCounts) -> float | None:
    """Return the unrounded TPS in percent, or None where there is no tumour cell to divide by."""
    if counts.tumour == 0:
        return None
    return 100.0 * counts.tumour_positive / counts.tumour
