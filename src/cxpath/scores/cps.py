"""CPS, the combined positive score: 100 x (T+ + I+) / (T+ + T-), at most 100.

Clinical brief 1.1 [S1, S2, S3]: summed over the slide and divided once; immune cells never enter the
denominator; the maximum reported is 100. A plain number, not a percentage.
"""

from __future__ import annotations

from cxpath.scores.counting import CellCounts

MAXIMUM = 100.0


def combined_positive_score(counts: CellCounts) -> float | None:
    """Return the unrounded CPS, or None where there is no tumour cell to divide by."""
    if counts.tumour == 0:
        return None
    return min(MAXIMUM, 100.0 * counts.positive / counts.tumour)
