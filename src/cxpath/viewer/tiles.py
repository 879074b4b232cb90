"""Tiles and crops of a slide as JPEG: stored tiles pass through untouched, the rest is read and encoded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import simplejpeg
from cachetools import LRUCache

from cxpath.errors import CxpathError
from cxpath.slide import Slide

COARSEST_PX = 1024
"""Longest side of the coarsest level; below the file's own levels, computed ones follow down to it."""

_COMPUTED_TILE_PX = 512
_LARGEST_STORED_TILE_PX = 1024
"""Larger stored tiles, strips of a whole row above all, are cut into smaller ones."""

_QUALITY = 90
_CACHE_BYTES = 64 * 1024 * 1024


class NoTileError(CxpathError, ValueError):
    """A tile that lies outside its level, or a level that is not there."""


@dataclass(frozen=True)
class ShownLevel:
    """A level as the browser sees it.

    Parameters
    ----------
    index : int
        0 is the finest.
    width_px, height_px : int
        Its size in its own pixels.
    downsample : float
        Level-0 pixels per pixel.
    tile_width_px, tile_height_px : int
    stored : bool
        Whether its tiles are those of the file.
    """

    index: int
    width_px: int
    height_px: int
    downsample: float
    tile_width_px: int
    tile_height_px: int
    stored: bool

    @property
    def across(self) -> int:
        """Tiles in a row."""
        return -(-self.width_px // self.tile_width_px)

    @property
    def down(self) -> int:
        """Rows of tiles."""
        return -(-self.height_px // self.tile_height_px)


def shown_levels(slide: Slide) -> tuple[ShownLevel, ...]:
    """Return the slide's own levels, and computed ones down to `COARSEST_PX`, the finest first."""
    levels = list(_own_levels(slide))
    while max(levels[-1].width_px, levels[-1].height_px) > COARSEST_PX:
        levels.append(_halved(slide, levels[-1]))
    return tuple(levels)


def _own_levels(slide: Slide) -> Iterator[ShownLevel]:
    for index, level in enumerate(slide.levels):
        size = slide.tile_size(index)
        stored = size is not None and max(size) <= _LARGEST_STORED_TILE_PX
        width, height = size if size is not None and stored else (_COMPUTED_TILE_PX, _COMPUTED_TILE_PX)
        yield ShownLevel(
            index, level.width_px, level.height_px, level.downsample, width, height, stored=stored
        )


def _halved(slide: Slide, finer: ShownLevel) -> ShownLevel:
    downsample = finer.downsample * 2
    width, height = (-(-side // downsample) for side in (slide.width_px, slide.height_px))
    return ShownLevel(
        finer.index + 1,
        int(width),
        int(height),
        downsample,
        _COMPUTED_TILE_PX,
        _COMPUTED_TILE_PX,
        stored=False,
    )


class SlideTiles:
    """Tiles and crops of an open slide; any number of threads may ask at once.

    Parameters
    ----------
    slide : Slide
    """

    def __init__(self, slide: Slide) -> None:
        self._slide = slide
        self.levels = shown_levels(slide)
        self._encoded: LRUCache[tuple[int, int, int], bytes] = LRUCache(_CACHE_BYTES, getsizeof=len)
        self._lock = threading.Lock()

    def tile(self, index: int, column: int, row: int) -> bytes:
        """Return a tile as JPEG; those at the right and lower edge are as small as what is left.

        Raises
        ------
        NoTileError
            When there is none of that name.
        UnreadableSlideError
            When the file is damaged there.
        """
        level = self._level(index)
        if not (0 <= column < level.across and 0 <= row < level.down):
            raise NoTileError(f"level {index} has no tile {column}, {row}")
        key = (index, column, row)
        with self._lock:
            held = self._encoded.get(key)
        if held is not None:
            return held
        stored = self._slide.stored_tile(index, column, row) if level.stored else None
        tile = stored or self._read(level, column, row)
        with self._lock, suppress(ValueError):  # larger than all that may be kept
            self._encoded[key] = tile
        return tile

    def crop(self, x_px: float, y_px: float, side_um: float, side_px: int) -> bytes:
        """Return a square of the slide around a place as JPEG, without any mark."""
        mpp = side_um / side_px
        half_px = side_um / 2 / self._slide.mpp
        rgb = self._slide.read(x_px - half_px, y_px - half_px, side_px, side_px, mpp)
        return bytes(simplejpeg.encode_jpeg(rgb, quality=_QUALITY, colorsubsampling="444"))

    def _level(self, index: int) -> ShownLevel:
        if not 0 <= index < len(self.levels):
            raise NoTileError(f"there is no level {index}")
        return self.levels[index]

    def _read(self, level: ShownLevel, column: int, row: int) -> bytes:
        left, top = column * level.tile_width_px, row * level.tile_height_px
        width = min(level.tile_width_px, level.width_px - left)
        height = min(level.tile_height_px, level.height_px - top)
        x_px, y_px = left * level.downsample, top * level.downsample
        rgb = self._slide.read(x_px, y_px, width, height, self._slide.mpp * level.downsample)
        return bytes(simplejpeg.encode_jpeg(rgb, quality=_QUALITY))
