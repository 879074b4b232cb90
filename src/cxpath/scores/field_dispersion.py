"""How unevenly positive cells lie over a slide's fields: the variance a block bootstrap would find.

Drawing whole fields again and again has, for a ratio of sums, a closed form for infinitely many repeats; it
needs no seed and is finite where few fields are positive. Of three or four fields it says next to nothing,
so what tissues are like in general stands beside it with a small weight. Knows no classification error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

USUAL_UNEVENNESS = 0.3
"""Squared coefficient of variation of positivity between fields of 500 µm that is assumed beforehand,"""

USUAL_WEIGHT = 6.0
"""and for how many fields that assumption speaks. Both were chosen on simulated slides: no source states
them, and a slide of thirty fields hardly feels them."""


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
    variance is their sum of squares times F / (F - 1). Degrees of freedom follow Satterthwaite. To it is
    added, as a scaled inverse chi-squared prior is, the variance that `USUAL_UNEVENNESS` would give.

    Parameters
    ----------
    positive, tumour : int array, (F,)
    """
    holds = (tumour > 0) | (positive > 0)
    y, x = positive[holds].astype(np.float64), tumour[holds].astype(np.float64)
    total = float(y.sum())
    if total == 0:
        return FieldDispersion(0.0, 1.0)
    own = _own_dispersion(y, x)
    usual = total + USUAL_UNEVENNESS * total**2 / len(y)
    degrees = own.degrees + USUAL_WEIGHT
    return FieldDispersion((own.variance * own.degrees + usual * USUAL_WEIGHT) / degrees, degrees)


def _own_dispersion(y: NDArray[np.float64], x: NDArray[np.float64]) -> FieldDispersion:
    """Return what the fields say by themselves; one field says nothing."""
    fields = len(y)
    if fields < 2:
        return FieldDispersion(0.0, 0.0)
    squares = (y - y.sum() / x.sum() * x) ** 2
    variance = squares.sum() * fields / (fields - 1)
    fourth = float((squares**2).sum())
    degrees = min(fields - 1.0, float(squares.sum()) ** 2 / fourth) if fourth else fields - 1.0
    return FieldDispersion(float(variance), max(1.0, degrees))
