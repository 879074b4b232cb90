"""A source of pixels: a stored level, taken as it is or shrunk by a whole factor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cxpath.slide.level import Level
from cxpath.slide.on_white import WHITE
from cxpath.slide.resample import block_mean

Fetch = Callable[[int, int, int, int, int], NDArray[np.uint8]]
"""Gives RGB of (level index, x, y, width, height) in pixels of that level."""

_BLOCK_PX = 2048


@dataclass(frozen=True)
class Source:
    """One level, or the picture that its blocks of `shrink` x `shrink` pixels make.

    Parameters
    ----------
    index : int
        Of the level.
    level : Level
    shrink : int
    """

    index: int
    level: Level
    shrink: int = 1

    @cached_property
    def width_px(self) -> int:
        """Width in its own pixels; the last one may reach beyond the level."""
        return -(-self.level.width_px // self.shrink)

    @cached_property
    def height_px(self) -> int:
        """Height in its own pixels; the last one may reach beyond the level."""
        return -(-self.level.height_px // self.shrink)

    @cached_property
    def factor_x(self) -> float:
        """Level-0 pixels per pixel, across."""
        return self.level.factor_x * self.shrink

    @cached_property
    def factor_y(self) -> float:
        """Level-0 pixels per pixel, down."""
        return self.level.factor_y * self.shrink


def shrunk_region(
    source: Source, fetch: Fetch, x_px: int, y_px: int, width: int, height: int
) -> NDArray[np.uint8]:
    """Read a region of a source through a reader that knows whole levels only, block by block.

    Parameters
    ----------
    source : Source
    fetch : callable
    x_px, y_px, width, height : int
        In pixels of the source, inside it.
    """
    if source.shrink == 1:
        return fetch(source.index, x_px, y_px, width, height)
    region = np.empty((height, width, 3), dtype=np.uint8)
    step = _BLOCK_PX // source.shrink
    for top in range(0, height, step):
        for left in range(0, width, step):
            part = region[top : top + step, left : left + step]
            part[:] = _block(source, fetch, x_px + left, y_px + top, part.shape[1], part.shape[0])
    return region


def _block(source: Source, fetch: Fetch, x_px: int, y_px: int, width: int, height: int) -> NDArray[np.uint8]:
    shrink = source.shrink
    x_px, y_px = x_px * shrink, y_px * shrink
    across = min(width * shrink, source.level.width_px - x_px)
    down = min(height * shrink, source.level.height_px - y_px)
    whole = np.full((height * shrink, width * shrink, 3), WHITE, dtype=np.uint8)
    whole[:down, :across] = fetch(source.index, x_px, y_px, across, down)
    return block_mean(whole, height, width, shrink)
