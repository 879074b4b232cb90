"""JPEG streams as TIFF tiles hold them: their headers read, and made whole so that any decoder reads them.

Tiles are abbreviated (their tables lie elsewhere in the file), and what their colours are often stands in
the TIFF alone. Knows bytes; knows no TIFF, no file and no pixels.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

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
