"""Where the output pixels of one axis take their light from: exact area weights, linear when magnifying.

Knows one axis of one level in that level's own pixels. Knows no slide and no picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

_SNAP = 1e-6


@dataclass(frozen=True)
class Sampling:
    """`number` output pixels, each `step` source pixels wide, the first one beginning at `start`.

    An output pixel is the mean of the light that falls on its footprint, so it depends on nothing but
    its own place: reading in parts gives what reading at once gives. Where an output pixel is smaller
    than a source pixel the light is interpolated linearly between source pixel centres instead.
    """

    start: float
    step: float
    number: int

    @classmethod
    def snapped(cls, start: float, step: float, number: int) -> Sampling:
        """Build one whose start and step are whole where only float noise keeps them from it."""
        return cls(_snap(start), _snap(step), number)

    @cached_property
    def averages(self) -> bool:
        """Whether output pixels are at least as large as source pixels."""
        return self.step >= 1

    @cached_property
    def whole_factor(self) -> int | None:
        """The step, when output pixels are whole blocks of source pixels."""
        aligned = self.start == math.floor(self.start) and self.step == math.floor(self.step)
        return int(self.step) if aligned and self.averages else None

    @cached_property
    def first(self) -> int:
        """The first source pixel that is needed."""
        return math.floor(self.start) if self.averages else math.floor(self._centre(0))

    @cached_property
    def length(self) -> int:
        """How many source pixels are needed, from `first` on."""
        if self.averages:
            return max(math.ceil(self.start + self.number * self.step) - self.first, 1)
        return math.floor(self._centre(self.number - 1)) + 2 - self.first

    def halves(self) -> tuple[Sampling, Sampling]:
        """Split into two that follow each other."""
        half = self.number // 2
        return (
            Sampling(self.start, self.step, half),
            Sampling(self.start + half * self.step, self.step, self.number - half),
        )

    def weights(self) -> sparse.csr_array:
        """Return the float32 matrix (number, length) of what each source pixel gives to each output pixel."""
        return self._area_weights() if self.averages else self._linear_weights()

    def _centre(self, index: int) -> float:
        return self.start + (index + 0.5) * self.step - 0.5

    def _area_weights(self) -> sparse.csr_array:
        edges = self.start + self.step * np.arange(self.number + 1)
        source = np.floor(edges[:-1])[:, None] + np.arange(math.ceil(self.step) + 1)
        overlap = np.minimum(edges[1:, None], source + 1) - np.maximum(edges[:-1, None], source)
        return self._matrix(source, overlap / self.step)

    def _linear_weights(self) -> sparse.csr_array:
        centres = self.start + (np.arange(self.number) + 0.5) * self.step - 0.5
        source = np.floor(centres)[:, None] + np.arange(2)
        return self._matrix(source, 1 - np.abs(centres[:, None] - source))

    def _matrix(self, source: NDArray[np.float64], weight: NDArray[np.float64]) -> sparse.csr_array:
        rows = np.broadcast_to(np.arange(self.number)[:, None], source.shape)
        columns = source.astype(np.int64) - self.first
        counts = (weight > 0) & (columns < self.length)
        entries = (weight[counts].astype(np.float32), (rows[counts], columns[counts]))
        return sparse.csr_array(entries, shape=(self.number, self.length))


def _snap(value: float) -> float:
    nearest = float(round(value))
    return nearest if abs(value - nearest) <= _SNAP else value
