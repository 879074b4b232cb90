"""Writing an Aperio-like pyramidal SVS, which OpenSlide opens as vendor aperio.

Streams tiles through a temporary file, renamed when complete. Knows nothing of tissue.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

from cxpath.exchange.whole_file import whole_file

Picture = NDArray[np.uint8]

TILE_PX = 256
DOWNSAMPLES = (1, 4, 16)
JPEG_QUALITY = 88


class SvsCanvas:
    """Holds the encoded tiles of all levels while they are painted, in any order.

    Parameters
    ----------
    width_px, height_px : int
        Level-0 size; multiples of 4096 keep all levels' tiles whole, others are padded with white.
    white : tuple of int
        Colour of padding.
    """

    def __init__(self, width_px: int, height_px: int, white: tuple[int, int, int] = (240, 240, 240)) -> None:
        self.width_px, self.height_px = width_px, height_px
        self._white = np.array(white, np.uint8)
        self._tiles: dict[tuple[int, int], bytes] = {}
        shape = (-(-height_px // DOWNSAMPLES[1]), -(-width_px // DOWNSAMPLES[1]), 3)
        self._second = np.broadcast_to(self._white, shape).copy()

    def add(self, row_px: int, column_px: int, tiles: dict[tuple[int, int], bytes], small: Picture) -> None:
        """Take a painted block: its encoded tiles by (tile row, tile column), and itself at a quarter."""
        self._tiles.update(tiles)
        top, left = row_px // DOWNSAMPLES[1], column_px // DOWNSAMPLES[1]
        target = self._second[top : top + small.shape[0], left : left + small.shape[1]]
        target[:] = small[: target.shape[0], : target.shape[1]]

    def write(self, path: Path, mpp: float) -> None:
        """Write all levels to `path`."""
        with whole_file(path) as part:
            self._write_levels(part, mpp)

    def _write_levels(self, part: Path, mpp: float) -> None:
        third = _shrunk(self._second, DOWNSAMPLES[2] // DOWNSAMPLES[1])
        with tifffile.TiffWriter(part, bigtiff=False) as tiff:
            for level, downsample in enumerate(DOWNSAMPLES):
                width, height = self.width_px // downsample, self.height_px // downsample
                tiles = self._level_0() if level == 0 else _encoded((self._second, third)[level - 1])
                tiff.write(
                    tiles,
                    shape=(height, width, 3),
                    dtype=np.uint8,
                    tile=(TILE_PX, TILE_PX),
                    photometric="ycbcr",
                    compression="jpeg",
                    subsampling=(2, 2),
                    subfiletype=0,
                    description=self._description(width, height, mpp),
                    metadata=None,
                    software="Aperio Image Library",
                )

    def _level_0(self) -> Iterator[bytes]:
        empty = encode_tile(np.broadcast_to(self._white, (TILE_PX, TILE_PX, 3)).copy())
        for row in range(-(-self.height_px // TILE_PX)):
            for column in range(-(-self.width_px // TILE_PX)):
                yield self._tiles.get((row, column), empty)

    def _description(self, width: int, height: int, mpp: float) -> str:
        size = f"{self.width_px}x{self.height_px}"
        if width != self.width_px:
            size += f" [0,0 {self.width_px}x{self.height_px}] ({TILE_PX}x{TILE_PX}) -> {width}x{height}"
        power = round(10.0 / mpp)
        return (
            f"Aperio Image Library v12.0.0 \r\n{size} ({TILE_PX}x{TILE_PX}) JPEG/RGB Q={JPEG_QUALITY}"
            f"|AppMag = {power}|MPP = {mpp:g}|Filename = drawn"
        )


def encode_tile(rgb: Picture) -> bytes:
    """Compress one tile as YCbCr JPEG, 4:2:0."""
    return bytes(
        imagecodecs.jpeg8_encode(
            np.ascontiguousarray(rgb),
            level=JPEG_QUALITY,
            colorspace="RGB",
            outcolorspace="YCBCR",
            subsampling="420",
        )
    )


def encode_block(rgb: Picture, row_px: int, column_px: int) -> tuple[dict[tuple[int, int], bytes], Picture]:
    """Return a block's encoded tiles by place, and the block at a quarter; it starts on the tile lattice."""
    tiles = {
        (row_px // TILE_PX + place // TILE_PX, column_px // TILE_PX + other // TILE_PX): encode_tile(
            _padded(rgb[place : place + TILE_PX, other : other + TILE_PX])
        )
        for place in range(0, rgb.shape[0], TILE_PX)
        for other in range(0, rgb.shape[1], TILE_PX)
    }
    return tiles, _shrunk(rgb, DOWNSAMPLES[1])


def _encoded(picture: Picture) -> Iterator[bytes]:
    for row in range(0, picture.shape[0], TILE_PX):
        for column in range(0, picture.shape[1], TILE_PX):
            yield encode_tile(_padded(picture[row : row + TILE_PX, column : column + TILE_PX]))


def _padded(tile: Picture) -> Picture:
    missing = (TILE_PX - tile.shape[0], TILE_PX - tile.shape[1])
    if missing == (0, 0):
        return tile
    return np.pad(tile, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")


def _shrunk(rgb: Picture, factor: int) -> Picture:
    size = (max(1, rgb.shape[1] // factor), max(1, rgb.shape[0] // factor))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
