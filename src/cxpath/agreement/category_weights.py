"""How much partial agreement counts: weights of pairs of ordered categories, 1 on the diagonal."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class Weighting(StrEnum):
    """How far apart two categories are taken to be."""

    NONE = "unweighted"
    LINEAR = "linear"
    QUADRATIC = "quadratic"

    def matrix(self, categories: int) -> NDArray[np.float64]:
        """Return the weights, float64 array (categories, categories)."""
        if self is Weighting.NONE or categories < 2:
            return np.eye(categories)
        place = np.arange(categories, dtype=np.float64)
        apart = np.abs(place[:, None] - place[None, :]) / (categories - 1)
        return 1 - apart if self is Weighting.LINEAR else 1 - apart**2
