"""What several readers say together: the median of their scores, and the side of a cut-off that it is on.

The rule is stated beforehand and is always the same. The median of an even number of reads lies between the
two middle ones. Where a read states only a bound, what stands for it is used.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RULE = "median of the readers' scores; its side of the cut-off is the consensus category"


def median_of(values: Floats) -> Floats:
    """Return the median of each row, (N,), leaving out NaN; NaN for a row without a score."""
    some = np.isfinite(values).any(axis=1)
    medians = np.full(len(values), np.nan)
    medians[some] = np.nanmedian(values[some], axis=1)
    return medians


def others_medians(values: Floats) -> Floats:
    """Return for each reader the median of all others, (N, R)."""
    readers = values.shape[1]
    return np.stack([median_of(np.delete(values, own, axis=1)) for own in range(readers)], axis=1)


def reaching(scores: Floats, cutoff: float) -> Floats:
    """Return 1 where a score is at least the cut-off, 0 where not, NaN without a score."""
    return np.where(np.isfinite(scores), (scores >= cutoff).astype(np.float64), np.nan)
