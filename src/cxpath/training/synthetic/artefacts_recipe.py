"""Which artefacts of cutting, mounting and scanning lie on a field, and how heavy they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Artefacts:
    """Artefacts that hide cells; the squares they spoil are marked to be ignored.

    Parameters
    ----------
    pen, bubble, fold, crush : bool
        Ink of a marker; air bubble under the cover slip; folded section; crushed nuclei.
    defocus_um : float
        Standard deviation of the blur inside an out-of-focus patch; 0 for none.
    """

    pen: bool = False
    bubble: bool = False
    fold: bool = False
    crush: bool = False
    defocus_um: float = 0.0


def random_artefacts(rng: np.random.Generator) -> Artefacts:
    """Draw artefacts for training: each in about one field of twenty-five."""
    pen, bubble, fold, crush, defocus = (bool(rng.random() < 0.04) for _ in range(5))
    return Artefacts(pen, bubble, fold, crush, float(rng.uniform(1.5, 4.0)) if defocus else 0.0)
