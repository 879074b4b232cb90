"""How near scores are to the truth: Lin's concordance, and the right side of a cut-off."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cxpath.agreement.concordance import lins_concordance


def score_concordance(true_cps: NDArray[np.float64], called_cps: NDArray[np.float64]) -> float:
    """Return Lin's concordance of log10(CPS + 1)."""
    return lins_concordance(np.log10(true_cps + 1), np.log10(called_cps + 1))


def right_side(true_cps: NDArray[np.float64], called_cps: NDArray[np.float64], cutoff: float) -> float:
    """Return the share of slides on the same side of a cut-off (a score of the cut-off itself reaches it)."""
    if not len(true_cps):
        return float("nan")
    return float(np.mean((true_cps >= cutoff) == (called_cps >= cutoff)))


def falsely_reaching(
    true_cps: NDArray[np.float64], called_cps: NDArray[np.float64], below: float, cutoff: float
) -> float:
    """Return the share of slides with a true CPS below `below` whose score reaches `cutoff`."""
    low = true_cps < below
    return float(np.mean(called_cps[low] >= cutoff)) if low.any() else float("nan")
