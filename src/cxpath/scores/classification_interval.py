"""Interval of the slide's own score given doubt about each cell: probabilities taken as independent.

A first, optimistic interval: errors of one slide share causes (a scanner, a stain run) that it does not
know; it says only how many single calls were close.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

METHOD = "independent-cells/1"


def classification_interval(
    score: float, numerator_probability: NDArray[np.float32], tumour: int, level: float, maximum: float
) -> tuple[float, float]:
    """Return the interval of a score whose numerator is a sum of independent uncertain cells.

    The sum of Bernoulli variables has variance sum p (1 - p) (Poisson binomial); the normal
    approximation is taken around the hard-called score.

    Parameters
    ----------
    score : float
        The hard-called, unrounded score.
    numerator_probability : float array, (N,)
        For each cell the probability that it belongs in the numerator; NaN counts as certain.
    tumour : int
        The denominator.
    level, maximum : float
        Coverage, and the score's cap.
    """
    p = np.nan_to_num(numerator_probability.astype(np.float64), nan=0.0)
    deviation = 100.0 * float(np.sqrt((p * (1.0 - p)).sum())) / tumour
    reach = float(stats.norm.ppf(0.5 + level / 2.0)) * deviation
    return max(0.0, score - reach), min(maximum, score + reach)
