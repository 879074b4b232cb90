"""How evenly the tumour is stained: where its cells lie by the local CPS of their tile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CLASSES = (("below 1", -np.inf, 1.0), ("1 to below 10", 1.0, 10.0), ("10 or more", 10.0, np.inf))


@dataclass(frozen=True)
class SpreadClass:
    """The share (0-1) of all tumour cells that lie in tiles of one class of local CPS."""

    name: str
    share: float


def spread_of(tiles: Mapping[str, NDArray[Any]] | None) -> tuple[SpreadClass, ...]:
    """Return the three classes, or nothing where no tile holds tumour cells."""
    if tiles is None:
        return ()
    tumour = tiles["tumour_positive"].astype(np.float64) + tiles["tumour_negative"]
    total = float(tumour.sum())
    cps = tiles["cps"]
    if total == 0:
        return ()
    return tuple(
        SpreadClass(name, float(tumour[(cps >= low) & (cps < high)].sum()) / total)
        for name, low, high in _CLASSES
    )
