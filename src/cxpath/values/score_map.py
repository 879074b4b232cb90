"""A laboratory's own scale: a rising map from the software's score to what its readers say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ScoreMap:
    """Points of a map that never falls; between two of them it is straight on axes of log10(score + 1).

    Parameters
    ----------
    scores : tuple of float
        Of the software, rising, at least two.
    reads : tuple of float
        Of the readers, one for each score, never falling.

    Raises
    ------
    ValueError
        When the points are no such map.
    """

    scores: tuple[float, ...]
    reads: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.scores) < 2 or len(self.scores) != len(self.reads):
            raise ValueError("a map needs two scores or more, and a read for each")
        if min(np.diff(self.scores)) <= 0 or min(np.diff(self.reads)) < 0:
            raise ValueError("scores must rise and reads must not fall")
        if self.scores[0] < 0 or self.reads[0] < 0:
            raise ValueError("scores and reads start from 0 at least")

    def of(self, scores: Floats) -> Floats:
        """Return what the readers would say, of the shape of `scores`; level beyond both ends."""
        own, reads = np.log10(np.add(self.scores, 1.0)), np.log10(np.add(self.reads, 1.0))
        mapped: Floats = 10.0 ** np.interp(np.log10(np.add(scores, 1.0)), own, reads) - 1
        return mapped

    def covers(self, score: float) -> bool:
        """Say whether a score lies among those the map rests on."""
        return self.scores[0] <= score <= self.scores[-1]
