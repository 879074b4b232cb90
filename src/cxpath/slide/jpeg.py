"""JPEG streams of slides and of plain pictures, decoded at full or reduced size."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray

# Decoding a JPEG stream at 1/1, 1/2, 1/4 or 1/8 in the DCT domain. Knows no TIFF.
#
# A stream decoded at 1/2 costs about half of decoding all pixels and averaging them, and is as close to the
# light on the glass (`docs/performance.md`).


Picture = NDArray[np.uint8]

_FAST_DCT = _FAST_UPSAMPLING = False
"""Both would differ from what other readers show, for a few per cent of speed."""

_ALIGNMENT = 32

_SURPLUS = re.compile(r"(\d+) extraneous bytes before marker 0xd9")


class DamagedStreamError(ValueError):
    """The pixels of the stream are not all there."""


def memory_for(width: int, height: int) -> Picture:
    """Return memory for a picture of this size, (height, width, 3), that decoding to is quickest.

    To memory at a multiple of 32 bytes libjpeg-turbo writes past the processor's caches, which is slower by
    a tenth in itself and leaves the pixels far away from the next reader. So it begins at no such
    multiple.
    """
    size = height * width * 3
    memory = np.empty(size + 2 * _ALIGNMENT, dtype=np.uint8)
    start = (_ALIGNMENT // 2 - memory.ctypes.data) % _ALIGNMENT
    return memory[start : start + size].reshape(height, width, 3)


def decode(stream: bytes, width: int, height: int, shrink: int, into: Picture | None = None) -> Picture:
    """Decode a stream that stands alone.

    Parameters
    ----------
    stream : bytes
        From SOI on, tables and colour marker included.
    width, height : int
        Its full size in pixels; multiples of `shrink`.
    shrink : int
        1, 2, 4 or 8.
    into : uint8 array, optional
        Memory to decode to, from `memory_for`; else new memory.

    Returns
    -------
    uint8 array, (height / shrink, width / shrink, 3)

    Raises
    ------
    DamagedStreamError
        When bytes are missing or wrong; libjpeg alone would fill in grey.
    """
    width, height = width // shrink, height // shrink
    if into is None:
        into = memory_for(width, height)
    # Positional, since keywords cost a microsecond a tile. The smallest factor counts only when the
    # smallest size is given too.
    how = ("RGB", _FAST_DCT, _FAST_UPSAMPLING, height, width, shrink, into)
    try:
        pixels: Picture = simplejpeg.decode_jpeg(stream, *how)
    except ValueError as error:
        if not _is_padded(stream, str(error)):
            raise DamagedStreamError(str(error)) from error
        pixels = simplejpeg.decode_jpeg(stream, *how, strict=False)
    if pixels.shape != into.shape:
        raise DamagedStreamError(f"it contains {pixels.shape[1]} x {pixels.shape[0]} px")
    return pixels


def _is_padded(stream: bytes, complaint: str) -> bool:
    """Say whether libjpeg complains of nothing but filling before the end, which some scanners write."""
    surplus = _SURPLUS.search(complaint)
    if surplus is None:
        return False
    end = stream.rfind(b"\xff\xd9")
    return not stream[max(end - int(surplus[1]), 0) : end].strip(b"\x00\xff")


# A level whose tiles are JPEG streams in a TIFF: where they lie and how they are stored.
#
# Reads tags through tifffile; reads no pixels. Whatever is not plainly understood is refused with a reason,
# since the slow readers know what to do with it.


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


# JPEG streams as TIFF tiles contain them: their headers read, and made whole so that any decoder reads them.
#
# Tiles are abbreviated (their tables lie elsewhere in the file), and what their colours are is often recorded
# in the TIFF alone. Knows bytes; knows no TIFF, no file and no pixels.


_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_FRAMES = {0xC0, 0xC1, 0xC2}
"""Baseline, extended and progressive, Huffman-coded."""
_OTHER_FRAMES = {0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_JFIF, _ADOBE, _COMMENT = 0xE0, 0xEE, 0xFE


class StreamError(ValueError):
    """These bytes are no JPEG stream."""


class UnknownStreamError(ValueError):
    """A JPEG stream of a kind that is left to others."""


@dataclass(frozen=True)
class Segment:
    """One marker segment: its marker and its bytes, marker and length included."""

    marker: int
    data: bytes

    @property
    def speaks_of_pixels(self) -> bool:
        """Whether it is more than a note (APPn, COM)."""
        return not (0xE0 <= self.marker <= 0xEF or self.marker == _COMMENT)


@dataclass(frozen=True)
class StreamHead:
    """All that precedes the compressed pixels of a tile.

    Parameters
    ----------
    data : bytes
        The head itself, from SOI to the end of the SOS segment.
    segments : tuple of Segment
        Its segments, without SOI; SOS is the last.
    frame : Segment
        The one of them that describes the picture.
    width_px, height_px : int
        Size of the stored picture.
    """

    data: bytes
    segments: tuple[Segment, ...]
    frame: Segment
    width_px: int
    height_px: int

    @property
    def is_jfif(self) -> bool:
        """Whether it says JFIF, which means YCbCr."""
        return any(part.marker == _JFIF and part.data[4:9] == b"JFIF\0" for part in self.segments)

    @property
    def stored_as_ycbcr(self) -> bool:
        """What its markers say of its colours, by the rule of libjpeg."""
        if self.is_jfif:
            return True
        adobe = [part for part in self.segments if part.marker == _ADOBE and part.data[4:9] == b"Adobe"]
        if adobe and len(adobe[-1].data) >= 16:
            return adobe[-1].data[15] != 0
        return self.frame.data[10:19:3] != b"RGB"

    def completed(self, tables: bytes, *, ycbcr: bool) -> bytes:
        """Return a head that stands alone and says which colours follow.

        Notes of the tile are dropped, since a JFIF or Adobe marker may contradict the TIFF, and an Adobe
        marker is put in: a decoder without it takes RGB for YCbCr.

        Parameters
        ----------
        tables : bytes
            The JPEGTables of the TIFF, or empty.
        ycbcr : bool
            Whether the samples are YCbCr; else red, green, blue.
        """
        parts = [*_segments_of_tables(tables), *self.segments]
        kept = b"".join(part.data for part in parts if part.speaks_of_pixels)
        return b"\xff\xd8" + _adobe_marker(transform=int(ycbcr)) + kept


def read_head(stream: bytes) -> StreamHead:
    """Read the head of a stream.

    Raises
    ------
    StreamError
        When it is no JPEG stream, or ends before its pixels begin.
    UnknownStreamError
        When it is not 8-bit, of three colours, and Huffman-coded.
    """
    segments, length = _segments(stream, until=_SCAN)
    frames = [part for part in segments if part.marker in _FRAMES | _OTHER_FRAMES]
    if len(frames) != 1 or len(frames[0].data) < 10:
        raise StreamError("no JPEG frame")
    frame = frames[0]
    precision, height, width, components = struct.unpack(">BHHB", frame.data[4:10])
    if frame.marker in _OTHER_FRAMES or precision != 8 or components != 3 or len(frame.data) != 19:
        raise UnknownStreamError(f"JPEG of {components} x {precision} bits, SOF{frame.marker - 0xC0}")
    return StreamHead(bytes(stream[:length]), segments, frame, width, height)


def _segments_of_tables(tables: bytes) -> tuple[Segment, ...]:
    return _segments(tables, until=_END)[0] if tables else ()


def _segments(stream: bytes, until: int) -> tuple[tuple[Segment, ...], int]:
    """Return the segments up to a marker, and where they end; SOS counts in, EOI does not."""
    if stream[:2] != b"\xff\xd8":
        raise StreamError("not a JPEG stream")
    found: list[Segment] = []
    place = 2
    while place + 4 <= len(stream) or (until == _END and place + 2 <= len(stream)):
        if stream[place] != 0xFF:
            raise StreamError("a JPEG marker is missing")
        marker = stream[place + 1]
        if marker == 0xFF:  # fill byte
            place += 1
            continue
        if marker in {_START, _END}:
            break
        end = place + 2 + int.from_bytes(stream[place + 2 : place + 4], "big")
        if end > len(stream) or end < place + 4:
            break
        found.append(Segment(marker, bytes(stream[place:end])))
        place = end
        if marker == until:
            break
    if until == _SCAN and (not found or found[-1].marker != _SCAN):
        raise StreamError("the JPEG head is cut off")
    return tuple(found), place


def _adobe_marker(transform: int) -> bytes:
    return b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00" + bytes([transform])
