"""Window: a rectangle of a world's pixel lattice, and the noise all painters share there.

A pixel is addressed by its place in the whole world, so neighbouring windows paint the same values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxpath.training.synthetic.noise import FloatImage, periodic_texture, sample_map, sample_periodic


@dataclass(frozen=True)
class Window:
    """A rectangle of the world's lattice.

    Parameters
    ----------
    row, column, height, width : int
        In pixels; row and column may be negative.
    mpp : float
        Micrometres per pixel.
    """

    row: int
    column: int
    height: int
    width: int
    mpp: float

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width

    @property
    def x_um(self) -> NDArray[np.float64]:
        """World coordinate of each column's centre."""
        return np.asarray((np.arange(self.column, self.column + self.width) + 0.5) * self.mpp, np.float64)

    @property
    def y_um(self) -> NDArray[np.float64]:
        """World coordinate of each row's centre."""
        return np.asarray((np.arange(self.row, self.row + self.height) + 0.5) * self.mpp, np.float64)

    def grown(self, margin_px: int) -> Window:
        """Return the window with a margin on all sides."""
        return Window(
            self.row - margin_px,
            self.column - margin_px,
            self.height + 2 * margin_px,
            self.width + 2 * margin_px,
            self.mpp,
        )

    def texture(
        self, seed: int, grain_um: float, start_um: tuple[float, float], *, band: bool = False
    ) -> FloatImage:
        """Sample a periodic texture of structures from about `grain_um`; `band` removes large ones."""
        texel_um = grain_um / 2.0
        texture = periodic_texture(seed, 2.0, 6.0 if band else 0.0)
        return sample_periodic(texture, self.x_um + start_um[0], self.y_um + start_um[1], texel_um)

    def world_map(self, field: FloatImage, step_um: float) -> FloatImage:
        """Sample a map of the world."""
        return sample_map(field, self.x_um, self.y_um, step_um)
