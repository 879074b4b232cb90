"""A level whose tiles are JPEG streams in a TIFF: where they lie and how they are stored.

Reads tags through tifffile; reads no pixels. Whatever is not plainly understood is refused with a reason,
since the slow readers know what to do with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

_JPEG = 7
_RGB, _YCBCR = 2, 6
_ORIENTATION, _FILL_ORDER = 274, 266
_LARGEST_TILE_PX = 4096


class NotFastError(ValueError):
    """The fast path leaves this to the library; the message says why."""


@dataclass(frozen=True)
class JpegLevel:
    """One level.

    Parameters
    ----------
    width_px, height_px : int
        Size of the level.
    tile_width_px, tile_height_px : int
        Size of a tile; those at the right and lower edge reach beyond the level.
    offsets, lengths : sequence of int
        Where each tile's stream lies in the file, row by row; a length of 0 is a tile never written.
    tables : bytes
        The JPEGTables that all tiles share, or empty.
    tagged_ycbcr : bool
        Whether the TIFF says that samples are YCbCr; else red, green, blue.
    """

    width_px: int
    height_px: int
    tile_width_px: int
    tile_height_px: int
    offsets: Sequence[int]
    lengths: Sequence[int]
    tables: bytes
    tagged_ycbcr: bool

    @cached_property
    def across(self) -> int:
        """Tiles in a row."""
        return -(-self.width_px // self.tile_width_px)

    @cached_property
    def down(self) -> int:
        """Rows of tiles."""
        return -(-self.height_px // self.tile_height_px)

    @cached_property
    def has_gaps(self) -> bool:
        """Whether tiles were never written."""
        return 0 in self.lengths

    @cached_property
    def shrinks(self) -> tuple[int, ...]:
        """The factors a tile can be decoded at so that its pixels lie on the level's lattice."""
        sizes = (self.tile_width_px, self.tile_height_px)
        return tuple(factor for factor in (1, 2, 4, 8) if all(size % factor == 0 for size in sizes))

    @cached_property
    def whole_across(self) -> int:
        """Tiles of a row that lie inside the level with all their pixels."""
        return self.width_px // self.tile_width_px

    @cached_property
    def whole_down(self) -> int:
        """Rows of tiles that lie inside the level with all their pixels."""
        return self.height_px // self.tile_height_px


def jpeg_level_of(page: Any) -> JpegLevel:
    """Describe a TIFF page (or frame) of tifffile.

    Raises
    ------
    NotFastError
        When it is stored in any other way than as 8-bit JPEG tiles of three colours.
    """
    frame = page.keyframe
    _refuse_other_storage(frame)
    level = JpegLevel(
        width_px=frame.imagewidth,
        height_px=frame.imagelength,
        tile_width_px=frame.tilewidth,
        tile_height_px=frame.tilelength,
        offsets=tuple(page.dataoffsets),
        lengths=tuple(page.databytecounts),
        tables=page.jpegtables or b"",
        tagged_ycbcr=frame.photometric == _YCBCR,
    )
    if not len(level.offsets) == len(level.lengths) == level.across * level.down:
        raise NotFastError("the number of tiles does not fit the picture")
    return level


def _refuse_other_storage(frame: Any) -> None:
    if not frame.is_tiled:
        raise NotFastError("stored in strips, not in tiles")
    if frame.compression != _JPEG:
        raise NotFastError(f"compressed as {getattr(frame.compression, 'name', frame.compression)}, not JPEG")
    if frame.photometric not in {_RGB, _YCBCR} or frame.samplesperpixel != 3 or frame.extrasamples:
        raise NotFastError("not stored as three colours")
    if frame.bitspersample != 8 or frame.planarconfig != 1 or frame.imagedepth != 1:
        raise NotFastError("not 8 bits a colour, side by side")
    if _tag(frame, _ORIENTATION) != 1 or _tag(frame, _FILL_ORDER) != 1:
        raise NotFastError("stored turned or with bits reversed")
    if (
        not 8
        <= min(frame.tilewidth, frame.tilelength)
        <= max(frame.tilewidth, frame.tilelength)
        <= (_LARGEST_TILE_PX)
    ):
        raise NotFastError(f"tiles of {frame.tilewidth} x {frame.tilelength} px")
    if frame.jpegheader:
        raise NotFastError("tiles are parts of one JPEG stream")


def _tag(frame: Any, code: int) -> int:
    tag = frame.tags.get(code)
    return 1 if tag is None else int(tag.value)
