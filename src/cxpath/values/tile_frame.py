"""TileFrame: where a tile lies, so that what was found in it can be put back on the slide."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TileFrame:
    """Place of one tile: a core square with a halo around it.

    Parameters
    ----------
    index : int
        Number of the tile in its plan.
    x_px, y_px : float
        Level-0 pixels of the top left corner of the tile, halo included.
    scale : float
        Level-0 pixels per tile pixel.
    core_px, halo_px : int
        Side of the core and width of the halo, in tile pixels.
    """

    index: int
    x_px: float
    y_px: float
    scale: float
    core_px: int
    halo_px: int

    @property
    def side_px(self) -> int:
        """Side of the whole tile in tile pixels."""
        return self.core_px + 2 * self.halo_px

    @property
    def core_x_px(self) -> float:
        """Level-0 x of the core's left edge."""
        return self.x_px + self.halo_px * self.scale

    @property
    def core_y_px(self) -> float:
        """Level-0 y of the core's top edge."""
        return self.y_px + self.halo_px * self.scale

    @property
    def core_side_px(self) -> float:
        """Side of the core in level-0 pixels."""
        return self.core_px * self.scale
