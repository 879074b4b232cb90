"""How unevenly positive cells lie over a slide's fields: the variance a block bootstrap would find.

Drawing whole fields again and again has, for a ratio of sums, a closed form for infinitely many repeats; it
needs no seed and is finite where few fields are positive. Knows nothing of classification error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FieldDispersion:
    """Spread of a numerator over fields.

    Parameters
    ----------
    variance : float
        Of the numerator, in cells squared, the denominator's own share of the doubt within. Where fields
        differ by chance alone it is about the number of positive cells.
    degrees : float
        Degrees of freedom it was estimated with, fewer where few fields decide.
    """

    variance: float
    degrees: float


def field_dispersion(positive: NDArray[np.int64], tumour: NDArray[np.int64]) -> FieldDispersion:
    """Return the spread of `positive` over fields, given the tumour cells each holds.

    Residuals are positive - ratio x tumour (the linearised ratio estimator, Cochran 1977, 6.4), and the
    variance is their sum of squares times F / (F - 1). Degrees of freedom follow Satterthwaite.

    Parameters
    ----------
    positive, tumour : int array, (F,)
    """
    holds = (tumour > 0) | (positive > 0)
    y, x = positive[holds].astype(np.float64), tumour[holds].astype(np.float64)
    fields, total = len(y), float(y.sum())
    if fields < 2 or total == 0:
        return FieldDispersion(total, 1.0)
    squares = (y - total / x.sum() * x) ** 2
    variance = squares.sum() * fields / (fields - 1)
    fourth = float((squares**2).sum())
    degrees = min(fields - 1.0, float(squares.sum()) ** 2 / fourth) if fourth else fields - 1.0
    return FieldDispersion(float(variance), max(1.0, degrees))
